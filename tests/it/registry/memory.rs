//! A large layer needs no more memory than a small one.

use std::time::Duration;

use sha2::Digest as _;

use super::uploads::logged_in;
use crate::harness::{Settings, TestServer};

const PIECE_BYTES: usize = 1024 * 1024;
const PIECES: usize = 256;

/// Far below the layer, far above what the other tests of this process do at the same time.
const GROWTH_BYTES: usize = 128 * 1024 * 1024;

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushing_and_pulling_a_large_layer_keeps_memory_flat() {
    let server = TestServer::start(Settings::default()).await;
    let docker = logged_in(&server).await;
    let upload = docker.start_upload("app").await;
    let before = resident_bytes();
    let mut most = before;
    let mut piece = vec![0_u8; PIECE_BYTES];
    let mut hasher = sha2::Sha256::new();
    let mut wire = server.wire().await;
    let length = PIECE_BYTES * PIECES;
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ncontent-length: {length}\r\n\r\n",
        docker.authorization
    );
    wire.send(head).await;
    for number in 0..PIECES {
        piece.fill(u8::try_from(number % 251).unwrap());
        hasher.update(&piece);
        wire.send(&piece).await;
        most = most.max(resident_bytes());
    }
    let answer = wire.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let digest = format!("sha256:{}", hex::encode(hasher.finalize()));
    docker.send("PUT", &format!("{upload}?digest={digest}"), &[], "").await.ok();
    // A reader that takes nothing for a while holds no more than the pieces under way.
    let mut slow = server.wire().await;
    let head = format!(
        "GET /v2/app/blobs/{digest} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n\r\n",
        docker.authorization
    );
    slow.send(head).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    most = most.max(resident_bytes());
    assert!(most - before < GROWTH_BYTES, "{} MiB more", (most - before) / PIECE_BYTES);
    drop(slow);
    server.stop().await;
}
