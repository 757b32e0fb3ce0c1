//! The end: running requests finish, new ones are refused, and a grace bounds it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Settings, TestServer, servers};

#[tokio::test]
async fn a_running_upload_finishes_and_then_the_server_ends() {
    for server in servers().await {
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
        let docker = server.docker(&server.root).await;
        let upload = docker.start_upload("app").await;
        let mut idle = server.wire().await;
        idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.until("ok\n").await;
        let mut wire = server.wire().await;
        wire.send(format!(
            "PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 6\r\n\
             Expect: 100-continue\r\n\r\n",
            docker.authorization
        ))
        .await;
        // The door asks for the body: from here on the request is running.
        assert!(wire.until("\r\n\r\n").await.starts_with("HTTP/1.1 100"));
        wire.send("abc").await;
        server.stopping.gently.cancel();
        assert_eq!(idle.rest().await.0, "", "an idle connection ends at once");
        while server.accepts().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!server.has_ended(), "{}", server.engine);
        let (answer, _) = wire.send("def").await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("range: 0-5"), "{answer}");
        server.stop().await;
    }
}

#[tokio::test]
async fn the_grace_bounds_the_end() {
    let server = TestServer::start(Settings::default().with("shutdown-grace-seconds", "1")).await;
    server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
    let docker = server.docker(&server.root).await;
    let upload = docker.start_upload("app").await;
    let mut wire = server.wire().await;
    wire.send(format!(
        "PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 6\r\n\
         Expect: 100-continue\r\n\r\n",
        docker.authorization
    ))
    .await
    .until("\r\n\r\n")
    .await;
    let begin = Instant::now();
    server.stop().await;
    assert!(begin.elapsed() >= Duration::from_secs(1) && begin.elapsed() < Duration::from_secs(15));
}
