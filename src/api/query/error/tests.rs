//! The whole table of refusals, as clients read them.

use std::fmt::Write as _;

use aws::Service;
use aws::query::ParseError;
use aws::sigv4::AuthError;
use policy::{Document, DocumentKind};

use super::Error;
use crate::access::{AccessError, NotGranted, SignatureError};
use crate::catalog;
use crate::identity::{Blocker, Error as Refusal, Existing, Missing, Quota};

fn text(name: &str) -> String {
    name.to_owned()
}

fn missing() -> Vec<Missing> {
    vec![
        Missing::User(text("X")),
        Missing::Group(text("X")),
        Missing::Role(text("X")),
        Missing::InstanceProfile(text("X")),
        Missing::UserPolicy(text("P")),
        Missing::GroupPolicy(text("P")),
        Missing::RolePolicy(text("P")),
        Missing::Policy(text("<arn>")),
        Missing::AttachablePolicy(text("<arn>")),
        Missing::PolicyVersion { arn: text("<arn>"), version: text("v2") },
        Missing::AccessKey(text("AKIA")),
        Missing::AccountAlias(text("A")),
    ]
}

fn existing() -> Vec<Existing> {
    vec![
        Existing::User(text("X")),
        Existing::Group(text("X")),
        Existing::Role(text("X")),
        Existing::InstanceProfile(text("X")),
        Existing::Policy(text("X")),
        Existing::AccountAlias(text("A")),
    ]
}

const BLOCKERS: [Blocker; 8] = [
    Blocker::AttachedPolicies,
    Blocker::InlinePolicies,
    Blocker::Memberships,
    Blocker::AccessKeys,
    Blocker::InstanceProfile,
    Blocker::PolicyInUse,
    Blocker::PolicyVersions,
    Blocker::DefaultVersion,
];

fn refusals() -> Vec<Refusal> {
    let mut all: Vec<Refusal> = missing().into_iter().map(Refusal::NoSuchEntity).collect();
    all.extend(existing().into_iter().map(Refusal::AlreadyExists));
    all.extend(BLOCKERS.map(Refusal::DeleteConflict));
    all.extend([
        Refusal::LimitExceeded(Quota::Counted { name: "UsersPerAccount", maximum: 5000 }),
        Refusal::LimitExceeded(Quota::PolicyVersions),
        Refusal::LimitExceeded(Quota::InlineSize { maximum: 2048, kind: "user", name: text("alice") }),
        Refusal::MalformedPolicy(Document::parse("{", DocumentKind::Managed).unwrap_err()),
        Refusal::MalformedPolicy(Document::parse("{", DocumentKind::Trust).unwrap_err()),
        Refusal::InvalidPrincipal(text("<arn>")),
        Refusal::DuplicateTagKeys,
        Refusal::TooManyTags,
        Refusal::ReservedTagKey,
        Refusal::InvalidArn,
        Refusal::InvalidBoundary(text("<arn>")),
        Refusal::AwsManagedPolicy { principal: text("<me>"), action: "iam:DeletePolicy", arn: text("<arn>") },
        Refusal::UserNameRequired,
        Refusal::InvalidCursor,
        Refusal::InvalidRoleArn(text("<arn>")),
        Refusal::SessionCredentials("GetSessionToken"),
        Refusal::MultiFactorAuthentication,
        Refusal::SessionTooLong,
        Refusal::ChainedSessionTooLong,
        Refusal::PackedPolicyTooLarge { percent: 157 },
        Refusal::DuplicateSessionTagKeys,
        Refusal::UnknownTransitiveKey,
        Refusal::TransitiveTagConflict,
        Refusal::NotSupported("ProvidedContexts"),
        Refusal::Invalid(text("<sentence>")),
        Refusal::Internal(anyhow::anyhow!("the secret cause")),
    ]);
    all
}

#[test]
fn every_cause_has_code_status_and_sentence() {
    let mut all: Vec<Error> = refusals().into_iter().map(Error::Identity).collect();
    all.extend([
        Error::UnknownOperation { name: text("X"), version: text("Y") },
        Error::NotBuilt { operation: "X" },
        Error::TooLarge,
        Error::Interrupted,
        Error::Malformed(ParseError::Encoding),
        Error::Malformed(ParseError::TooMany),
        Error::unsigned(),
        Error::session_token_refused(),
        Error::Signature(SignatureError::Refused(AuthError::mismatch())),
        Error::Signature(SignatureError::Refused(AuthError::ExpiredToken)),
        Error::Signature(SignatureError::Internal(Refusal::Internal(anyhow::anyhow!("the secret cause")))),
        Error::Decode(aws::DecodeError::UnknownOperation),
        Error::Access(AccessError::Denied { sentence: text("<sentence>") }),
        Error::Access(AccessError::Catalog(Box::new(catalog::Error::Busy))),
        Error::NotGranted(NotGranted { action: "iam:X" }),
        Error::InvalidAuthorizationMessage,
    ]);
    let mut table = String::new();
    for error in all {
        let wire = error.wire(Service::Iam);
        writeln!(table, "{} {}: {}", wire.status.as_u16(), wire.code, wire.message).unwrap();
    }
    assert!(!table.contains("secret cause"), "causes are for the log");
    insta::assert_snapshot!(table);
}

#[test]
fn codes_of_the_model_have_the_statuses_of_the_model() {
    for error in refusals() {
        let wire = Error::Identity(error).wire(Service::Iam);
        for service in [Service::Iam, Service::Sts] {
            if let Some(known) = service.errors().iter().find(|known| known.code == wire.code) {
                assert_eq!((known.status, known.sender_fault), (wire.status.as_u16(), true), "{}", wire.code);
            }
        }
    }
}
