//! Uploads go on after the client, the server or a chunk was cut; the bytes are the right ones in the end.

use std::time::Duration;

use serde_json::json;

use super::digest;
use crate::harness::{Docker, Process, TestServer, servers};

const CHUNK_BYTES: usize = 1024 * 1024;

/// Bytes in which no piece looks like another.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|position| (position / 251 + position * 7) as u8).collect()
}

fn patch_head(docker: &Docker<'_>, upload: &str, first: usize, length: usize) -> String {
    format!(
        "PATCH {upload} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ncontent-length: {length}\r\n\
         content-range: {first}-{}\r\n\r\n",
        docker.authorization,
        first + length - 1
    )
}

/// Bytes that the server says it has; fails when it does not say so with a 204.
async fn received(docker: &Docker<'_>, upload: &str) -> usize {
    let status = docker.get(upload).await;
    assert_eq!(status.status, 204, "{status:?}");
    let last: usize = status.header("range").strip_prefix("0-").unwrap().parse().unwrap();
    if last == 0 { 0 } else { last + 1 }
}

async fn append(docker: &Docker<'_>, upload: &str, bytes: &[u8], first: usize, last: usize) {
    let range = format!("{first}-{}", last - 1);
    let headers = [("content-range", range.as_str())];
    let answer = docker.send("PATCH", upload, &headers, bytes[first..last].to_vec()).await;
    assert_eq!((answer.status, answer.header("range")), (202, format!("0-{}", last - 1).as_str()));
}

/// Ends the upload and reads the blob back.
async fn complete(docker: &Docker<'_>, upload: &str, bytes: &[u8]) {
    let name = digest(bytes);
    let answer = docker.send("PUT", &format!("{upload}?digest={name}"), &[], "").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let blob = docker.get(&format!("/v2/app/blobs/{name}")).await;
    assert!(blob.status == 200 && blob.body == bytes, "other bytes");
}

async fn login(server: &TestServer) -> Docker<'_> {
    server.docker(&server.root).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_killed_between_chunks_and_in_the_middle_of_one() {
    let mut process = Process::start(&[]);
    let bytes = content(3 * CHUNK_BYTES);
    process.server.ecr(&process.server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
    let docker = login(&process.server).await;
    let upload = docker.start_upload("app").await;
    append(&docker, &upload, &bytes, 0, CHUNK_BYTES).await;
    process.kill_and_restart();

    let docker = login(&process.server).await;
    assert_eq!(received(&docker, &upload).await, CHUNK_BYTES, "what was acknowledged is there");
    let mut wire = process.server.wire().await;
    let half = CHUNK_BYTES + CHUNK_BYTES / 2;
    wire.send(patch_head(&docker, &upload, CHUNK_BYTES, CHUNK_BYTES)).await;
    wire.send(&bytes[CHUNK_BYTES..half]).await;
    // The server shall have begun to write what came.
    tokio::time::sleep(Duration::from_millis(200)).await;
    process.kill_and_restart();

    let docker = login(&process.server).await;
    let offset = received(&docker, &upload).await;
    assert!((CHUNK_BYTES..=half).contains(&offset), "{offset}");
    append(&docker, &upload, &bytes, offset, 2 * CHUNK_BYTES).await;
    process.kill_and_restart();

    let docker = login(&process.server).await;
    assert_eq!(received(&docker, &upload).await, 2 * CHUNK_BYTES);
    append(&docker, &upload, &bytes, 2 * CHUNK_BYTES, bytes.len()).await;
    complete(&docker, &upload, &bytes).await;
    process.kill_and_restart();
    let docker = login(&process.server).await;
    let blob = docker.get(&format!("/v2/app/blobs/{}", digest(&bytes))).await;
    assert!(blob.status == 200 && blob.body == bytes, "an acknowledged layer survives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_is_killed_in_the_middle_of_a_chunk() {
    for server in servers().await {
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
        let docker = login(&server).await;
        let bytes = content(2 * CHUNK_BYTES);
        let upload = docker.start_upload("app").await;
        append(&docker, &upload, &bytes, 0, 1000).await;
        let mut wire = server.wire().await;
        wire.send(patch_head(&docker, &upload, 1000, CHUNK_BYTES)).await;
        wire.send(&bytes[1000..CHUNK_BYTES / 2]).await;
        drop(wire);
        // A new client asks how far it came and goes on there; no second try is needed.
        let offset = received(&docker, &upload).await;
        assert!((1000..=CHUNK_BYTES / 2).contains(&offset), "{offset} on {}", server.engine);
        let mut first = offset;
        // Bytes of the dead client that were still on their way may have been counted after the question.
        let range = format!("{first}-{}", bytes.len() - 1);
        let headers = [("content-range", range.as_str())];
        let answer = docker.send("PATCH", &upload, &headers, bytes[first..].to_vec()).await;
        if answer.status == 416 {
            first = received(&docker, &upload).await;
            append(&docker, &upload, &bytes, first, bytes.len()).await;
        } else {
            assert_eq!(answer.status, 202, "{answer:?}");
        }
        complete(&docker, &upload, &bytes).await;
        server.stop().await;
    }
}
