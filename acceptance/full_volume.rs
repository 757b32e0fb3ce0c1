//! A volume that is really full: pushes are refused in the words of each door, pulls and deletions go on, and it
//! recovers by itself.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::faults::{Answer, Client, KEY_ID, SECRET};
use crate::harness::layout::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest};
use crate::harness::{Server, Settings, Volume, tools};

const VOLUME_BYTES: u64 = 64 * 1024 * 1024;
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

fn settings(volume: &Volume, data: &Arc<TempDir>, flags: &[&str]) -> Settings {
    let environment =
        [("LONGSHORE_ROOT_ACCESS_KEY_ID", KEY_ID), ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", SECRET)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let (data, prefix) = (Some(data.clone()), volume.prefix());
    Settings { environment, data, prefix, ..Settings::default() }.with_flags(flags)
}

fn get_ready(client: &Client) -> (String, Vec<u8>) {
    assert_eq!(client.ecr("CreateRepository", &json!({ "repositoryName": "app" })).unwrap().status, 200);
    assert_eq!(client.iam("CreateUser", &[("UserName", "earlier")]).unwrap().status, 200);
    let layer: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
    for blob in [&layer[..], b"{}"] {
        let path = format!("/v2/app/blobs/uploads/?digest={}", digest(blob));
        assert_eq!(client.registry("POST", &path, &[], blob).unwrap().status, 201);
    }
    let manifest = manifest(&layer, "");
    let answer = client
        .registry("PUT", "/v2/app/manifests/v1", &[("content-type", OCI_MANIFEST)], manifest.as_bytes())
        .unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    (digest(manifest.as_bytes()), layer)
}

/// A manifest of the layer; other words make another one.
fn manifest(layer: &[u8], words: &str) -> String {
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "annotations": { "words": words },
        "config": { "mediaType": OCI_CONFIG, "digest": digest(b"{}"), "size": 2 },
        "layers": [{ "mediaType": OCI_LAYER, "digest": digest(layer), "size": layer.len() }],
    })
    .to_string()
}

/// What each door says, to the byte.
fn all_is_refused(client: &Client, location: &str, layer: &[u8]) {
    let full = "The registry's storage is full; its operator must make room";
    let docker = json!({ "errors": [{ "code": "UNKNOWN", "message": full }] }).to_string();
    let is_refused = |answer: Answer| {
        assert_eq!((answer.status, answer.text()), (507, docker.clone()));
    };
    is_refused(client.registry("PATCH", location, &[], &vec![3; 300_000]).unwrap());
    let other = manifest(layer, &"long enough for pages of its own ".repeat(3000));
    is_refused(
        client
            .registry("PUT", "/v2/app/manifests/v2", &[("content-type", OCI_MANIFEST)], other.as_bytes())
            .unwrap(),
    );
    let answer = client
        .ecr("PutImage", &json!({ "repositoryName": "app", "imageManifest": other, "imageTag": "v3" }))
        .unwrap();
    let ecr = json!({ "__type": "ServerException", "message": full }).to_string();
    assert_eq!((answer.status, answer.text()), (500, ecr));
    let answer = client.iam("CreateUser", &[("UserName", &"u".repeat(64))]).unwrap();
    let id = answer.header("x-amzn-requestid").unwrap();
    let iam = format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Receiver</Type>\
         <Code>InternalFailure</Code><Message>The server failed; its log has the reason under the request id.\
         </Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
    );
    assert_eq!((answer.status, answer.text()), (500, iam));
}

fn delete_image(client: &Client, image: &str) -> Answer {
    client
        .ecr("BatchDeleteImage", &json!({ "repositoryName": "app", "imageIds": [{ "imageDigest": image }] }))
        .unwrap()
}

fn begin_upload(client: &Client) -> String {
    let answer = client.registry("POST", "/v2/app/blobs/uploads/", &[], &[]).unwrap();
    answer.header("location").unwrap_or_else(|| panic!("{} {}", answer.status, answer.text())).to_owned()
}

#[test]
fn deletions_go_on_in_the_reserve_and_pushes_as_soon_as_there_is_room() {
    let data = Arc::new(TempDir::with_prefix("longshore-volume-").unwrap());
    let volume = Volume::over(data.path(), VOLUME_BYTES);
    let mut server = Server::start_with(settings(&volume, &data, &[]));
    let client = Client::of(server.address());
    let (image, layer) = get_ready(&client);
    let reserve = || std::fs::metadata(volume.inside().join("catalog.db-reserve")).unwrap().len();
    assert_eq!(reserve(), RESERVE_BYTES);
    let location = begin_upload(&client);
    let ballast = volume.fill();
    all_is_refused(&client, &location, &layer);
    let pull = || client.registry("GET", &format!("/v2/app/blobs/{}", digest(&layer)), &[], &[]).unwrap();
    assert!(pull().status == 200 && pull().body == layer);

    let answer = delete_image(&client, &image);
    assert_eq!((answer.status, &answer.json()["failures"]), (200, &json!([])), "{}", answer.text());
    let answer = client.iam("DeleteUser", &[("UserName", "earlier")]).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(reserve() < RESERVE_BYTES, "a deletion needed no room");
    // What was given back is for deletions alone.
    for _ in 0..3 {
        all_is_refused(&client, &location, &layer);
        let answer = client.ecr("CreateRepository", &json!({ "repositoryName": "more" })).unwrap();
        assert_eq!(answer.status, 500, "{}", answer.text());
    }
    // A start needs room too, and finds the same; the stop has made some.
    server.stop("TERM");
    volume.fill();
    server = Server::start_with(server.settings());
    all_is_refused(&client, &location, &layer);
    let answer = client.ecr("DeleteRepository", &json!({ "repositoryName": "app", "force": true })).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());

    std::fs::remove_file(ballast).unwrap();
    let begin = Instant::now();
    while client.ecr("CreateRepository", &json!({ "repositoryName": "app" })).unwrap().status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(3), "it does not recover");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(client.iam("CreateUser", &[("UserName", "later")]).unwrap().status, 200);
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest(&layer));
    assert_eq!(client.registry("POST", &path, &[], &layer).unwrap().status, 201);
    assert_eq!(reserve(), RESERVE_BYTES);
    server.stop("TERM");
    let mut words = volume.prefix();
    words.extend([tools::longshore().to_str().unwrap(), "fsck", "--deep", "--data-dir"].map(str::to_owned));
    let output = Command::new(&words[0]).args(&words[1..]).arg(data.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn without_a_reserve_a_deletion_is_refused() {
    let data = Arc::new(TempDir::with_prefix("longshore-volume-").unwrap());
    let volume = Volume::over(data.path(), VOLUME_BYTES);
    let server = Server::start_with(settings(&volume, &data, &["--disk-reserve-bytes", "0"]));
    let client = Client::of(server.address());
    let (image, layer) = get_ready(&client);
    let location = begin_upload(&client);
    let ballast = volume.fill();
    all_is_refused(&client, &location, &layer);
    let answer = delete_image(&client, &image);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert_eq!(answer.json()["__type"], "ServerException");
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(delete_image(&client, &image).status, 200);
}
