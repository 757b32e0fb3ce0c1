//! What one client may take: headers, time, connections.

use std::time::Duration;

use crate::harness::{Settings, TestServer};

fn get(fields: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

#[tokio::test]
async fn header_bombs_are_refused_and_the_connection_ends() {
    let server = TestServer::start(Settings::default()).await;
    let many: String = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "a".repeat(64 * 1024));
    let folded: String = (0..90).map(|number| format!("x-{number}: {}\r\n", "a".repeat(1000))).collect();
    for (what, bytes, status) in [
        ("many fields", get(&many), "431"),
        ("a large field", get(&large), "431"),
        ("many large fields", get(&folded), "431"),
        ("a long path", format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100_000)), "4"),
        ("no HTTP", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
        ("a header without a name", get(": x\r\n"), "400"),
        ("a space in a name", get("a b: x\r\n"), "400"),
        ("NUL in a value", get("a: \u{0}\r\n"), "400"),
        ("two lengths", get("Content-Length: 1\r\nContent-Length: 2\r\n"), "400"),
        ("a negative length", get("Content-Length: -1\r\n"), "400"),
    ] {
        let mut wire = server.wire().await;
        let (answer, _) = wire.send(bytes).await.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer:?}");
    }
    let mut wire = server.wire().await;
    wire.send(get(&many.replace("x-100: 1\r\n", "").replace("x-99: 1\r\n", ""))).await;
    assert!(wire.until("ok\n").await.starts_with("HTTP/1.1 200"), "99 fields are no bomb");
    wire.send(get("")).await;
    assert!(wire.until("ok\n").await.starts_with("HTTP/1.1 200"), "the connection goes on");
    server.stop().await;
}

#[tokio::test]
async fn a_header_that_does_not_come_ends_the_connection() {
    let settings = Settings::default().with("header-timeout-seconds", "1");
    let server = TestServer::start(settings).await;
    for begin in ["", "GET /healthz HTTP/1.1\r\nHost: loc"] {
        let mut wire = server.wire().await;
        let (_, took) = wire.send(begin).await.rest().await;
        assert!(took > Duration::from_millis(900) && took < Duration::from_secs(10), "{begin:?}: {took:?}");
    }
    let mut wire = server.wire().await;
    wire.send(get("")).await.until("ok\n").await;
    let (rest, took) = wire.rest().await;
    assert!(rest.is_empty() && took < Duration::from_secs(10), "an idle connection: {took:?}");
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_the_request() {
    let settings = Settings::default().with("stall-timeout-seconds", "1");
    let server = TestServer::start(settings).await;
    let docker = server.docker(&server.root).await;
    server.ecr(&server.root, "CreateRepository", serde_json::json!({"repositoryName": "app"})).await.ok();
    let upload = docker.start_upload("app").await;
    let mut wire = server.wire().await;
    wire.send(format!(
        "PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 10\r\n\r\nabc",
        docker.authorization
    ))
    .await;
    let (answer, took) = wire.rest().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
}

#[tokio::test]
async fn a_body_that_drips_ends_the_request_unless_that_is_allowed() {
    for (least, ends) in [("1024", true), ("0", false)] {
        let settings = Settings::default().with("stall-timeout-seconds", "1");
        let server = TestServer::start(settings.with("min-body-bytes-per-second", least)).await;
        let docker = server.docker(&server.root).await;
        server.ecr(&server.root, "CreateRepository", serde_json::json!({"repositoryName": "app"})).await.ok();
        let upload = docker.start_upload("app").await;
        let mut wire = server.wire().await;
        wire.send(format!(
            "PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 12\r\n\r\n",
            docker.authorization
        ))
        .await;
        // No pause is as long as a second; all of them together are.
        for _ in 0..12 {
            wire.send("a").await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let answer = wire.until("\r\n\r\n").await;
        assert_eq!(!answer.starts_with("HTTP/1.1 202"), ends, "{least}: {answer}");
        // What came is not lost to a client that asks how far it got.
        let status = docker.get(&upload).await;
        assert_eq!(status.header("range") == "0-11", !ends, "{status:?}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_politely() {
    let server = TestServer::start(Settings::default().with("max-connections", "2")).await;
    let mut first = server.wire().await;
    let mut second = server.wire().await;
    // Answers prove that both are being served, not only accepted by the system.
    first.send(get("")).await.until("ok\n").await;
    second.send(get("")).await.until("ok\n").await;
    let (answer, _) = server.wire().await.send(get("")).await.finish().await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer:?}");
    assert!(answer.contains("retry-after"), "{answer:?}");
    drop(first);
    let mut answers = Vec::new();
    for _ in 0..50 {
        let mut wire = server.wire().await;
        let answer = wire.send(get("Connection: close\r\n")).await.rest().await.0;
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        answers.push(answer);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a place that became free is not given away: {answers:?}");
}

#[tokio::test]
async fn bodies_of_strangers_cannot_take_all_memory() {
    let server = TestServer::start(Settings::default().with("max-buffered-bytes", "1048576")).await;
    let target = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.PutImage\r\nAuthorization: x";
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{target}\r\nContent-Length: 1000000\r\n\r\n");
    let mut first = server.wire().await;
    first.send(format!("{head}{}", "a".repeat(500_000))).await;
    // The server has taken the first one's half before it sees the second.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut second = server.wire().await;
    let answer = second.send(head).await.until("}").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("ServiceUnavailable"), "{answer}");
    server.ecr(&server.root, "DescribeRegistry", serde_json::json!({})).await.ok();
    drop(first);
    let large = serde_json::json!({"repositoryName": "a".repeat(100_000)});
    let answer = server.ecr(&server.root, "CreateRepository", large).await;
    assert_eq!(answer.status, 400, "a share that became free is given away: {answer:?}");
}
