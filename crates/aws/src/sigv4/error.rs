//! Failures of authentication and their codes per protocol (iam.md §5.6).

use super::Parsed;

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
    Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// Why a request is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthError {
    /// The path or the query string is not well formed.
    MalformedQueryString,
    /// There is no signature.
    MissingAuthenticationToken,
    /// The signature's parts are incomplete or malformed; AWS's text.
    IncompleteSignature(String),
    /// The signature is wrong, out of its scope or out of its time; AWS's text.
    SignatureDoesNotMatch(String),
    /// The access key is unknown or inactive, or the session token is not ours (both look alike).
    InvalidClientToken {
        /// The session token is at fault; AWS's text then lacks its full stop.
        session_token: bool,
    },
    /// The session is over.
    ExpiredToken,
}

impl AuthError {
    /// The signature is not the one that the secret makes.
    #[must_use]
    pub fn mismatch() -> Self {
        Self::SignatureDoesNotMatch(MISMATCH.to_owned())
    }

    /// As [`mismatch`](Self::mismatch), with what should have been signed: behind a debug setting, for people
    /// whose proxy rewrites requests. Contains header values, no secret.
    #[must_use]
    pub fn mismatch_explained(parsed: &Parsed) -> Self {
        Self::SignatureDoesNotMatch(format!(
            "{MISMATCH}\n\nThe Canonical String for this request should have been\n'{}'\n\n\
             The String-to-Sign should have been\n'{}'\n",
            parsed.canonical_request(),
            parsed.string_to_sign()
        ))
    }

    /// Code of IAM and STS.
    #[must_use]
    pub fn query_code(&self) -> &'static str {
        match self {
            Self::MalformedQueryString => "MalformedQueryString",
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::IncompleteSignature(_) => "IncompleteSignature",
            Self::SignatureDoesNotMatch(_) => "SignatureDoesNotMatch",
            Self::InvalidClientToken { .. } => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
        }
    }

    /// `__type` of ECR.
    #[must_use]
    pub fn json_code(&self) -> &'static str {
        match self {
            Self::MalformedQueryString => "MalformedQueryStringException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::IncompleteSignature(_) => "IncompleteSignatureException",
            Self::SignatureDoesNotMatch(_) => "InvalidSignatureException",
            Self::InvalidClientToken { .. } => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
        }
    }

    /// HTTP status of IAM and STS; ECR's is [`JSON_STATUS`](Self::JSON_STATUS) for all.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::MalformedQueryString | Self::IncompleteSignature(_) => 400,
            Self::MissingAuthenticationToken
            | Self::SignatureDoesNotMatch(_)
            | Self::InvalidClientToken { .. }
            | Self::ExpiredToken => 403,
        }
    }

    /// HTTP status of all authentication failures of ECR.
    pub const JSON_STATUS: u16 = 400;

    /// ECR's text: that of the others, but for the missing signature (ecr.md §1.2).
    #[must_use]
    pub fn json_message(&self) -> &str {
        match self {
            Self::MissingAuthenticationToken => "Missing Authentication Token",
            other => other.message(),
        }
    }

    /// Text of IAM and STS.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::MalformedQueryString => "The query string contains a syntax error.",
            Self::MissingAuthenticationToken => "Request is missing Authentication Token",
            Self::IncompleteSignature(text) | Self::SignatureDoesNotMatch(text) => text,
            Self::InvalidClientToken { session_token: false } => {
                "The security token included in the request is invalid."
            }
            Self::InvalidClientToken { session_token: true } => {
                "The security token included in the request is invalid"
            }
            Self::ExpiredToken => "The security token included in the request is expired",
        }
    }
}

impl std::fmt::Display for AuthError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.query_code(), self.message())
    }
}

impl std::error::Error for AuthError {}
