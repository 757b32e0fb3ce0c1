//! The whole table of errors as clients see it. A change here is a change for every script that matches on it.

use super::Error;
use crate::access::{AccessError, NotGranted, SignatureError};
use crate::catalog::{self, error_samples};
use crate::identity;

/// Every error once, so that the snapshot is the table.
fn every_error() -> Vec<Error> {
    use aws::sigv4::AuthError as A;
    let refused = |error: A| Error::Signature(SignatureError::Refused(error));
    let decode = |name: &str, body: &str| {
        Error::Decode(aws::ecr::Operation::from_json(name, body.as_bytes()).unwrap_err())
    };
    let mut errors = vec![
        Error::UnknownOperation,
        Error::NotBuilt { operation: "StartImageScan" },
        Error::BodyTooLarge { limit: 42 },
        Error::BodyInterrupted,
        Error::unsigned(),
        refused(A::MalformedQueryString),
        refused(A::IncompleteSignature("what is missing".to_owned())),
        refused(A::mismatch()),
        refused(A::InvalidClientToken { session_token: false }),
        refused(A::InvalidClientToken { session_token: true }),
        refused(A::ExpiredToken),
        Error::Signature(SignatureError::Internal(secret())),
        decode("Nothing", "{}"),
        decode("CreateRepository", "{"),
        decode("CreateRepository", "[]"),
        decode("CreateRepository", r#"{"repositoryName": 1}"#),
        Error::Access(AccessError::Denied { sentence: "User: … is not authorized".to_owned() }),
        Error::Access(AccessError::Identity(secret())),
        Error::Access(AccessError::from(catalog::Error::Internal(anyhow::anyhow!("a secret cause")))),
        Error::NotGranted(NotGranted { action: "ecr:PutImage" }),
        Error::Identity(secret()),
    ];
    errors.extend(error_samples::all().into_iter().map(Error::Catalog));
    errors
}

fn secret() -> identity::Error {
    identity::Error::Internal(anyhow::anyhow!("a secret cause"))
}

#[test]
fn the_table_of_errors() {
    let mut table = String::new();
    for error in every_error() {
        let (status, body) = error.answer();
        table.push_str(&format!("{} {}\n", status.as_u16(), String::from_utf8(body).unwrap()));
    }
    assert!(!table.contains("secret"), "causes are for the log only");
    insta::assert_snapshot!(table);
}

#[test]
fn every_exception_is_one_that_the_sdks_know() {
    for error in error_samples::all() {
        let kind = Error::Catalog(error).wire().kind;
        let is_common = ["ThrottlingException", "SerializationException"].contains(&kind);
        assert!(is_common || aws::ecr::ERRORS.iter().any(|known| known.code == kind), "{kind}");
    }
}

/// Every constraint that a client can break without knowing anything, through the real decoder.
#[test]
fn the_texts_of_broken_constraints() {
    let long = "a".repeat(257);
    let names = format!("[{}]", vec!["\"ab\""; 101].join(","));
    let mut table = String::new();
    for (operation, body) in [
        ("CreateRepository", "{}".to_owned()),
        ("CreateRepository", r#"{"repositoryName": null}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "UPPER"}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "../../etc/passwd"}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "a%2e%2e/b"}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "a\u0000b"}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "ab//cd"}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "a"}"#.to_owned()),
        ("CreateRepository", format!(r#"{{"repositoryName": "{long}"}}"#)),
        ("CreateRepository", r#"{"repositoryName": "ab", "registryId": "12345678901"}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "ab", "imageTagMutability": "SOMETIMES"}"#.to_owned()),
        ("CreateRepository", r#"{"repositoryName": "ab", "encryptionConfiguration": {}}"#.to_owned()),
        ("DescribeRepositories", r#"{"repositoryNames": []}"#.to_owned()),
        ("DescribeRepositories", format!(r#"{{"repositoryNames": {names}}}"#)),
        ("DescribeRepositories", r#"{"maxResults": 0}"#.to_owned()),
        ("DescribeRepositories", r#"{"maxResults": 1001}"#.to_owned()),
        ("GetAuthorizationToken", r#"{"registryIds": ["abc"]}"#.to_owned()),
        ("PutLifecyclePolicy", r#"{"repositoryName": "ab", "lifecyclePolicyText": "{}"}"#.to_owned()),
        ("TagResource", r#"{"resourceArn": "arn"}"#.to_owned()),
    ] {
        let error = Error::from(aws::ecr::Operation::from_json(operation, body.as_bytes()).unwrap_err());
        let wire = error.wire();
        table.push_str(&format!(
            "{operation} {body:.60}\n  {} {}: {}\n",
            wire.status.as_u16(),
            wire.kind,
            wire.message
        ));
    }
    insta::assert_snapshot!(table);
}
