//! The registry face: manifests, listings, referrers, rights and hostile requests.

mod bit_rot;
mod blob_deletion;
mod blobs;
mod creation;
mod listings;
mod manifests;
mod memory;
mod mounts;
mod paths;
mod pushes;
mod referrers;
mod refusals;
mod resumption;
pub mod rights;
mod tag_parameters;
pub mod uploads;

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::harness::{Answer, Docker, TestServer};

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What the blobs of all test images hold.
const CONFIG: &[u8] = b"{}";
const LAYER: &[u8] = b"layer";

pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes.as_ref())))
}

/// An image of the test blobs; the word tells images apart.
pub fn image(word: &str) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest(CONFIG), "size": CONFIG.len()},
        "layers": [{"mediaType": OCI_LAYER, "digest": digest(LAYER), "size": LAYER.len()}],
        "annotations": {"word": word},
    })
}

/// An index of manifests.
pub fn index(manifests: &[&Value]) -> Value {
    let entry = |manifest: &&Value| {
        let text = manifest.to_string();
        json!({"mediaType": OCI_MANIFEST, "digest": digest(&text), "size": text.len()})
    };
    let entries: Vec<Value> = manifests.iter().map(entry).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
}

/// A repository that holds the blobs of the test images.
pub async fn prepare<'server>(server: &'server TestServer, repository: &str) -> Docker<'server> {
    server.ecr(&server.root, "CreateRepository", json!({"repositoryName": repository})).await.ok();
    let docker = server.docker(&server.root).await;
    docker.push_blob(repository, CONFIG).await;
    docker.push_blob(repository, LAYER).await;
    docker
}

/// `PUT` of a manifest under its own type.
pub async fn put(docker: &Docker<'_>, repository: &str, reference: &str, manifest: &Value) -> Answer {
    let headers = [("content-type", manifest["mediaType"].as_str().unwrap())];
    let path = format!("/v2/{repository}/manifests/{reference}");
    docker.send("PUT", &path, &headers, manifest.to_string()).await
}

/// Code and message of an answer in the envelope of the registry face.
pub fn refusal(answer: &Answer) -> (u16, String, String) {
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8", "{answer:?}");
    assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0", "{answer:?}");
    let body = answer.json();
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{body}");
    let text = |member: &str| errors[0][member].as_str().unwrap().to_owned();
    (answer.status, text("code"), text("message"))
}

/// Only status and code.
pub fn code(answer: &Answer) -> (u16, String) {
    let (status, code, _) = refusal(answer);
    (status, code)
}
