//! Layers through the JSON API, and the URL that it gives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::harness::{Answer, TestServer, servers};
use crate::registry::uploads::{digest_of, logged_in};

const FIVE_MEBIBYTES: usize = 5 * 1024 * 1024;

async fn call(server: &TestServer, operation: &str, mut body: Value) -> Answer {
    body["repositoryName"] = body.get("repositoryName").cloned().unwrap_or_else(|| json!("app"));
    server.ecr(&server.root, operation, body).await
}

async fn start(server: &TestServer) -> String {
    let answer = call(server, "InitiateLayerUpload", json!({})).await.ok().json();
    assert_eq!(answer["partSize"], 10_485_760);
    answer["uploadId"].as_str().unwrap().to_owned()
}

async fn part(server: &TestServer, upload: &str, first: usize, bytes: &[u8]) -> Answer {
    let body = json!({
        "uploadId": upload,
        "partFirstByte": first,
        "partLastByte": first + bytes.len() - 1,
        "layerPartBlob": STANDARD.encode(bytes),
    });
    call(server, "UploadLayerPart", body).await
}

async fn complete(server: &TestServer, upload: &str, digests: &[&str]) -> Answer {
    let body = json!({"uploadId": upload, "layerDigests": digests});
    call(server, "CompleteLayerUpload", body).await
}

/// Status, exception and message.
fn refused(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (answer.status, text("__type"), text("message"))
}

