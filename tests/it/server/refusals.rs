//! The refusals of the faces of AWS, of the signed layer URLs and of what is no request, as docs/reference/errors.md
//! lists them, on the wire.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::harness::{Answer, Key, Settings, TestServer};
use crate::registry::rights::user_with;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Status and code of the lines of the table under a heading.
fn documented(heading: &str) -> BTreeSet<(u16, String)> {
    let page = include_str!("../../../docs/reference/errors.md");
    let (_, rest) = page.split_once(&format!("## {heading}\n")).unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        Some((cells.next()?.parse().ok()?, cells.next()?.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

/// A request that nobody has signed, or not as it should be.
async fn bare(server: &TestServer, fields: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::post("/").header("host", server.host());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    server.send(request.body(Full::from(body.to_owned())).unwrap()).await
}

/// Keys that do not open: no such key, and the root's with another secret.
fn bad_keys(server: &TestServer) -> (Key, Key) {
    (Key::new("AKIANOBODYHASTHISKEY", "secret"), Key::new(&server.root.id, "another secret"))
}

/// Takes the only place, so that others are told to come again; dropping it gives the place back.
async fn take_the_place(server: &TestServer) -> crate::harness::Wire {
    let mut holder = server.wire().await;
    let target = "x-amz-target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry";
    let head =
        format!("POST / HTTP/1.1\r\nhost: a\r\nauthorization: x\r\n{target}\r\ncontent-length: 9\r\n\r\n");
    holder.send(format!("{head}half")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    holder
}

fn narrow() -> Settings {
    Settings::default().with("max-requests", "1").with("queue-timeout-seconds", "1")
}

/// The code of an answer of ECR, whose form must be right.
fn ecr_code(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1", "{answer:?}");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{answer:?}");
    let body = answer.json();
    assert!(body["message"].is_string(), "{answer:?}");
    let code = body["__type"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    assert_eq!(answer.header("retry-after").is_empty(), code != "ThrottlingException", "{answer:?}");
    (answer.status, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_of_ecr_has_its_type() {
    let server = TestServer::start(narrow()).await;
    let target = |name: &str| format!("AmazonEC2ContainerRegistry_V20150921.{name}");
    let describe = target("DescribeRegistry");
    let signed = ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261125/eu-central-1/ecr/aws4_request");
    let (unknown, wrong) = bad_keys(&server);
    let nobody = user_with(&server, "nobody", &[]).await;
    let call = async |key: &Key, name: &str, body| ecr_code(&server.ecr(key, name, body).await);
    let large = json!({"repositoryName": "a".repeat(11 * 1024 * 1024)});
    let mut seen = BTreeSet::new();
    for (got, code) in [
        (
            ecr_code(&bare(&server, &[("x-amz-target", &describe)], "{}").await),
            "MissingAuthenticationTokenException",
        ),
        (
            ecr_code(&bare(&server, &[("x-amz-target", &describe), signed], "{}").await),
            "IncompleteSignatureException",
        ),
        (call(&unknown, "DescribeRegistry", json!({})).await, "UnrecognizedClientException"),
        (call(&wrong, "DescribeRegistry", json!({})).await, "InvalidSignatureException"),
        (call(&server.root, "Nothing", json!({})).await, "UnknownOperationException"),
        (call(&server.root, "GetRegistryPolicy", json!({})).await, "UnsupportedOperationException"),
        (call(&server.root, "CreateRepository", json!("text")).await, "SerializationException"),
        (
            call(&server.root, "CreateRepository", json!({"repositoryName": 1})).await,
            "SerializationException",
        ),
        (
            call(&server.root, "CreateRepository", json!({"repositoryName": "UPPER"})).await,
            "InvalidParameterException",
        ),
        (call(&server.root, "CreateRepository", json!({})).await, "InvalidParameterException"),
        (call(&nobody, "CreateRepository", json!({"repositoryName": "app"})).await, "AccessDeniedException"),
        (call(&server.root, "CreateRepository", large).await, "RequestEntityTooLargeException"),
    ] {
        assert_eq!(got.1, code);
        seen.insert(got);
    }
    let holder = take_the_place(&server).await;
    seen.insert(call(&server.root, "DescribeRegistry", json!({})).await);
    drop(holder);
    assert_eq!(seen, documented("ECR"));
    server.stop().await;
}

/// The code of an answer of IAM or STS, whose form must be right.
fn query_code(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "text/xml", "{answer:?}");
    let between = |begin: &str, end: &str| {
        let (_, rest) = answer.text().split_once(begin).unwrap_or_else(|| panic!("{begin}: {answer:?}"));
        rest.split_once(end).unwrap().0.to_owned()
    };
    assert!(answer.text().contains("<ErrorResponse xmlns=\"https://"), "{answer:?}");
    assert_eq!(between("<RequestId>", "</RequestId>"), answer.header("x-amzn-requestid"), "{answer:?}");
    assert!(!between("<Message>", "</Message>").is_empty(), "{answer:?}");
    let code = between("<Code>", "</Code>");
    let is_throttled = code == "Throttling";
    assert_eq!(between("<Type>", "</Type>"), if is_throttled { "Receiver" } else { "Sender" }, "{answer:?}");
    assert_eq!(answer.header("retry-after").is_empty(), !is_throttled, "{answer:?}");
    (answer.status, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_of_iam_and_sts_has_its_code() {
    let server = TestServer::start(narrow()).await;
    let (unknown, wrong) = bad_keys(&server);
    let nobody = user_with(&server, "nobody", &[]).await;
    let signed = ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261125/us-east-1/iam/aws4_request");
    let list = "Action=ListUsers&Version=2010-05-08";
    let mut seen = BTreeSet::new();
    for (answer, code) in [
        (bare(&server, &[FORM], list).await, "MissingAuthenticationToken"),
        (bare(&server, &[FORM, signed], list).await, "IncompleteSignature"),
        (bare(&server, &[FORM, signed], "Action=%ff&Version=2010-05-08").await, "MalformedQueryString"),
        (server.iam(&unknown, "ListUsers", &[]).await, "InvalidClientTokenId"),
        (server.sts(&unknown, "GetCallerIdentity", &[]).await, "InvalidClientTokenId"),
        (server.iam(&wrong, "ListUsers", &[]).await, "SignatureDoesNotMatch"),
        (server.iam(&server.root, "Nothing", &[]).await, "InvalidAction"),
        (server.sts(&server.root, "GetFederationToken", &[("Name", "abc")]).await, "InvalidAction"),
        (server.iam(&server.root, "CreateUser", &[("UserName", "a b")]).await, "ValidationError"),
        (server.iam(&server.root, "CreateUser", &[("UserName", "nobody")]).await, "EntityAlreadyExists"),
        (server.iam(&server.root, "GetUser", &[("UserName", "absent")]).await, "NoSuchEntity"),
        (server.iam(&server.root, "DeleteUser", &[("UserName", "nobody")]).await, "DeleteConflict"),
        (server.iam(&nobody, "ListUsers", &[]).await, "AccessDenied"),
        (
            server.iam(&server.root, "CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", "{}")]).await,
            "MalformedPolicyDocument",
        ),
        (
            server.iam(&server.root, "CreateUser", &[("UserName", &"a".repeat(1 << 20))]).await,
            "RequestEntityTooLarge",
        ),
    ] {
        let got = query_code(&answer);
        assert_eq!(got.1, code, "{answer:?}");
        seen.insert(got);
    }
    let holder = take_the_place(&server).await;
    seen.insert(query_code(&server.iam(&server.root, "ListUsers", &[]).await));
    drop(holder);
    assert_eq!(seen, documented("IAM and STS"));
    server.stop().await;
}

#[tokio::test]
async fn a_layer_url_refuses_as_s3_does() {
    let server = TestServer::start(Settings::default()).await;
    for (method, status, code) in [("GET", 403, "SignatureDoesNotMatch"), ("PUT", 405, "MethodNotAllowed")] {
        let request =
            Request::builder().method(method).uri("/layers/1/x/app/sha256:00?expires=1&signature=a");
        let answer = server.send(request.header("host", server.host()).body(Full::default()).unwrap()).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/xml"));
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{answer:?}");
        assert!(answer.text().contains(&format!("<RequestId>{}<", answer.header("x-amzn-requestid"))));
    }
    let head = Request::head("/layers/1/x/app/sha256:00").header("host", server.host());
    let head = server.send(head.body(Full::default()).unwrap()).await;
    assert_eq!((head.status, head.body.len(), head.header("content-type")), (403, 0, "application/xml"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_request_gets_a_status_and_the_end() {
    let server = TestServer::start(Settings::default().with("max-header-bytes", "131072")).await;
    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let many: String = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect();
    for (bytes, status) in [
        ("no HTTP at all\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n".to_owned(), 400),
        (get("/", "no colon\r\n"), 400),
        (get("/", "content-length: 1x\r\n"), 400),
        (get(&format!("/{}", "a".repeat(65_534)), ""), 414),
        (get("/", &many), 431),
        (get("/", &format!("x: {}\r\n", "a".repeat(140_000))), 431),
    ] {
        let (answer, _) = server.wire().await.send(bytes.as_bytes()).await.rest().await;
        let head = answer.to_ascii_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{bytes:.80}: {head}");
        assert!(head.contains("content-length: 0") && head.contains("connection: close"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
    }
    server.stop().await;
}
