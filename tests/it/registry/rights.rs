//! Every request of this face asks for the right of the operation that it is (ecr.md §8.4).

use serde_json::{Value, json};

use super::{digest, image, prepare, put, refusal};
use crate::harness::{Key, TestServer, servers};

/// A user who may log in and do these things to `app`.
async fn user(server: &TestServer, name: &str, actions: &[&str]) -> Key {
    let actions = if actions.is_empty() { json!("ecr:Nothing") } else { json!(actions) };
    let allowed = json!({"Effect": "Allow", "Action": actions,
        "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/app"});
    user_with(server, name, &[allowed]).await
}

/// A user who may log in, with these statements.
pub async fn user_with(server: &TestServer, name: &str, statements: &[Value]) -> Key {
    server.iam(&server.root, "CreateUser", &[("UserName", name)]).await.ok();
    let mut all = vec![json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"})];
    all.extend_from_slice(statements);
    let policy = json!({"Version": "2012-10-17", "Statement": all});
    let parameters = [("UserName", name), ("PolicyName", "inline"), ("PolicyDocument", &policy.to_string())];
    server.iam(&server.root, "PutUserPolicy", &parameters).await.ok();
    let created = server.iam(&server.root, "CreateAccessKey", &[("UserName", name)]).await.ok();
    let between = |begin: &str, end: &str| {
        let (_, rest) = created.text().split_once(begin).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    Key::new(
        &between("<AccessKeyId>", "</AccessKeyId>"),
        &between("<SecretAccessKey>", "</SecretAccessKey>").replace("&amp;", "&"),
    )
}

/// AWS's sentence for a call that no policy of the user allows.
pub fn sentence(name: &str, action: &str, resource: &str) -> String {
    format!(
        "User: arn:aws:iam::123456789012:user/{name} is not authorized to perform: {action} on resource: \
         arn:aws:ecr:eu-central-1:123456789012:repository/{resource} because no identity-based policy allows the \
         {action} action"
    )
}

#[tokio::test]
async fn a_denial_names_caller_action_and_repository() {
    for server in servers().await {
        prepare(&server, "app").await;
        let nobody = user(&server, "nobody", &[]).await;
        let docker = server.docker(&nobody).await;
        assert_eq!(docker.get("/v2/").await.status, 200, "a good password is enough here");
        let layer = digest(super::LAYER);
        let manifest = image("x").to_string();
        for (method, path, action, resource) in [
            ("GET", "/v2/_catalog".to_owned(), "ecr:DescribeRepositories", "*"),
            ("GET", "/v2/app/tags/list".to_owned(), "ecr:ListImages", "app"),
            ("GET", "/v2/app/manifests/v1".to_owned(), "ecr:BatchGetImage", "app"),
            ("GET", "/v2/not/there/manifests/v1".to_owned(), "ecr:BatchGetImage", "not/there"),
            ("PUT", "/v2/app/manifests/v1".to_owned(), "ecr:PutImage", "app"),
            ("DELETE", "/v2/app/manifests/v1".to_owned(), "ecr:BatchDeleteImage", "app"),
            ("GET", format!("/v2/app/referrers/{layer}"), "ecr:BatchGetImage", "app"),
            ("GET", format!("/v2/app/blobs/{layer}"), "ecr:GetDownloadUrlForLayer", "app"),
            ("DELETE", format!("/v2/app/blobs/{layer}"), "ecr:BatchDeleteImage", "app"),
            ("POST", "/v2/app/blobs/uploads/".to_owned(), "ecr:InitiateLayerUpload", "app"),
            (
                "POST",
                format!("/v2/app/blobs/uploads/?mount={layer}&from=app"),
                "ecr:InitiateLayerUpload",
                "app",
            ),
        ] {
            let answer = docker.send(method, &path, &[], manifest.clone()).await;
            let expected = (403, "DENIED".to_owned(), sentence("nobody", action, resource));
            assert_eq!(refusal(&answer), expected, "{method} {path} on {}", server.engine);
        }
        let head = docker.send("HEAD", "/v2/app/manifests/v1", &[], "").await;
        assert_eq!((head.status, head.body.len()), (403, 0));
    }
}

#[tokio::test]
async fn a_right_to_pull_is_none_to_push_or_delete() {
    for server in servers().await {
        let root = prepare(&server, "app").await;
        put(&root, "app", "v1", &image("one")).await.ok();
        let puller = user(&server, "puller", &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]).await;
        let docker = server.docker(&puller).await;
        docker.get("/v2/app/manifests/v1").await.ok();
        let layer = format!("/v2/app/blobs/{}", digest(super::LAYER));
        docker.get(&layer).await.ok();
        docker.send("HEAD", &layer, &[], "").await.ok();
        let denied = |answer: &crate::harness::Answer| {
            let (status, code, _) = refusal(answer);
            (status, code)
        };
        let expected = (403, "DENIED".to_owned());
        assert_eq!(denied(&put(&docker, "app", "v2", &image("one")).await), expected);
        assert_eq!(denied(&docker.send("DELETE", "/v2/app/manifests/v1", &[], "").await), expected);
        assert_eq!(denied(&docker.get("/v2/app/tags/list").await), expected);
        let ids: Value =
            server.ecr(&server.root, "ListImages", json!({"repositoryName": "app"})).await.ok().json();
        assert_eq!(ids["imageIds"].as_array().unwrap().len(), 1);
    }
}
