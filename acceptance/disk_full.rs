//! A disk that is full or broken: a clear answer, nothing damaged, reads go on, and it works again without a restart.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::faults::{Driver, Installation, Kind, Order, script};
use crate::harness::layout::digest;

const NO_SPACE: i32 = 28;
const IO_ERROR: i32 = 5;
const READ_ONLY: i32 = 30;
const QUOTA: i32 = 122;

/// Every how manieth call fails in CI; all of them with `LONGSHORE_FAILED_CALLS=all`.
const STRIDE: usize = 7;

/// Within this time after one failed call everything works again.
const RECOVERY: Duration = Duration::from_secs(20);

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
        let begin = Instant::now();
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
                    begin.elapsed() < RECOVERY,
                    "call {call}: {request:?} does not work again: {}",
                    answer.text()
                );
                // A deletion that met the full disk has used the reserve, which is filled again after a moment.
                std::thread::sleep(Duration::from_millis(20));
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
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert!(answer.text().contains("ServerException"), "{}", answer.text());
        assert!(answer.text().contains("storage is full"), "{error}: {}", answer.text());
        let answer = client.registry("POST", "/v2/app1/blobs/uploads/", &[], &[]).unwrap();
        assert_eq!(answer.status, 507, "{error}: {}", answer.text());
        earlier.verify(client);
        control.order(Order::Nothing);
        let answer = later.advance(client).unwrap();
        assert!(answer.is_success(), "{} {}", answer.status, answer.text());
    }
    later.run(client).unwrap();
    later.verify(client);
    assert!(installation.log().contains("full"), "{}", installation.log());
}

/// Nothing is found out by a second sync: after the first has failed the kernel takes the pages for written.
#[test]
fn a_layer_whose_sync_failed_is_not_published_by_a_repetition() {
    let installation = Installation::create(true);
    let (running, control) = installation.start_with_faults(Order::Nothing, false);
    let client = running.client();
    assert_eq!(client.ecr("CreateRepository", &json!({ "repositoryName": "app" })).unwrap().status, 200);
    // Large enough for a file of its own; other bytes each time, so that nothing of it is there already.
    let begin = |word: u8| {
        let layer: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8 ^ word).collect();
        let answer = client.registry("POST", "/v2/app/blobs/uploads/", &[], &[]).unwrap();
        let location = answer.header("location").unwrap().to_owned();
        assert_eq!(client.registry("PATCH", &location, &[], &layer).unwrap().status, 202);
        (location.clone(), format!("{location}?digest={}", digest(&layer)), layer)
    };
    // Calls are numbered whatever they are, so the reach of the order grows until the sync of the bytes is within it.
    let was_given_up = (1..20).any(|reach| {
        let (location, complete, layer) = begin(reach);
        let blob = format!("/v2/app/blobs/{}", digest(&layer));
        let reach = u64::from(reach);
        control.order_about(Order::Fail { from: 1, to: reach, error: IO_ERROR }, &[Kind::Sync]);
        let answer = client.registry("PUT", &complete, &[], &[]).unwrap();
        control.order(Order::Nothing);
        if answer.status == 201 {
            // What failed, if anything, was something of the background's.
            assert_eq!(client.registry("GET", &blob, &[], &[]).unwrap().body, layer);
            return false;
        }
        assert_eq!(answer.status, 500, "reach {reach}: {}", answer.text());
        for (method, path) in [("PUT", &complete), ("GET", &location)] {
            let answer = client.registry(method, path, &[], &[]).unwrap();
            assert_eq!(answer.status, 404, "reach {reach}, {method}: {}", answer.text());
            assert_eq!(answer.json()["errors"][0]["code"], "BLOB_UPLOAD_UNKNOWN");
        }
        assert_eq!(client.registry("GET", &blob, &[], &[]).unwrap().status, 404);
        // The same layer, pushed again.
        let again = begin(u8::try_from(reach).unwrap());
        assert_eq!(client.registry("PUT", &again.1, &[], &[]).unwrap().status, 201);
        assert_eq!(client.registry("GET", &blob, &[], &[]).unwrap().body, layer);
        true
    });
    assert!(was_given_up, "no sync of the bytes failed");
    // A disk that syncs nothing at all does not keep the upload either, whose end is committed and then not synced.
    let (location, complete, layer) = begin(100);
    control.order_about(Order::Fail { from: 1, to: u64::MAX, error: IO_ERROR }, &[Kind::Sync]);
    assert_eq!(client.registry("PUT", &complete, &[], &[]).unwrap().status, 500);
    control.order(Order::Nothing);
    for (method, path) in [("PUT", &complete), ("GET", &location)] {
        let answer = client.registry(method, path, &[], &[]).unwrap();
        assert_eq!(answer.status, 404, "{method}: {}", answer.text());
    }
    let blob = format!("/v2/app/blobs/{}", digest(&layer));
    assert_eq!(client.registry("GET", &blob, &[], &[]).unwrap().status, 404);
    assert_eq!(client.registry("PUT", &begin(100).1, &[], &[]).unwrap().status, 201);
    assert_eq!(client.registry("GET", &blob, &[], &[]).unwrap().body, layer);
}
