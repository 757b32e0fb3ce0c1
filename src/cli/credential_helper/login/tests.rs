//! What is sent is what a server verifies; what comes back is read with suspicion.

use super::*;

fn aws(variables: &[(&str, &str)]) -> Aws {
    Aws::load(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())).unwrap()
}

#[test]
fn the_request_verifies_and_is_scoped_to_the_host_s_region() {
    let aws = aws(&[
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "session"),
        ("AWS_REGION", "eu-central-1"),
    ]);
    let endpoint = Endpoint::parse("https://123456789012.dkr.ecr.us-west-2.example.com:8443").unwrap();
    for (region, expected) in [(endpoint.authority.region(), "us-west-2"), (None, "eu-central-1")] {
        let request = signed(&endpoint, region, &aws, 1_763_900_000).unwrap();
        let headers: Vec<(&str, &[u8])> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let input = sigv4::Input {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body_sha256: &Sha256::digest(b"{}").into(),
            now: 1_763_900_000,
        };
        let parsed = sigv4::parse(&input, &sigv4::Options::default()).unwrap();
        assert_eq!((parsed.region.as_str(), parsed.service.as_str()), (expected, "ecr"));
        assert_eq!(parsed.session_token.as_deref(), Some("session"));
        assert!(sigv4::verify(&parsed, &sigv4::signing_key("secret", &parsed.date, expected, "ecr")));
        assert_eq!(
            request.headers()["x-amz-target"],
            "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
        );
    }
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_without_being_shown() {
    let aws = aws(&[("AWS_ACCESS_KEY_ID", "AKID\nEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
    let error = signed(&Endpoint::parse("https://a").unwrap(), None, &aws, 0).unwrap_err();
    assert!(!format!("{error:#}").contains("EXAMPLE"), "{error:#}");
}

#[test]
fn an_answer_is_taken_apart() {
    let body = br#"{"authorizationData":[{"authorizationToken":"QVdTOnB3OnB3","proxyEndpoint":"https://a","expiresAt":1}]}"#;
    let login = login(StatusCode::OK, body).unwrap();
    assert_eq!(
        (login.user.as_str(), login.password.as_str(), login.registry.as_str()),
        ("AWS", "pw:pw", "https://a")
    );
}

#[test]
fn other_answers_are_told_in_a_sentence() {
    let refused = |status: u16, body: &str| {
        format!("{:#}", login(StatusCode::from_u16(status).unwrap(), body.as_bytes()).err().unwrap())
    };
    assert_eq!(refused(400, r#"{"__type":"a#AccessDenied","message":"No\u001b[2J"}"#), "AccessDenied: No[2J");
    assert_eq!(
        refused(403, r#"{"__type":"InvalidSignatureException","Message":"Off"}"#),
        "InvalidSignatureException: Off"
    );
    assert_eq!(refused(502, "<html>"), "it answers with status 502");
    for body in [
        "",
        "[]",
        "{}",
        r#"{"authorizationData":[]}"#,
        r#"{"authorizationData":[{"proxyEndpoint":"a"}]}"#,
        r#"{"authorizationData":[{"authorizationToken":"hush!","proxyEndpoint":"a"}]}"#,
        r#"{"authorizationData":[{"authorizationToken":"aHVzaA==","proxyEndpoint":"a"}]}"#,
    ] {
        let told = refused(200, body);
        assert_eq!(told, "its answer is not that of GetAuthorizationToken", "{body}");
    }
}
