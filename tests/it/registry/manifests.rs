//! Pull, and what a push leaves behind.

use serde_json::json;

use super::{OCI_MANIFEST, code, digest, image, index, prepare, put};
use crate::harness::servers;

#[tokio::test]
async fn a_manifest_comes_back_as_it_was_sent() {
    for server in servers().await {
        let docker = prepare(&server, "team/app").await;
        let text = format!(" {}\n", image("one"));
        let digest = digest(&text);
        let path = |reference: &str| format!("/v2/team/app/manifests/{reference}");
        let headers = [("content-type", OCI_MANIFEST)];
        for attempt in ["first", "again"] {
            let answer = docker.send("PUT", &path("v1"), &headers, text.clone()).await;
            assert_eq!((answer.status, answer.body.len()), (201, 0), "{attempt}: {answer:?}");
            assert_eq!(answer.header("location"), path(&digest));
            assert_eq!(answer.header("docker-content-digest"), digest);
            assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
            assert_eq!(answer.header("oci-subject"), "");
        }
        for reference in ["v1", digest.as_str()] {
            let got = docker.get(&path(reference)).await;
            assert_eq!((got.status, got.text()), (200, text.as_str()), "{}", server.engine);
            let head = docker.send("HEAD", &path(reference), &[], "").await;
            assert_eq!((head.status, head.body.len()), (200, 0));
            for answer in [&got, &head] {
                assert_eq!(answer.header("content-type"), OCI_MANIFEST);
                assert_eq!(answer.header("content-length"), text.len().to_string());
                assert_eq!(answer.header("docker-content-digest"), digest);
                assert_eq!(answer.header("etag"), format!("\"{digest}\""));
                assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
            }
        }
        let quoted = format!("\"{digest}\"");
        for (condition, status) in
            [(quoted.as_str(), 304), (&format!("\"x\", W/{quoted}"), 304), ("*", 304), ("\"x\"", 200)]
        {
            let answer = docker.send("GET", &path("v1"), &[("if-none-match", condition)], "").await;
            assert_eq!(answer.status, status, "{condition}");
            assert_eq!(answer.body.is_empty(), status == 304);
        }
        // What a client accepts changes nothing.
        for accept in ["*/*", "application/vnd.docker.distribution.manifest.v2+json", "text/html"] {
            let answer = docker.send("GET", &path("v1"), &[("accept", accept)], "").await;
            assert_eq!((answer.status, answer.header("content-type")), (200, OCI_MANIFEST));
        }
    }
}

#[tokio::test]
async fn both_doors_show_the_same_image() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let manifest = image("both");
        let request =
            json!({"repositoryName": "app", "imageManifest": manifest.to_string(), "imageTag": "v1"});
        server.ecr(&server.root, "PutImage", request).await.ok();
        assert_eq!(docker.get("/v2/app/manifests/v1").await.text(), manifest.to_string());
        assert_eq!(put(&docker, "app", "v2", &manifest).await.status, 201);
        let listed =
            server.ecr(&server.root, "ListImages", json!({"repositoryName": "app"})).await.ok().json();
        let digest = digest(manifest.to_string());
        let expected = ["v1", "v2"].map(|tag| json!({"imageDigest": digest, "imageTag": tag}));
        assert_eq!(listed, json!({"imageIds": expected}), "{}", server.engine);
    }
}

#[tokio::test]
async fn a_deleted_tag_goes_alone_and_the_last_one_with_its_image() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let manifest = image("deleted");
        let digest = digest(manifest.to_string());
        for tag in ["v1", "v2"] {
            put(&docker, "app", tag, &manifest).await.ok();
        }
        let delete = async |reference: &str| {
            docker.send("DELETE", &format!("/v2/app/manifests/{reference}"), &[], "").await
        };
        let get = async |reference: &str| docker.get(&format!("/v2/app/manifests/{reference}")).await;
        assert_eq!(delete("v1").await.status, 202);
        assert_eq!(code(&get("v1").await), (404, "MANIFEST_UNKNOWN".to_owned()));
        assert_eq!(get(&digest).await.status, 200);
        assert_eq!(code(&delete("v1").await), (404, "MANIFEST_UNKNOWN".to_owned()));
        assert_eq!(delete("v2").await.status, 202);
        assert_eq!(code(&get(&digest).await), (404, "MANIFEST_UNKNOWN".to_owned()));

        put(&docker, "app", &digest, &manifest).await.ok();
        put(&docker, "app", "multi", &index(&[&manifest])).await.ok();
        assert_eq!(code(&delete(&digest).await), (405, "UNSUPPORTED".to_owned()));
        assert_eq!(delete("multi").await.status, 202);
        assert_eq!(delete(&digest).await.status, 202);
    }
}
