//! Creation on push: repositories that a push makes by a creation template (ecr.md §7.4).

use serde_json::{Value, json};

use super::rights::{sentence, user_with};
use super::{CONFIG, LAYER, code, digest, image, put, refusal};
use crate::harness::{Answer, Docker, Key, TestServer, servers};

async fn template(server: &TestServer, prefix: &str, more: Value) {
    let mut body = json!({"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.ecr(&server.root, "CreateRepositoryCreationTemplate", body).await.ok();
}

/// Somebody who may push anywhere below `team/`, and these things as well.
async fn pusher(server: &TestServer, name: &str, more: &[&str]) -> Key {
    let mut actions = vec![
        "ecr:BatchCheckLayerAvailability",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage",
        "ecr:BatchGetImage",
    ];
    actions.extend_from_slice(more);
    let resource = "arn:aws:ecr:eu-central-1:123456789012:repository/team/*";
    user_with(server, name, &[json!({"Effect": "Allow", "Action": actions, "Resource": resource})]).await
}

async fn begin(docker: &Docker<'_>, name: &str, query: &str) -> Answer {
    docker.send("POST", &format!("/v2/{name}/blobs/uploads/{query}"), &[], "").await
}

async fn names(server: &TestServer) -> Vec<String> {
    let all = server.ecr(&server.root, "DescribeRepositories", json!({})).await.ok().json();
    let all = all["repositories"].as_array().unwrap();
    all.iter().map(|one| one["repositoryName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_request_that_begins_a_push_creates() {
    for server in servers().await {
        template(&server, "ROOT", json!({})).await;
        let docker = server.docker(&server.root).await;
        let digest = digest(LAYER);
        assert_eq!(begin(&docker, "by/post", "").await.status, 202, "{}", server.engine);
        assert_eq!(begin(&docker, "by/mount", &format!("?mount={digest}&from=by/post")).await.status, 202);
        assert_eq!(begin(&docker, "by/search", &format!("?mount={digest}")).await.status, 202);
        let whole = format!("/v2/by/whole/blobs/uploads/?digest={digest}");
        assert_eq!(docker.send("POST", &whole, &[], LAYER).await.status, 201);
        // The layers are missing, but the repository is there now.
        assert_eq!(code(&put(&docker, "by/manifest", "v1", &image("x")).await).1, "MANIFEST_BLOB_UNKNOWN");
        let made = ["by/manifest", "by/mount", "by/post", "by/search", "by/whole"];
        assert_eq!(names(&server).await, made);

        // Whatever only reads, or goes on with what a repository must hold, creates nothing.
        let upload = "/v2/absent/blobs/uploads/4b5e4f2a-58a7-4a0e-8d2e-6f8d8a3f8f10";
        let complete = format!("{upload}?digest={digest}");
        for (method, path) in [
            ("HEAD", format!("/v2/absent/blobs/{digest}")),
            ("GET", format!("/v2/absent/blobs/{digest}")),
            ("DELETE", format!("/v2/absent/blobs/{digest}")),
            ("GET", "/v2/absent/manifests/v1".to_owned()),
            ("DELETE", "/v2/absent/manifests/v1".to_owned()),
            ("GET", "/v2/absent/tags/list".to_owned()),
            ("GET", format!("/v2/absent/referrers/{digest}")),
            ("PATCH", upload.to_owned()),
            ("PUT", complete),
        ] {
            assert_eq!(docker.send(method, &path, &[], "").await.status, 404, "{method} {path}");
        }
        assert_eq!(names(&server).await, made);
    }
}

#[tokio::test]
async fn a_whole_image_arrives_with_the_templates_settings() {
    for server in servers().await {
        let reader = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::000000000001:root"}, "Action": "ecr:BatchGetImage"}]});
        let keep = json!({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any",
            "countType": "imageCountMoreThan", "countNumber": 3}, "action": {"type": "expire"}}]});
        template(
            &server,
            "team",
            json!({
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "cache*"}],
                "repositoryPolicy": reader.to_string(), "lifecyclePolicy": keep.to_string(),
                "resourceTags": [{"Key": "team", "Value": "a"}],
            }),
        )
        .await;
        let key = pusher(&server, "pusher", &["ecr:CreateRepository", "ecr:TagResource"]).await;
        let docker = server.docker(&key).await;
        docker.push_blob("team/app", CONFIG).await;
        docker.push_blob("team/app", LAYER).await;
        put(&docker, "team/app", "v1", &image("one")).await.ok();
        assert_eq!(code(&put(&docker, "team/app", "v1", &image("two")).await).1, "TAG_INVALID");
        for word in ["one", "two"] {
            put(&docker, "team/app", "cache", &image(word)).await.ok();
        }
        let call = async |operation: &str| {
            let body = json!({"repositoryName": "team/app"});
            server.ecr(&server.root, operation, body).await.ok().json()
        };
        let made = &server
            .ecr(&server.root, "DescribeRepositories", json!({"repositoryNames": ["team/app"]}))
            .await
            .ok()
            .json()["repositories"][0];
        assert_eq!(made["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION", "{}", server.engine);
        assert_eq!(made["encryptionConfiguration"], json!({"encryptionType": "AES256"}));
        let stored: Value =
            serde_json::from_str(call("GetRepositoryPolicy").await["policyText"].as_str().unwrap()).unwrap();
        assert_eq!(stored["Statement"][0]["Principal"], reader["Statement"][0]["Principal"]);
        let text = call("GetLifecyclePolicy").await["lifecyclePolicyText"].as_str().unwrap().to_owned();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), keep);
        let arn = json!({"resourceArn": made["repositoryArn"]});
        let tags = server.ecr(&server.root, "ListTagsForResource", arn).await.ok().json();
        assert_eq!(tags["tags"], json!([{"Key": "team", "Value": "a"}]));
    }
}

