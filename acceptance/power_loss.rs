//! Power that goes at any moment: what was acknowledged is on the disk, whatever became of writes that were not synced.
//!
//! One run is recorded, from the first start on an empty folder; each seed chooses a moment of it and what the disk
//! made of everything that was not synced by then. CI: 200 seeds. Nightly: `LONGSHORE_POWER_LOSS_SEEDS=10000`.
//! One seed alone: `LONGSHORE_POWER_LOSS_SEED=17`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::faults::{
    Disk, Driver, Installation, Kind, Order, Random, Step, Sync, Trace, When, long_script, script,
};

const SCRIPT: u64 = 2;

/// One recorded run.
struct Recording {
    installation: Installation,
    trace: Trace,
    /// The driver before each step, with the number of records at that moment; the first is before the first start.
    moments: Vec<(usize, Driver)>,
}

fn record(steps: Vec<Step>) -> Recording {
    let installation = Installation::create(false);
    let (running, control) = installation.start_with_faults(Order::Nothing, true);
    control.order(Order::Nothing);
    let length = || std::fs::metadata(installation.trace_path()).unwrap().len();
    let mut driver = Driver::of(steps);
    let mut moments = vec![(0, driver.clone()), (length(), driver.clone())];
    while driver.done < driver.steps.len() {
        let answer = driver.advance(running.client()).unwrap();
        assert!(answer.is_success(), "{} {}", answer.status, answer.text());
        moments.push((length(), driver.clone()));
    }
    // A clean stop folds the log into the database: calls that may lose power too.
    assert!(running.stop().success());
    let trace = installation.trace();
    let moments = moments.into_iter().map(|(length, driver)| (trace.until(length), driver)).collect();
    Recording { installation, trace, moments }
}

impl Recording {
    fn disk(&self, records: usize, sync: Sync) -> Disk {
        let mut disk = Disk::empty(&self.installation.data(), sync);
        self.trace.records[..records].iter().for_each(|record| disk.apply(record));
        disk
    }

    /// Cuts the power as the seed says, starts the server on what is left, and verifies.
    fn replay(&self, seed: u64, sync: Sync) {
        let mut random = Random::of(seed);
        let total = self.trace.records.len() as u64;
        // Half of the cuts come while requests are answered, most of the others during the first start.
        let served = self.moments[1].0 as u64;
        let at =
            if random.chance(75) { served + random.below(total - served + 1) } else { random.below(served) };
        self.cut_at(usize::try_from(at).unwrap(), &mut random, sync);
    }

    /// Cuts the power after so many records.
    fn cut_at(&self, at: usize, random: &mut Random, sync: Sync) {
        let moment = self.moments.partition_point(|(records, _)| *records <= at) - 1;
        let mut driver = self.moments[moment].1.clone();
        let installation = Installation::create(true);
        self.disk(at, sync).cut_power(random, &installation.data());
        if moment > 0 {
            installation.is_in_order_in_another_boot(&format!("power lost after record {at}"));
        }
        let running = installation.start_in_another_boot(When::Now);
        let Some(client) = &running.client else {
            panic!("no start after record {at}: {}", installation.log())
        };
        driver.verify(client);
        driver.take_up(client, true);
        driver.run(client).unwrap();
        driver.verify(client);
        drop(running);
        installation.is_in_order_in_another_boot(&format!("went on after record {at}"));
    }
}

#[test]
fn nothing_acknowledged_is_lost_with_the_power() {
    let recording = record(script(SCRIPT));
    if let Some(seed) = number("LONGSHORE_POWER_LOSS_SEED") {
        return recording.replay(seed, Sync::Honest);
    }
    let seeds = number("LONGSHORE_POWER_LOSS_SEEDS").unwrap_or(200);
    let next = AtomicU64::new(0);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(|| work(&recording, &next, seeds))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "repeat with LONGSHORE_POWER_LOSS_SEED=<seed>: {failed:?}");
    println!("{seeds} seeds over {} records", recording.trace.records.len());
}

/// Power cuts in a fold of SQLite's log while requests are answered; the long form has as many as there are calls.
const FOLD_CUTS: usize = 16;

