use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Service, iam, sts};

fn parameters(text: &str) -> Parameters {
    Parameters::parse(None, Some(text.as_bytes())).unwrap()
}

fn value_of(service: Service, operation: &str, text: &str) -> Value {
    decode::value(service.operation(operation).unwrap().input.unwrap(), &parameters(text)).unwrap()
}

/// Every operation reads what botocore writes, member by member (tests/vectors/generate.py).
#[test]
fn requests_of_botocore_are_understood() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/vectors/requests.json")).unwrap();
    let mut count = 0;
    for service in [Service::Iam, Service::Sts] {
        for case in cases.iter().filter(|case| case["service"] == service.signing_name()) {
            let name = case["operation"].as_str().unwrap();
            let body = parameters(case["body"].as_str().unwrap());
            assert_eq!(body.get("Action"), Some(name));
            assert_eq!(body.get("Version"), Some(service.version()));
            if let Some(shape) = service.operation(name).unwrap().input {
                assert_eq!(decode::value(shape, &body).unwrap(), case["value"], "{name}");
            }
            let parsed = match service {
                Service::Iam => iam::Operation::from_query(name, &body).map(|operation| operation.name()),
                _ => sts::Operation::from_query(name, &body).map(|operation| operation.name()),
            };
            assert_eq!(parsed, Ok(name));
            count += 1;
        }
    }
    assert_eq!(count, 180 + 11);
}

