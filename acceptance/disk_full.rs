//! A disk that is full or broken: a clear answer, nothing damaged, reads go on, and it works again without a restart.

use crate::faults::{Driver, Installation, Kind, Order, script};

const NO_SPACE: i32 = 28;
const IO_ERROR: i32 = 5;
const READ_ONLY: i32 = 30;
const QUOTA: i32 = 122;

/// Every how manieth call fails in CI; all of them with `LONGSHORE_FAILED_CALLS=all`.
const STRIDE: usize = 7;

#[test]
fn one_call_fails_and_the_client_repeats_its_request() {
    let installation = Installation::create(true);
    let (running, control) = installation.start_with_faults(Order::Nothing, false);
    let client = running.client();
    control.order(Order::Nothing);
    Driver::of(script(0)).run(client).unwrap();
    let count = control.count();
    assert!(count > 300, "only {count} calls: is the shim loaded?");
    let stride =
        if std::env::var("LONGSHORE_FAILED_CALLS").is_ok_and(|text| text == "all") { 1 } else { STRIDE };
    let (mut hits, mut refused) = (0, 0);
    for call in (1..=count).step_by(stride) {
        let error = [NO_SPACE, IO_ERROR, READ_ONLY, QUOTA][call as usize % 4];
        let mut driver = Driver::of(script(call));
        control.order(Order::Fail { from: call, to: call, error });
        while driver.done < driver.steps.len() {
            let before = driver.done;
            let answer = driver.advance(client).unwrap();
            if driver.done == before {
                let request = &driver.steps[before].request;
                assert!(control.hits() == 1, "{request:?}: {} {}", answer.status, answer.text());
                assert!(
                    matches!(answer.status, 500 | 507),
                    "{request:?}: {} {}",
                    answer.status,
                    answer.text()
                );
                refused += 1;
                assert!(
                    refused < 2 * count,
                    "call {call}: {request:?} does not work again: {}",
                    answer.text()
                );
                // The fault is over; what the client asks and repeats now must lead to the same end.
                driver.verify(client);
                driver.take_up(client, false);
            }
        }
        driver.verify(client);
        hits += control.hits();
    }
    println!("{hits} calls failed, {refused} requests were refused");
    assert!(refused > 20, "only {refused} requests met a fault");
    assert!(running.stop().success());
    let running = installation.start();
    Driver::of(script(count + 1)).run(running.client()).unwrap();
}

#[test]
fn a_full_disk_refuses_pushes_serves_pulls_and_recovers() {
    let installation = Installation::create(true);
    let (running, control) = installation.start_with_faults(Order::Nothing, false);
    let client = running.client();
    let mut earlier = Driver::of(script(1));
    earlier.run(client).unwrap();
    let mut later = Driver::of(script(2));
    for error in [NO_SPACE, QUOTA] {
        control.order_about(Order::Fail { from: 1, to: u64::MAX, error }, &Kind::NEED_SPACE);
        let answer = later.advance(client).unwrap();
        assert!(matches!(answer.status, 500 | 507), "{} {}", answer.status, answer.text());
        assert!(answer.text().contains("ServerException"), "{}", answer.text());
        earlier.verify(client);
        control.order(Order::Nothing);
        let answer = later.advance(client).unwrap();
        assert!(answer.is_success(), "{} {}", answer.status, answer.text());
    }
    later.run(client).unwrap();
    later.verify(client);
    assert!(installation.log().contains("full"), "{}", installation.log());
}
