//! Signature Version 4: verification of signed headers and presigned queries, and our own signer (iam.md §5).
//!
//! Verification has two halves, because the secret comes from outside: [`parse`] makes every check that needs
//! no secret, in AWS's order and with AWS's texts, and [`verify`] compares the signature in constant time.
//!
//! ```
//! use aws::sigv4::{self, Credentials, Input, Options};
//! let body = [0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
//!             0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55];
//! let host = [("host", &b"localhost:4580"[..])];
//! let input = Input { method: "POST", path: "/", query: "", headers: &host, body_sha256: &body, now: 1_763_900_000 };
//! let credentials = Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: "secret", session_token: None };
//! let signature = sigv4::sign(&input, &credentials, "eu-central-1", "sts");
//!
//! let mut headers = host.to_vec();
//! headers.extend(signature.iter().map(|(name, value)| (*name, value.as_bytes())));
//! let parsed = sigv4::parse(&Input { headers: &headers, ..input }, &Options::default()).unwrap();
//! let key = sigv4::signing_key("secret", &parsed.date, &parsed.region, &parsed.service);
//! assert!(sigv4::verify(&parsed, &key));
//! ```

mod canonical;
mod clock;
mod error;
mod key;
mod location;
mod sign;

use std::fmt;

use self::{canonical::Query, location::Location};
pub use self::{
    error::AuthError,
    key::{SigningKey, signing_key},
    sign::{Credentials, presign, sign},
};

/// Most headers of a request that is verified (iam.md §5.7).
pub const MOST_HEADERS: usize = 100;
/// Most signed headers.
pub const MOST_SIGNED_HEADERS: usize = 64;
/// Longest query string and longest Authorization header, in bytes.
pub const LONGEST_PART: usize = 8 * 1024;
/// Longest life of a presigned request that may be asked for, in seconds.
pub const LONGEST_PRESIGNED_SECONDS: u32 = 604_800;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";

/// A request as it arrived.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Path as on the request line, still percent-encoded; empty means `/`.
    pub path: &'a str,
    /// Query string without `?`, still percent-encoded.
    pub query: &'a str,
    /// All headers in arrival order, repeated ones repeated; names in any case. HTTP/2's `:authority` must be
    /// given as `host`.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// SHA-256 of the raw body.
    pub body_sha256: &'a [u8; 32],
    /// Now, in seconds since the epoch.
    pub now: i64,
}

/// What the server accepts.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// How far the request's date may be off, in seconds, both ways.
    pub max_skew_seconds: u32,
    /// Longest life of a presigned request in seconds, also when it names none or a longer one.
    pub max_presigned_seconds: u32,
    /// Service of the credential scope; `None` accepts any.
    pub expected_service: Option<&'a str>,
}

/// Fifteen minutes of skew (iam.md §5.4), fifteen minutes for presigned requests (§5.2), any service.
impl Default for Options<'_> {
    fn default() -> Self {
        Self { max_skew_seconds: 900, max_presigned_seconds: 900, expected_service: None }
    }
}

/// A request whose signature is well formed and timely, but not yet verified.
#[derive(Clone)]
pub struct Parsed {
    /// Access key id of the credential; any text without `/`.
    pub access_key_id: String,
    /// Date of the scope, `YYYYMMDD`; the request's UTC date.
    pub date: String,
    /// Region of the scope, lower-case letters, digits and hyphens.
    pub region: String,
    /// Service of the scope.
    pub service: String,
    /// Date of the request, seconds since the epoch.
    pub timestamp: i64,
    /// Session token, header or query.
    pub session_token: Option<String>,
    /// Signed in the query rather than in a header.
    pub presigned: bool,
    /// `X-Amz-Expires` of a presigned request, seconds.
    pub expires: Option<u32>,
    signature: [u8; 32],
    canonical_request: Vec<u8>,
    string_to_sign: String,
}

/// Neither the token nor the signature nor the headers.
impl fmt::Debug for Parsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Parsed")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &(&self.date, &self.region, &self.service))
            .field("presigned", &self.presigned)
            .finish_non_exhaustive()
    }
}

impl Parsed {
    /// The canonical request the signature should be over, for debugging; contains header values.
    #[must_use]
    pub fn canonical_request(&self) -> String {
        String::from_utf8_lossy(&self.canonical_request).into_owned()
    }

    /// The string to sign, for debugging.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }
}

