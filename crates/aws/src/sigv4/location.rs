//! Where the signature is: the Authorization header or the query (iam.md §5.2, steps 2 to 5 of §5.5).

use super::{
    ALGORITHM, AuthError, Input, LONGEST_PART, LONGEST_PRESIGNED_SECONDS, canonical, canonical::Query,
};

/// Echoed texts are cut to this many characters.
const LONGEST_ECHO: usize = 1_024;

/// The parts of a signature as they came.
pub(super) struct Location {
    pub(super) presigned: bool,
    pub(super) credential: String,
    pub(super) signed_headers: String,
    pub(super) date: String,
    pub(super) expires: Option<u32>,
    pub(super) session_token: Option<String>,
    signature: String,
}

impl Location {
    pub(super) fn find(input: &Input<'_>, query: &Query) -> Result<Location, AuthError> {
        let mut headers = input
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            .map(|(_, value)| value);
        let header = headers.next();
        if headers.next().is_some() {
            return Err(incomplete("Request has more than one Authorization header."));
        }
        let presigned = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"]
            .into_iter()
            .any(|name| query.get(name).is_some());
        match header {
            Some(_) if presigned => {
                Err(incomplete("Request has both an Authorization header and AWS query-string parameters."))
            }
            Some(value) => Self::from_header(input, value),
            None if presigned => Self::from_query(query),
            None => Err(AuthError::MissingAuthenticationToken),
        }
    }

    /// The 32 bytes of a signature in lower-case hexadecimal.
    pub(super) fn signature(&self) -> Result<[u8; 32], AuthError> {
        let mut bytes = [0; 32];
        let lower = !self.signature.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(&self.signature, &mut bytes) {
            Ok(()) if lower => Ok(bytes),
            _ => Err(AuthError::mismatch()),
        }
    }

    fn from_header(input: &Input<'_>, value: &[u8]) -> Result<Location, AuthError> {
        if value.len() > LONGEST_PART {
            return Err(incomplete("Authorization header is too long."));
        }
        let value =
            std::str::from_utf8(value).map_err(|_| incomplete("Authorization header is not text."))?.trim();
        let (algorithm, rest) = value.split_once(' ').unwrap_or((value, ""));
        // These belong to the registry face: towards an API they are no attempt to sign.
        if algorithm.is_empty() || ["basic", "bearer"].contains(&algorithm.to_ascii_lowercase().as_str()) {
            return Err(AuthError::MissingAuthenticationToken);
        }
        check_algorithm(algorithm)?;
        let mut parts: [(&str, Option<String>); 3] =
            [("Credential", None), ("Signature", None), ("SignedHeaders", None)];
        let pairs = rest.trim();
        for pair in pairs.split(',').map(str::trim).filter(|_| !pairs.is_empty()) {
            let Some((name, part)) = pair.split_once('=') else {
                return Err(incomplete(&format!(
                    "'{}' not a valid key=value pair (missing equal-sign) in Authorization header: '{}'.",
                    echo(pair),
                    echo(value)
                )));
            };
            if let Some((_, slot)) = parts.iter_mut().find(|(known, _)| *known == name)
                && slot.replace(part.to_owned()).is_some()
            {
                return Err(incomplete(&format!(
                    "Authorization header has more than one '{name}' parameter."
                )));
            }
        }
        let date = text(input, "x-amz-date").or_else(|| text(input, "date"));
        let [credential, signature, signed_headers] = parts;
        match (credential.1, signature.1, signed_headers.1, date) {
            (Some(credential), Some(signature), Some(signed_headers), Some(date)) => Ok(Location {
                presigned: false,
                credential,
                signed_headers,
                date,
                expires: None,
                session_token: text(input, "x-amz-security-token"),
                signature,
            }),
            (credential, signature, signed_headers, date) => {
                let mut faults = String::new();
                let missing = [
                    ("Credential", credential.is_none()),
                    ("Signature", signature.is_none()),
                    ("SignedHeaders", signed_headers.is_none()),
                ];
                for (name, _) in missing.into_iter().filter(|(_, missing)| *missing) {
                    faults.push_str(&format!("Authorization header requires '{name}' parameter. "));
                }
                if date.is_none() {
                    faults.push_str(
                        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
                    );
                }
                Err(incomplete(&format!("{faults}Authorization={}", echo(value))))
            }
        }
    }

    fn from_query(query: &Query) -> Result<Location, AuthError> {
        if let Some(algorithm) = query.get("X-Amz-Algorithm") {
            check_algorithm(algorithm)?;
        }
        let part = |name: &str| query.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let names =
            ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"];
        let [algorithm, credential, signature, signed_headers, date] = names.map(part);
        match (algorithm, credential, signature, signed_headers, date) {
            (Some(_), Some(credential), Some(signature), Some(signed_headers), Some(date)) => Ok(Location {
                presigned: true,
                credential,
                signed_headers,
                date,
                expires: query.get("X-Amz-Expires").map(expires).transpose()?,
                session_token: part("X-Amz-Security-Token"),
                signature,
            }),
            _ => {
                let faults: String = names
                    .into_iter()
                    .filter(|name| part(name).is_none())
                    .map(|name| format!("AWS query-string parameters must include '{name}'. "))
                    .collect();
                Err(incomplete(&format!("{faults}Re-examine the query-string parameters.")))
            }
        }
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), AuthError> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    Err(incomplete(&format!("Unsupported AWS 'algorithm': '{}'.", echo(algorithm))))
}

/// Seconds of `X-Amz-Expires`, 1 to a week.
fn expires(text: &str) -> Result<u32, AuthError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(seconds) if digits && (1..=LONGEST_PRESIGNED_SECONDS).contains(&seconds) => Ok(seconds),
        _ => Err(incomplete(&format!(
            "X-Amz-Expires must be between 1 and {LONGEST_PRESIGNED_SECONDS} seconds, got '{}'.",
            echo(text)
        ))),
    }
}

fn text(input: &Input<'_>, name: &str) -> Option<String> {
    String::from_utf8(canonical::header(input, name)?).ok()
}

fn incomplete(text: &str) -> AuthError {
    AuthError::IncompleteSignature(text.to_owned())
}

fn echo(text: &str) -> String {
    text.chars().take(LONGEST_ECHO).collect()
}
