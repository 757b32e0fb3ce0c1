//! Pushes that are refused: the documented error, nothing stored; and pushes at the same time.

use serde_json::{Value, json};

use super::{LAYER, OCI_INDEX, OCI_MANIFEST, code, digest, image, index, prepare, put, refusal};
use crate::harness::{TestServer, servers};

const LIMIT: usize = 4 * 1024 * 1024;

async fn images(server: &TestServer) -> Value {
    server.ecr(&server.root, "ListImages", json!({"repositoryName": "app"})).await.ok().json()["imageIds"]
        .clone()
}

#[tokio::test]
async fn what_is_refused_is_not_stored() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let good = image("refused").to_string();
        let mut absent = image("refused");
        absent["layers"][0]["digest"] = json!(digest("absent"));
        let nobody = index(&[&image("nobody")]).to_string();
        let mut confused = image("confused");
        confused["manifests"] = json!([]);
        let other = digest("other");
        let text = |text: &str| text.to_owned();
        for (what, reference, media_type, body, status, expected) in [
            ("no JSON", "v1", OCI_MANIFEST, text("{"), 400, "MANIFEST_INVALID"),
            ("no object", "v1", OCI_MANIFEST, text("[]"), 400, "MANIFEST_INVALID"),
            ("nothing", "v1", OCI_MANIFEST, text(""), 400, "MANIFEST_INVALID"),
            ("another type", "v1", OCI_INDEX, good.clone(), 400, "MANIFEST_INVALID"),
            ("an unknown type", "v1", "application/json", good.clone(), 400, "MANIFEST_INVALID"),
            ("image and index at once", "v1", OCI_MANIFEST, confused.to_string(), 400, "MANIFEST_INVALID"),
            ("another digest", other.as_str(), OCI_MANIFEST, good.clone(), 400, "MANIFEST_INVALID"),
            ("a tag with a plus", "1.0+2", OCI_MANIFEST, good.clone(), 400, "TAG_INVALID"),
            ("no digest", "sha256:xyz", OCI_MANIFEST, good.clone(), 400, "DIGEST_INVALID"),
            ("a missing layer", "v1", OCI_MANIFEST, absent.to_string(), 404, "MANIFEST_BLOB_UNKNOWN"),
            ("a missing child", "v1", OCI_INDEX, nobody, 404, "MANIFEST_BLOB_UNKNOWN"),
        ] {
            let path = format!("/v2/app/manifests/{reference}");
            let answer = docker.send("PUT", &path, &[("content-type", media_type)], body).await;
            assert_eq!(code(&answer), (status, expected.to_owned()), "{what} on {}", server.engine);
        }
        let answer = put(&docker, "not/there", "v1", &image("x")).await;
        assert_eq!(code(&answer), (404, "NAME_UNKNOWN".to_owned()));
        assert_eq!(images(&server).await, json!([]));
        // The largest that is taken.
        let largest = good.clone() + &" ".repeat(LIMIT - good.len());
        docker.send("PUT", "/v2/app/manifests/v1", &[("content-type", OCI_MANIFEST)], largest).await.ok();
    }
}

/// docker prints the sentence instead of "broken pipe" because the rest of the body is read beside the answer; the
/// connection then goes on.
#[tokio::test]
async fn a_manifest_that_is_too_large_is_told_so_and_the_connection_goes_on() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let authorization = &docker.authorization;
        let head = |method: &str, path: &str| {
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n")
        };
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        for (length, body) in [
            (format!("Content-Length: {}\r\n\r\n", LIMIT + 9), " ".repeat(LIMIT + 9)),
            ("Transfer-Encoding: chunked\r\n\r\n".to_owned(), chunk.repeat(70) + "0\r\n\r\n"),
        ] {
            let mut wire = server.wire().await;
            wire.send(head("PUT", "/v2/app/manifests/v1") + &length + &body).await;
            let answer = wire.until("]}").await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
            assert!(answer.ends_with(
                r#"{"errors":[{"code":"MANIFEST_INVALID","message":"A manifest has at most 4194304 bytes"}]}"#
            ));
            wire.send(head("GET", "/v2/") + "\r\n").await;
            let answer = wire.until("{}").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        assert_eq!(images(&server).await, json!([]));
    }
}

#[tokio::test]
async fn a_missing_layer_is_named_in_aws_words() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "other"})).await.ok();
        let (status, code, message) = refusal(&put(&docker, "other", "v1", &image("x")).await);
        assert_eq!((status, code.as_str()), (404, "MANIFEST_BLOB_UNKNOWN"));
        let expected = format!(
            "Layers with digests '[{}, {}]' required for pushing image into repository with name 'other' in the \
             registry with id '123456789012' do not exist",
            digest(super::CONFIG),
            digest(LAYER)
        );
        assert_eq!(message, expected);
    }
}

#[tokio::test]
async fn bodies_that_are_not_what_they_say() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let text = image("broken").to_string();
        let head = |more: &str| {
            format!(
                "PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\
                 Content-Type: {OCI_MANIFEST}\r\n{more}\r\n",
                docker.authorization
            )
        };
        let length = text.len();
        for (what, bytes, expected) in [
            ("half of it", head(&format!("Content-Length: {length}\r\n")) + &text[..length / 2], None),
            ("less promised than sent", head("Content-Length: 9\r\n") + &text, Some("MANIFEST_INVALID")),
            ("a chunk that is none", head("Transfer-Encoding: chunked\r\n") + "zz\r\n" + &text, None),
        ] {
            let mut wire = server.wire().await;
            let (answer, _) = wire.send(bytes).await.finish().await.rest().await;
            assert!(!answer.starts_with("HTTP/1.1 2"), "{what}: {answer}");
            if let Some(expected) = expected {
                assert!(answer.contains(expected), "{what}: {answer}");
            }
        }
        assert_eq!(images(&server).await, json!([]));
    }
}

#[tokio::test]
async fn an_immutable_tag_stays_and_a_repeated_push_is_none() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let request = json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
        server.ecr(&server.root, "PutImageTagMutability", request).await.ok();
        assert_eq!(put(&docker, "app", "v1", &image("one")).await.status, 201);
        assert_eq!(put(&docker, "app", "v1", &image("one")).await.status, 201);
        let (status, code, message) = refusal(&put(&docker, "app", "v1", &image("two")).await);
        assert_eq!((status, code.as_str()), (400, "TAG_INVALID"));
        let expected = "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten \
                        because the tag is immutable.";
        assert_eq!(message, expected);
        assert_eq!(images(&server).await.as_array().unwrap().len(), 1, "{}", server.engine);
    }
}

#[tokio::test]
async fn clients_that_push_one_tag_at_once_all_succeed_and_one_has_it() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let manifests: Vec<Value> = (0..32).map(|number| image(&format!("racer {number}"))).collect();
        let pushes = manifests.iter().map(|manifest| put(&docker, "app", "latest", manifest));
        for answer in futures_util::future::join_all(pushes).await {
            assert_eq!(answer.status, 201, "{} {}", server.engine, answer.text());
        }
        let images = images(&server).await;
        let tagged = images.as_array().unwrap().iter().filter(|id| id.get("imageTag").is_some()).count();
        assert_eq!((images.as_array().unwrap().len(), tagged), (32, 1), "{}", server.engine);
        let winner = docker.get("/v2/app/manifests/latest").await.ok();
        assert!(manifests.contains(&winner.json()), "{}", winner.text());
        assert_eq!(winner.header("docker-content-digest"), digest(&winner.body));
    }
}
