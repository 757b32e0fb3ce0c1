//! Tag mutability, scanning, lifecycle policies.

use serde_json::{Value, json};

use super::door::doors;

#[tokio::test]
async fn tag_mutability_with_exclusions_comes_back() {
    for door in doors().await {
        let filters = json!([
            {"filterType": "WILDCARD", "filter": "dev-*"},
            {"filterType": "WILDCARD", "filter": "latest"},
        ]);
        let body = json!({
            "repositoryName": "app",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": filters,
        });
        let created = door.good("CreateRepository", &body.to_string()).await;
        assert_eq!(created["repository"]["imageTagMutabilityExclusionFilters"], filters, "{}", door.engine);

        let body = json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
        let changed = door.good("PutImageTagMutability", &body.to_string()).await;
        let expected =
            json!({"registryId": "123456789012", "repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
        assert_eq!(changed, expected);
        let described = door.good("DescribeRepositories", "{}").await;
        let repository = &described["repositories"][0];
        assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
        assert_eq!(repository.get("imageTagMutabilityExclusionFilters"), None);
    }
}

#[tokio::test]
async fn filters_that_are_refused() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let filter = |text: &str| json!({"filterType": "WILDCARD", "filter": text});
        for filters in [
            json!([]),
            json!([filter("")]),
            json!([filter("a/b")]),
            json!([filter("***")]),
            json!([filter(&"a".repeat(129))]),
            json!([{"filterType": "REGEX", "filter": "a"}]),
            json!([{"filter": "a"}]),
            Value::Array(vec![filter("a"); 6]),
            Value::Null,
        ] {
            let body = json!({
                "repositoryName": "app",
                "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filters,
            });
            let (kind, message) = door.refused("PutImageTagMutability", &body.to_string()).await;
            assert_eq!(kind, "InvalidParameterException", "{filters}");
            assert!(message.contains("imageTagMutabilityExclusionFilters"), "{filters}: {message}");
        }
        let described = door.good("DescribeRepositories", "{}").await;
        assert_eq!(described["repositories"][0]["imageTagMutability"], "MUTABLE");
    }
}

#[tokio::test]
async fn scanning_can_only_be_off() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        for off in [json!({"scanOnPush": false}), json!({})] {
            let body = json!({"repositoryName": "app", "imageScanningConfiguration": off});
            let expected = json!({
                "registryId": "123456789012",
                "repositoryName": "app",
                "imageScanningConfiguration": {"scanOnPush": false},
            });
            assert_eq!(door.good("PutImageScanningConfiguration", &body.to_string()).await, expected);
        }
        let body = json!({"repositoryName": "app", "imageScanningConfiguration": {"scanOnPush": true}});
        let (kind, message) = door.refused("PutImageScanningConfiguration", &body.to_string()).await;
        assert_eq!(kind, "InvalidParameterException");
        assert!(message.starts_with("Scanning of images (scanOnPush) is not supported"), "{message}");
    }
}

/// The tutorial's policy, spelled with spaces and another order of members.
const KEEP_800: &str = r#"{ "rules": [ { "description": "Keep last 800 images", "rulePriority": 1,
    "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 800 },
    "action": { "type": "expire" } } ] }"#;

#[tokio::test]
async fn a_lifecycle_policy_comes_back_canonically() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let body =
            json!({"repositoryName": "app", "registryId": "123456789012", "lifecyclePolicyText": KEEP_800});
        let put = door.good("PutLifecyclePolicy", &body.to_string()).await;
        let canonical = concat!(
            r#"{"rules":[{"rulePriority":1,"description":"Keep last 800 images","selection":{"tagStatus":"any","#,
            r#""countType":"imageCountMoreThan","countNumber":800},"action":{"type":"expire"}}]}"#
        );
        let mut expected =
            json!({"registryId": "123456789012", "repositoryName": "app", "lifecyclePolicyText": canonical});
        assert_eq!(put, expected, "{}", door.engine);
        expected["lastEvaluatedAt"] = json!(0.0);
        assert_eq!(door.good("GetLifecyclePolicy", r#"{"repositoryName": "app"}"#).await, expected);
        assert_eq!(door.good("DeleteLifecyclePolicy", r#"{"repositoryName": "app"}"#).await, expected);
        for operation in ["GetLifecyclePolicy", "DeleteLifecyclePolicy"] {
            let (kind, message) = door.refused(operation, r#"{"repositoryName": "app"}"#).await;
            assert_eq!(kind, "LifecyclePolicyNotFoundException");
            assert_eq!(
                message,
                "Lifecycle policy does not exist for the repository with name 'app' in the registry with id \
                 '123456789012'"
            );
        }
    }
}

#[tokio::test]
async fn a_lifecycle_policy_that_is_none_is_refused_in_ecrs_words() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let prefix = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
                      'Lifecycle policy validation failure: ";
        for (text, fault) in [
            ("x".repeat(100), "Could not map policyString into LifecyclePolicy."),
            (format!("{{{}}}", " ".repeat(100)), "object has missing required properties ([\"rules\"])"),
            (
                KEEP_800.replace("\"countNumber\": 800", "\"countNumber\": 0"),
                "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
            ),
        ] {
            let body = json!({"repositoryName": "app", "lifecyclePolicyText": text}).to_string();
            let (kind, message) = door.refused("PutLifecyclePolicy", &body).await;
            assert_eq!((kind.as_str(), message), ("InvalidParameterException", format!("{prefix}{fault}'")));
        }
        let deep = "[".repeat(30_000);
        let body = json!({"repositoryName": "app", "lifecyclePolicyText": deep}).to_string();
        assert_eq!(door.refused("PutLifecyclePolicy", &body).await.0, "InvalidParameterException");
        let (kind, _) = door.refused("GetLifecyclePolicy", r#"{"repositoryName": "app"}"#).await;
        assert_eq!(kind, "LifecyclePolicyNotFoundException", "nothing was stored");
    }
}
