//! Verification against botocore's signatures, AWS's published examples, and every refusal.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2026-11-23T13:30:00Z
const NOW: i64 = 1_795_440_600;

/// A request that owns its parts, so that tests can change them.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    fn new(method: &str, query: &str, headers: &[(&str, &str)]) -> Self {
        Self {
            method: method.to_owned(),
            path: "/".to_owned(),
            query: query.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: Vec::new(),
        }
    }

    fn with<T>(&self, now: i64, run: impl FnOnce(&Input<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.body);
        let body_sha256: [u8; 32] = digest.as_ref().try_into().unwrap();
        run(&Input {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body_sha256: &body_sha256,
            now,
        })
    }

    fn signed(mut self, service: &str, token: Option<&str>) -> Self {
        let credentials =
            Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: SECRET, session_token: token };
        let added = self.with(NOW, |input| sign(input, &credentials, "eu-central-1", service));
        self.headers.extend(added.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())));
        self
    }

    fn presigned(mut self, expires: u32, token: Option<&str>) -> Self {
        let credentials =
            Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: SECRET, session_token: token };
        self.query = self.with(NOW, |input| presign(input, &credentials, "eu-central-1", "sts", expires));
        self
    }

    fn parse(&self, now: i64, options: &Options<'_>) -> Result<Parsed, AuthError> {
        self.with(now, |input| parse(input, options))
    }

    fn accepted(&self) -> bool {
        self.parse(NOW, &Options::default()).is_ok_and(|parsed| {
            verify(&parsed, &signing_key(SECRET, &parsed.date, &parsed.region, &parsed.service))
        })
    }

    fn refusal(&self) -> String {
        self.parse(NOW, &Options::default()).unwrap_err().to_string()
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    fn authorization(&self) -> String {
        let header = self.headers.iter().find(|(name, _)| name == "authorization").unwrap();
        String::from_utf8(header.1.clone()).unwrap()
    }

    /// The same request with a part of its Authorization header replaced.
    fn authorized(self, from: &str, to: &str) -> Self {
        let before = self.authorization();
        assert!(before.contains(from), "{before}");
        self.header("authorization", &before.replace(from, to))
    }
}

fn request() -> Request {
    Request::new("POST", "", &[("host", "localhost:4580"), ("x-amz-target", "T.O")]).signed("ecr", None)
}

fn presigned() -> Request {
    Request::new("GET", "Action=GetCallerIdentity&Version=2011-06-15", &[("host", "localhost:4580")])
        .presigned(60, None)
}

/// tests/vectors/generate.py signs these with botocore.
#[test]
fn signatures_of_botocore_are_accepted() {
    let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/sigv4.json")).unwrap();
    let now = vectors["now"].as_i64().unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 13);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let text = |part: &str| case[part].as_str().unwrap().to_owned();
        let headers = case["headers"].as_array().unwrap();
        let request = Request {
            method: text("method"),
            path: text("path"),
            query: text("query"),
            headers: headers
                .iter()
                .map(|pair| {
                    (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().as_bytes().to_vec())
                })
                .collect(),
            body: text("body").into_bytes(),
        };
        let service = text("service");
        let options = Options { expected_service: Some(&service), ..Options::default() };
        let parsed = request.parse(now, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parsed.access_key_id, "AKIDEXAMPLE");
        assert_eq!((&parsed.region, &parsed.service), (&text("region"), &service));
        assert_eq!(parsed.session_token.as_deref(), case["session_token"].as_str(), "{name}");
        assert_eq!(Value::from(parsed.presigned), case["presigned"], "{name}");
        let key = signing_key(SECRET, &parsed.date, &parsed.region, &parsed.service);
        assert!(verify(&parsed, &key), "{name}: {}", parsed.canonical_request());
        assert!(!verify(&parsed, &signing_key("another", &parsed.date, &parsed.region, &parsed.service)));
    }
}

