//! The collector killed, or without power, at any call: what images need stays byte for byte, what nobody needs goes in
//! the end, and no bytes stay behind.
//!
//! The clock of the server is days ahead, so that every grace has passed. CI: 24 kills and 40 power cuts; all calls
//! with `LONGSHORE_KILL_POINTS=all`, more cuts with `LONGSHORE_POWER_LOSS_SEEDS=10000`.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::faults::{
    Client, Disk, Driver, Installation, Order, Random, Request, Sync, Trace, When, World, script,
};
use crate::harness::layout::digest;

const SEED: u64 = 3;
const POINTS: u64 = 24;
const CUTS: u64 = 40;

/// Those who wait for a collector do little else.
const WORKERS: u64 = 6;

const PATIENCE: Duration = Duration::from_secs(60);

/// Images were pushed and deleted, an upload was left alone, and the server was stopped.
struct Prepared {
    installation: Installation,
    driver: Driver,
    /// What is left when everything was collected.
    kept: World,
}

fn prepared(is_recorded: bool) -> Prepared {
    let installation = Installation::create(true);
    let (running, _control) = installation.start_with_faults(Order::Nothing, is_recorded);
    let client = running.client();
    let mut driver = Driver::of(script(SEED));
    driver.run(client).unwrap();
    let path = format!("/v2/app{SEED}/blobs/uploads/");
    let started = client.registry("POST", &path, &[], &[]).unwrap();
    let location = started.header("location").unwrap();
    assert_eq!(client.registry("PATCH", location, &[], &[7; 100_000]).unwrap().status, 202);
    assert!(running.stop().success());
    let kept = kept(&driver);
    assert!(kept.len() + 3 < driver.world.len() && kept.keys().any(|key| key.starts_with("layer/")));
    Prepared { installation, driver, kept }
}

