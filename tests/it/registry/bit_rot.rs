//! Flipped bytes under the whole server: what is answered, that the scrub finds them, that a push heals them.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::uploads::logged_in;
use super::{LAYER, OCI_MANIFEST, code, digest, image, prepare, put};
use crate::harness::{Docker, Settings, TestServer};

fn object(server: &TestServer, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    let folder = server.folder.path().join("blobs/blobs/sha256").join(&hex[..2]);
    let mut found = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.to_str().unwrap().contains(hex)).expect("an object")
}

/// Flips a bit; `is_silent` keeps the time of the file as rot does.
fn flip(path: &Path, is_silent: bool) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let (metadata, mut byte) = (file.metadata().unwrap(), [0]);
    let middle = metadata.len() / 2;
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 0x20], middle).unwrap();
    if is_silent {
        file.set_modified(metadata.modified().unwrap()).unwrap();
    }
}

async fn head(docker: &Docker<'_>, digest: &str) -> u16 {
    docker.send("HEAD", &format!("/v2/app/blobs/{digest}"), &[], "").await.status
}

/// Waits until the scrub has noticed.
async fn until_missing(docker: &Docker<'_>, digest: &str) {
    for _ in 0..300 {
        if head(docker, digest).await == 404 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the scrub found nothing in half a minute");
}

#[tokio::test]
async fn the_scrub_of_a_running_server_takes_rotten_blobs_out_of_use_and_pushes_heal_them() {
    let server = TestServer::start(Settings::default().with("scrub-period-seconds", "1")).await;
    let docker = logged_in(&server).await;
    for bytes in [vec![b'a'; 100_000], vec![b'b'; 3_000_000]] {
        let digest = docker.push_blob("app", &bytes).await;
        assert_eq!(head(&docker, &digest).await, 200);
        flip(&object(&server, &digest), true);
        until_missing(&docker, &digest).await;
        let answer = docker.get(&format!("/v2/app/blobs/{digest}")).await;
        assert_eq!(code(&answer), (404, "BLOB_UNKNOWN".to_owned()));
        let asked = json!({"repositoryName": "app", "layerDigests": [digest]});
        let answer = server.ecr(&server.root, "BatchCheckLayerAvailability", asked).await.ok().json();
        assert_eq!(answer["layers"][0]["layerAvailability"], "UNAVAILABLE", "{answer}");
        docker.push_blob("app", &bytes).await;
        assert_eq!(docker.get(&format!("/v2/app/blobs/{digest}")).await.ok().body, bytes);
    }
    let metrics = docker.get("/metrics").await.ok().text().to_owned();
    assert!(metrics.contains(r#"longshore_damage_found_total{kind="blob"}"#), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn a_damaged_blob_never_arrives_completely() {
    let server = TestServer::start(Settings::default()).await;
    let docker = logged_in(&server).await;
    let small = docker.push_blob("app", &[b'c'; 100_000]).await;
    flip(&object(&server, &small), false);
    let answer = docker.get(&format!("/v2/app/blobs/{small}")).await;
    assert_eq!(code(&answer), (404, "BLOB_UNKNOWN".to_owned()), "a small one is compared first");
    let bytes = vec![b'd'; 5_000_000];
    let large = docker.push_blob("app", &bytes).await;
    for range in ["", "range: bytes=4000000-\r\n"] {
        flip(&object(&server, &large), false);
        let mut wire = server.wire().await;
        let head = format!(
            "GET /v2/app/blobs/{large} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n{range}\r\n",
            docker.authorization
        );
        let (answer, _) = wire.send(head).await.rest().await;
        let body = answer.find("\r\n\r\n").unwrap() + 4;
        let promised = if range.is_empty() { 5_000_000 } else { 1_000_000 };
        assert!(answer.contains(&format!("content-length: {promised}\r\n")), "{}", &answer[..body]);
        assert!(answer.len() - body < promised, "{range:?}: the connection ends before the last byte");
        assert_eq!(self::head(&docker, &large).await, 404);
        docker.push_blob("app", &bytes).await;
        assert_eq!(docker.get(&format!("/v2/app/blobs/{large}")).await.ok().body, bytes);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_manifest_may_not_name_a_damaged_layer() {
    let server = TestServer::start(Settings::default()).await;
    let docker = prepare(&server, "app").await;
    let database = rusqlite::Connection::open(server.folder.path().join("catalog.db")).unwrap();
    let damage =
        "UPDATE blob_content SET content = $1 WHERE blob = (SELECT number FROM blob WHERE digest = $2)";
    assert_eq!(database.execute(damage, (&b"lawyr"[..], digest(LAYER))).unwrap(), 1);
    drop(database);
    assert_eq!(docker.get(&format!("/v2/app/blobs/{}", digest(LAYER))).await.status, 404);
    let answer = put(&docker, "app", "v1", &image("x")).await;
    assert_eq!(code(&answer), (404, "MANIFEST_BLOB_UNKNOWN".to_owned()));
    docker.push_blob("app", LAYER).await;
    put(&docker, "app", "v1", &image("x")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_damaged_manifest_counts_as_missing_until_it_is_pushed_again() {
    let server = TestServer::start(Settings::default()).await;
    let docker = prepare(&server, "app").await;
    let manifest = image("rot");
    let text = manifest.to_string();
    put(&docker, "app", "v1", &manifest).await.ok();
    let folder = server.folder.path().join("catalog.db");
    let database = rusqlite::Connection::open(&folder).unwrap();
    let rotten = text.replacen("rot", "roo", 1);
    let damage = "UPDATE image SET manifest = $1";
    assert_eq!(database.execute(damage, [rotten.into_bytes()]).unwrap(), 1);
    for reference in ["v1".to_owned(), digest(&text)] {
        for method in ["GET", "HEAD"] {
            let accept = [("accept", OCI_MANIFEST)];
            let path = format!("/v2/app/manifests/{reference}");
            assert_eq!(docker.send(method, &path, &accept, "").await.status, 404, "{method} {reference}");
        }
    }
    let asked = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]});
    let answer = server.ecr(&server.root, "BatchGetImage", asked).await.ok().json();
    assert_eq!(answer["failures"][0]["failureCode"], "ImageNotFound", "{answer}");
    put(&docker, "app", "v1", &manifest).await.ok();
    assert_eq!(docker.get("/v2/app/manifests/v1").await.ok().text(), text);
    server.stop().await;
}