#[tokio::test]
async fn without_a_template_or_the_right_nothing_is_created() {
    for server in servers().await {
        let may_push = pusher(&server, "pusher", &[]).await;
        let may_create = pusher(&server, "creator", &["ecr:CreateRepository"]).await;
        let answer = begin(&server.docker(&may_create).await, "team/app", "").await;
        let (status, kind, message) = refusal(&answer);
        assert_eq!((status, kind.as_str()), (404, "NAME_UNKNOWN"), "{}", server.engine);
        let absent =
            "The repository with name 'team/app' does not exist in the registry with id '123456789012'";
        assert_eq!(message, absent);

        template(&server, "team", json!({"resourceTags": [{"Key": "team", "Value": "a"}]})).await;
        for (key, user, action) in [
            (&may_push, "pusher", "ecr:CreateRepository"),
            // The template has tags, which need a right of their own.
            (&may_create, "creator", "ecr:TagResource"),
        ] {
            let docker = server.docker(key).await;
            let denied = refusal(&begin(&docker, "team/app", "").await);
            assert_eq!(denied, (403, "DENIED".to_owned(), sentence(user, action, "team/app")));
            // A body is drained, so that docker reads the sentence and does not see a broken pipe.
            let manifest = put(&docker, "team/app", "v1", &image("x")).await;
            assert_eq!(code(&manifest), (403, "DENIED".to_owned()));
        }
        // Who may not even push learns nothing of the template.
        let outside = refusal(&begin(&server.docker(&may_create).await, "other/app", "").await);
        let expected = sentence("creator", "ecr:InitiateLayerUpload", "other/app");
        assert_eq!(outside, (403, "DENIED".to_owned(), expected));
        assert_eq!(names(&server).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn conditions_on_the_tags_of_the_template_decide() {
    for server in servers().await {
        template(&server, "team/a", json!({"resourceTags": [{"Key": "team", "Value": "a"}]})).await;
        template(&server, "team/b", json!({"resourceTags": [{"Key": "team", "Value": "b"}]})).await;
        let any = "arn:aws:ecr:eu-central-1:123456789012:repository/*";
        let statements = [
            json!({"Effect": "Allow", "Action": "ecr:InitiateLayerUpload", "Resource": any}),
            json!({"Effect": "Allow", "Action": ["ecr:CreateRepository", "ecr:TagResource"], "Resource": any,
                "Condition": {"StringEquals": {"aws:RequestTag/team": "a"},
                    "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}}),
        ];
        let key = user_with(&server, "bounded", &statements).await;
        let docker = server.docker(&key).await;
        assert_eq!(begin(&docker, "team/a/app", "").await.status, 202, "{}", server.engine);
        assert_eq!(begin(&docker, "team/b/app", "").await.status, 403);
        assert_eq!(names(&server).await, ["team/a/app"]);
    }
}

#[tokio::test]
async fn the_policy_of_what_was_created_binds_its_creator() {
    for server in servers().await {
        let closed = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
            "Action": "ecr:InitiateLayerUpload"}]});
        template(&server, "team", json!({"repositoryPolicy": closed.to_string()})).await;
        let key = pusher(&server, "pusher", &["ecr:CreateRepository"]).await;
        let docker = server.docker(&key).await;
        let (status, kind, message) = refusal(&begin(&docker, "team/app", "").await);
        assert_eq!((status, kind.as_str()), (403, "DENIED"), "{}", server.engine);
        assert!(message.ends_with("with an explicit deny in a resource-based policy"), "{message}");
        assert_eq!(names(&server).await, ["team/app"], "the creation itself was allowed");
    }
}

#[tokio::test]
async fn of_many_first_pushes_one_creates_and_none_fails() {
    for server in servers().await {
        template(&server, "ROOT", json!({"resourceTags": [{"Key": "team", "Value": "a"}]})).await;
        let docker = server.docker(&server.root).await;
        let pushes = (0..32).map(|_| begin(&docker, "team/app", ""));
        for answer in futures_util::future::join_all(pushes).await {
            assert_eq!(answer.status, 202, "{answer:?} on {}", server.engine);
        }
        assert_eq!(names(&server).await, ["team/app"]);
    }
}

#[tokio::test]
async fn a_full_registry_creates_nothing() {
    use crate::harness::Settings;
    let server = TestServer::start(Settings::default().with("max-repositories", "1")).await;
    template(&server, "ROOT", json!({})).await;
    let docker = server.docker(&server.root).await;
    assert_eq!(begin(&docker, "one", "").await.status, 202);
    assert_eq!(code(&begin(&docker, "two", "").await), (403, "DENIED".to_owned()));
    assert_eq!(begin(&docker, "one", "").await.status, 202);
    assert_eq!(names(&server).await, ["one"]);
}
