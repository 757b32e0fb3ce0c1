//! `GET /v2/<name>/referrers/<digest>` (distribution-spec 1.1, "Listing Referrers").

use serde_json::{Value, json};

use super::listings::next;
use super::{OCI_INDEX, OCI_MANIFEST, code, digest, image, prepare, put};
use crate::harness::{Docker, servers};

const SIGNATURE: &str = "application/vnd.example.signature+json";

async fn all(docker: &Docker<'_>, first: &str) -> Vec<Value> {
    let (mut path, mut found) = (first.to_owned(), Vec::new());
    loop {
        let answer = docker.get(&path).await.ok();
        let page = answer.json();
        assert_eq!(answer.header("content-type"), OCI_INDEX);
        assert_eq!((&page["schemaVersion"], &page["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
        found.extend(page["manifests"].as_array().unwrap().iter().cloned());
        match next(&answer) {
            Some(next) => path = next,
            None => return found,
        }
    }
}

#[tokio::test]
async fn referrers_are_an_index_that_can_be_filtered_and_paged() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let subject = digest(image("subject").to_string());
        let path = format!("/v2/app/referrers/{subject}");
        assert_eq!(all(&docker, &path).await, [] as [Value; 0], "nothing yet, and no such subject either");
        let mut expected = Vec::new();
        for number in 0..53 {
            let mut manifest = image(&format!("signature {number}"));
            manifest["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": subject, "size": 5});
            // Without an artifactType the configuration's type stands for it.
            let kind = if number % 2 == 0 { SIGNATURE } else { super::OCI_CONFIG };
            if number % 2 == 0 {
                manifest["artifactType"] = json!(SIGNATURE);
            }
            let text = manifest.to_string();
            let answer = put(&docker, "app", &digest(&text), &manifest).await.ok();
            assert_eq!(answer.header("oci-subject"), subject);
            expected.push(json!({
                "mediaType": OCI_MANIFEST, "digest": digest(&text), "size": text.len(), "artifactType": kind,
                "annotations": {"word": format!("signature {number}")},
            }));
        }
        expected.sort_by_key(|entry| entry["digest"].to_string());
        for query in ["", "?n=7", "?n=1000", "?n=0"] {
            assert_eq!(
                all(&docker, &format!("{path}{query}")).await,
                expected,
                "{query} on {}",
                server.engine
            );
        }
        let first = docker.get(&path).await.ok();
        assert_eq!(first.json()["manifests"].as_array().unwrap().len(), 50);
        assert_eq!(first.header("oci-filters-applied"), "");

        let escaped = SIGNATURE.replace('/', "%2F").replace('+', "%2B");
        let filtered = format!("{path}?artifactType={escaped}");
        expected.retain(|entry| entry["artifactType"] == SIGNATURE);
        assert_eq!(all(&docker, &format!("{filtered}&n=5")).await, expected);
        assert_eq!(docker.get(&filtered).await.ok().header("oci-filters-applied"), "artifactType");
        assert_eq!(all(&docker, &format!("{path}?artifactType=x%2Fy")).await, [] as [Value; 0]);

        assert_eq!(code(&docker.get("/v2/app/referrers/v1").await), (400, "DIGEST_INVALID".to_owned()));
        let nowhere = format!("/v2/not/there/referrers/{subject}");
        assert_eq!(code(&docker.get(&nowhere).await), (404, "NAME_UNKNOWN".to_owned()));
    }
}
