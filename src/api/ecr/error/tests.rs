//! The whole table of errors as clients see it. A change here is a change for every script that matches on it.

use oci::{Digest, RepositoryName};
use policy::AccountId;

use super::Error;
use crate::access::{AccessError, NotGranted, SignatureError};
use crate::catalog::{self, Place};
use crate::identity;

fn place() -> Place {
    Place {
        account: AccountId::parse("012345678901").unwrap(),
        name: RepositoryName::parse("team/app").unwrap(),
    }
}

fn digest() -> Digest {
    Digest::sha256_of(b"")
}

fn catalog_errors() -> Vec<catalog::Error> {
    use catalog::Error as E;
    let tag = || "v1".parse().unwrap();
    let digests = || vec!["sha256:a".to_owned(), "sha256:b".to_owned()];
    let upload = || "u-1".to_owned();
    vec![
        E::RepositoryNotFound(place()),
        E::RepositoryAlreadyExists(place()),
        E::RepositoryNotEmpty(place()),
        E::RepositoryPolicyNotFound(place()),
        E::LifecyclePolicyNotFound(place()),
        E::ImageNotFound { place: place(), digest: None, tag: Some("v1".to_owned()) },
        E::ImageNotFound { place: place(), digest: Some("sha256:a".to_owned()), tag: None },
        E::ImageAlreadyExists { place: place(), digest: digest(), tag: None },
        E::ImageAlreadyExists { place: place(), digest: digest(), tag: Some(tag()) },
        E::ImageTagAlreadyExists { place: place(), tag: tag() },
        E::ImageDigestDoesNotMatch { place: place(), digest: "sha256:a".to_owned() },
        E::LayersNotFound { place: place(), digests: digests() },
        E::ReferencedImagesNotFound { place: place(), digests: digests() },
        E::ImageReferenced { place: place(), digests: digests() },
        E::LayerInaccessible { place: place(), digest: digest() },
        E::LayerAlreadyExists { place: place(), digest: digest() },
        E::InvalidLayer { place: place() },
        E::InvalidLayerPart { place: place(), upload: upload(), first: 7, expected: 5 },
        E::InvalidLayerPartLength { place: place(), upload: upload(), received: 1, declared: 2, expected: 0 },
        E::LayerPartTooSmall { place: place() },
        E::EmptyUpload { place: place(), upload: upload() },
        E::UploadNotFound { place: place(), upload: upload() },
        E::LayerTooLarge { place: place(), limit_bytes: 52_000 << 20 },
        E::BodyInterrupted,
        E::LimitExceeded { limit: "tags per image", maximum: 1000 },
        E::TooManyTags,
        E::InvalidTagParameter { reason: "the reason".to_owned() },
        E::InvalidParameter { parameter: "PolicyText", constraint: "Principal not found".to_owned() },
        E::InvalidParameterMessage("a fixed message".to_owned()),
        E::NotSupported { what: "Scanning".to_owned() },
        E::InvalidCursor,
        E::Damaged(digest()),
        E::StorageFull,
        E::Busy,
        E::Internal(anyhow::anyhow!("a secret cause")),
    ]
}

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
    errors.extend(catalog_errors().into_iter().map(Error::Catalog));
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
    for error in catalog_errors() {
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
