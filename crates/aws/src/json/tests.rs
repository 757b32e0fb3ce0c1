use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Blob, DecodeError, Secret, Service, Timestamp, ecr, ecr::Operation};

fn serialization(name: &str, body: &str) -> String {
    match Operation::from_json(name, body.as_bytes()) {
        Err(error @ DecodeError::Serialization { .. }) => error.to_string(),
        other => panic!("{body}: {other:?}"),
    }
}

/// Every operation reads what botocore writes, member by member (tests/vectors/generate.py).
#[test]
fn requests_of_botocore_are_understood() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/vectors/requests.json")).unwrap();
    let mut count = 0;
    for case in cases.iter().filter(|case| case["service"] == "ecr") {
        let name = case["operation"].as_str().unwrap();
        let body = case["body"].as_str().unwrap().as_bytes();
        let shape = Service::Ecr.operation(name).unwrap().input.unwrap();
        assert_eq!(decode::value(shape, body).unwrap(), case["value"], "{name}");
        assert_eq!(Operation::from_json(name, body).unwrap().name(), name);
        count += 1;
    }
    assert_eq!(count, ecr::OPERATIONS.len());
    assert_eq!(count, 62);
}

#[test]
fn members_arrive_typed() {
    let body = r#"{
        "repositoryName": "ab", "uploadId": "0ba7b810-9dad-41d1-80b4-00c04fd430c8",
        "partFirstByte": 5000000000, "partLastByte": 5000000002, "layerPartBlob": "AP9i"
    }"#;
    let operation = Operation::from_json("UploadLayerPart", body.as_bytes()).unwrap();
    let Operation::UploadLayerPart(request) = operation else { panic!("another operation") };
    assert_eq!(request.part_first_byte, 5_000_000_000);
    assert_eq!(request.layer_part_blob, Blob(vec![0, 255, b'b']));
    assert_eq!(request.registry_id, None);
}

