//! What a request must be before anything is done: target, signature, JSON, shape, rights, in that order.

use std::fmt::Write as _;

use serde_json::json;

use super::door::{doors, exception};
use crate::api::ecr::BUILT;
use crate::environment::SECOND;

#[tokio::test]
async fn targets_that_are_no_operation() {
    for door in doors().await {
        for target in [
            "",
            "CreateRepository",
            "AmazonEC2ContainerRegistry_V20150921",
            "AmazonEC2ContainerRegistry_V20150921.",
            "AmazonEC2ContainerRegistry_V20150921.Nothing",
            "AmazonEC2ContainerRegistry_V20150921.createRepository",
            "AmazonEC2ContainerRegistry_V20150921.CreateRepository.x",
            "DynamoDB_20120810.ListTables",
        ] {
            let head = door.signed_head(&door.owner, target, "{}");
            let refused = exception(&door.send(&head, "{}").await);
            assert_eq!(refused, ("UnknownOperationException".to_owned(), String::new()), "{target}");
        }
    }
}

#[tokio::test]
async fn signatures_that_are_not_good() {
    const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry";
    for door in doors().await {
        let kind = async |head: &http::request::Parts, body: &str| exception(&door.send(head, body).await).0;
        let head = door.signed_head(&door.owner, TARGET, "{}");
        assert_eq!(door.send(&head, "{}").await.0, 200);
        assert_eq!(kind(&head, "{ }").await, "InvalidSignatureException", "another body");

        let mut unsigned = door.signed_head(&door.owner, TARGET, "{}");
        unsigned.headers.remove("authorization");
        assert_eq!(kind(&unsigned, "{}").await, "MissingAuthenticationTokenException");

        let mut incomplete = door.signed_head(&door.owner, TARGET, "{}");
        incomplete.headers.insert("authorization", "AWS4-HMAC-SHA256 Credential=x".parse().unwrap());
        assert_eq!(kind(&incomplete, "{}").await, "IncompleteSignatureException");

        let stranger = crate::identity::NewAccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: door.owner.secret.clone(),
            created_at: 0,
        };
        let unknown = door.signed_head(&stranger, TARGET, "{}");
        assert_eq!(kind(&unknown, "{}").await, "UnrecognizedClientException");

        let mut moved = door.signed_head(&door.owner, TARGET, "{}");
        moved.headers.insert(
            "x-amz-target",
            "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken".parse().unwrap(),
        );
        assert_eq!(kind(&moved, "{}").await, "InvalidSignatureException", "another operation");

        door.clock.advance(901 * SECOND);
        assert_eq!(kind(&head, "{}").await, "InvalidSignatureException", "too old");
    }
}

#[tokio::test]
async fn bodies_that_are_not_the_operations_json() {
    for door in doors().await {
        let mut deep = String::from(r#"{"x":"#);
        deep.push_str(&"[".repeat(100_000));
        for body in [
            "{",
            "[]",
            "null",
            "1",
            "\"x\"",
            "{}{}",
            "\u{feff}{}",
            r#"{"repositoryName": 1}"#,
            r#"{"repositoryName": ["app"]}"#,
            r#"{"repositoryName": "app", "tags": {}}"#,
            r#"{"repositoryName": "app", "tags": ["x"]}"#,
            &deep,
        ] {
            let (kind, message) = door.refused("CreateRepository", body).await;
            assert_eq!(kind, "SerializationException", "{body:.40}");
            assert!(message.len() < 300, "{message}");
        }
        assert_eq!(door.good("DescribeRepositories", "").await, json!({"repositories": []}), "empty is {{}}");
    }
}

#[tokio::test]
async fn rights_are_decided_before_anything_is_told() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let there = r#"{"repositoryName": "app", "registryId": "123456789012"}"#;
        let absent = r#"{"repositoryName": "nope", "registryId": "123456789012"}"#;
        for operation in ["DescribeImages", "DeleteRepository", "GetRepositoryPolicy", "CreateRepository"] {
            for body in [there, absent] {
                let answer = door.call_as(&door.stranger, operation, body).await;
                let (kind, message) = exception(&answer);
                assert_eq!(kind, "AccessDeniedException", "{operation} {body}");
                let name = if body == there { "app" } else { "nope" };
                assert_eq!(
                    message,
                    format!(
                        "User: arn:aws:iam::000000000001:root is not authorized to perform: ecr:{operation} on \
                         resource: arn:aws:ecr:eu-central-1:123456789012:repository/{name} because no \
                         resource-based policy allows the ecr:{operation} action"
                    )
                );
            }
        }
        // The shape comes first: it tells nothing that the caller did not know.
        let malformed = door.call_as(&door.stranger, "DescribeImages", r#"{"registryId": "1"}"#).await;
        assert_eq!(exception(&malformed).0, "InvalidParameterException");
    }
}

/// Every operation answers what the table of built operations says, and nothing else.
#[tokio::test]
async fn what_is_not_built_says_so_by_name() {
    let door = doors().await.remove(0);
    let body = super::super::checks::tests::BODY;
    let mut answers = String::new();
    for operation in aws::ecr::OPERATIONS {
        let answer = door.call(operation.name, body).await;
        let is_absent = answer.1["__type"] == "UnsupportedOperationException";
        assert_eq!(is_absent, !BUILT.contains(&operation.name), "{}: {}", operation.name, answer.1);
        if is_absent {
            let (_, message) = exception(&answer);
            assert!(message.starts_with(operation.name), "{message}");
            writeln!(answers, "{}", operation.name).unwrap();
        }
        assert_ne!(answer.0, 500, "{}: {}", operation.name, answer.1);
    }
    insta::assert_snapshot!(answers);
}