#[test]
fn lists_accept_gaps_and_are_ordered_by_number() {
    let text = "UserName=a&Tags.member.10.Key=c&Tags.member.10.Value=3&Tags.member.9.Key=b&Tags.member.9.Value=2\
        &Tags.member.1.Key=a&Tags.member.1.Value=1";
    let keys: Vec<Value> = value_of(Service::Iam, "TagUser", text)["Tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["Key"].clone())
        .collect();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn only_the_documented_spelling_is_a_list() {
    for text in [
        "Tags.1.Key=a",
        "Tags.member.0.Key=a",
        "Tags.member.01.Key=a",
        "Tags.member.+1.Key=a",
        "tags.member.1.Key=a",
        "Tags.member.99999999999.Key=a",
    ] {
        assert_eq!(value_of(Service::Iam, "TagUser", text), json!({}), "{text}");
    }
    assert_eq!(value_of(Service::Iam, "TagUser", "Tags="), json!({ "Tags": [] }));
    assert_eq!(value_of(Service::Iam, "TagUser", "Tags.member.1=x"), json!({ "Tags": [null] }));
    assert_eq!(value_of(Service::Iam, "TagUser", "Tags.member.1.Other=x"), json!({ "Tags": [{}] }));
}

#[test]
fn maps_are_numbered_entries() {
    let text = "Properties.entry.1.key=a&Properties.entry.1.value=x&Properties.entry.2.key=b&Properties.entry.2.value=y";
    assert_eq!(
        value_of(Service::Iam, "PutAccountProperties", text),
        json!({ "Properties": { "a": "x", "b": "y" } })
    );
    assert_eq!(value_of(Service::Iam, "PutAccountProperties", "Properties="), json!({ "Properties": {} }));
}

#[test]
fn values_of_the_wrong_form_name_the_parameter() {
    for (text, path) in [
        ("MaxItems=many", "MaxItems"),
        ("MaxItems=", "MaxItems"),
        ("MaxItems=1.0", "MaxItems"),
        ("MaxItems=2147483648", "MaxItems"),
        ("OnlyAttached=yes", "OnlyAttached"),
    ] {
        match iam::Operation::from_query("ListPolicies", &parameters(text)) {
            Err(DecodeError::Serialization { path: found, .. }) => assert_eq!(found, path),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn texts_are_decoded_once() {
    let document = r#"{"Resource":"arn%3Aaws%3As3"} +&="#;
    let text = format!("UserName=a&PolicyName=p&PolicyDocument={}", percent::encode(document));
    let Ok(iam::Operation::PutUserPolicy(request)) =
        iam::Operation::from_query("PutUserPolicy", &parameters(&text))
    else {
        panic!("refused")
    };
    assert_eq!(request.policy_document, document);
    assert_eq!(parameters("a=b+c%2Bd").get("a"), Some("b c+d"));
}

#[test]
fn the_body_wins_over_the_query() {
    let parsed = Parameters::parse(Some("Action=A&Only=q"), Some(b"Action=B&Last=1&Last=2&&Empty")).unwrap();
    assert_eq!(parsed.get("Action"), Some("B"));
    assert_eq!(parsed.get("Only"), Some("q"));
    assert_eq!(parsed.get("Last"), Some("2"));
    assert_eq!(parsed.get("Empty"), Some(""));
    assert_eq!(parsed.len(), 4);
}

#[test]
fn requests_are_bounded() {
    let many = "a=1&".repeat(MOST_PARAMETERS + 1);
    assert_eq!(Parameters::parse(None, Some(many.as_bytes())), Err(ParseError::TooMany));
    let large = format!("a={}", "x".repeat(LARGEST_REQUEST));
    assert_eq!(Parameters::parse(Some(&large), None), Err(ParseError::TooLarge));
    for broken in [&b"a=%"[..], b"a=%zz", b"%ff=a", b"a=\xff"] {
        assert_eq!(Parameters::parse(None, Some(broken)), Err(ParseError::Encoding));
    }
    let tags: String = (1..4_000).map(|number| format!("Tags.member.{number}.Key=k&")).collect();
    let Err(DecodeError::Invalid(violations)) =
        iam::Operation::from_query("TagUser", &parameters(&format!("UserName=a&{tags}")))
    else {
        panic!("accepted")
    };
    assert_eq!(violations[0].constraint, crate::Constraint::MaxLength(50));
    assert!(violations.len() < 60);
}

#[test]
fn values_are_not_shown() {
    let shown = format!("{:?}", parameters("Action=CreateLoginProfile&Password=hunter2"));
    assert!(shown.contains("Password") && !shown.contains("hunter2"), "{shown}");
    let operation =
        iam::Operation::from_query("CreateLoginProfile", &parameters("UserName=a&Password=hunter2")).unwrap();
    assert!(!format!("{operation:?}").contains("hunter2"));
}

#[test]
fn unknown_actions_are_named_so() {
    for action in ["", "createuser", "GetCallerIdentity"] {
        assert_eq!(iam::Operation::from_query(action, &parameters("")), Err(DecodeError::UnknownOperation));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(index in 0..iam::OPERATIONS.len(), query in ".{0,40}", body: Vec<u8>) {
        if let Ok(parameters) = Parameters::parse(Some(&query), Some(&body)) {
            let _ = iam::Operation::from_query(iam::OPERATIONS[index].name, &parameters);
        }
    }

    #[test]
    fn arbitrary_parameters_never_panic(
        index in 0..iam::OPERATIONS.len(),
        pairs in prop::collection::vec(
            ("(UserName|Tags|MaxItems|Properties|ContextEntries|PolicyInputList)(\\.(member|entry|key|value|Key|[0-9]{1,3})){0,4}", "[a-z0-9=+/]{0,5}"),
            0..8,
        ),
    ) {
        let text: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={}", percent::encode(value))).collect();
        let input = iam::OPERATIONS[index].input;
        match iam::Operation::from_query(iam::OPERATIONS[index].name, &parameters(&text.join("&"))) {
            Ok(operation) => prop_assert_eq!(operation.name(), iam::OPERATIONS[index].name),
            Err(DecodeError::Invalid(violations)) => prop_assert!(!violations.is_empty()),
            Err(DecodeError::Serialization { expected, .. }) => {
                prop_assert_ne!(Some(expected), input.map(|shape| shape.name));
            }
            Err(DecodeError::UnknownOperation) => prop_assert!(false),
        }
    }
}
