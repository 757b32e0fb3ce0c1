//! Our own signer: for tests, for presigned links, later for clients of other nodes.

use super::{ALGORITHM, Input, canonical, canonical::Query, clock, key, signing_key};
use crate::percent;

/// Credentials to sign with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Access key id, without `/`.
    pub access_key_id: &'a str,
    /// Secret access key.
    pub secret_access_key: &'a str,
    /// Session token of temporary credentials.
    pub session_token: Option<&'a str>,
}

/// Only the id.
impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Headers to add to a request: `x-amz-date`, `x-amz-security-token` when there is one, `authorization`.
///
/// Signs all headers of `input`; `host` must be among them. The path must begin with `/` and the query must be
/// percent-encoded, else the signature will be of `/` and of no query.
#[must_use]
pub fn sign(
    input: &Input<'_>,
    credentials: &Credentials<'_>,
    region: &str,
    service: &str,
) -> Vec<(&'static str, String)> {
    let date = clock::basic_text(input.now);
    let mut added = vec![("x-amz-date", date)];
    added.extend(credentials.session_token.map(|token| ("x-amz-security-token", token.to_owned())));
    let mut headers = input.headers.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
    let signed = names(&headers);
    let query = Query::parse(input.query).unwrap_or_else(Query::empty);
    let signature =
        signature(&Input { headers: &headers, ..*input }, &query, &signed, credentials, region, service);
    let scope = key::scope(&clock::day(input.now), region, service);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        signed.join(";")
    );
    added.push(("authorization", authorization));
    added
}

/// Whole query string of a presigned request: that of `input` and the `X-Amz-…` parameters.
///
/// `expires` is the life in seconds, 1 to a week. Conditions on `input` as for [`sign`].
#[must_use]
pub fn presign(
    input: &Input<'_>,
    credentials: &Credentials<'_>,
    region: &str,
    service: &str,
    expires: u32,
) -> String {
    let scope = key::scope(&clock::day(input.now), region, service);
    let signed = names(input.headers);
    let mut parameters = vec![
        ("X-Amz-Algorithm", ALGORITHM.to_owned()),
        ("X-Amz-Credential", format!("{}/{scope}", credentials.access_key_id)),
        ("X-Amz-Date", clock::basic_text(input.now)),
        ("X-Amz-Expires", expires.to_string()),
        ("X-Amz-SignedHeaders", signed.join(";")),
    ];
    parameters.extend(credentials.session_token.map(|token| ("X-Amz-Security-Token", token.to_owned())));
    let mut text = input.query.to_owned();
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(&percent::encode(value));
    }
    let query = Query::parse(&text).unwrap_or_else(Query::empty);
    let signature = signature(input, &query, &signed, credentials, region, service);
    format!("{text}&X-Amz-Signature={signature}")
}

fn signature(
    input: &Input<'_>,
    query: &Query,
    signed: &[String],
    credentials: &Credentials<'_>,
    region: &str,
    service: &str,
) -> String {
    let path = canonical::path(input.path).unwrap_or_else(|| "/".to_owned());
    let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
    let canonical = canonical::request(input, &path, query, &signed, &hex::encode(input.body_sha256));
    let date = clock::day(input.now);
    let text = key::string_to_sign(input.now, &key::scope(&date, region, service), &canonical);
    let key = signing_key(credentials.secret_access_key, &date, region, service);
    hex::encode(key.sign(text.as_bytes()))
}

fn names(headers: &[(&str, &[u8])]) -> Vec<String> {
    let mut names: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    names
}