fn refusal(kind: &str, message: impl Into<String>) -> (u16, String, String) {
    (400, kind.to_owned(), message.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_become_a_layer() {
    for server in servers().await {
        logged_in(&server).await;
        let bytes: Vec<u8> = (0..1_500_000_u32).flat_map(u32::to_le_bytes).collect();
        let (first, second) = bytes.split_at(FIVE_MEBIBYTES);
        let digest = digest_of(&bytes);
        let upload = start(&server).await;
        let empty = complete(&server, &upload, &[&digest]).await;
        let message = format!("The upload with ID '{upload}' does not contain any layer parts");
        assert_eq!(refused(&empty), refusal("EmptyUploadException", message));
        let answer = part(&server, &upload, 0, first).await.ok().json();
        assert_eq!(
            answer,
            json!({"registryId": "123456789012", "repositoryName": "app", "uploadId": upload,
                   "lastByteReceived": FIVE_MEBIBYTES - 1})
        );
        let again = part(&server, &upload, 0, first).await;
        let message = format!("First byte of the layer part is 0 instead of {FIVE_MEBIBYTES}");
        assert_eq!(refused(&again), refusal("InvalidLayerPartException", message));
        let members = again.json();
        assert_eq!(members["lastValidByteReceived"], FIVE_MEBIBYTES - 1);
        assert_eq!((&members["uploadId"], &members["repositoryName"]), (&json!(upload), &json!("app")));
        part(&server, &upload, FIVE_MEBIBYTES, second).await.ok();
        let wrong = complete(&server, &upload, &[&digest_of(b"other")]).await;
        let message = "None of the provided layer digests match the calculated layer digest";
        assert_eq!(refused(&wrong), refusal("InvalidLayerException", message));
        let completed = complete(&server, &upload, &[&digest_of(b"other"), &digest]).await.ok().json();
        assert_eq!(
            completed,
            json!({"registryId": "123456789012", "repositoryName": "app", "uploadId": upload,
                   "layerDigest": digest})
        );
        let gone = complete(&server, &upload, &[&digest]).await;
        let message = format!(
            "The upload with ID '{upload}' in the repository with name 'app' in registry with id '123456789012' \
             does not exist"
        );
        assert_eq!(refused(&gone), refusal("UploadNotFoundException", message));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_parts_are_refused_and_nothing_is_kept() {
    for server in servers().await {
        logged_in(&server).await;
        let upload = start(&server).await;
        let send = async |first: i64, last: i64, blob: Value| {
            let body = json!({"uploadId": upload, "partFirstByte": first, "partLastByte": last,
                              "layerPartBlob": blob});
            let (status, kind, _) = refused(&call(&server, "UploadLayerPart", body).await);
            (status, kind)
        };
        let refusal = |kind: &str| (400, kind.to_owned());
        let three = json!(STANDARD.encode("abc"));
        assert_eq!(send(0, 1, three.clone()).await, refusal("InvalidLayerPartException"));
        assert_eq!(send(0, 3, three.clone()).await, refusal("InvalidLayerPartException"));
        assert_eq!(send(2, 0, three.clone()).await, refusal("InvalidLayerPartException"));
        assert_eq!(send(0, 0, json!("")).await, refusal("InvalidLayerPartException"));
        assert_eq!(send(-1, 1, three.clone()).await, refusal("InvalidParameterException"));
        assert_eq!(send(0, 2, json!("%%%")).await, refusal("SerializationException"));
        assert_eq!(send(0, 2, json!(5)).await, refusal("SerializationException"));
        let large = STANDARD.encode(vec![0; 20_971_521]);
        assert_eq!(send(0, 20_971_520, json!(large)).await, refusal("InvalidParameterException"));
        // Nothing of all that was kept.
        part(&server, &upload, 0, b"abc").await.ok();
        part(&server, &upload, 3, b"def").await.ok();
        let short = complete(&server, &upload, &[&digest_of(b"abcdef")]).await;
        let message = "All layer parts except the last part should be at least 5MB";
        let (_, kind, text) = refused(&short);
        assert_eq!((kind.as_str(), text.as_str()), ("LayerPartTooSmallException", message));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn availability_is_told_per_repository() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let digest = docker.push_blob("app", b"layer").await;
        let unknown = digest_of(b"unknown");
        let asked = json!({"layerDigests": [digest, unknown, "md5:00", "latest", ""]});
        let answer = call(&server, "BatchCheckLayerAvailability", asked).await.ok().json();
        assert_eq!(
            answer["layers"],
            json!([
                {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": 5},
                {"layerDigest": unknown, "layerAvailability": "UNAVAILABLE"},
                {"layerDigest": "md5:00", "layerAvailability": "UNAVAILABLE"},
            ])
        );
        let codes: Vec<&str> = answer["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["failureCode"].as_str().unwrap())
            .collect();
        assert_eq!(codes, ["InvalidLayerDigest", "MissingLayerDigest"]);
        let elsewhere = json!({"repositoryName": "other", "layerDigests": [digest]});
        let answer = call(&server, "BatchCheckLayerAvailability", elsewhere).await.ok().json();
        assert_eq!(answer["layers"][0]["layerAvailability"], "UNAVAILABLE");
        assert_eq!(answer["failures"], json!([]));
        for digests in [json!([]), json!(vec![digest.as_str(); 101])] {
            let body = json!({"layerDigests": digests});
            let (_, kind, _) = refused(&call(&server, "BatchCheckLayerAvailability", body).await);
            assert_eq!(kind, "InvalidParameterException");
        }
        // What docker pushed may be pushed again as parts, and then it is there already.
        let upload = start(&server).await;
        part(&server, &upload, 0, b"layer").await.ok();
        let message = format!(
            "Layer with digest '{digest}' already exists in the repository with name 'app' in registry with id \
             '123456789012'"
        );
        let again = complete(&server, &upload, &[&digest]).await;
        assert_eq!(refused(&again), refusal("LayerAlreadyExistsException", message));
        server.stop().await;
    }
}

/// Fetches a URL as plain curl does, from wherever the name leads.
async fn fetch(server: &TestServer, method: &str, url: &str, range: Option<&str>) -> Answer {
    let path = url.strip_prefix("http://").unwrap().split_once('/').unwrap().1;
    let mut request = Request::builder().method(method).uri(format!("/{path}")).header("host", server.host());
    if let Some(range) = range {
        request = request.header("range", range);
    }
    server.send(request.body(Full::default()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_url_of_a_layer_needs_no_credentials() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let digest = docker.push_blob("app", b"0123456789").await;
        let of = |digest: &str| json!({"layerDigest": digest});
        let (_, kind, _) = refused(&call(&server, "GetDownloadUrlForLayer", of(&digest)).await);
        assert_eq!(kind, "LayerInaccessibleException");
        let (_, kind, _) = refused(&call(&server, "GetDownloadUrlForLayer", of(&digest_of(b"x"))).await);
        assert_eq!(kind, "LayersNotFoundException");
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 10},
            "layers": [],
        });
        call(&server, "PutImage", json!({"imageManifest": manifest.to_string()})).await.ok();
        let answer = call(&server, "GetDownloadUrlForLayer", of(&digest)).await.ok().json();
        assert_eq!(answer["layerDigest"], json!(digest));
        let url = answer["downloadUrl"].as_str().unwrap().to_owned();
        assert_eq!(fetch(&server, "GET", &url, None).await.ok().text(), "0123456789");
        let part = fetch(&server, "GET", &url, Some("bytes=2-4")).await;
        assert_eq!((part.status, part.text()), (206, "234"));
        let beyond = fetch(&server, "GET", &url, Some("bytes=10-")).await;
        assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */10"));
        let head = fetch(&server, "HEAD", &url, None).await.ok();
        assert_eq!((head.header("content-length"), head.body.len()), ("10", 0));
        assert_eq!(fetch(&server, "PUT", &url, None).await.status, 405);
        for (what, tampered) in [
            ("the layer", url.replace(&digest, &digest_of(b"0"))),
            ("the repository", url.replace("/app/", "/other/")),
            ("the account", url.replace("/123456789012/", "/210987654321/")),
            ("the region", url.replace("/eu-central-1/", "/eu-central-2/")),
            ("the end", url.replace("expires=", "expires=9")),
            ("the signature", format!("{url}0")),
            ("another parameter", format!("{url}&x=1")),
            ("no signature", url.split('&').next().unwrap().to_owned()),
        ] {
            let answer = fetch(&server, "GET", &tampered, None).await;
            assert_eq!(answer.status, 403, "{what}");
            assert!(answer.text().contains("<Code>SignatureDoesNotMatch</Code>"), "{what}");
        }
        // The URL does not outlive the layer's place in the repository.
        call(&server, "DeleteRepository", json!({"force": true})).await.ok();
        let gone = fetch(&server, "GET", &url, None).await;
        assert_eq!(gone.status, 404);
        assert!(gone.text().contains("<Code>NoSuchKey</Code>"));
        server.stop().await;
    }
}
