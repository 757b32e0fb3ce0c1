//! kill -9 at any call that changes the disk: everything acknowledged is there, nothing is half visible, and the
//! interrupted client can go on.
//!
//! CI kills at 200 points: one of each sort of call in each sort of request, the rest drawn by a seed.
//! `LONGSHORE_KILL_POINTS=all` is the nightly form.

use std::collections::BTreeSet;

use crate::faults::{Driver, Installation, Kind, Order, Random, Step, long_script, script};

const SEED: u64 = 1;
const POINTS: usize = 200;

#[test]
fn nothing_acknowledged_is_lost_at_any_call() {
    let prepared = prepared();
    let points = points(&prepared);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                    kill_at(&prepared, script(SEED), *point);
                }
            });
        }
    });
    println!("killed at {} points", points.len());
}

/// A folder that was started and stopped once.
fn prepared() -> Installation {
    let prepared = Installation::create(true);
    let status = prepared.start().stop();
    assert!(status.success(), "{status}: {}", prepared.log());
    prepared
}

/// The calls to be killed at, counted from the ready line on.
fn points(prepared: &Installation) -> Vec<u64> {
    let counting = prepared.copy();
    let (running, control) = counting.start_with_faults(Order::Nothing, true);
    control.order(Order::Nothing);
    let begin = std::fs::metadata(counting.trace_path()).unwrap().len();
    let mut driver = Driver::of(script(SEED));
    let mut sorts = BTreeSet::new();
    let mut chosen = BTreeSet::new();
    let mut last = begin;
    while driver.done < driver.steps.len() {
        let request = format!("{:?}", driver.steps[driver.done].request);
        let answer = driver.advance(running.client()).unwrap();
        assert!(answer.is_success(), "{request}: {} {}", answer.status, answer.text());
        let trace = counting.trace();
        let end = std::fs::metadata(counting.trace_path()).unwrap().len();
        for record in &trace.records[trace.until(last)..trace.until(end)] {
            let sort = (request.split([' ', '"']).next().map(str::to_owned), record.kind, record.offset > 0);
            if sorts.insert(sort) {
                chosen.insert(record.number);
            }
        }
        last = end;
    }
    let count = control.count();
    assert!(count > 300, "only {count} calls: is the shim loaded?");
    if is_whole() {
        return (1..=count).collect();
    }
    let mut random = Random::of(SEED);
    while chosen.len() < POINTS {
        chosen.insert(random.below(count) + 1);
    }
    chosen.into_iter().collect()
}

/// Points in a fold of SQLite's log, evenly spread over it.
const FOLD_POINTS: usize = 16;

#[test]
fn nothing_acknowledged_is_lost_while_the_log_is_folded() {
    let prepared = prepared();
    let counting = prepared.copy();
    let (running, control) = counting.start_with_faults(Order::Nothing, true);
    control.order(Order::Nothing);
    let begin = std::fs::metadata(counting.trace_path()).unwrap().len();
    let mut driver = Driver::of(long_script(SEED));
    driver.run(running.client()).unwrap();
    let (trace, database) = (counting.trace(), counting.number_of("catalog.db"));
    // Only a fold changes the database itself; a clean stop, which does it too, comes later.
    let folding: Vec<u64> = trace.records[trace.until(begin)..]
        .iter()
        .filter(|record| record.inode == database && matches!(record.kind, Kind::Write | Kind::Sync))
        .map(|record| record.number)
        .collect();
    assert!(folding.len() > FOLD_POINTS, "{} calls: the log was not folded", folding.len());
    let stride = if is_whole() { 1 } else { folding.len().div_ceil(FOLD_POINTS) };
    for point in folding.into_iter().step_by(stride) {
        kill_at(&prepared, long_script(SEED), point);
    }
}

fn is_whole() -> bool {
    std::env::var("LONGSHORE_KILL_POINTS").is_ok_and(|text| text == "all")
}

fn kill_at(prepared: &Installation, steps: Vec<Step>, point: u64) {
    let installation = prepared.copy();
    let (running, control) = installation.start_with_faults(Order::Nothing, false);
    control.order(match point % 3 {
        0 => Order::KillBefore(point),
        1 => Order::KillAfter(point),
        _ => Order::KillHalfWay(point),
    });
    let mut driver = Driver::of(steps);
    // Calls of other threads may come in another order, so the last points may lie after the end.
    let _ = driver.run(running.client());
    drop(running);
    installation.is_in_order(&format!("killed at point {point}"));
    let running = installation.start();
    let client = running.client.as_ref().unwrap_or_else(|| panic!("point {point}: {}", installation.log()));
    driver.verify(client);
    driver.take_up(client, false);
    driver.run(client).unwrap();
    driver.verify(client);
    let status = running.stop();
    assert!(status.success(), "point {point}: {status}");
    installation.is_in_order(&format!("stopped after point {point}"));
}

#[test]
fn a_first_start_that_is_killed_anywhere_can_be_repeated() {
    let counting = Installation::create(true);
    let (running, control) = counting.start_with_faults(Order::Nothing, false);
    assert!(running.stop().success());
    let count = control.count();
    let mut random = Random::of(SEED);
    // Most of the calls create the folders of the shards, which are all alike.
    let mut points: BTreeSet<u64> = (1..=16).chain(525..=570).collect();
    points.extend((0..12).map(|_| random.below(count) + 1));
    for point in points {
        let installation = Installation::create(true);
        let order = if point % 2 == 0 { Order::KillAfter(point) } else { Order::KillHalfWay(point) };
        let (running, _control) = installation.start_with_faults(order, false);
        drop(running);
        let running = installation.start();
        assert!(running.client.is_some(), "point {point}: {}", installation.log());
    }
}
