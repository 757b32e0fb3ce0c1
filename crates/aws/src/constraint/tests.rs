use serde_json::json;

use super::*;
use crate::{ecr::schema as ecr, iam::schema as iam, sts::schema as sts};

fn found(shape: &'static Shape, value: &Value) -> Vec<(String, Option<String>, Constraint)> {
    check(shape, value)
        .into_iter()
        .map(|violation| (violation.path, violation.value, violation.constraint))
        .collect()
}

#[test]
fn violations_come_in_the_models_order_and_all_at_once() {
    let value = json!({
        "imageTagMutability": "SOMETIMES",
        "tags": [{"Key": "a", "Value": "b"}, {"Key": "c"}],
        "repositoryName": "X",
        "registryId": "12",
    });
    let paths: Vec<String> =
        check(&ecr::CREATE_REPOSITORY_REQUEST, &value).into_iter().map(|violation| violation.path).collect();
    assert_eq!(
        paths,
        ["registryId", "repositoryName", "repositoryName", "tags.2.member.value", "imageTagMutability"]
    );
}

#[test]
fn bounds_are_inclusive() {
    let request = |max: i64| json!({ "maxResults": max });
    assert_eq!(found(&ecr::DESCRIBE_REPOSITORIES_REQUEST, &request(1)), []);
    assert_eq!(found(&ecr::DESCRIBE_REPOSITORIES_REQUEST, &request(1_000)), []);
    assert_eq!(
        found(&ecr::DESCRIBE_REPOSITORIES_REQUEST, &request(0)),
        [("maxResults".to_owned(), Some("0".to_owned()), Constraint::MinValue(1))]
    );
    assert_eq!(
        found(&ecr::DESCRIBE_REPOSITORIES_REQUEST, &request(1_001)),
        [("maxResults".to_owned(), Some("1001".to_owned()), Constraint::MaxValue(1_000))]
    );
}

#[test]
fn lengths_count_characters_and_decoded_bytes() {
    let tag = |key: &str| json!({ "UserName": "a", "Tags": [{ "Key": key, "Value": "" }] });
    assert_eq!(found(&iam::TAG_USER_REQUEST, &tag(&"é".repeat(128))), []);
    assert_eq!(found(&iam::TAG_USER_REQUEST, &tag(&"é".repeat(129)))[0].2, Constraint::MaxLength(128));
    assert_eq!(found(&iam::TAG_USER_REQUEST, &tag(""))[0].0, "tags.1.member.key");

    let part = |bytes: usize| {
        let text = serde_json::to_value(crate::Blob(vec![0; bytes])).unwrap();
        json!({ "repositoryName": "ab", "uploadId": "0ba7b810-9dad-41d1-80b4-00c04fd430c8",
                "partFirstByte": 0, "partLastByte": 1, "layerPartBlob": text })
    };
    assert_eq!(found(&ecr::UPLOAD_LAYER_PART_REQUEST, &part(20_971_520)), []);
    assert_eq!(
        found(&ecr::UPLOAD_LAYER_PART_REQUEST, &part(20_971_521))[0].2,
        Constraint::MaxLength(20_971_520)
    );
}

#[test]
fn lists_of_scalars_are_reported_once_at_the_list() {
    let value = json!({ "registryIds": ["1", "2", "123456789012"] });
    assert_eq!(
        found(&ecr::GET_AUTHORIZATION_TOKEN_REQUEST, &value),
        [(
            "registryIds".to_owned(),
            Some("[1, 2, 123456789012]".to_owned()),
            Constraint::Element(vec![Constraint::Pattern("[0-9]{12}")])
        )]
    );
}

#[test]
fn null_elements_are_violations() {
    let value = json!({ "repositoryName": "ab", "imageIds": [null, {}], });
    assert_eq!(
        found(&ecr::BATCH_GET_IMAGE_REQUEST, &value),
        [("imageIds.1.member".to_owned(), None, Constraint::NotNull)]
    );
    let value = json!({ "registryIds": [null] });
    assert!(matches!(found(&ecr::GET_AUTHORIZATION_TOKEN_REQUEST, &value)[0].2, Constraint::Element(_)));
}

#[test]
fn maps_are_checked() {
    let value = json!({ "Properties": { "good": "x", "1bad": "" } });
    let key_pattern = Constraint::Pattern("^[A-Za-z][A-Za-z0-9/_-]*$");
    let echo = Some("{1bad=, good=x}".to_owned());
    assert_eq!(
        found(&iam::PUT_ACCOUNT_PROPERTIES_REQUEST, &value),
        [
            (
                "properties".to_owned(),
                echo.clone(),
                Constraint::MapKey(vec![Constraint::MaxLength(50), Constraint::MinLength(1), key_pattern])
            ),
            (
                "properties".to_owned(),
                echo,
                Constraint::MapValue(vec![Constraint::MaxLength(1_024), Constraint::MinLength(1)])
            ),
        ]
    );
    let values: serde_json::Map<String, Value> =
        (0..31).map(|index| (format!("k{index:02}"), json!({ "Values": ["x"] }))).collect();
    let value = json!({ "TemplateArn": "a".repeat(20), "ReplacementValues": values });
    assert_eq!(found(&iam::ACQUIRE_ROLE_REQUEST, &value)[0].2, Constraint::MaxLength(30));
    let value = json!({ "TemplateArn": "a".repeat(20), "ReplacementValues": { "k": {} } });
    assert_eq!(found(&iam::ACQUIRE_ROLE_REQUEST, &value)[0].0, "replacementValues.k.member.values");
}

#[test]
fn secrets_are_not_echoed() {
    let value = json!({ "UserName": "a", "Password": "" });
    assert_eq!(found(&iam::CREATE_LOGIN_PROFILE_REQUEST, &value)[0].1, Some("***".to_owned()));
    let value = json!({ "RoleArn": "x".repeat(20), "RoleSessionName": "ab", "WebIdentityToken": "abc" });
    assert_eq!(
        found(&sts::ASSUME_ROLE_WITH_WEB_IDENTITY_REQUEST, &value),
        [("webIdentityToken".to_owned(), Some("***".to_owned()), Constraint::MinLength(4))]
    );
}

#[test]
fn answers_to_hostile_requests_stay_small() {
    let names: Vec<Value> = (0..5_000).map(|_| json!({ "ContextKeyName": "" })).collect();
    let value = json!({ "PolicyInputList": ["{}"], "ActionNames": ["a:b"], "ContextEntries": names });
    assert_eq!(check(&iam::SIMULATE_CUSTOM_POLICY_REQUEST, &value).len(), MOST_VIOLATIONS);

    let value = json!({ "repositoryName": "é".repeat(1_000_000) });
    let echoed = check(&ecr::CREATE_REPOSITORY_REQUEST, &value)[0].value.clone().unwrap();
    assert_eq!(echoed.chars().count(), LONGEST_ECHO);
}