/// Makes all checks that need no secret: steps 1 to 10 of iam.md §5.5, in that order.
///
/// # Errors
/// [`AuthError::MalformedQueryString`], [`AuthError::MissingAuthenticationToken`],
/// [`AuthError::IncompleteSignature`] or [`AuthError::SignatureDoesNotMatch`] with AWS's text.
pub fn parse(input: &Input<'_>, options: &Options<'_>) -> Result<Parsed, AuthError> {
    if input.headers.len() > MOST_HEADERS {
        return Err(AuthError::IncompleteSignature(format!("Request has more than {MOST_HEADERS} headers.")));
    }
    let path = canonical::path(input.path).ok_or(AuthError::MalformedQueryString)?;
    let query = Query::parse(input.query).ok_or(AuthError::MalformedQueryString)?;
    let location = Location::find(input, &query)?;
    let timestamp = clock::parse(&location.date)?;
    clock::check(timestamp, input.now, location.presigned.then_some(location.expires), options)?;
    let signed = signed_headers(input, &location.signed_headers)?;
    let scope = Scope::parse(&location.credential)?;
    scope.check(&location.date, timestamp, options)?;
    let body = check_body(input)?;
    let signature = location.signature()?;
    let canonical_request = canonical::request(input, &path, &query, &signed, &body);
    let string_to_sign = key::string_to_sign(timestamp, &scope.text(), &canonical_request);
    Ok(Parsed {
        access_key_id: scope.access_key_id.to_owned(),
        date: scope.date.to_owned(),
        region: scope.region.to_owned(),
        service: scope.service.to_owned(),
        timestamp,
        session_token: location.session_token,
        presigned: location.presigned,
        expires: location.expires,
        signature,
        canonical_request,
        string_to_sign,
    })
}

/// Whether the signature is the one of this key, in constant time.
///
/// For an unknown access key call it too, with the key of a dummy secret: equal timing tells nobody which ids
/// exist (iam.md §5.7).
#[must_use]
pub fn verify(parsed: &Parsed, key: &SigningKey) -> bool {
    key.verify(parsed.string_to_sign.as_bytes(), &parsed.signature)
}

/// The signed header names, in the request's order; the ones that must be signed are.
fn signed_headers<'l>(input: &Input<'_>, list: &'l str) -> Result<Vec<&'l str>, AuthError> {
    let signed: Vec<&str> = list.split(';').collect();
    if signed.len() > MOST_SIGNED_HEADERS {
        return Err(AuthError::IncompleteSignature(format!(
            "More than {MOST_SIGNED_HEADERS} signed headers."
        )));
    }
    if !signed.contains(&"host") && !signed.contains(&":authority") {
        return Err(AuthError::SignatureDoesNotMatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    // Unsigned, these could be changed on the way: the operation, the time, the session.
    for (name, title) in [
        ("x-amz-date", "X-Amz-Date"),
        ("x-amz-target", "X-Amz-Target"),
        ("x-amz-content-sha256", "X-Amz-Content-Sha256"),
        ("x-amz-security-token", "X-Amz-Security-Token"),
    ] {
        if canonical::header(input, name).is_some() && !signed.contains(&name) {
            return Err(AuthError::SignatureDoesNotMatch(format!(
                "'{title}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
    }
    Ok(signed)
}

/// Hexadecimal hash of the body; a declared one must agree. `UNSIGNED-PAYLOAD` and `STREAMING-…` never do.
fn check_body(input: &Input<'_>) -> Result<String, AuthError> {
    let body = hex::encode(input.body_sha256);
    match canonical::header(input, "x-amz-content-sha256") {
        Some(declared) if declared != body.as_bytes() => Err(AuthError::mismatch()),
        _ => Ok(body),
    }
}

/// The parts of a credential.
struct Scope<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
}

impl<'a> Scope<'a> {
    fn parse(credential: &'a str) -> Result<Self, AuthError> {
        let mut parts = credential.split('/');
        let mut next = || parts.next();
        match (next(), next(), next(), next(), next(), next()) {
            (Some(access_key_id), Some(date), Some(region), Some(service), Some(terminator), None) => {
                Ok(Self { access_key_id, date, region, service, terminator })
            }
            _ => Err(AuthError::IncompleteSignature(format!(
                "Credential must have exactly 5 slash-delimited elements, \
                 e.g. keyid/date/region/service/term, got '{credential}'"
            ))),
        }
    }

    /// All faults of the scope in one text (iam.md §5.5 step 10).
    fn check(&self, date: &str, timestamp: i64, options: &Options<'_>) -> Result<(), AuthError> {
        let mut faults = Vec::new();
        let region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region.is_empty() || self.region.len() > 64 || !self.region.bytes().all(region) {
            faults.push(format!("Credential should be scoped to a valid region, not '{}'.", self.region));
        }
        if let Some(service) = options.expected_service.filter(|service| *service != self.service) {
            faults.push(format!("Credential should be scoped to correct service: '{service}'."));
        }
        if self.terminator != TERMINATOR {
            faults.push(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
                self.terminator
            ));
        }
        let day = clock::day(timestamp);
        if self.date != day {
            faults.push(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{}' != '{day}', from '{date}'.",
                self.date
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(AuthError::SignatureDoesNotMatch(faults.join(" "))) }
    }

    fn text(&self) -> String {
        key::scope(self.date, self.region, self.service)
    }
}

#[cfg(test)]
mod tests;