#[test]
fn nothing_acknowledged_is_lost_with_the_power_while_the_log_is_folded() {
    let recording = record(long_script(SCRIPT));
    let served = recording.moments[1].0..recording.moments[recording.moments.len() - 1].0;
    let database = recording.installation.number_of("catalog.db");
    let folding: Vec<usize> = served
        .filter(|at| {
            let record = &recording.trace.records[*at];
            record.inode == database && matches!(record.kind, Kind::Write | Kind::Sync)
        })
        .collect();
    assert!(folding.len() > FOLD_CUTS, "{} calls: the log was not folded", folding.len());
    let is_whole = number("LONGSHORE_POWER_LOSS_SEEDS").is_some_and(|seeds| seeds >= 10_000);
    let stride = if is_whole { 1 } else { folding.len().div_ceil(FOLD_CUTS) };
    let failed: Vec<usize> = folding
        .into_iter()
        .step_by(stride)
        .filter(|at| {
            let cut = || recording.cut_at(at + 1, &mut Random::of(*at as u64), Sync::Honest);
            catch_unwind(AssertUnwindSafe(cut)).is_err()
        })
        .collect();
    assert!(failed.is_empty(), "power cut after the records {failed:?}");
}

fn work(recording: &Recording, next: &AtomicU64, seeds: u64) -> Vec<u64> {
    let mut failed = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::SeqCst);
        if seed >= seeds {
            return failed;
        }
        if catch_unwind(AssertUnwindSafe(|| recording.replay(seed, Sync::Honest))).is_err() {
            failed.push(seed);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

const IO_ERROR: i32 = 5;

/// Syncs that fail in CI, evenly spread over the script; all of them with `LONGSHORE_FAILED_SYNCS=all`.
const FAILED_SYNCS: usize = 20;

/// After a sync that fails the next one succeeds without what was lost: nothing acknowledged may build on it.
#[test]
fn nothing_acknowledged_is_lost_after_a_sync_that_failed() {
    let recording = record(script(SCRIPT));
    let served = &recording.trace.records[recording.moments[1].0..];
    let syncs: Vec<u64> =
        served.iter().filter(|record| record.kind == Kind::Sync).map(|record| record.number).collect();
    let is_whole = std::env::var("LONGSHORE_FAILED_SYNCS").is_ok_and(|text| text == "all");
    let stride = if is_whole { 1 } else { syncs.len().div_ceil(FAILED_SYNCS) };
    let failed: Vec<u64> = syncs
        .iter()
        .copied()
        .step_by(stride)
        .filter(|call| catch_unwind(AssertUnwindSafe(|| fail_and_cut(*call))).is_err())
        .collect();
    println!("{} syncs, every {stride}th failed", syncs.len());
    assert!(failed.is_empty(), "lost after the failure of the calls {failed:?}");
}

/// Lets one sync fail, goes on to the end, and cuts the power there.
fn fail_and_cut(call: u64) {
    let installation = Installation::create(true);
    let (running, control) = installation.start_with_faults(Order::Nothing, true);
    control.order_about(Order::Fail { from: call, to: call, error: IO_ERROR }, &[Kind::Sync]);
    let client = running.client();
    let mut driver = Driver::of(script(SCRIPT));
    while driver.done < driver.steps.len() {
        let before = driver.done;
        let answer = driver.advance(client).unwrap();
        if driver.done == before {
            assert!(control.hits() == 1 && matches!(answer.status, 500 | 507), "{}", answer.text());
            driver.verify(client);
            driver.take_up(client, false);
        }
    }
    drop(running);
    let trace = installation.trace();
    for seed in 0..4 {
        let mut disk = Disk::empty(&installation.data(), Sync::Honest);
        trace.records.iter().for_each(|record| disk.apply(record));
        let left = Installation::create(true);
        disk.cut_power(&mut Random::of(seed), &left.data());
        left.is_in_order_in_another_boot(&format!("sync {call} failed"));
        let running = left.start_in_another_boot(When::Now);
        driver.verify(running.client());
    }
}

#[test]
fn the_trace_has_every_change_and_a_lying_disk_is_found_out() {
    let recording = record(script(SCRIPT));
    let replayed = recording.disk(recording.trace.records.len(), Sync::Honest).files();
    let root = recording.installation.data();
    assert!(replayed.len() > 10);
    for (path, content) in &replayed {
        let real = std::fs::read(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(real == *content, "{path} was changed by a call that the shim does not see");
    }
    assert_eq!(replayed.len(), count(&root), "files came by calls that the shim does not see");
    assert!(recording.trace.records.iter().any(|record| record.kind == Kind::Link));

    let found = (0..20)
        .filter(|seed| catch_unwind(AssertUnwindSafe(|| recording.replay(*seed, Sync::Lies))).is_err());
    assert!(found.count() > 0, "losing what was synced is not noticed");
}

fn count(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // The index of SQLite's log is not recorded, and stays when a connection was open at the end.
    let entries = entries.filter(|path| !path.to_str().unwrap().ends_with("-shm"));
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}
