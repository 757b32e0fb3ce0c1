//! Health, readiness, metrics.

use serde_json::json;

use crate::harness::{Settings, TestServer, servers};

#[tokio::test]
async fn health_readiness_and_metrics() {
    for server in servers().await {
        server.ecr(&server.root, "DescribeRepositories", json!({})).await.ok();
        let docker = server.docker(&server.root).await;
        docker.get("/v2/").await.ok();
        assert_eq!(server.get("/healthz").await.ok().text(), "ok\n");
        assert_eq!(server.get("/readyz").await.ok().text(), "ready\n", "{}", server.engine);
        let metrics = server.get("/metrics").await.ok();
        assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
        for line in [
            r#"longshore_requests_total{door="ecr",operation="DescribeRepositories",status="2xx"}"#,
            r#"longshore_requests_total{door="registry",operation="Base",status="2xx"}"#,
            r#"longshore_request_duration_seconds_bucket{door="ecr",operation="DescribeRepositories",le="+Inf"}"#,
            r#"longshore_response_bytes_total{door="ecr",operation="DescribeRepositories"}"#,
            r#"longshore_requests_in_flight{door="metrics"}"#,
            "longshore_connections ",
            "process_resident_memory_bytes ",
        ] {
            assert!(metrics.text().contains(line), "{line}:\n{}", metrics.text());
        }
        assert!(!metrics.text().contains(&server.root.id));
    }
}

#[tokio::test]
async fn a_store_that_is_gone_makes_it_unready_but_alive() {
    let server = TestServer::start(Settings::default()).await;
    server.get("/readyz").await.ok();
    std::fs::remove_dir_all(server.folder.path().join("blobs")).unwrap();
    // The answer before is still fresh for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let answer = server.get("/readyz").await;
    assert_eq!((answer.status, answer.text()), (503, "not ready: blobs cannot be written\n"));
    server.get("/healthz").await.ok();
}

#[tokio::test]
async fn metrics_move_to_their_own_listener() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = Settings::default().with("metrics-listen", &format!("127.0.0.1:{port}"));
    let server = TestServer::start(settings).await;
    assert_eq!(server.get("/metrics").await.status, 404);
    server.get("/healthz").await.ok();
    let operations = server.at(port);
    assert!(operations.get("/metrics").await.ok().text().contains("longshore_requests_total"));
    operations.get("/readyz").await.ok();
    assert_eq!(operations.get("/v2/").await.status, 404, "the doors are not there");
}
