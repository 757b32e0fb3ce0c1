//! Each protocol is answered in its own words, also when nobody is let in.

use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::harness::servers;

#[tokio::test]
async fn every_face_answers_in_its_own_words() {
    for server in servers().await {
        let form = "application/x-www-form-urlencoded";
        for (method, path, fields, body, status, media_type, contains) in [
            ("GET", "/", vec![], "", 404, "text/plain; charset=utf-8", "404 page not found\n"),
            ("GET", "/v1/_ping", vec![], "", 404, "text/plain; charset=utf-8", "404 page not found\n"),
            ("DELETE", "/healthz", vec![], "", 404, "text/plain; charset=utf-8", "404 page not found\n"),
            ("GET", "/v2/", vec![], "", 401, "text/plain; charset=utf-8", "Not Authorized"),
            (
                "POST",
                "/",
                vec![("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry")],
                "{}",
                400,
                "application/x-amz-json-1.1",
                "MissingAuthenticationTokenException",
            ),
            (
                "POST",
                "/",
                vec![("content-type", form)],
                "Action=ListUsers&Version=2010-05-08",
                403,
                "text/xml",
                "https://iam.amazonaws.com/doc/2010-05-08/",
            ),
            (
                "POST",
                "/",
                vec![("content-type", form)],
                "Action=GetCallerIdentity&Version=2011-06-15",
                403,
                "text/xml",
                "https://sts.amazonaws.com/doc/2011-06-15/",
            ),
            (
                "GET",
                "/?Action=GetCallerIdentity&Version=2011-06-15",
                vec![],
                "",
                403,
                "text/xml",
                "MissingAuthenticationToken",
            ),
        ] {
            let mut request = Request::builder().method(method).uri(path).header("host", server.host());
            for (name, value) in fields {
                request = request.header(name, value);
            }
            let answer = server.send(request.body(Full::from(body)).unwrap()).await;
            let what = format!("{} {method} {path}: {answer:?}", server.engine);
            assert_eq!(answer.status, status, "{what}");
            assert_eq!(answer.header("content-type"), media_type, "{what}");
            assert!(answer.text().contains(contains), "{what}");
            assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{what}");
            assert!(!answer.header("date").is_empty(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_host_name_selects_account_and_region() {
    for server in servers().await {
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
        let docker = server.docker(&server.root).await;
        for (host, status) in [
            (server.host(), 200),
            ("123456789012.dkr.ecr.eu-central-1.amazonaws.com".to_owned(), 200),
            ("123456789012.dkr.ecr.us-west-2.amazonaws.com".to_owned(), 404),
            ("000000000042.dkr.ecr.eu-central-1.amazonaws.com".to_owned(), 403),
        ] {
            let request = Request::get("/v2/app/tags/list")
                .header("host", &host)
                .header("authorization", &docker.authorization);
            let answer = server.send(request.body(Full::default()).unwrap()).await;
            assert_eq!(answer.status, status, "{host}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_key_made_for_one_service_does_not_open_another() {
    for server in servers().await {
        let form = "Action=ListUsers&Version=2010-05-08";
        let host = server.host();
        let fields = [("content-type", "application/x-www-form-urlencoded"), ("host", host.as_str())];
        let mut request = Request::post("/");
        for (name, value) in &fields {
            request = request.header(*name, *value);
        }
        for (name, value) in server.root.sign("POST", "/", &fields, form.as_bytes(), "sts") {
            request = request.header(name, value);
        }
        let answer = server.send(request.body(Full::from(form)).unwrap()).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.text().contains("correct service"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_form_over_a_mebibyte_is_refused() {
    for server in servers().await {
        let answer =
            server.iam(&server.root, "CreateUser", &[("UserName", &"a".repeat(1024 * 1024 + 1))]).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(answer.text().contains("<ErrorResponse"), "{answer:?}");
    }
}

#[tokio::test]
async fn one_key_opens_every_door() {
    for server in servers().await {
        let identity = server.sts(&server.root, "GetCallerIdentity", &[]).await.ok();
        assert!(identity.text().contains("<Arn>arn:aws:iam::123456789012:root</Arn>"), "{identity:?}");
        server.iam(&server.root, "ListUsers", &[]).await.ok();
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
        let docker = server.docker(&server.root).await;
        let digest = docker.push_blob("app", b"abc").await;
        let answer = docker.get(&format!("/v2/app/blobs/{digest}")).await.ok();
        assert_eq!(&answer.body[..], b"abc");
    }
}
