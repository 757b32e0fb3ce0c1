//! Repository creation templates through the door (ecr.md §7.4). What they do is tested at the registry face.

use serde_json::{Value, json};

use super::door::{Door, NOW, OWNER, doors, exception};
use crate::environment::SECOND;

const CREATE: &str = "CreateRepositoryCreationTemplate";
const DESCRIBE: &str = "DescribeRepositoryCreationTemplates";
const UPDATE: &str = "UpdateRepositoryCreationTemplate";
const DELETE: &str = "DeleteRepositoryCreationTemplate";

fn new(prefix: &str, more: Value) -> String {
    let mut body = json!({"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

fn policy(principal: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal},
        "Action": "ecr:BatchGetImage"}]})
    .to_string()
}

/// In the canonical form, so that it comes back as it was sent.
fn lifecycle(count: u32) -> String {
    format!(
        r#"{{"rules":[{{"rulePriority":1,"selection":{{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":{count}}},"action":{{"type":"expire"}}}}]}}"#
    )
}

async fn prefixes(door: &Door, body: &str) -> Vec<String> {
    let answer = door.good(DESCRIBE, body).await;
    let templates = answer["repositoryCreationTemplates"].as_array().unwrap();
    templates.iter().map(|template| template["prefix"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_template_through_its_life() {
    for door in doors().await {
        let plain = door.good(CREATE, &new("team/", json!({}))).await;
        let mut expected = json!({
            "prefix": "team/", "encryptionConfiguration": {"encryptionType": "AES256"}, "resourceTags": [],
            "imageTagMutability": "MUTABLE", "appliedFor": ["CREATE_ON_PUSH"],
            "createdAt": NOW as f64, "updatedAt": NOW as f64,
        });
        assert_eq!(
            plain,
            json!({"registryId": OWNER, "repositoryCreationTemplate": expected}),
            "{}",
            door.engine
        );

        door.clock.advance(SECOND);
        let change = json!({
            "prefix": "team", "description": "for the team", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "cache*"}],
            "resourceTags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": ""}],
            "repositoryPolicy": policy("arn:aws:iam::000000000001:root"), "lifecyclePolicy": lifecycle(3),
            "encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": ""}, "customRoleArn": "",
            "appliedFor": ["CREATE_ON_PUSH", "CREATE_ON_PUSH"],
        });
        let changed = door.good(UPDATE, &change.to_string()).await["repositoryCreationTemplate"].clone();
        let shown: Value = serde_json::from_str(changed["repositoryPolicy"].as_str().unwrap()).unwrap();
        assert_eq!(shown["Statement"][0]["Principal"], json!({"AWS": "arn:aws:iam::000000000001:root"}));
        for (member, value) in [
            ("description", json!("for the team")),
            ("imageTagMutability", json!("IMMUTABLE_WITH_EXCLUSION")),
            ("imageTagMutabilityExclusionFilters", json!([{"filterType": "WILDCARD", "filter": "cache*"}])),
            ("resourceTags", json!([{"Key": "a", "Value": ""}, {"Key": "b", "Value": "2"}])),
            ("lifecyclePolicy", json!(lifecycle(3))),
            ("updatedAt", json!((NOW + 1) as f64)),
        ] {
            expected[member] = value;
        }
        expected["repositoryPolicy"] = changed["repositoryPolicy"].clone();
        assert_eq!(changed, expected);
        let kept = door.good(UPDATE, r#"{"prefix": "team"}"#).await["repositoryCreationTemplate"].clone();
        assert_eq!(kept, expected);

        // Empty takes away.
        let empty = json!({"prefix": "team", "description": "", "imageTagMutability": "MUTABLE", "resourceTags": [],
            "repositoryPolicy": "", "lifecyclePolicy": ""});
        door.good(UPDATE, &empty.to_string()).await;
        let removed = door.good(DELETE, r#"{"prefix": "team/"}"#).await;
        let mut bare = plain["repositoryCreationTemplate"].clone();
        bare["updatedAt"] = json!((NOW + 1) as f64);
        assert_eq!(removed, json!({"registryId": OWNER, "repositoryCreationTemplate": bare}));
        assert_eq!(prefixes(&door, "{}").await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_would_not_act_is_refused() {
    for door in doors().await {
        door.good(CREATE, &new("there", json!({}))).await;
        let refused = |what: &str| {
            format!("{what} is not supported by this server; docs/reference/compatibility.md lists what is")
        };
        for (more, message) in [
            (
                json!({"appliedFor": ["CREATE_ON_PUSH", "REPLICATION"]}),
                refused("A repository creation template for REPLICATION (appliedFor)"),
            ),
            (
                json!({"appliedFor": ["PULL_THROUGH_CACHE"]}),
                refused("A repository creation template for PULL_THROUGH_CACHE (appliedFor)"),
            ),
            (
                json!({"encryptionConfiguration": {"encryptionType": "KMS"}}),
                refused("Encryption with AWS KMS (encryptionType KMS)"),
            ),
            (
                json!({"customRoleArn": "arn:aws:iam::123456789012:role/ecr"}),
                refused("A role that creates repositories in place of the pusher (customRoleArn)"),
            ),
            (
                json!({"appliedFor": []}),
                "Invalid parameter at 'appliedFor' failed to satisfy constraint: 'Member must have length greater \
                 than or equal to 1'"
                    .to_owned(),
            ),
            (
                json!({"repositoryPolicy": "{}"}),
                "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy \
                 provided'"
                    .to_owned(),
            ),
            (
                json!({"repositoryPolicy": policy("arn:aws:iam::123456789012:user/nobody")}),
                "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'".to_owned(),
            ),
            (
                json!({"imageTagMutability": "MUTABLE_WITH_EXCLUSION"}),
                "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: \
                 'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as \
                 MUTABLE_WITH_EXCLUSION'"
                    .to_owned(),
            ),
        ] {
            for (operation, prefix) in [(CREATE, "team"), (UPDATE, "there")] {
                let answer = door.refused(operation, &new(prefix, more.clone())).await;
                let expected = ("InvalidParameterException".to_owned(), message.clone());
                assert_eq!(answer, expected, "{operation} {more} on {}", door.engine);
            }
        }
        for (more, exception, begin) in [
            (
                json!({"lifecyclePolicy": "{\"rules\": 1}"}),
                "InvalidParameterException",
                "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy \
                 validation failure: ",
            ),
            (json!({"resourceTags": [{"Key": "aws:x", "Value": ""}]}), "InvalidTagParameterException", ""),
            (
                json!({"appliedFor": ["PUSH"]}),
                "InvalidParameterException",
                "Invalid parameter at 'appliedFor' failed to satisfy constraint: ",
            ),
        ] {
            let (kind, message) = door.refused(CREATE, &new("team", more.clone())).await;
            assert!(kind == exception && message.starts_with(begin), "{more}: {kind} {message}");
        }
        for bad in ["Team", "team//", "/", "-a", ""] {
            let (kind, message) = door.refused(CREATE, &new(bad, json!({}))).await;
            assert_eq!(kind, "InvalidParameterException", "{bad}: {message}");
        }
        assert_eq!(prefixes(&door, "{}").await, ["there"]);
    }
}

#[tokio::test]
async fn templates_that_are_there_and_that_are_not() {
    for door in doors().await {
        door.good(CREATE, &new("team", json!({}))).await;
        let (kind, message) = door.refused(CREATE, &new("team/", json!({}))).await;
        assert_eq!(kind, "TemplateAlreadyExistsException");
        assert_eq!(
            message,
            "The repository creation template with prefix 'team/' already exists in the registry with id \
             '123456789012'"
        );
        for operation in [UPDATE, DELETE] {
            let (kind, message) = door.refused(operation, r#"{"prefix": "ROOT"}"#).await;
            assert_eq!(kind, "TemplateNotFoundException");
            assert_eq!(
                message,
                "The repository creation template with prefix 'ROOT' does not exist in the registry with id \
                 '123456789012'"
            );
        }
    }
}

#[tokio::test]
async fn pages_and_names() {
    for door in doors().await {
        for prefix in ["b", "ROOT", "a", "a/b"] {
            door.good(CREATE, &new(prefix, json!({}))).await;
        }
        assert_eq!(prefixes(&door, "{}").await, ["ROOT", "a", "a/b", "b"]);
        let named = r#"{"prefixes": ["b", "none", "ROOT"]}"#;
        assert_eq!(prefixes(&door, named).await, ["ROOT", "b"], "what is not there is left out");
        let first = door.good(DESCRIBE, r#"{"maxResults": 1}"#).await;
        let token = &first["nextToken"];
        let rest = json!({"maxResults": 3, "nextToken": token});
        assert_eq!(prefixes(&door, &rest.to_string()).await, ["a", "a/b", "b"]);
        assert_eq!(door.good(DESCRIBE, &rest.to_string()).await.get("nextToken"), None);
        let both = json!({"prefixes": ["a"], "nextToken": token}).to_string();
        assert_eq!(door.refused(DESCRIBE, &both).await.0, "InvalidParameterException");
        let forged = json!({"nextToken": "AAAA"}).to_string();
        assert_eq!(door.refused(DESCRIBE, &forged).await.0, "InvalidParameterException");

        // The registry of another account is another one.
        let other = door.call_as(&door.stranger, DESCRIBE, "{}").await.1;
        assert_eq!(other["repositoryCreationTemplates"], json!([]));
        let stolen = door.call_as(&door.stranger, DESCRIBE, &json!({"nextToken": token}).to_string()).await;
        assert_eq!(exception(&stolen).0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn the_author_needs_the_rights_of_what_the_template_does() {
    for door in doors().await {
        let statement = |actions: &[&str]| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let has = ["ecr:CreateRepositoryCreationTemplate", "ecr:CreateRepository"];
        let few = door.user(OWNER, "few", Some(&statement(&has[..1]))).await;
        let some = door.user(OWNER, "some", Some(&statement(&has))).await;
        let denied = async |key, more: Value| {
            let (kind, message) = exception(&door.call_as(key, CREATE, &new("team", more)).await);
            assert_eq!(kind, "AccessDeniedException");
            message.split("perform: ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
        };
        assert_eq!(denied(&few.key, json!({})).await, "ecr:CreateRepository", "{}", door.engine);
        let documents = [
            ("lifecyclePolicy", json!(lifecycle(1)), "ecr:PutLifecyclePolicy"),
            ("repositoryPolicy", json!(policy("*")), "ecr:SetRepositoryPolicy"),
        ];
        for (member, value, action) in documents {
            assert_eq!(denied(&some.key, json!({member: value})).await, action);
        }
        let empty = json!({"lifecyclePolicy": "", "repositoryPolicy": "", "customRoleArn": ""});
        assert_eq!(door.call_as(&some.key, CREATE, &new("team", empty)).await.0, 200);
    }
}
