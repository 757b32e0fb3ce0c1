//! Bodies that are not what they say: nothing of them is stored and the server goes on.

use serde_json::json;

use crate::harness::{TestServer, servers};

async fn repositories(server: &TestServer) -> serde_json::Value {
    server.ecr(&server.root, "DescribeRepositories", json!({})).await.ok().json()["repositories"].clone()
}

#[tokio::test]
async fn a_truncated_request_changes_nothing() {
    for server in servers().await {
        let body = r#"{"repositoryName": "app"}"#;
        let host = server.host();
        let target = "AmazonEC2ContainerRegistry_V20150921.CreateRepository";
        let fields = [("host", host.as_str()), ("x-amz-target", target)];
        let mut head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: {target}\r\n");
        for (name, value) in server.root.sign("POST", "/", &fields, body.as_bytes(), "ecr") {
            head += &format!("{name}: {value}\r\n");
        }
        let length = body.len();
        for (what, bytes) in [
            ("a length that promises more", format!("{head}Content-Length: {}\r\n\r\n{body}", length + 1)),
            ("half a body", format!("{head}Content-Length: {length}\r\n\r\n{}", &body[..9])),
            ("a chunk without its end", format!("{head}Transfer-Encoding: chunked\r\n\r\n19\r\n{body}\r\n")),
            ("a chunk of a wrong size", format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}")),
            ("a length that promises less", format!("{head}Content-Length: 9\r\n\r\n{body}")),
        ] {
            let mut wire = server.wire().await;
            let (answer, _) = wire.send(bytes).await.finish().await.rest().await;
            assert!(!answer.starts_with("HTTP/1.1 2"), "{what}: {answer}");
            assert_eq!(repositories(&server).await, json!([]), "{what}");
        }
        let good = format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        let (answer, _) = server.wire().await.send(good).await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_truncated_upload_keeps_only_what_it_acknowledged() {
    for server in servers().await {
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
        let docker = server.docker(&server.root).await;
        let upload = docker.start_upload("app").await;
        let mut wire = server.wire().await;
        wire.send(format!(
            "PUT {upload}?digest=sha256:{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\
             Content-Length: 100\r\n\r\nabc",
            "0".repeat(64),
            docker.authorization
        ))
        .await
        .finish()
        .await;
        let (answer, _) = wire.rest().await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
        // Whatever of it was kept, the digest decides: the whole blob is pushed and only it.
        let digest = docker.push_blob("app", b"abc").await;
        let answer = docker.get(&format!("/v2/app/blobs/{digest}")).await;
        assert_eq!((answer.status, &answer.body[..]), (200, &b"abc"[..]));
    }
}

#[tokio::test]
async fn expect_continue_is_asked_for_only_when_the_body_is_wanted() {
    for server in servers().await {
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n";
        let target = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry\r\n";
        let mut wire = server.wire().await;
        let answer = wire.send(format!("{head}{target}\r\n")).await.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "an unsigned request's body is not read: {answer}");
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let mut wire = server.wire().await;
        let answer = wire.send(format!("{head}{form}\r\n")).await.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
    }
}
