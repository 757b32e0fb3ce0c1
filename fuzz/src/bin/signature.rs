//! Signature Version 4: no request makes the checks before the secret panic, what passes them keeps their
//! bounds, no key accepts a signature that it did not make, and what our signer signs is accepted.
//!
//! Input: `METHOD PATH[?QUERY]`, then a line `name: value` per header.
#![no_main]

use aws::sigv4::{self, Credentials, Input, Options};
use libfuzzer_sys::fuzz_target;

/// The time that the seeds are signed for.
const NOW: i64 = 1_763_900_000;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// SHA-256 of nothing.
const NO_BODY: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some(Ok(first)) = lines.next().map(std::str::from_utf8) else { return };
    let Some((method, target)) = first.split_once(' ') else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // Names and values as they pass hyper: names are tokens, values have no control characters.
    let headers: Vec<(&str, &[u8])> = lines.filter_map(header).collect();
    let input = Input { method, path, query, headers: &headers, body_sha256: &NO_BODY, now: NOW };
    let options = Options::default();
    match sigv4::parse(&input, &options) {
        Ok(parsed) => {
            assert!(parsed.date.len() == 8 && parsed.date.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(!parsed.access_key_id.contains('/'));
            assert!((1..=64).contains(&parsed.region.len()));
            assert!(parsed.timestamp <= NOW + i64::from(options.max_skew_seconds));
            if !parsed.presigned {
                assert!(parsed.timestamp >= NOW - i64::from(options.max_skew_seconds));
            }
            let another = sigv4::signing_key("another", &parsed.date, &parsed.region, &parsed.service);
            assert!(!sigv4::verify(&parsed, &another));
            assert!(!format!("{parsed:?}").contains("ignature"));
        }
        Err(error) => {
            assert!((400..=403).contains(&error.status()));
            assert!(error.to_string().len() < 64 * 1024);
        }
    }
    signed_here_is_accepted(&input);
});

fn signed_here_is_accepted(input: &Input<'_>) {
    let taken = ["authorization", "x-amz-date", "date", "x-amz-security-token", "x-amz-content-sha256"];
    let mut headers: Vec<(&str, &[u8])> = vec![("host", b"localhost:4580")];
    let others = input.headers.iter().copied();
    headers.extend(others.filter(|(name, _)| !taken.contains(name) && *name != "host").take(40));
    let input = Input { headers: &headers, ..*input };
    let credentials =
        Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: SECRET, session_token: Some("token") };
    let signature = sigv4::sign(&input, &credentials, "eu-central-1", "ecr");
    let mut sent = headers.clone();
    sent.extend(signature.iter().map(|(name, value)| (*name, value.as_bytes())));
    let signed = Input { headers: &sent, ..input };
    // A path or query that is not well formed, or a query with a signature of its own, is refused whoever signs.
    if let Ok(parsed) = sigv4::parse(&signed, &Options::default()) {
        let key = sigv4::signing_key(SECRET, &parsed.date, &parsed.region, &parsed.service);
        assert!(sigv4::verify(&parsed, &key), "{}", parsed.canonical_request());
        assert_eq!(parsed.session_token.as_deref(), Some("token"));
    } else {
        assert!(!input.query.is_empty() || !input.path.starts_with('/') || input.path.contains('%'));
    }
}

fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let name = std::str::from_utf8(name).ok()?;
    let token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let value = value.get(1..)?.trim_ascii();
    let clean = value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    (!name.is_empty() && name.bytes().all(token) && clean).then_some((name, value))
}
