//! More than the server can do at once: who waits, who is told to come again, and that it recovers by itself.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Settings, TestServer, Wire};
use crate::registry::uploads::logged_in;

/// A server with one place of each kind, in which nobody waits longer than a second.
async fn narrow() -> TestServer {
    let settings = Settings::default()
        .with("max-uploads", "1")
        .with("max-requests", "1")
        .with("queue-timeout-seconds", "1");
    TestServer::start(settings).await
}

async fn begin_upload(server: &TestServer, path: &str, authorization: &str) -> Wire {
    let mut wire = server.wire().await;
    wire.send(format!(
        "PATCH {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nContent-Length: 8\r\n\r\nhalf"
    ))
    .await;
    wire
}

#[tokio::test]
async fn uploads_beyond_the_places_wait_and_are_told_to_come_again() {
    let server = narrow().await;
    let docker = logged_in(&server).await;
    let (one, two) = (docker.start_upload("app").await, docker.start_upload("app").await);
    let mut first = begin_upload(&server, &one, &docker.authorization).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    let mut second = begin_upload(&server, &two, &docker.authorization).await;
    let answer = second.until("}]}").await;
    assert!(begin.elapsed() > Duration::from_millis(900), "it has waited: {:?}", begin.elapsed());
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(answer.contains("retry-after: 1") && answer.contains("TOOMANYREQUESTS"), "{answer}");
    // Uploads keep nobody from anything else.
    docker.get("/v2/").await.ok();
    let mut third = begin_upload(&server, &two, &docker.authorization).await;
    third.send("half").await;
    first.send("half").await;
    assert!(first.until("\r\n\r\n").await.starts_with("HTTP/1.1 202"));
    let answer = third.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 202"), "a place that became free is given away: {answer}");
    let metrics = docker.get("/metrics").await.ok().text().to_owned();
    assert!(metrics.contains(r#"longshore_requests_refused_total{class="upload"}"#), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn calls_beyond_the_places_are_throttled_in_the_words_of_their_face() {
    let server = narrow().await;
    let target = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry\r\nAuthorization: x";
    let form = "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: x";
    let mut holder = server.wire().await;
    holder.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{target}\r\nContent-Length: 9\r\n\r\nhalf")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (mut ecr, mut iam, mut v2) = (server.wire().await, server.wire().await, server.wire().await);
    ecr.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{target}\r\nContent-Length: 2\r\n\r\n{{}}")).await;
    let body = "Action=ListUsers&Version=2010-05-08";
    iam.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{form}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
        .await;
    v2.send("GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = ecr.until("}").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("retry-after: 1"), "{answer}");
    assert!(
        answer.contains(r#""__type":"ThrottlingException""#) && answer.contains("Rate exceeded"),
        "{answer}"
    );
    let answer = iam.until("</ErrorResponse>").await;
    assert!(answer.contains("<Code>Throttling</Code>") && answer.contains("retry-after: 1"), "{answer}");
    let answer = v2.until("}]}").await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("TOOMANYREQUESTS"), "{answer}");
    let mut health = server.wire().await;
    health.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        health.until("ok\n").await.starts_with("HTTP/1.1 200"),
        "who watches the server is never kept out"
    );
    drop(holder);
    server.ecr(&server.root, "DescribeRegistry", json!({})).await.ok();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_pulls_of_one_cold_blob_is_served() {
    let server = TestServer::start(Settings::default()).await;
    let docker = logged_in(&server).await;
    let bytes = vec![b'x'; 2_000_000];
    let digest = docker.push_blob("app", &bytes).await;
    let head = format!(
        "GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        docker.authorization
    );
    let mut pulls = Vec::new();
    for _ in 0..100 {
        let mut wire = server.wire().await;
        wire.send(&head).await;
        pulls.push(tokio::spawn(async move { wire.rest().await.0 }));
    }
    for pull in pulls {
        let answer = pull.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{}", &answer[..answer.len().min(200)]);
        assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), bytes.len());
    }
    server.stop().await;
}
