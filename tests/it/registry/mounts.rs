//! Mounts without a source: `POST …/uploads/?mount=<digest>` (distribution-spec 1.1).

use serde_json::{Value, json};

use super::rights::user_with;
use super::{LAYER, digest, prepare};
use crate::harness::{Answer, Docker, servers};

async fn mount(docker: &Docker<'_>, name: &str, digest: &str, rest: &str) -> Answer {
    docker.send("POST", &format!("/v2/{name}/blobs/uploads/?mount={digest}{rest}"), &[], "").await
}

fn on(action: Value, name: &str) -> Value {
    let resource = format!("arn:aws:ecr:eu-central-1:123456789012:repository/{name}");
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

#[tokio::test]
async fn a_blob_that_the_caller_may_read_somewhere_is_mounted() {
    for server in servers().await {
        let docker = prepare(&server, "source").await;
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
        let layer = digest(LAYER);
        for rest in ["", "&from="] {
            let mounted = mount(&docker, "app", &layer, rest).await;
            assert_eq!(mounted.status, 201, "{mounted:?} on {}", server.engine);
            assert_eq!(mounted.header("location"), format!("/v2/app/blobs/{layer}"));
            assert_eq!(mounted.header("docker-content-digest"), layer);
            assert_eq!(docker.get(&format!("/v2/app/blobs/{layer}")).await.ok().body, LAYER);
        }
        let unknown = mount(&docker, "app", &digest("nobody has it"), "").await;
        assert_eq!(unknown.status, 202);
        assert!(unknown.header("location").starts_with("/v2/app/blobs/uploads/"));
    }
}

#[tokio::test]
async fn what_the_caller_may_not_read_looks_like_what_nobody_has() {
    for server in servers().await {
        prepare(&server, "secret").await;
        for name in ["app", "shared"] {
            server.ecr(&server.root, "CreateRepository", json!({"repositoryName": name})).await.ok();
        }
        let pusher = user_with(
            &server,
            "pusher",
            &[on(json!("ecr:*"), "app"), on(json!("ecr:GetDownloadUrlForLayer"), "shared")],
        )
        .await;
        let docker = server.docker(&pusher).await;
        let layer = digest(LAYER);
        let shape = |answer: &Answer| {
            let location = answer.header("location").rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let mut names: Vec<String> = answer.headers.keys().map(|name| name.to_string()).collect();
            names.sort_unstable();
            (answer.status, location, names, answer.body.clone())
        };
        let forbidden = mount(&docker, "app", &layer, "").await;
        let unknown = mount(&docker, "app", &digest("nobody has it"), "").await;
        assert_eq!(shape(&forbidden), shape(&unknown), "{}", server.engine);
        assert_eq!(forbidden.status, 202);
        assert_eq!(docker.get(&format!("/v2/app/blobs/{layer}")).await.status, 404);

        // The same blob in a repository that the caller may read.
        server.docker(&server.root).await.push_blob("shared", LAYER).await;
        assert_eq!(mount(&docker, "app", &layer, "").await.status, 201);
    }
}

#[tokio::test]
async fn a_source_that_the_caller_may_not_read_looks_like_one_that_is_not_there() {
    for server in servers().await {
        prepare(&server, "secret").await;
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
        let pusher = user_with(&server, "pusher", &[on(json!("ecr:*"), "app")]).await;
        let docker = server.docker(&pusher).await;
        let mut shapes = Vec::new();
        // The blob is there, it is not, and the repository is not.
        let unknown: &[u8] = b"nobody has it";
        for (bytes, from) in [(LAYER, "secret"), (unknown, "secret"), (LAYER, "absent")] {
            let answer = mount(&docker, "app", &digest(bytes), &format!("&from={from}")).await;
            assert_eq!(answer.status, 202, "{answer:?} on {}", server.engine);
            let id = answer.header("docker-upload-uuid").to_owned();
            let mut headers: Vec<(String, String)> = Vec::new();
            for (name, value) in &answer.headers {
                let value = value.to_str().unwrap().replace(&id, "<upload>");
                if !["date", "x-amzn-requestid"].contains(&name.as_str()) {
                    headers.push((name.to_string(), value));
                }
            }
            headers.sort_unstable();
            shapes.push((headers, answer.body));
        }
        assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
    }
}

#[tokio::test]
async fn the_right_on_the_target_comes_first() {
    for server in servers().await {
        prepare(&server, "source").await;
        let reader = user_with(&server, "reader", &[on(json!("ecr:GetDownloadUrlForLayer"), "source")]).await;
        let docker = server.docker(&reader).await;
        assert_eq!(mount(&docker, "app", &digest(LAYER), "").await.status, 403);
        // The repository that is missing is told to whoever may push to it.
        let root = server.docker(&server.root).await;
        assert_eq!(mount(&root, "app", &digest(LAYER), "").await.status, 404);
    }
}
