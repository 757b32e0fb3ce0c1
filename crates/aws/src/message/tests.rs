use serde_json::{Value, json};

use super::*;
use crate::{constraint::check, ecr::schema as ecr, iam::schema as iam, shape::Shape, sts::schema as sts};

/// First sentences of ECR for requests that break one constraint each: every form of ecr.md §1.4.
#[test]
fn ecr_sentences() {
    let request = |name: &str| json!({ "repositoryName": name });
    let images = json!({ "repositoryName": "ab", "imageIds": [] });
    let tagged = json!({ "repositoryName": "ab", "tags": [{ "Key": "a" }] });
    let cases: [(&'static Shape, Value); 10] = [
        (&ecr::CREATE_REPOSITORY_REQUEST, request("Rand Server")),
        (&ecr::DESCRIBE_IMAGES_REQUEST, json!({ "registryId": "12", "repositoryName": "ab" })),
        (&ecr::GET_AUTHORIZATION_TOKEN_REQUEST, json!({ "registryIds": ["12"] })),
        (&ecr::BATCH_GET_IMAGE_REQUEST, images),
        (&ecr::DESCRIBE_REPOSITORIES_REQUEST, json!({ "maxResults": 1_001 })),
        (&ecr::DESCRIBE_REPOSITORIES_REQUEST, json!({ "maxResults": 0 })),
        (
            &ecr::PUT_IMAGE_TAG_MUTABILITY_REQUEST,
            json!({ "repositoryName": "ab", "imageTagMutability": "SOMETIMES" }),
        ),
        (&ecr::CREATE_REPOSITORY_REQUEST, json!({})),
        (&ecr::PUT_LIFECYCLE_POLICY_REQUEST, json!({ "repositoryName": "ab", "lifecyclePolicyText": "{}" })),
        (&ecr::CREATE_REPOSITORY_REQUEST, tagged),
    ];
    let sentences: Vec<String> =
        cases.into_iter().map(|(shape, value)| ecr_message(&check(shape, &value)[0])).collect();
    insta::assert_snapshot!(sentences.join("\n"), @r"
    Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''
    Invalid parameter at 'registryId' failed to satisfy constraint: 'must satisfy regular expression [0-9]{12}'
    Invalid parameter at 'registryIds' failed to satisfy constraint: 'Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]'
    Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length greater than or equal to 1'
    Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'
    Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value greater than or equal to 1'
    Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'
    Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must not be null'
    Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: 'Member must have length greater than or equal to 100'
    Invalid parameter at 'tags.1.member.value' failed to satisfy constraint: 'Member must not be null'
    ");
}

/// The tag rule is no constraint of the model; the door states it as a violation of its own.
#[test]
fn ecr_sentence_of_a_bad_tag() {
    let violation = Violation {
        path: "imageTag".to_owned(),
        value: Some("a b".to_owned()),
        constraint: Constraint::Pattern("[a-zA-Z0-9-_.]+"),
    };
    assert_eq!(
        ecr_message(&violation),
        "Invalid parameter at 'imageTag' failed to satisfy constraint: \
         'must satisfy regular expression '[a-zA-Z0-9-_.]+''"
    );
    assert_eq!(
        ecr_invalid_parameter("PolicyText", "Principal not found"),
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'"
    );
}

fn query(shape: &'static Shape, value: &Value, with_value: bool) -> String {
    query_message(&check(shape, value), with_value)
}

/// Both generations of the common form, iam.md §2.4.
#[test]
fn query_sentences() {
    let role = json!({ "RoleName": "a", "AssumeRolePolicyDocument": "{}", "MaxSessionDuration": 43_201 });
    let assume = |name: &str| json!({ "RoleArn": "a".repeat(20), "RoleSessionName": name });
    let tag_keys = json!({ "UserName": "a", "TagKeys": ["ok", ""] });
    let long = "a".repeat(129);
    let sentences = [
        query(
            &iam::UPDATE_ACCESS_KEY_REQUEST,
            &json!({ "AccessKeyId": "A".repeat(16), "Status": "On" }),
            false,
        ),
        query(
            &iam::RESET_SERVICE_SPECIFIC_CREDENTIAL_REQUEST,
            &json!({ "ServiceSpecificCredentialId": "-".repeat(20) }),
            false,
        ),
        query(&iam::CREATE_USER_REQUEST, &json!({}), false),
        query(&iam::GET_USER_REQUEST, &json!({ "UserName": long }), false),
        query(&iam::CREATE_ROLE_REQUEST, &role, false),
        query(&iam::UNTAG_USER_REQUEST, &tag_keys, false),
        query(&iam::TAG_USER_REQUEST, &json!({ "UserName": "a", "Tags": [{ "Key": "" }] }), false),
        query(&sts::ASSUME_ROLE_REQUEST, &assume("Session1:2"), true),
        query(&sts::ASSUME_ROLE_REQUEST, &json!({ "RoleArn": "x", "DurationSeconds": 1 }), true),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @r"
    1 validation error detected: Value at 'status' failed to satisfy constraint: Member must satisfy enum value set
    1 validation error detected: Value at 'serviceSpecificCredentialId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w]+
    1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must not be null
    1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must have length less than or equal to 128
    1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or equal to 43200
    1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+]
    3 validation errors detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1; Value at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+; Value at 'tags.1.member.value' failed to satisfy constraint: Member must not be null
    1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*
    3 validation errors detected: Value 'x' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20; Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null; Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900
    ");
}

/// Names and paths have sentences of their own, which give way to plain violations.
#[test]
fn iam_sentences_of_names_and_paths() {
    let user = |name: &str, path: &str| {
        query(&iam::CREATE_USER_REQUEST, &json!({ "UserName": name, "Path": path }), false)
    };
    insta::assert_snapshot!([user("a b", "/"), user("a", "eng"), user("a b", "eng"), user("", "/")].join("\n"), @r"
    The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-
    The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.
    The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.
    1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must have length greater than or equal to 1
    ");
}

#[test]
fn enum_sets_are_listed_where_values_are_echoed() {
    let violation = Violation {
        path: "status".to_owned(),
        value: Some("On".to_owned()),
        constraint: Constraint::Enum(&["Active", "Inactive"]),
    };
    assert_eq!(
        query_message(&[violation], true),
        "1 validation error detected: Value 'On' at 'status' failed to satisfy constraint: \
         Member must satisfy enum value set: [Active, Inactive]"
    );
}
