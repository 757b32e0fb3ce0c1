//! `PUT …/manifests/<digest>?tag=…&tag=…` (distribution-spec, "Pushing Manifests").

use serde_json::json;

use super::{OCI_MANIFEST, code, digest, image, index, prepare, put, refusal};
use crate::harness::{Answer, Docker, servers};

async fn tags(docker: &Docker<'_>) -> Vec<String> {
    let listed = docker.get("/v2/app/tags/list").await.ok().json();
    listed["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

async fn put_with(docker: &Docker<'_>, word: &str, query: &str) -> Answer {
    let manifest = image(word);
    let reference = format!("{}?{query}", digest(manifest.to_string()));
    put(docker, "app", &reference, &manifest).await
}

#[tokio::test]
async fn all_tags_are_set_and_confirmed() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let answer = put_with(&docker, "one", "tag=1.2.3&tag=1.2&tag=latest&tag=1.2").await.ok();
        assert_eq!(answer.status, 201, "{}", server.engine);
        let confirmed: Vec<_> = answer.headers.get_all("oci-tag").iter().collect();
        assert_eq!(confirmed, ["1.2.3, 1.2, latest"]);
        assert_eq!(tags(&docker).await, ["1.2", "1.2.3", "latest"]);

        // Again, and with one more: always the same answer.
        for query in ["tag=1.2.3&tag=1.2&tag=latest", "tag=latest&tag=2"] {
            let again = put_with(&docker, "one", query).await.ok();
            assert_eq!(again.header("oci-tag").replace(", ", "&tag="), query.trim_start_matches("tag="));
        }
        for tag in ["1.2.3", "1.2", "latest", "2"] {
            let got = docker.get(&format!("/v2/app/manifests/{tag}")).await.ok();
            assert_eq!(got.header("docker-content-digest"), digest(image("one").to_string()));
        }
        let untagged = put_with(&docker, "two", "").await.ok();
        assert_eq!(untagged.header("oci-tag"), "");
        let by_tag = put(&docker, "app", "v3", &image("three")).await.ok();
        assert_eq!(by_tag.header("oci-tag"), "", "only what was asked for as a parameter is confirmed");
    }
}

#[tokio::test]
async fn a_tag_that_cannot_move_leaves_all_where_they_are() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        put_with(&docker, "one", "tag=v1").await.ok();
        let immutable = json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
        server.ecr(&server.root, "PutImageTagMutability", immutable).await.ok();
        let refused = put_with(&docker, "two", "tag=new&tag=v1").await;
        assert_eq!(code(&refused), (400, "TAG_INVALID".to_owned()), "{}", server.engine);
        assert_eq!(refused.header("oci-tag"), "");
        assert_eq!(tags(&docker).await, ["v1"]);
        let digest = digest(image("two").to_string());
        assert_eq!(
            docker.get(&format!("/v2/app/manifests/{digest}")).await.status,
            404,
            "nothing was stored"
        );
    }
}

#[tokio::test]
async fn bad_parameters_are_refused_before_anything_is_stored() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        for (query, status) in [
            ("tag=".to_owned(), 400),
            ("tag=a%2Fb".to_owned(), 400),
            (format!("tag={}", "a".repeat(129)), 400),
            (vec!["tag=a"; 51].join("&"), 414),
        ] {
            let refused = put_with(&docker, "one", &query).await;
            assert_eq!(code(&refused), (status, "TAG_INVALID".to_owned()), "{query:.40}");
        }
        let manifest = image("one").to_string();
        let both = docker
            .send("PUT", "/v2/app/manifests/v1?tag=v2", &[("content-type", OCI_MANIFEST)], manifest)
            .await;
        let (status, code, message) = refusal(&both);
        assert_eq!((status, code.as_str()), (400, "TAG_INVALID"));
        assert!(message.contains("push by digest"), "{message}");
        assert_eq!(tags(&docker).await, Vec::<String>::new());
        let most: Vec<String> = (0..50).map(|number| format!("tag=t{number}")).collect();
        put_with(&docker, "one", &most.join("&")).await.ok();
        assert_eq!(tags(&docker).await.len(), 50);
    }
}

#[tokio::test]
async fn the_last_tag_of_what_an_index_needs_goes_alone() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let (child, lone) = (image("child"), image("lone"));
        for (tag, manifest) in [("child", &child), ("lone", &lone), ("index", &index(&[&child]))] {
            put(&docker, "app", tag, manifest).await.ok();
        }
        let delete = async |tag: &str| {
            docker.send("DELETE", &format!("/v2/app/manifests/{tag}"), &[], "").await.status
        };
        let is_there = async |manifest: &serde_json::Value| {
            let path = format!("/v2/app/manifests/{}", digest(manifest.to_string()));
            docker.send("HEAD", &path, &[], "").await.status == 200
        };
        assert_eq!((delete("child").await, delete("child").await), (202, 404), "{}", server.engine);
        assert_eq!(delete("lone").await, 202);
        assert!(is_there(&child).await && !is_there(&lone).await);
        assert_eq!(tags(&docker).await, ["index"]);
        assert_eq!(delete("index").await, 202);
        assert!(is_there(&child).await, "it is an untagged image now");
    }
}
