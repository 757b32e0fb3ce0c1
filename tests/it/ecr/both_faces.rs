//! One registry behind two faces: what ECR's API changes, docker feels at its next request.

use serde_json::{Value, json};

use crate::harness::{Answer, Key, TestServer, servers};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Pushes an image whose configuration is `config` under a tag; out: the answer of the last step.
async fn push(server: &TestServer, key: &Key, repository: &str, tag: &str, config: &str) -> Answer {
    let docker = server.docker(key).await;
    let digest = docker.push_blob(repository, config.as_bytes()).await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len(),
        },
        "layers": [],
    });
    let path = format!("/v2/{repository}/manifests/{tag}");
    docker.send("PUT", &path, &[("content-type", MANIFEST_TYPE)], manifest.to_string()).await
}

async fn create(server: &TestServer, name: &str) {
    server.ecr(&server.root, "CreateRepository", json!({"repositoryName": name})).await.ok();
}

#[tokio::test]
async fn a_repository_with_images_goes_only_by_force_and_then_wholly() {
    for server in servers().await {
        create(&server, "app").await;
        assert_eq!(push(&server, &server.root, "app", "v1", "{}").await.status, 201);
        let refused = server.ecr(&server.root, "DeleteRepository", json!({"repositoryName": "app"})).await;
        assert_eq!(refused.json()["__type"], "RepositoryNotEmptyException");
        let docker = server.docker(&server.root).await;
        assert_eq!(docker.get("/v2/app/manifests/v1").await.status, 200);

        let body = json!({"repositoryName": "app", "force": true});
        server.ecr(&server.root, "DeleteRepository", body).await.ok();
        let gone = docker.get("/v2/app/manifests/v1").await;
        assert_eq!((gone.status, &gone.json()["errors"][0]["code"]), (404, &json!("NAME_UNKNOWN")));

        // Another repository of the same name shows nothing of the first, but takes the same bytes again.
        create(&server, "app").await;
        let list = server.ecr(&server.root, "ListImages", json!({"repositoryName": "app"})).await.ok();
        assert_eq!(list.json(), json!({"imageIds": []}));
        let config = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(docker.send("HEAD", &format!("/v2/app/blobs/{config}"), &[], "").await.status, 404);
        assert_eq!(push(&server, &server.root, "app", "v1", "{}").await.status, 201);
    }
}

#[tokio::test]
async fn mutability_counts_at_the_next_push() {
    for server in servers().await {
        create(&server, "app").await;
        assert_eq!(push(&server, &server.root, "app", "v1", "{}").await.status, 201);
        assert_eq!(push(&server, &server.root, "app", "v1", "{ }").await.status, 201);
        let body = json!({
            "repositoryName": "app",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
        });
        server.ecr(&server.root, "PutImageTagMutability", body).await.ok();
        let refused = push(&server, &server.root, "app", "v1", "{}").await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (400, &json!("TAG_INVALID")));
        for config in ["{}", "{ }"] {
            assert_eq!(push(&server, &server.root, "app", "dev-1", config).await.status, 201);
        }
        assert_eq!(push(&server, &server.root, "app", "v2", "{}").await.status, 201, "a new tag");
    }
}

/// A user with nothing but the right to log in.
async fn user(server: &TestServer, name: &str) -> Key {
    server.iam(&server.root, "CreateUser", &[("UserName", name)]).await.ok();
    let document = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*",
    }});
    let parameters =
        [("UserName", name), ("PolicyName", "login"), ("PolicyDocument", &document.to_string() as &str)];
    server.iam(&server.root, "PutUserPolicy", &parameters).await.ok();
    let answer = server.iam(&server.root, "CreateAccessKey", &[("UserName", name)]).await.ok();
    let field = |name: &str| -> String {
        let (_, rest) = answer.text().split_once(&format!("<{name}>")).expect("the field");
        rest.split('<').next().expect("its value").to_owned()
    };
    Key::new(&field("AccessKeyId"), &field("SecretAccessKey"))
}

#[tokio::test]
async fn a_repository_policy_lets_docker_in_and_out_at_the_next_request() {
    for server in servers().await {
        create(&server, "app").await;
        assert_eq!(push(&server, &server.root, "app", "v1", "{}").await.status, 201);
        let alice = user(&server, "alice").await;
        let docker = server.docker(&alice).await;
        let denied = docker.get("/v2/app/manifests/v1").await;
        assert_eq!(denied.status, 403);
        let sentence = |action: &str| {
            format!(
                "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: {action} on resource: \
                 arn:aws:ecr:eu-central-1:123456789012:repository/app because no identity-based policy allows \
                 the {action} action"
            )
        };
        let message = |answer: &Answer| answer.json()["errors"][0]["message"].clone();
        assert_eq!(message(&denied), Value::from(sentence("ecr:BatchGetImage")));

        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/alice"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        }]});
        let body = json!({"repositoryName": "app", "policyText": policy.to_string()});
        server.ecr(&server.root, "SetRepositoryPolicy", body).await.ok();
        assert_eq!(docker.get("/v2/app/manifests/v1").await.status, 200, "with the login made before");
        let denied = docker.send("POST", "/v2/app/blobs/uploads/", &[], "").await;
        assert_eq!(
            (denied.status, message(&denied)),
            (403, Value::from(sentence("ecr:InitiateLayerUpload")))
        );

        server.ecr(&server.root, "DeleteRepositoryPolicy", json!({"repositoryName": "app"})).await.ok();
        assert_eq!(docker.get("/v2/app/manifests/v1").await.status, 403);
    }
}
