use serde_json::json;

use super::*;
use crate::{Secret, iam, sts};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Answers of every operation, byte for byte; botocore's parser read them back (tests/vectors/generate.py).
#[test]
fn answers_are_those_that_botocore_reads() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/vectors/answers.json")).unwrap();
    for case in &cases {
        let service =
            Service::ALL.into_iter().find(|service| case["service"] == service.signing_name()).unwrap();
        let name = case["operation"].as_str().unwrap();
        let result = Some(&case["value"]).filter(|value| !value.is_null());
        assert_eq!(text(response(service, name, result, "0ba7b810")), case["xml"], "{name}");
    }
    assert_eq!(cases.len(), 180 + 11);
}

#[test]
fn generated_structs_come_in_the_models_order() {
    let answer = sts::AssumeRoleResponse {
        assumed_role_user: Some(sts::AssumedRoleUser {
            arn: Some("arn:aws:sts::123456789012:assumed-role/r/s".to_owned()),
            assumed_role_id: Some("AROAEXAMPLE:s".to_owned()),
        }),
        credentials: Some(sts::Credentials {
            access_key_id: Some("ASIAEXAMPLE".to_owned()),
            secret_access_key: Some(Secret::from("secret")),
            session_token: Some(Secret::from("token")),
            expiration: Some(Timestamp::from_seconds(1_795_440_600)),
        }),
        packed_policy_size: Some(6),
        ..Default::default()
    };
    insta::assert_snapshot!(
        text(response(Service::Sts, "AssumeRole", Some(&answer), "1f2e")).replace("><", ">\n<"), @r#"
    <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <AssumeRoleResult>
    <Credentials>
    <AccessKeyId>ASIAEXAMPLE</AccessKeyId>
    <SecretAccessKey>secret</SecretAccessKey>
    <SessionToken>token</SessionToken>
    <Expiration>2026-11-23T13:30:00Z</Expiration>
    </Credentials>
    <AssumedRoleUser>
    <AssumedRoleId>AROAEXAMPLE:s</AssumedRoleId>
    <Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn>
    </AssumedRoleUser>
    <PackedPolicySize>6</PackedPolicySize>
    </AssumeRoleResult>
    <ResponseMetadata>
    <RequestId>1f2e</RequestId>
    </ResponseMetadata>
    </AssumeRoleResponse>
    "#);
    assert!(!format!("{answer:?}").contains("token\""), "secrets are not shown");
}

#[test]
fn empty_lists_and_structures_are_present() {
    let users =
        iam::ListUsersResponse { users: Some(vec![]), is_truncated: Some(false), ..Default::default() };
    let answer = text(response(Service::Iam, "ListUsers", Some(&users), "1"));
    assert!(
        answer.contains("<ListUsersResult><Users/><IsTruncated>false</IsTruncated></ListUsersResult>"),
        "{answer}"
    );
    let role = iam::GetRoleResponse {
        role: Some(iam::Role { role_last_used: Some(iam::RoleLastUsed::default()), ..Default::default() }),
    };
    let answer = text(response(Service::Iam, "GetRole", Some(&role), "1"));
    assert!(answer.contains("<Role><RoleLastUsed/></Role>"), "{answer}");
}

#[test]
fn operations_without_output_have_only_metadata() {
    let expected = "<DeleteUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
        <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DeleteUserResponse>";
    assert_eq!(text(response(Service::Iam, "DeleteUser", None::<&()>, "1")), expected);
}

#[test]
fn errors_have_the_documented_form() {
    let message = "The user with name <b> & \"c\" cannot be found.";
    assert_eq!(
        text(error(Service::Iam, true, "NoSuchEntity", message, "1f2e")),
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
         <Code>NoSuchEntity</Code><Message>The user with name &lt;b&gt; &amp; &quot;c&quot; cannot be found.\
         </Message></Error><RequestId>1f2e</RequestId></ErrorResponse>"
    );
    assert!(text(error(Service::Sts, false, "InternalFailure", "", "1")).contains("<Type>Receiver</Type>"));
}

#[test]
fn texts_survive_parsers() {
    let value = json!({ "UserName": "a\r\n\tb\u{0}\u{b}\u{85}\u{ffff}é]]>" });
    let answer = text(response(Service::Iam, "GetAccessKeyLastUsed", Some(&value), "1"));
    assert!(
        answer.contains("<UserName>a&#xD;\n\tb\u{fffd}\u{fffd}&#x85;\u{fffd}é]]&gt;</UserName>"),
        "{answer}"
    );
}

proptest::proptest! {
    /// What we write is well formed XML with the same text in it, whatever the text.
    #[test]
    fn any_text_is_well_formed(name in "\\PC{0,20}") {
        let value = json!({ "UserName": name });
        let answer = text(response(Service::Iam, "GetAccessKeyLastUsed", Some(&value), &name));
        let mut reader = quick_xml::Reader::from_str(&answer);
        reader.config_mut().check_end_names = true;
        while reader.read_event().unwrap() != Event::Eof {}
    }
}
