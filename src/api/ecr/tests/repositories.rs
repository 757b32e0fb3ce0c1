//! Creating, describing and deleting repositories.

use serde_json::{Value, json};

use super::door::{STRANGER, doors, doors_with, exception};
use crate::catalog::Limits;

#[tokio::test]
async fn a_created_repository_has_exactly_the_members_that_ecr_shows() {
    for door in doors().await {
        let created =
            door.good("CreateRepository", r#"{"repositoryName": "randserver", "someday": {"new": 1}}"#).await;
        let expected = json!({"repository": {
            "repositoryArn": "arn:aws:ecr:eu-central-1:123456789012:repository/randserver",
            "registryId": "123456789012",
            "repositoryName": "randserver",
            "repositoryUri": "123456789012.dkr.ecr.eu-central-1.registry.example/randserver",
            "createdAt": 1_763_900_000.0,
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": false},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        }});
        assert_eq!(created, expected, "{}", door.engine);
        let described = door.good("DescribeRepositories", r#"{"repositoryNames": ["randserver"]}"#).await;
        assert_eq!(described, json!({"repositories": [expected["repository"]]}));
        let deleted = door.good("DeleteRepository", r#"{"repositoryName": "randserver"}"#).await;
        assert_eq!(deleted, expected);
        assert_eq!(door.good("DescribeRepositories", "{}").await, json!({"repositories": []}));
    }
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_behind() {
    for door in doors().await {
        for (body, kind, message) in [
            (
                json!({"imageScanningConfiguration": {"scanOnPush": true}}),
                "InvalidParameterException",
                "Scanning of images (scanOnPush) is not supported by this server; \
                 docs/reference/compatibility.md lists what is",
            ),
            (
                json!({"encryptionConfiguration": {"encryptionType": "KMS"}}),
                "InvalidParameterException",
                "Encryption with AWS KMS (encryptionType KMS) is not supported by this server; \
                 docs/reference/compatibility.md lists what is",
            ),
            (
                json!({"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": "alias/x"}}),
                "InvalidParameterException",
                "Invalid parameter at 'kmsKey' failed to satisfy constraint: \
                 'kmsKey can't be set when encryptionType is AES256'",
            ),
            (
                json!({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}),
                "InvalidParameterException",
                "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: \
                 'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as \
                 IMMUTABLE_WITH_EXCLUSION'",
            ),
            (
                json!({"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "a*"}]}),
                "InvalidParameterException",
                "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: \
                 'ImageTagMutabilityExclusionFilters must be null when imageTagMutability is set as MUTABLE'",
            ),
            (
                json!({"tags": [{"Key": "aws:x", "Value": ""}]}),
                "InvalidTagParameterException",
                "Tag keys that start with 'aws:' are reserved for AWS use.",
            ),
        ] {
            let mut body = body;
            body["repositoryName"] = Value::from("app");
            let refused = door.refused("CreateRepository", &body.to_string()).await;
            assert_eq!(refused, (kind.to_owned(), message.to_owned()));
        }
        assert_eq!(door.good("DescribeRepositories", "{}").await, json!({"repositories": []}));
    }
}

#[tokio::test]
async fn names_that_exist_and_names_that_do_not() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let (kind, message) = door.refused("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        assert_eq!(kind, "RepositoryAlreadyExistsException");
        assert_eq!(
            message,
            "The repository with name 'app' already exists in the registry with id '123456789012'"
        );
        for (operation, body) in [
            ("DescribeRepositories", r#"{"repositoryNames": ["app", "nope"]}"#),
            ("DeleteRepository", r#"{"repositoryName": "nope"}"#),
            (
                "PutImageScanningConfiguration",
                r#"{"repositoryName": "nope", "imageScanningConfiguration": {}}"#,
            ),
            ("PutImageTagMutability", r#"{"repositoryName": "nope", "imageTagMutability": "MUTABLE"}"#),
            ("GetRepositoryPolicy", r#"{"repositoryName": "nope"}"#),
            ("GetLifecyclePolicy", r#"{"repositoryName": "nope"}"#),
        ] {
            let (kind, message) = door.refused(operation, body).await;
            assert_eq!(kind, "RepositoryNotFoundException", "{operation}");
            assert_eq!(
                message,
                "The repository with name 'nope' does not exist in the registry with id '123456789012'"
            );
        }
    }
}

#[tokio::test]
async fn pages_of_repositories() {
    for door in doors().await {
        for number in 0..25 {
            let name = format!(r#"{{"repositoryName": "team/app-{number:02}"}}"#);
            door.good("CreateRepository", &name).await;
        }
        let mut seen = Vec::new();
        let mut token = Value::Null;
        let mut pages = 0;
        loop {
            let body = json!({"maxResults": 10, "nextToken": token});
            let page = door.good("DescribeRepositories", &body.to_string()).await;
            let names = page["repositories"].as_array().unwrap().iter();
            seen.extend(names.map(|found| found["repositoryName"].as_str().unwrap().to_owned()));
            pages += 1;
            match page.get("nextToken") {
                Some(next) => token = next.clone(),
                None => break,
            }
            assert!(!token.as_str().unwrap().contains("app"), "a token tells nothing");
        }
        assert_eq!(pages, 3);
        let expected: Vec<String> = (0..25).map(|number| format!("team/app-{number:02}")).collect();
        assert_eq!(seen, expected, "{}", door.engine);

        for bad in ["x", "", &"A".repeat(100), &"A".repeat(100_000)] {
            let (kind, message) =
                door.refused("DescribeRepositories", &json!({"nextToken": bad}).to_string()).await;
            assert_eq!(kind, "InvalidParameterException");
            assert_eq!(
                message,
                "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'"
            );
        }
        let other = json!({"nextToken": token, "registryId": STRANGER}).to_string();
        let foreign = exception(&door.call_as(&door.stranger, "DescribeRepositories", &other).await);
        assert_eq!(foreign.0, "InvalidParameterException", "a token is good in its own registry only");
        for (member, value) in [("maxResults", json!(5)), ("nextToken", token.clone())] {
            let mut body = json!({"repositoryNames": ["team/app-01"]});
            body[member] = value;
            let (kind, message) = door.refused("DescribeRepositories", &body.to_string()).await;
            assert_eq!(kind, "InvalidParameterException");
            assert!(message.contains(member), "{message}");
        }
    }
}

#[tokio::test]
async fn the_default_page_has_a_hundred() {
    for door in doors().await {
        for number in 0..101 {
            door.good("CreateRepository", &format!(r#"{{"repositoryName": "r{number}"}}"#)).await;
        }
        let page = door.good("DescribeRepositories", "{}").await;
        assert_eq!(page["repositories"].as_array().unwrap().len(), 100);
        assert!(page["nextToken"].is_string());
    }
}

#[tokio::test]
async fn a_full_registry_says_so() {
    for door in doors_with(Limits { repositories_per_registry: 1, ..Limits::default() }).await {
        door.good("CreateRepository", r#"{"repositoryName": "one"}"#).await;
        let (kind, message) = door.refused("CreateRepository", r#"{"repositoryName": "two"}"#).await;
        assert_eq!(kind, "LimitExceededException");
        assert_eq!(message, "The limit of 1 repositories per registry would be exceeded");
        // Another account's registry is another registry.
        let other = door.call_as(&door.stranger, "CreateRepository", r#"{"repositoryName": "two"}"#).await;
        assert_eq!(other.0, 200, "{}", other.1);
    }
}
