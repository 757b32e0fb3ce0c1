//! Every route of the registry face with every refusal that docs/reference/errors.md lists, on the wire.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use serde_json::json;

use super::rights::user_with;
use super::{OCI_MANIFEST, digest, image, index, prepare, put};
use crate::harness::{Answer, Docker, Settings, TestServer};

/// Operation, method and path; `NAME` stands for a repository.
const ROUTES: [(&str, &str, &str); 17] = [
    ("Base", "GET", "/v2/"),
    ("Catalog", "GET", "/v2/_catalog"),
    ("ListTags", "GET", "/v2/NAME/tags/list"),
    ("GetManifest", "GET", "/v2/NAME/manifests/v1"),
    ("PutManifest", "PUT", "/v2/NAME/manifests/v2"),
    ("DeleteManifest", "DELETE", "/v2/NAME/manifests/v9"),
    ("GetBlob", "GET", "/v2/NAME/blobs/DIGEST"),
    ("HeadBlob", "HEAD", "/v2/NAME/blobs/DIGEST"),
    ("DeleteBlob", "DELETE", "/v2/NAME/blobs/DIGEST"),
    ("StartUpload", "POST", "/v2/NAME/blobs/uploads/"),
    ("MountBlob", "POST", "/v2/NAME/blobs/uploads/?mount=DIGEST&from=app"),
    ("UploadWhole", "POST", "/v2/NAME/blobs/uploads/?digest=DIGEST"),
    ("UploadStatus", "GET", "/v2/NAME/blobs/uploads/UPLOAD"),
    ("AppendUpload", "PATCH", "/v2/NAME/blobs/uploads/UPLOAD"),
    ("CompleteUpload", "PUT", "/v2/NAME/blobs/uploads/UPLOAD?digest=DIGEST"),
    ("AbortUpload", "DELETE", "/v2/NAME/blobs/uploads/UPLOAD"),
    ("ListReferrers", "GET", "/v2/NAME/referrers/DIGEST"),
];

const UPLOAD: &str = "4b5e4f2a-58a7-4a0e-8d2e-6f8d8a3f8f10";

/// The paths of all routes in one repository.
fn routes(name: &str) -> Vec<(&'static str, &'static str, String)> {
    let fill = |path: &str| {
        path.replace("NAME", name).replace("DIGEST", &digest(super::LAYER)).replace("UPLOAD", UPLOAD)
    };
    ROUTES.iter().map(|(operation, method, path)| (*operation, *method, fill(path))).collect()
}

