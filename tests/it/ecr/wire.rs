//! Heads, bodies and their limits.

use serde_json::json;

use crate::harness::{TestServer, servers};

const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921";

#[tokio::test]
async fn every_answer_has_a_request_id_and_the_media_type() {
    for server in servers().await {
        let mut ids = Vec::new();
        for (operation, status) in [("DescribeRegistry", 200), ("GetRegistryPolicy", 400), ("Nothing", 400)] {
            let answer = server.ecr(&server.root, operation, json!({})).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
            assert_eq!(answer.headers.get_all("x-amzn-requestid").iter().count(), 1);
            let id = answer.header("x-amzn-requestid").to_owned();
            assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id} is a UUID");
            ids.push(id);
        }
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }
}

/// Head of a request whose signature has the right form, so that its body is wanted.
fn head(server: &TestServer, operation: &str, fields: &str) -> String {
    let host = server.host();
    let target = format!("{TARGET}.{operation}");
    let mut head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: {target}\r\n{fields}");
    let signed = [("host", host.as_str()), ("x-amz-target", target.as_str())];
    for (name, value) in server.root.sign("POST", "/", &signed, b"{}", "ecr") {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

#[tokio::test]
async fn a_body_that_no_operation_needs_is_refused_before_it_comes() {
    for server in servers().await {
        for (operation, bytes, is_refused) in [
            ("CreateRepository", 10 * 1024 * 1024 + 1, true),
            ("CreateRepository", 10 * 1024 * 1024, false),
            ("UploadLayerPart", 30 * 1024 * 1024 + 1, true),
            ("UploadLayerPart", 30 * 1024 * 1024, false),
            ("CreateRepository", usize::MAX / 2, true),
        ] {
            let fields = format!("Content-Length: {bytes}\r\nExpect: 100-continue\r\n");
            let mut wire = server.wire().await;
            let answer = wire.send(head(&server, operation, &fields)).await.until("\r\n\r\n").await;
            let expected = if is_refused { "HTTP/1.1 413" } else { "HTTP/1.1 100" };
            assert!(answer.starts_with(expected), "{operation} with {bytes} bytes: {answer}");
        }
    }
}

#[tokio::test]
async fn a_body_without_a_length_ends_at_the_limit() {
    for server in servers().await {
        let mut wire = server.wire().await;
        wire.send(head(&server, "CreateRepository", "Transfer-Encoding: chunked\r\n")).await;
        let chunk = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
        for _ in 0..11 {
            wire.send(&chunk).await;
        }
        let answer = wire.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        server.ecr(&server.root, "DescribeRegistry", json!({})).await.ok();
    }
}

#[tokio::test]
async fn a_large_request_within_the_limit_is_read_as_a_whole() {
    for server in servers().await {
        let padding = "x".repeat(9 * 1024 * 1024);
        let body = json!({"repositoryName": "app", "unknownMember": padding});
        server.ecr(&server.root, "CreateRepository", body).await.ok();
    }
}
