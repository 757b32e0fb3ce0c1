//! Who asks without a password, in a strange way, or for what is not there.

use super::{code, prepare};
use crate::harness::servers;

/// Every kind of path, well-formed or not.
const PATHS: &[&str] = &[
    "/v2/",
    "/v2/_catalog",
    "/v2/app/tags/list",
    "/v2/app/manifests/v1",
    "/v2/app/blobs/sha256:00",
    "/v2/app/blobs/uploads/",
    "/v2/app/blobs/uploads/4b5e4f2a-58a7-4a0e-8d2e-6f8d8a3f8f10",
    "/v2/app/referrers/sha256:00",
    "/v2/nothing",
    "/v2/UPPER/manifests/v1",
    "/v2/../../etc/passwd",
];

#[tokio::test]
async fn without_a_password_every_path_looks_the_same() {
    for server in servers().await {
        prepare(&server, "app").await;
        for path in PATHS {
            for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
                let request = format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost:4580\r\nConnection: close\r\n\
                     Content-Length: 0\r\n\r\n"
                );
                let (answer, _) = server.wire().await.send(request).await.rest().await;
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                let head = head.to_ascii_lowercase();
                assert!(head.starts_with("http/1.1 401 "), "{method} {path}: {answer}");
                assert!(head.contains("\r\ndocker-distribution-api-version: registry/2.0"), "{answer}");
                let challenge = "\r\nwww-authenticate: basic realm=\"http://localhost:4580/\",\
                                 service=\"ecr.amazonaws.com\"";
                assert!(head.contains(challenge), "{answer}");
                assert!(head.contains("\r\ncontent-type: text/plain; charset=utf-8"), "{answer}");
                assert_eq!(body, "Not Authorized\n", "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn passwords_that_are_none() {
    for server in servers().await {
        prepare(&server, "app").await;
        let docker = server.docker(&server.root).await;
        let good = docker.authorization.clone();
        let end = good.len() - 1;
        for authorization in [
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic QVdTOg==",
            "Basic QVdT",
            "Basic QVdTOnBhc3N3b3Jk",
            "Bearer abc",
            &good.replacen("Basic", "Bearer", 1),
            &good[..end / 2],
        ] {
            let request = format!(
                "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {authorization}\r\n\r\n"
            );
            let (answer, _) = server.wire().await.send(request).await.rest().await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{authorization}: {answer}");
        }
        let base = docker.get("/v2/").await;
        assert_eq!((base.status, base.header("docker-distribution-api-version")), (200, "registry/2.0"));
    }
}

#[tokio::test]
async fn paths_that_play_tricks_find_nothing() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let long = format!("/v2/{}/manifests/v1", "a/".repeat(200) + "a");
        let longer = format!("/v2/{}/manifests/v1", "a".repeat(9000));
        let tag = format!("/v2/app/manifests/{}", "t".repeat(129));
        for path in [
            "/v2/../app/manifests/v1",
            "/v2/app/../app/manifests/v1",
            "/v2/%2e%2e/app/manifests/v1",
            "/v2/app%2f..%2fapp/manifests/v1",
            "/v2/app%00/manifests/v1",
            "/v2/app/manifests/v1%00",
            "/v2/app/manifests/..",
            "/v2/app/manifests/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "/v2//app/manifests/v1",
            "/v2/app//manifests/v1",
            "/v2/app/manifests/",
            "/v2/app/manifests/v1/",
            "/v2/-app/manifests/v1",
            "/v2/App/manifests/v1",
            "/v2/app/manifests/v1;x",
            "/v2/app/manifests/\u{e9}",
            "/v2/app/blobs/sha256:..",
            "/v2/app/blobs/../../../etc/passwd",
            "/v2/app/unknown/v1",
            "/v2/app",
            "/v2/",
            &long,
            &longer,
            &tag,
        ] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {}\r\n\r\n",
                docker.authorization
            );
            let (answer, _) = server.wire().await.send(request).await.rest().await;
            let status = answer.get(9..12).unwrap_or_default();
            let is_expected = match path {
                "/v2/" => status == "200",
                _ => ["400", "404", "405", "414"].contains(&status),
            };
            assert!(is_expected, "{path:.60}: {answer:.300}");
        }
    }
}

#[tokio::test]
async fn a_known_path_with_another_method_says_which_ones_there_are() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        for (method, path, allowed) in [
            ("POST", "/v2/", "GET, HEAD"),
            ("DELETE", "/v2/_catalog", "GET, HEAD"),
            ("PUT", "/v2/app/tags/list", "GET, HEAD"),
            ("PATCH", "/v2/app/manifests/v1", "GET, HEAD, PUT, DELETE"),
            ("GET", "/v2/app/blobs/uploads/", "POST"),
        ] {
            let answer = docker.send(method, path, &[], "").await;
            assert_eq!(code(&answer), (405, "UNSUPPORTED".to_owned()), "{method} {path}");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
        let answer = docker.get("/v2/nothing/here").await;
        assert_eq!((answer.status, answer.text()), (404, "404 page not found\n"));
    }
}