/// Status and code of the lines of the table.
fn documented() -> BTreeSet<(u16, String)> {
    let page = include_str!("../../../docs/reference/errors.md");
    let (_, rest) = page.split_once("## Docker and OCI").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        Some((cells.next()?.parse().ok()?, cells.next()?.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

/// The headers that GET and HEAD share.
fn lasting(answer: &Answer) -> Vec<(String, String)> {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .filter(|(name, _)| name != "date" && name != "x-amzn-requestid")
        .collect();
    headers.sort();
    headers
}

/// What came, each pair of status and code once.
#[derive(Default)]
struct Seen(BTreeSet<(u16, String)>);

impl Seen {
    /// Checks the form of a refusal, of HEAD beside it when it was a GET, and that it is this one.
    async fn expect(
        &mut self,
        docker: &Docker<'_>,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
        (status, code): (u16, &str),
    ) -> Answer {
        let answer = docker.send(method, path, headers, body.to_owned()).await;
        let what = format!("{method} {path:.200} {headers:?}: {answer:?}");
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0", "{what}");
        assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{what}");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401, "{what}");
        assert_eq!(answer.header("retry-after").is_empty(), status != 429, "{what}");
        let is_plain = code == "–";
        let media_type = if is_plain { "text/plain" } else { "application/json" };
        assert_eq!(answer.header("content-type"), format!("{media_type}; charset=utf-8"), "{what}");
        if method == "HEAD" {
            assert!(answer.body.is_empty() && answer.header("content-length") != "0", "{what}");
            return answer;
        }
        if is_plain {
            assert!(["Not Authorized\n", "404 page not found\n"].contains(&answer.text()), "{what}");
        } else {
            let document = answer.json();
            let errors = document["errors"].as_array().unwrap_or_else(|| panic!("{what}"));
            assert_eq!((errors.len(), &errors[0]["code"]), (1, &json!(code)), "{what}");
            assert!(errors[0]["message"].as_str().is_some_and(|text| text.len() > 5), "{what}");
        }
        if method == "GET" && !headers.iter().any(|(name, _)| *name == "range") {
            let head = docker.send("HEAD", path, headers, "").await;
            assert_eq!((head.status, head.body.len()), (status, 0), "{what}");
            let (mut head, mut get) = (lasting(&head), lasting(&answer));
            if status == 403 {
                // HEAD of a blob asks for another right, so the sentence has another length.
                head.retain(|(name, _)| name != "content-length");
                get.retain(|(name, _)| name != "content-length");
            }
            assert_eq!(head, get, "{what}");
        }
        self.0.insert((status, code.to_owned()));
        answer
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_refuses_in_the_form_of_the_specification() {
    let server = TestServer::start(Settings::default().with("max-layer-bytes", "1000")).await;
    let root = prepare(&server, "app").await;
    put(&root, "app", "v1", &image("one")).await.ok();
    let mut seen = Seen::default();
    let nobody = user_with(&server, "nobody", &[]).await;
    let nobody = server.docker(&nobody).await;
    let mut stranger = server.docker(&server.root).await;
    stranger.authorization = "Basic QVdTOm5v".to_owned();

    for (operation, method, path) in routes("app") {
        seen.expect(&stranger, (method, &path), &[], "x", (401, "–")).await;
        if operation != "Base" {
            seen.expect(&nobody, (method, &path), &[], "x", (403, "DENIED")).await;
        }
        let refused = seen.expect(&root, ("OPTIONS", &path), &[], "x", (405, "UNSUPPORTED")).await;
        // HEAD of a blob stands beside its GET, so one route may be two operations.
        assert!(refused.header("allow").contains(method), "{path}: {refused:?}");
    }
    let manifest = image("one").to_string();
    for (operation, method, path) in routes("absent") {
        if !matches!(operation, "Base" | "Catalog") {
            seen.expect(&root, (method, &path), &[], &manifest, (404, "NAME_UNKNOWN")).await;
        }
    }
    for (operation, method, path) in routes("UPPER") {
        if !matches!(operation, "Base" | "Catalog") {
            seen.expect(&root, (method, &path), &[], "x", (400, "NAME_INVALID")).await;
        }
    }
    names_of_things(&mut seen, &root).await;
    manifests(&mut seen, &server, &root).await;
    uploads(&mut seen, &root).await;
    throttled(&mut seen).await;
    assert_eq!(seen.0, documented());
    server.stop().await;
}

/// Digests, tags, pages and paths that are malformed, or name nothing.
async fn names_of_things(seen: &mut Seen, root: &Docker<'_>) {
    let missing = digest("nothing");
    for method in ["GET", "DELETE"] {
        for (path, refusal) in [
            ("/v2/app/manifests/none".to_owned(), (404, "MANIFEST_UNKNOWN")),
            (format!("/v2/app/manifests/{missing}"), (404, "MANIFEST_UNKNOWN")),
            ("/v2/app/manifests/-x".to_owned(), (400, "TAG_INVALID")),
            ("/v2/app/manifests/sha256:00".to_owned(), (400, "DIGEST_INVALID")),
            (format!("/v2/app/blobs/{missing}"), (404, "BLOB_UNKNOWN")),
            ("/v2/app/blobs/sha256:00".to_owned(), (400, "DIGEST_INVALID")),
            (format!("/v2/app/blobs/uploads/{UPLOAD}"), (404, "BLOB_UPLOAD_UNKNOWN")),
            ("/v2/app/blobs/uploads/nonsense".to_owned(), (404, "BLOB_UPLOAD_UNKNOWN")),
            ("/v2/app/nothing/v1".to_owned(), (404, "–")),
        ] {
            seen.expect(root, (method, &path), &[], "", refusal).await;
        }
    }
    for (path, refusal) in [
        ("/v2/app/referrers/sha256:00", (400, "DIGEST_INVALID")),
        ("/v2/app/tags/list?n=1001", (405, "UNSUPPORTED")),
        ("/v2/_catalog?n=x", (405, "UNSUPPORTED")),
    ] {
        seen.expect(root, ("GET", path), &[], "", refusal).await;
    }
    let layer = format!("/v2/app/blobs/{}", digest(super::LAYER));
    let range = [("range", "bytes=9-")];
    let refused = seen.expect(root, ("GET", &layer), &range, "", (416, "BLOB_UPLOAD_INVALID")).await;
    assert_eq!(refused.header("content-range"), "bytes */5");
    seen.expect(root, ("DELETE", &layer), &[], "", (405, "UNSUPPORTED")).await;
    // What is not in the table: an `Accept` that fits nothing.
    let nothing = [("accept", "application/x-nothing")];
    assert_eq!(root.send("GET", "/v2/app/manifests/v1", &nothing, "").await.status, 200);
}

async fn manifests(seen: &mut Seen, server: &TestServer, root: &Docker<'_>) {
    let (one, two) = (image("one"), image("two").to_string());
    let typed = [("content-type", OCI_MANIFEST)];
    let lost = two.replace(&digest(super::LAYER), &digest("lost"));
    let (right, wrong) = (digest(&two), digest("another"));
    let many = vec!["tag=a"; 51].join("&");
    let large = " ".repeat(4 * 1024 * 1024 + 1);
    for (path, body, refusal) in [
        ("v2", "{}", (400, "MANIFEST_INVALID")),
        (wrong.as_str(), two.as_str(), (400, "MANIFEST_INVALID")),
        ("v2", &lost, (404, "MANIFEST_BLOB_UNKNOWN")),
        ("v2", &large, (413, "MANIFEST_INVALID")),
        ("v2?tag=v3", &two, (400, "TAG_INVALID")),
        (&format!("{right}?tag=-x"), &two, (400, "TAG_INVALID")),
        (&format!("{right}?{many}"), &two, (414, "TAG_INVALID")),
    ] {
        seen.expect(root, ("PUT", &format!("/v2/app/manifests/{path}")), &typed, body, refusal).await;
    }
    let other = [("content-type", super::OCI_INDEX)];
    seen.expect(root, ("PUT", "/v2/app/manifests/v2"), &other, &two, (400, "MANIFEST_INVALID")).await;
    // Kept by an index.
    put(root, "app", "list", &index(&[&one])).await.ok();
    let needed = format!("/v2/app/manifests/{}", digest(one.to_string()));
    seen.expect(root, ("DELETE", &needed), &[], "", (405, "UNSUPPORTED")).await;
    let immutable = json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
    server.ecr(&server.root, "PutImageTagMutability", immutable).await.ok();
    seen.expect(root, ("PUT", "/v2/app/manifests/v1"), &typed, &two, (400, "TAG_INVALID")).await;
}

async fn uploads(seen: &mut Seen, root: &Docker<'_>) {
    let upload = root.start_upload("app").await;
    root.send("PATCH", &upload, &[], "bytes").await.ok();
    let put = |query: &str| format!("{upload}?{query}");
    for query in ["", "digest=latest", "digest=md5:00"] {
        seen.expect(root, ("PUT", &put(query)), &[], "", (400, "DIGEST_INVALID")).await;
    }
    for query in ["digest=x", "mount=x&from=app"] {
        let path = format!("/v2/app/blobs/uploads/?{query}");
        seen.expect(root, ("POST", &path), &[], "", (400, "DIGEST_INVALID")).await;
    }
    let other = format!("digest={}", digest("other"));
    seen.expect(root, ("PUT", &put(&other)), &[], "", (400, "BLOB_UPLOAD_INVALID")).await;
    let whole = format!("/v2/app/blobs/uploads/?{other}");
    seen.expect(root, ("POST", &whole), &[], "bytes", (400, "BLOB_UPLOAD_INVALID")).await;
    for (range, refusal) in [
        ("0-2", (416, "BLOB_UPLOAD_INVALID")),
        ("9-11", (416, "BLOB_UPLOAD_INVALID")),
        ("5-6", (400, "BLOB_UPLOAD_INVALID")),
        ("nonsense", (400, "BLOB_UPLOAD_INVALID")),
    ] {
        let headers = [("content-range", range)];
        let refused = seen.expect(root, ("PATCH", &upload), &headers, "abc", refusal).await;
        assert_eq!(refused.header("range"), if refused.status == 416 { "0-4" } else { "" }, "{range}");
    }
    seen.expect(root, ("PATCH", &upload), &[], &"x".repeat(1000), (400, "SIZE_INVALID")).await;
    root.send("DELETE", &upload, &[], "").await.ok();
    for method in ["GET", "PATCH", "DELETE"] {
        seen.expect(root, (method, &upload), &[], "", (404, "BLOB_UPLOAD_UNKNOWN")).await;
    }
}

/// Both kinds of places are taken: nothing but the operations' face is let in.
async fn throttled(seen: &mut Seen) {
    let narrow = Settings::default().with("max-requests", "1").with("max-uploads", "1");
    let server = TestServer::start(narrow.with("queue-timeout-seconds", "1")).await;
    let docker = prepare(&server, "app").await;
    let upload = docker.start_upload("app").await;
    let fields = format!("host: a\r\nauthorization: {}\r\ncontent-length: 9", docker.authorization);
    let mut holders = [server.wire().await, server.wire().await];
    holders[0].send(format!("PATCH {upload} HTTP/1.1\r\n{fields}\r\n\r\nhalf")).await;
    let target = "x-amz-target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry";
    holders[1].send(format!("POST / HTTP/1.1\r\n{fields}\r\n{target}\r\n\r\nhalf")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let served = &server;
    let all = routes("app").into_iter().map(|(_, method, path)| {
        let request = Request::builder().method(method).uri(&path).header("host", server.host());
        let body = if matches!(method, "GET" | "HEAD" | "DELETE") { "" } else { "x" };
        async move { (path, served.send(request.body(Full::from(body)).unwrap()).await) }
    });
    for (path, answer) in futures_util::future::join_all(all).await {
        assert_eq!((answer.status, answer.header("retry-after")), (429, "1"), "{path}: {answer:?}");
    }
    // Their form, HEAD too, while the places are still taken.
    seen.expect(&docker, ("GET", "/v2/"), &[], "", (429, "TOOMANYREQUESTS")).await;
    drop(holders);
    server.stop().await;
}