/// AWS General Reference, "Examples of how to derive a signing key".
#[test]
fn the_published_signing_key_is_derived() {
    let key = signing_key(SECRET, "20120215", "us-east-1", "iam");
    let published = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d";
    let other = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404e";
    let message = b"message";
    let mac = |hex_key: &str| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &hex::decode(hex_key).unwrap());
        <[u8; 32]>::try_from(aws_lc_rs::hmac::sign(&key, message).as_ref()).unwrap()
    };
    assert!(key.verify(message, &mac(published)));
    assert!(!key.verify(message, &mac(other)));
}

/// IAM's ListUsers of the AWS signing documentation, and `get-vanilla` of the public SigV4 test suite.
#[test]
fn published_signatures_are_made() {
    let cases = [
        (
            "iam",
            "iam.amazonaws.com",
            "Action=ListUsers&Version=2010-05-08",
            Some(("content-type", "application/x-www-form-urlencoded; charset=utf-8")),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
        (
            "service",
            "example.amazonaws.com",
            "",
            None,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
    ];
    for (service, host, query, header, expected) in cases {
        let mut headers = vec![("host", host)];
        headers.extend(header);
        let request = Request::new("GET", query, &headers);
        let credentials =
            Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: SECRET, session_token: None };
        // 2015-08-30T12:36:00Z
        let added = request.with(1_440_938_160, |input| sign(input, &credentials, "us-east-1", service));
        assert!(added[1].1.ends_with(&format!("Signature={expected}")), "{service}: {}", added[1].1);
    }
}

#[test]
fn what_we_sign_we_accept() {
    assert!(request().accepted());
    assert!(presigned().accepted());
    let token = Some("FwoG/+=");
    let signed = Request::new("POST", "", &[("host", "h")]).signed("sts", token);
    assert!(signed.accepted());
    let parsed = signed.parse(NOW, &Options::default()).unwrap();
    assert_eq!(parsed.session_token.as_deref(), token);
    let parsed = Request::new("GET", "", &[("host", "h")])
        .presigned(7, token)
        .parse(NOW, &Options::default())
        .unwrap();
    assert_eq!((parsed.session_token.as_deref(), parsed.expires, parsed.presigned), (token, Some(7), true));
    assert!(!format!("{parsed:?}").contains("FwoG"));
}

#[test]
fn changes_on_the_way_are_refused() {
    let changed = |change: fn(&mut Request)| {
        let mut request = request();
        change(&mut request);
        request.accepted()
    };
    assert!(!changed(|request| request.method = "PUT".to_owned()));
    assert!(!changed(|request| request.path = "/x".to_owned()));
    assert!(!changed(|request| request.query = "a=b".to_owned()));
    assert!(!changed(|request| request.body = b"{}".to_vec()));
    assert!(!changed(|request| request.headers[0].1 = b"other:4580".to_vec()));
    assert!(!changed(|request| request.headers[1].1 = b"T.P".to_vec()));
    assert!(!changed(|request| request.headers.push(("X-Amz-Target".to_owned(), b"T.P".to_vec()))));
    assert!(changed(|request| request.headers.push(("accept".to_owned(), b"*/*".to_vec()))));
    assert!(changed(|request| request.headers[1] = ("X-AMZ-TARGET".to_owned(), b" T.O ".to_vec())));
}

/// Every refusal of iam.md §5.5, with AWS's text.
#[test]
fn refusals_have_awss_texts() {
    let plain = Request::new("GET", "", &[("host", "h")]);
    let with = |value: &str| plain.clone().header("authorization", value).refusal();
    let query = |query: &str| Request::new("GET", query, &[("host", "h")]).refusal();
    let scope = "20261123/eu-central-1/ecr/aws4_request";
    let authorization = request().authorization();
    let (before, signature) = authorization.split_once("Signature=").unwrap();
    let upper_case_signature = format!("{before}Signature={}", signature.to_ascii_uppercase());
    let lines = [
        query("a=%zz"),
        plain.refusal(),
        with("Basic QVdTOng="),
        with("AWS AKID:sig"),
        with("AWS4-ECDSA-P256-SHA256 Credential=a"),
        with("AWS4-HMAC-SHA256 Credential=a, junk, Signature=b"),
        with("AWS4-HMAC-SHA256"),
        with("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b"),
        with("AWS4-HMAC-SHA256 Credential=a, Credential=b"),
        query("X-Amz-Signature=a"),
        query("X-Amz-Algorithm=AWS4-HMAC-SHA1"),
        request().header("x-amz-date", "2026-11-23T13:30:00Z").refusal(),
        request().header("x-amz-date", "20261123T131459Z").refusal(),
        request().header("x-amz-date", "20261123T134501Z").refusal(),
        request().authorized("SignedHeaders=host;", "SignedHeaders=").refusal(),
        request().authorized(";x-amz-target", "").refusal(),
        request().authorized(scope, "eu-central-1/ecr/aws4_request").refusal(),
        request().authorized(scope, "20261122/Nowhere!/ecr/aws5_request").refusal(),
        request()
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .authorized("x-amz-date", "x-amz-content-sha256;x-amz-date")
            .refusal(),
        request().header("authorization", &upper_case_signature).refusal(),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    MalformedQueryString: The query string contains a syntax error.
    MissingAuthenticationToken: Request is missing Authentication Token
    MissingAuthenticationToken: Request is missing Authentication Token
    IncompleteSignature: Unsupported AWS 'algorithm': 'AWS'.
    IncompleteSignature: Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.
    IncompleteSignature: 'junk' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential=a, junk, Signature=b'.
    IncompleteSignature: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256
    IncompleteSignature: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b
    IncompleteSignature: Authorization header has more than one 'Credential' parameter.
    IncompleteSignature: AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.
    IncompleteSignature: Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'.
    IncompleteSignature: Date must be in ISO-8601 'basic format'. Got '2026-11-23T13:30:00Z'. See http://en.wikipedia.org/wiki/ISO_8601
    SignatureDoesNotMatch: Signature expired: 20261123T131459Z is now earlier than 20261123T131500Z (20261123T133000Z - 15 min.)
    SignatureDoesNotMatch: Signature not yet current: 20261123T134501Z is still later than 20261123T134500Z (20261123T133000Z + 15 min.)
    SignatureDoesNotMatch: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.
    SignatureDoesNotMatch: 'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.
    IncompleteSignature: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/eu-central-1/ecr/aws4_request'
    SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'Nowhere!'. Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261122' != '20261123', from '20261123T133000Z'.
    SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
    SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
    ");
}

#[test]
fn the_service_of_the_scope_must_be_the_expected_one() {
    let options = Options { expected_service: Some("iam"), ..Options::default() };
    let error = request().parse(NOW, &options).unwrap_err();
    assert_eq!(error.message(), "Credential should be scoped to correct service: 'iam'.");
    assert_eq!(
        (error.query_code(), error.json_code(), error.status()),
        ("SignatureDoesNotMatch", "InvalidSignatureException", 403)
    );
}

#[test]
fn two_places_or_two_headers_are_refused() {
    let mut twice = request();
    let authorization = twice.authorization();
    twice.headers.push(("Authorization".to_owned(), authorization.into_bytes()));
    assert_eq!(twice.refusal(), "IncompleteSignature: Request has more than one Authorization header.");
    let mut both = request();
    both.query = presigned().query;
    assert!(both.refusal().contains("both an Authorization header and AWS query-string parameters"));
}

#[test]
fn time_windows_are_inclusive_and_configurable() {
    let at = |request: &Request, offset: i64, skew: u32| {
        let options = Options { max_skew_seconds: skew, ..Options::default() };
        request.parse(NOW + offset, &options).map(|_| ()).map_err(|error| error.message().to_owned())
    };
    let signed = request();
    assert_eq!(at(&signed, 300, 300), Ok(()));
    assert_eq!(at(&signed, -300, 300), Ok(()));
    assert_eq!(
        at(&signed, 301, 300).unwrap_err(),
        "Signature expired: 20261123T133000Z is now earlier than 20261123T133001Z (20261123T133501Z - 5 min.)"
    );
    assert_eq!(
        at(&signed, -301, 300).unwrap_err(),
        "Signature not yet current: 20261123T133000Z is still later than 20261123T132959Z (20261123T132459Z + 5 min.)"
    );
    // A presigned request lives for its own time, at most the server's.
    let signed = presigned();
    assert_eq!(at(&signed, 60, 300), Ok(()));
    assert!(at(&signed, 61, 300).unwrap_err().starts_with("Signature expired: "));
    let long = Request::new("GET", "", &[("host", "h")]).presigned(604_800, None);
    assert_eq!(at(&long, 900, 300), Ok(()));
    assert!(at(&long, 901, 300).is_err());
    for expires in [0, 604_801] {
        let request = Request::new("GET", "", &[("host", "h")]).presigned(expires, None);
        assert!(request.refusal().starts_with("IncompleteSignature: X-Amz-Expires"));
    }
}

#[test]
fn the_date_header_serves_when_there_is_no_x_amz_date() {
    let signed = request();
    let authorization = signed.authorization().replace("x-amz-date", "date");
    let moved = |date: &str| {
        let mut request = signed.clone().header("authorization", &authorization).header("date", date);
        request.headers.retain(|(name, _)| name != "x-amz-date");
        request.parse(NOW, &Options::default()).map(|parsed| parsed.timestamp)
    };
    assert_eq!(moved("Mon, 23 Nov 2026 13:30:00 GMT"), Ok(NOW));
    assert_eq!(moved("20261123T133000Z"), Ok(NOW));
    assert!(moved("yesterday").is_err());
}

#[test]
fn sizes_are_bounded() {
    let mut many = request();
    many.headers.extend((0..100).map(|index| (format!("x-{index}"), Vec::new())));
    assert!(many.refusal().contains("more than 100 headers"));
    let names: Vec<String> = (0..64).map(|index| format!("h{index}")).collect();
    assert!(
        request()
            .authorized("=host;", &format!("=host;{};", names.join(";")))
            .refusal()
            .contains("More than 64")
    );
    assert!(
        Request::new("GET", &"a".repeat(8_193), &[("host", "h")])
            .refusal()
            .starts_with("MalformedQueryString")
    );
    assert!(request().header("authorization", &"a".repeat(8_193)).refusal().contains("too long"));
}

#[test]
fn explanations_show_what_should_have_been_signed() {
    let parsed = request().parse(NOW, &Options::default()).unwrap();
    let error = AuthError::mismatch_explained(&parsed);
    assert!(
        error
            .message()
            .contains("\n\nThe Canonical String for this request should have been\n'POST\n/\n\nhost:")
    );
    assert!(error.message().ends_with(&format!("should have been\n'{}'\n", parsed.string_to_sign())));
}

#[test]
fn codes_of_failures_the_server_makes() {
    let table: Vec<String> = [
        AuthError::MissingAuthenticationToken,
        AuthError::InvalidClientToken { session_token: false },
        AuthError::InvalidClientToken { session_token: true },
        AuthError::ExpiredToken,
        AuthError::mismatch(),
    ]
    .iter()
    .map(|error| {
        format!("{} {} {} {}", error.status(), error.query_code(), error.json_code(), error.message())
    })
    .collect();
    insta::assert_snapshot!(table.join("\n"), @r"
    403 MissingAuthenticationToken MissingAuthenticationTokenException Request is missing Authentication Token
    403 InvalidClientTokenId UnrecognizedClientException The security token included in the request is invalid.
    403 InvalidClientTokenId UnrecognizedClientException The security token included in the request is invalid
    403 ExpiredToken ExpiredTokenException The security token included in the request is expired
    403 SignatureDoesNotMatch InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
    ");
}

proptest! {
    #[test]
    fn any_flipped_byte_is_refused(which in 0_usize..4, at: prop::sample::Index, bit in 0_u8..8) {
        let mut request = Request::new("POST", "a=1&b=2", &[("host", "localhost:4580"), ("x-amz-target", "T.O")]);
        request.body = b"{\"repositoryName\":\"ab\"}".to_vec();
        let mut request = request.signed("ecr", Some("token"));
        prop_assert!(request.accepted());
        let flip = |bytes: &mut Vec<u8>| {
            let index = at.index(bytes.len());
            bytes[index] ^= 1 << bit;
        };
        match which {
            0 => flip(&mut request.body),
            1 => {
                let header = at.index(request.headers.len());
                let before = request.headers[header].1.clone();
                flip(&mut request.headers[header].1);
                // Only white space around a value and runs of spaces are not signed.
                let equal = |value: &[u8]| value.trim_ascii().to_vec();
                prop_assume!(equal(&request.headers[header].1) != equal(&before));
            }
            2 => {
                let mut query = request.query.clone().into_bytes();
                flip(&mut query);
                let Ok(query) = String::from_utf8(query) else { return Ok(()) };
                // Between pairs, an additional or missing separator alone changes nothing that is signed.
                prop_assume!(!query.contains("&&") && !query.ends_with('&') && !query.starts_with('&'));
                request.query = query;
            }
            _ => {
                let mut method = request.method.clone().into_bytes();
                flip(&mut method);
                let Ok(method) = String::from_utf8(method) else { return Ok(()) };
                request.method = method;
            }
        }
        prop_assert!(!request.accepted(), "{request:?}");
    }

    #[test]
    fn any_flipped_byte_of_a_presigned_query_is_refused(at: prop::sample::Index, bit in 0_u8..8) {
        let request = presigned();
        let mut query = request.query.clone().into_bytes();
        let index = at.index(query.len());
        query[index] ^= 1 << bit;
        let Ok(query) = String::from_utf8(query) else { return Ok(()) };
        let changed = Request { query, ..request.clone() };
        // Hexadecimal digits of an escape may change case: the decoded text is what is signed.
        let meaning = |request: &Request| {
            let query = canonical::Query::parse(&request.query)?;
            Some((query.canonical(), query.get("X-Amz-Signature")?.to_owned()))
        };
        let same = meaning(&changed) == meaning(&request);
        prop_assert_eq!(changed.accepted(), same);
    }

    #[test]
    fn arbitrary_requests_never_panic(
        method in ".{0,5}", path in ".{0,20}", query in ".{0,40}",
        headers in prop::collection::vec(("(host|authorization|x-amz-date|date|.{0,4})", prop::collection::vec(any::<u8>(), 0..40)), 0..5),
        now: i64,
    ) {
        let request = Request { method, path, query, headers, body: Vec::new() };
        let _ = request.parse(now, &Options::default());
    }

    #[test]
    fn arbitrary_signatures_never_panic(
        rest in "(Credential|Signature|SignedHeaders|[=,/;a ]|20261123|aws4_request|host){0,12}",
        query in "(X-Amz-(Algorithm|Credential|Signature|SignedHeaders|Date|Expires)|[=&%+]|AWS4-HMAC-SHA256|1|host){0,16}",
        presign: bool,
    ) {
        let authorization = format!("AWS4-HMAC-SHA256 {rest}");
        let mut request = Request::new("GET", &query, &[("host", "h"), ("x-amz-date", "20261123T133000Z")]);
        if !presign {
            request = request.header("authorization", &authorization);
        }
        prop_assert!(!request.accepted());
    }
}