#[test]
fn unknown_members_and_nulls_are_absent() {
    let plain = Operation::from_json("CreateRepository", br#"{"repositoryName":"ab"}"#).unwrap();
    for body in [
        r#"{"repositoryName":"ab","later":{"deep":[1,null,{"x":"y"}]}}"#,
        r#"{"tags":null,"repositoryName":"ab","imageScanningConfiguration":null}"#,
        r#"{"repositoryName":"xy","tags":[],"repositoryName":"ab","tags":null}"#,
        " {\"repositoryName\" : \"\\u0061b\"}\n",
    ] {
        assert_eq!(Operation::from_json("CreateRepository", body.as_bytes()).unwrap(), plain, "{body}");
    }
}

#[test]
fn an_empty_body_is_an_empty_object() {
    let empty = Operation::from_json("DescribeRegistry", b"").unwrap();
    assert_eq!(empty, Operation::from_json("DescribeRegistry", b"{}").unwrap());
    let error = Operation::from_json("CreateRepository", b"").unwrap_err();
    assert!(matches!(error, DecodeError::Invalid(violations) if violations.len() == 1));
}

#[test]
fn unknown_operations_are_named_so() {
    for name in ["", "createrepository", "CreateRepository ", "DeleteEverything"] {
        assert_eq!(Operation::from_json(name, b"{}"), Err(DecodeError::UnknownOperation));
    }
}

#[test]
fn wrong_types_name_the_member() {
    let create = |body: &str| serialization("CreateRepository", body);
    let blob = |text: &str| serialization("UploadLayerPart", &format!("{{\"layerPartBlob\":{text}}}"));
    let lines = [
        create(r#"{"repositoryName":5}"#),
        create(r#"{"repositoryName":["ab"]}"#),
        create(r#"{"tags":{}}"#),
        create(r#"{"tags":[{"Key":"a"},{"Key":true}]}"#),
        create(r#"{"tags":["a"]}"#),
        create(r#"{"imageScanningConfiguration":{"scanOnPush":"true"}}"#),
        serialization("DescribeRepositories", r#"{"maxResults":1.5}"#),
        serialization("DescribeRepositories", r#"{"maxResults":"5"}"#),
        serialization("DescribeRepositories", r#"{"maxResults":2147483648}"#),
        serialization("UploadLayerPart", r#"{"partFirstByte":9223372036854775808}"#),
        blob(r#""A""#),
        blob(r#""A A=""#),
        blob("7"),
        create("[]"),
        create("null"),
        create("\"ab\""),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    repositoryName: expected a string, found a number
    repositoryName: expected a string, found a list
    tags: expected a list, found an object
    tags.2.Key: expected a string, found a boolean
    tags.1: expected an object, found a string
    imageScanningConfiguration.scanOnPush: expected a boolean, found a string
    maxResults: expected an integer of 32 bits, found a number with a fraction
    maxResults: expected an integer of 32 bits, found a string
    maxResults: expected an integer of 32 bits, found a number out of range
    partFirstByte: expected an integer of 64 bits, found a number out of range
    layerPartBlob: expected a base64 string, found other text
    layerPartBlob: expected a base64 string, found other text
    layerPartBlob: expected a base64 string, found a number
    expected an object, found a list
    expected an object, found null
    expected an object, found a string
    ");
}

#[test]
fn malformed_json_is_refused() {
    for body in [
        "{",
        "}",
        "{}{}",
        "{} x",
        "{'a':1}",
        "{\"a\":}",
        "{\"repositoryName\":\"\\ud800\"}",
        " ",
        "\u{feff}{}",
    ] {
        assert!(serialization("CreateRepository", body).contains("malformed JSON"), "{body}");
    }
    for body in [&b"{\"repositoryName\":\"\xff\"}"[..], b"{\"repositoryName\":\"app\",\"unknown\":\"\xff\"}"]
    {
        let error = Operation::from_json("CreateRepository", body).unwrap_err();
        assert!(matches!(error, DecodeError::Serialization { .. }));
    }
}

#[test]
fn depth_is_bounded() {
    for open in ["[", "{\"a\":"] {
        let deep = format!("{{\"tags\":{}", open.repeat(150_000));
        assert!(matches!(
            Operation::from_json("CreateRepository", deep.as_bytes()),
            Err(DecodeError::Serialization { .. })
        ));
    }
}

/// A body of many small elements is kept only as far as the constraint check needs it.
#[test]
fn long_lists_are_not_kept() {
    let body = format!("{{\"repositoryName\":\"ab\",\"imageIds\":[{}{{}}]}}", "{},".repeat(200_000));
    let shape = Service::Ecr.operation("BatchGetImage").unwrap().input.unwrap();
    let value = decode::value(shape, body.as_bytes()).unwrap();
    assert_eq!(value["imageIds"].as_array().unwrap().len(), 101);
    let Err(DecodeError::Invalid(violations)) = Operation::from_json("BatchGetImage", body.as_bytes()) else {
        panic!("accepted")
    };
    assert_eq!(violations[0].constraint, crate::Constraint::MaxLength(100));
}

#[test]
fn answers_keep_the_models_order_and_leave_out_what_is_absent() {
    let response = ecr::CreateRepositoryResponse {
        repository: Some(ecr::Repository {
            repository_name: Some("ab".to_owned()),
            registry_id: Some("123456789012".to_owned()),
            created_at: Some(Timestamp::from_microseconds(1_448_875_853_241_000)),
            ..Default::default()
        }),
    };
    assert_eq!(
        String::from_utf8(to_body(&response)).unwrap(),
        r#"{"repository":{"registryId":"123456789012","repositoryName":"ab","createdAt":1448875853.241}}"#
    );
    let response = ecr::BatchGetImageResponse { images: Some(vec![]), failures: Some(vec![]) };
    assert_eq!(to_body(&response), br#"{"images":[],"failures":[]}"#);
    let tags = ecr::ListTagsForResourceResponse {
        tags: Some(vec![ecr::Tag { key: "a".to_owned(), value: "b".to_owned() }]),
    };
    assert_eq!(to_body(&tags), br#"{"tags":[{"Key":"a","Value":"b"}]}"#);
}

#[test]
fn secrets_are_written_but_never_shown() {
    let response = ecr::GetAuthorizationTokenResponse {
        authorization_data: Some(vec![ecr::AuthorizationData {
            authorization_token: Some(Secret::from("QVdTOnh4")),
            ..Default::default()
        }]),
    };
    assert_eq!(to_body(&response), br#"{"authorizationData":[{"authorizationToken":"QVdTOnh4"}]}"#);
    assert!(!format!("{response:?}").contains("QVdT"));
    let link = ecr::GetDownloadUrlForLayerResponse {
        download_url: Some(Secret::from("http://localhost/x?signature=1")),
        layer_digest: None,
    };
    assert!(!format!("{link:?}").contains("signature"));
}

#[test]
fn errors_have_the_documented_envelope() {
    let message = "The repository with name 'x' does not exist in the registry with id '123456789012'";
    assert_eq!(
        String::from_utf8(error_body("RepositoryNotFoundException", message, &[])).unwrap(),
        format!(r#"{{"__type":"RepositoryNotFoundException","message":"{message}"}}"#)
    );
    let body = error_body("InvalidLayerPartException", "x", &[("lastValidByteReceived", json!(7))]);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["lastValidByteReceived"], 7);
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        Just("repositoryName"),
        Just("imageIds"),
        Just("tags"),
        Just("Key"),
        Just("maxResults"),
        Just("layerPartBlob"),
        Just("rules"),
        Just("x"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..5).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(index in 0..ecr::OPERATIONS.len(), body: Vec<u8>) {
        let _ = Operation::from_json(ecr::OPERATIONS[index].name, &body);
    }

    #[test]
    fn arbitrary_json_never_panics(index in 0..ecr::OPERATIONS.len(), value in any_json()) {
        let body = serde_json::to_vec(&value).unwrap();
        match Operation::from_json(ecr::OPERATIONS[index].name, &body) {
            Ok(operation) => prop_assert_eq!(operation.name(), ecr::OPERATIONS[index].name),
            Err(DecodeError::Invalid(violations)) => prop_assert!(!violations.is_empty()),
            // The last step must never be the one that refuses: form and constraints are checked before.
            Err(DecodeError::Serialization { expected, .. }) => {
                let input = ecr::OPERATIONS[index].input.unwrap();
                prop_assert_ne!(expected, input.name);
            }
            Err(DecodeError::UnknownOperation) => prop_assert!(false),
        }
    }
}