/// Everything but the layers that no image names.
fn kept(driver: &Driver) -> World {
    let mut named = BTreeSet::new();
    for step in &driver.steps {
        let Request::Manifest { repository, bytes, .. } = &step.request else { continue };
        if !driver.world.contains_key(&format!("image/{repository}/{}", digest(bytes))) {
            continue;
        }
        let manifest: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
        named.extend(layers.map(|layer| format!("layer/{repository}/{}", layer["digest"].as_str().unwrap())));
    }
    let is_kept = |key: &String| !key.starts_with("layer/") || named.contains(key);
    driver
        .world
        .iter()
        .filter(|(key, _)| is_kept(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

impl Prepared {
    /// Whether no byte is left of what nobody needs; asks nobody, so that no request disturbs the count of calls.
    fn is_clean(&self, data: &Path) -> bool {
        let uploads = files(&data.join("blobs/uploads"));
        self.has_no_strays(data)
            && !uploads.iter().any(|name| name.ends_with(".data") || name.ends_with(".state"))
    }

    fn has_no_strays(&self, data: &Path) -> bool {
        let is_kept = |name: &str| {
            let hex = name.split(['.', '-']).next().unwrap();
            self.kept.keys().any(|key| key.starts_with("layer/") && key.ends_with(hex))
        };
        let objects = files(&data.join("blobs/blobs"));
        assert!(!objects.is_empty(), "no blobs below {}", data.display());
        objects.iter().all(|name| is_kept(name))
    }

    /// What images need is there, and nothing that was never there.
    fn verify(&self, client: &Client) -> bool {
        let found = self.driver.observe(client);
        for (key, value) in &self.kept {
            assert_eq!(found.get(key), Some(value), "{key}");
        }
        for (key, value) in &found {
            assert_eq!(self.driver.world.get(key), Some(value), "{key} was never acknowledged");
        }
        found == self.kept
    }

    /// Lets a collector finish on what is left, and looks that nothing is too much and nothing too little.
    fn finish(&self, installation: &Installation, is_another_boot: bool, what: &str) {
        let running = if is_another_boot {
            installation.is_in_order_in_another_boot(what);
            installation.start_in_another_boot(When::Later)
        } else {
            installation.is_in_order(what);
            installation.start_later()
        };
        let Some(client) = &running.client else { panic!("{what}: {}", installation.log()) };
        let begun = Instant::now();
        // Power loss may bring back the name of an object whose row is gone: bytes that nobody can ask for, which the
        // daily comparison removes after a week.
        let is_clean = |data: &Path| is_another_boot || self.is_clean(data);
        while !self.verify(client) || !is_clean(&installation.data()) {
            assert!(begun.elapsed() < PATIENCE, "{what}: not collected: {}", installation.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(running.stop().success(), "{what}");
        installation.is_in_order_in_another_boot(what);
    }
}

/// The names of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

/// Starts a collector and waits until nothing is left to do, or until an order ends it; returns how many calls it made,
/// and whether it was ended.
fn collect(prepared: &Prepared, installation: &Installation, order: Order, is_recorded: bool) -> (u64, bool) {
    let (mut running, control) = installation.start_with_faults_at(When::Later, Order::Nothing, is_recorded);
    // The first round comes a second after the start.
    control.order(order);
    let begun = Instant::now();
    while !running.has_ended() && !prepared.is_clean(&installation.data()) {
        assert!(begun.elapsed() < PATIENCE, "not collected: {}", installation.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    // Rows follow the bytes.
    let begun = Instant::now();
    while !running.has_ended() && begun.elapsed() < Duration::from_millis(300) {
        std::thread::sleep(Duration::from_millis(20));
    }
    (control.count(), running.has_ended())
}

#[test]
fn a_collector_that_is_killed_anywhere_removes_nothing_that_is_needed() {
    let prepared = prepared(false);
    let undisturbed = prepared.installation.copy();
    let (count, _) = collect(&prepared, &undisturbed, Order::Nothing, false);
    assert!(count > 20, "only {count} calls");
    prepared.finish(&undisturbed, false, "collected");
    let is_whole = std::env::var("LONGSHORE_KILL_POINTS").is_ok_and(|text| text == "all");
    let stride = if is_whole { 1 } else { count.div_ceil(POINTS) };
    let points: Vec<u64> = (1..=count).step_by(usize::try_from(stride).unwrap()).collect();
    let killed = AtomicU64::new(0);
    let failed = in_parallel(points.len() as u64, |index| {
        let point = points[usize::try_from(index).unwrap()];
        let installation = prepared.installation.copy();
        let order = match point % 3 {
            0 => Order::KillBefore(point),
            1 => Order::KillAfter(point),
            _ => Order::KillHalfWay(point),
        };
        let (_, is_killed) = collect(&prepared, &installation, order, false);
        killed.fetch_add(u64::from(is_killed), Ordering::SeqCst);
        prepared.finish(&installation, false, &format!("killed at call {point} of {count}"));
    });
    let killed = killed.into_inner();
    println!("killed at {killed} of {count} calls");
    assert!(failed.is_empty(), "failed at the points with the indexes {failed:?}");
    // Rounds differ by a few calls, so the last points may lie after the end.
    assert!(killed * 4 >= points.len() as u64 * 3, "only {killed} of {} were killed", points.len());
}

#[test]
fn a_collector_that_loses_power_removes_nothing_that_is_needed() {
    let prepared = prepared(true);
    let begin = prepared.installation.trace().records.len();
    collect(&prepared, &prepared.installation, Order::Nothing, true);
    let trace: Trace = prepared.installation.trace();
    let total = trace.records.len();
    assert!(total > begin + 20, "only {} calls", total - begin);
    let cuts = std::env::var("LONGSHORE_POWER_LOSS_SEEDS").map_or(CUTS, |text| text.parse().unwrap());
    let failed = in_parallel(cuts, |seed| {
        let mut random = Random::of(seed);
        let at = begin + usize::try_from(random.below((total - begin) as u64 + 1)).unwrap();
        let mut disk = Disk::empty(&prepared.installation.data(), Sync::Honest);
        trace.records[..at].iter().for_each(|record| disk.apply(record));
        let left = Installation::create(true);
        disk.cut_power(&mut random, &left.data());
        prepared.finish(&left, true, &format!("power lost after record {at} of {begin}..{total}"));
    });
    println!("{cuts} cuts over {} records", total - begin);
    assert!(failed.is_empty(), "failed with the seeds {failed:?}");
}

/// Does the work for each number below `count`; returns those with which it failed.
fn in_parallel(count: u64, work: impl Fn(u64) + std::marker::Sync) -> Vec<u64> {
    let next = AtomicU64::new(0);
    let worker = || {
        let mut failed = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::SeqCst);
            if index >= count {
                return failed;
            }
            if catch_unwind(AssertUnwindSafe(|| work(index))).is_err() {
                failed.push(index);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}
