//! Many bad clients at once at the real program: its memory stays flat, a good client is served meanwhile, and the
//! time limits end what lies about.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Process, Wire};

const IDLE: usize = 1000;
const SLOW: usize = 50;
/// A connection costs a few kilobytes; a byte more for each that is promised or sent would be far above this.
const MOST_GROWTH_BYTES: u64 = 96 * 1024 * 1024;
/// Between two rounds of the same: what the first one needed is used again.
const MOST_CREEP_BYTES: u64 = 16 * 1024 * 1024;

const ECR_HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\
    X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.PutImage\r\n";

/// A signed call on a connection of its own, in good time.
async fn good_client(process: &Process) {
    let begin = Instant::now();
    process.server.ecr(&process.server.root, "DescribeRegistry", json!({})).await.ok();
    assert!(begin.elapsed() < Duration::from_secs(3), "a good client waited {:?}", begin.elapsed());
}

/// A request that must be refused, with the beginning of the status.
async fn refused(process: &Process, what: &str, bytes: String, status: &str) {
    let mut wire = process.server.wire().await;
    let answer = wire.send(bytes).await.until("\r\n\r\n").await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer}");
}

/// All of them at the same time; out: the most memory that was seen.
async fn round(process: &Process) -> u64 {
    let mut waiting: Vec<Wire> = Vec::new();
    for _ in 0..IDLE {
        waiting.push(process.server.wire().await);
    }
    for number in 0..SLOW {
        let mut header = process.server.wire().await;
        header.send(format!("GET /healthz HTTP/1.1\r\nHost: {number}")).await;
        let mut body = process.server.wire().await;
        body.send(format!("{ECR_HEAD}Content-Length: 60000\r\n\r\n{{")).await;
        waiting.extend([header, body]);
    }
    good_client(process).await;
    let mut most = process.resident_bytes();
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "a".repeat(60_000));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let manifest =
        format!("PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: a\r\n{}", authorization(process).await);
    for _ in 0..10 {
        for fields in [&many, &large] {
            let request = format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            refused(process, "headers", request, "431").await;
        }
        let length = "Content-Length: 1000000000\r\n\r\n";
        refused(process, "JSON", format!("{ECR_HEAD}{length}"), "4").await;
        refused(process, "form", format!("POST / HTTP/1.1\r\nHost: a\r\n{form}{length}"), "413").await;
        refused(process, "manifest", format!("{manifest}{length}"), "413").await;
        most = most.max(process.resident_bytes());
    }
    // A byte a second, which is never a long pause.
    for _ in 0..2 {
        for wire in waiting.iter_mut().skip(IDLE) {
            wire.send("a").await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        good_client(process).await;
        most = most.max(process.resident_bytes());
    }
    for (number, wire) in waiting.iter_mut().enumerate() {
        let (_, took) = wire.rest().await;
        assert!(took < Duration::from_secs(10), "connection {number} lasted {took:?}");
    }
    most.max(process.resident_bytes())
}

async fn authorization(process: &Process) -> String {
    let docker = process.server.docker(&process.server.root).await;
    format!("Authorization: {}\r\n", docker.authorization)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_clients_cost_little_and_hold_nothing_up() {
    let flags = ["--header-timeout-seconds", "3", "--stall-timeout-seconds", "3"];
    let process = Process::start(&flags);
    process.server.ecr(&process.server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
    for _ in 0..20 {
        good_client(&process).await;
    }
    let before = process.resident_bytes();
    let first = round(&process).await;
    let second = round(&process).await;
    eprintln!("resident before {before}, in the first round {first}, in the second {second} bytes");
    assert!(first < before + MOST_GROWTH_BYTES, "{before} → {first}");
    assert!(second < first + MOST_CREEP_BYTES, "{first} → {second}");
    good_client(&process).await;
}
