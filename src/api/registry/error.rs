//! Errors of the registry face: every cause → code, status and sentence, in one total match.
//!
//! Body: `{"errors":[{"code":"<CODE>","message":"<text>"}]}` (distribution-spec, "Error Codes"); codes and
//! statuses as ECR gives them (ecr.md §8.1–8.3).

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use super::operation::{MAX_TAG_PARAMETERS, Malformed, Refusal};
use crate::access::{AccessError, BasicError, NotGranted};
use crate::api::{BaseUrl, Body, Outgoing, sentence};
use crate::catalog;

/// Why a request of the registry face fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is no operation.
    #[error("no such operation")]
    Refused(Refusal),
    /// The password is missing, wrong, expired, or cannot be checked.
    #[error(transparent)]
    Unauthenticated(#[from] BasicError),
    /// The policies do not allow it, or cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The operation asked for a proof that its checks did not name.
    #[error(transparent)]
    NotGranted(#[from] NotGranted),
    /// The catalog refuses.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The manifest is not one, or is too large.
    #[error("{0}")]
    Manifest(String),
    /// The manifest is larger than 4 MiB.
    #[error("the manifest is too large")]
    ManifestTooLarge,
    /// A chunk does not start where the last one ended; the client learns the offset.
    #[error("the chunk starts at {first} instead of {received}")]
    ChunkOutOfOrder {
        /// Where the chunk starts.
        first: u64,
        /// The repository.
        name: oci::RepositoryName,
        /// The upload.
        upload: String,
        /// Bytes received so far.
        received: u64,
    },
    /// A header is malformed.
    #[error("{0}")]
    BadHeader(String),
    /// No byte of the blob lies in the requested range.
    #[error("the range is outside the blob's {length} bytes")]
    RangeNotSatisfiable {
        /// The length of the blob.
        length: u64,
    },
}

/// What goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

fn wire(status: StatusCode, code: &'static str, message: impl Into<String>) -> Wire {
    Wire { status, code, message: message.into() }
}

impl Error {
    /// Code, status and sentence; `None` for the two answers that have no envelope.
    pub(super) fn wire(&self) -> Option<Wire> {
        Some(match self {
            Self::Refused(Refusal::NotFound) | Self::Unauthenticated(BasicError::Unauthorized) => {
                return None;
            }
            Self::Refused(Refusal::Method(_)) => {
                wire(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported.")
            }
            Self::Refused(Refusal::Malformed(malformed)) => malformed_wire(malformed),
            // 403 and no challenge: with 401 containerd would ask again without end (ecr.md §8.1).
            Self::Unauthenticated(BasicError::Expired) => wire(
                StatusCode::FORBIDDEN,
                "DENIED",
                "Your authorization token has expired. Reauthenticate and try again.",
            ),
            Self::Access(AccessError::Denied { sentence }) => {
                wire(StatusCode::FORBIDDEN, "DENIED", sentence.as_str())
            }
            Self::Unauthenticated(BasicError::Internal(_))
            | Self::Access(AccessError::Identity(_) | AccessError::Catalog(_))
            | Self::NotGranted(_) => internal(),
            Self::Catalog(error) => catalog_wire(error),
            Self::Manifest(reason) => wire(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", reason.as_str()),
            Self::ManifestTooLarge => wire(
                StatusCode::PAYLOAD_TOO_LARGE,
                "MANIFEST_INVALID",
                format!("A manifest has at most {} bytes", oci::MAX_MANIFEST_BYTES),
            ),
            Self::ChunkOutOfOrder { first, received, .. } => wire(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "BLOB_UPLOAD_INVALID",
                format!("First byte of the layer part is {first} instead of {received}"),
            ),
            Self::BadHeader(reason) => wire(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", reason.as_str()),
            Self::RangeNotSatisfiable { length } => wire(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "BLOB_UPLOAD_INVALID",
                format!("The blob has {length} bytes"),
            ),
        })
    }

    /// The answer that the client gets; `host` is what a challenge names.
    pub(super) fn answer(&self, base_url: &BaseUrl) -> Outgoing {
        let mut response = match self.wire() {
            Some(wire) => envelope(&wire),
            None if matches!(self, Self::Refused(_)) => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
            None => {
                let mut response = plain(StatusCode::UNAUTHORIZED, "Not Authorized\n");
                let challenge = format!("Basic realm=\"{base_url}/\",service=\"ecr.amazonaws.com\"");
                if let Ok(value) = HeaderValue::from_str(&challenge) {
                    response.headers_mut().insert(WWW_AUTHENTICATE, value);
                }
                response
            }
        };
        let headers = response.headers_mut();
        match self {
            Self::Refused(Refusal::Method(allowed)) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::ChunkOutOfOrder { name, upload, received, .. } => {
                let location = format!("/v2/{name}/blobs/uploads/{upload}");
                let range = format!("0-{}", received.saturating_sub(1));
                for (header, text) in [("location", location), ("range", range)] {
                    if let Ok(value) = HeaderValue::from_str(&text) {
                        headers.insert(header, value);
                    }
                }
            }
            Self::RangeNotSatisfiable { length } => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                    headers.insert(http::header::CONTENT_RANGE, value);
                }
            }
            _ => {}
        }
        response
    }
}

fn internal() -> Wire {
    wire(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "The server failed; its log has the reason.")
}

/// ECR reports parameters that break a pattern as 405 UNSUPPORTED on this face; a digest that is none is
/// 400 DIGEST_INVALID, as the distribution-spec asks.
fn malformed_wire(malformed: &Malformed) -> Wire {
    let unsupported = |message: String| wire(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message);
    match malformed {
        Malformed::Name => wire(
            StatusCode::BAD_REQUEST,
            "NAME_INVALID",
            sentence::constraint(
                "repositoryName",
                &format!("must satisfy regular expression '{}'", oci::RepositoryName::PRINTED_PATTERN),
            ),
        ),
        Malformed::Tag => wire(
            StatusCode::BAD_REQUEST,
            "TAG_INVALID",
            sentence::constraint(
                "imageTag",
                &format!("must satisfy regular expression '{}'", oci::Tag::PRINTED_PATTERN),
            ),
        ),
        Malformed::Digest(text) => wire(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            format!("The digest {text:?} is not sha256:<64 hex digits> or sha512:<128 hex digits>"),
        ),
        Malformed::DigestMissing => {
            wire(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "The query parameter digest is missing")
        }
        Malformed::TagsBesideTag => wire(
            StatusCode::BAD_REQUEST,
            "TAG_INVALID",
            "The query parameter tag belongs to a push by digest; this one is by tag",
        ),
        Malformed::TooManyTags => wire(
            StatusCode::URI_TOO_LONG,
            "TAG_INVALID",
            format!("A push by digest has at most {MAX_TAG_PARAMETERS} query parameters tag"),
        ),
        Malformed::Upload => wire(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "The upload does not exist"),
        Malformed::Limit => unsupported(sentence::constraint(
            "maxResults",
            "Member must have value less than or equal to 1000",
        )),
    }
}

fn catalog_wire(error: &catalog::Error) -> Wire {
    use catalog::Error as E;
    let bad = StatusCode::BAD_REQUEST;
    let missing = StatusCode::NOT_FOUND;
    let (status, code) = match error {
        E::RepositoryNotFound(_) => (missing, "NAME_UNKNOWN"),
        E::ImageNotFound { .. } => {
            return wire(missing, "MANIFEST_UNKNOWN", "Requested image not found");
        }
        E::ImageTagAlreadyExists { .. } => (bad, "TAG_INVALID"),
        E::ImageDigestDoesNotMatch { .. } => (bad, "MANIFEST_INVALID"),
        E::LayersNotFound { .. } | E::ReferencedImagesNotFound { .. } => (missing, "MANIFEST_BLOB_UNKNOWN"),
        E::InvalidLayer { .. } => (bad, "BLOB_UPLOAD_INVALID"),
        E::InvalidLayerPart { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
        E::InvalidLayerPartLength { .. } | E::LayerPartTooSmall { .. } | E::LayerTooLarge { .. } => {
            (bad, "SIZE_INVALID")
        }
        E::EmptyUpload { .. } | E::BodyInterrupted => (bad, "BLOB_UPLOAD_INVALID"),
        E::UploadNotFound { .. } => (missing, "BLOB_UPLOAD_UNKNOWN"),
        E::LayerNotFound { .. } | E::LayerInaccessible { .. } | E::Damaged(_) => (missing, "BLOB_UNKNOWN"),
        E::InvalidParameter { parameter: "ImageManifest", .. } => (bad, "MANIFEST_INVALID"),
        E::InvalidParameter { .. } | E::InvalidParameterMessage(_) | E::InvalidCursor => {
            (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED")
        }
        E::LimitExceeded { .. } => (StatusCode::FORBIDDEN, "DENIED"),
        E::ImageReferenced { .. } | E::LayerReferenced { .. } => {
            (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED")
        }
        // These belong to operations that this face does not have.
        E::RepositoryAlreadyExists(_)
        | E::RepositoryNotEmpty(_)
        | E::RepositoryPolicyNotFound(_)
        | E::LifecyclePolicyNotFound(_)
        | E::TemplateAlreadyExists { .. }
        | E::TemplateNotFound { .. }
        | E::ImageAlreadyExists { .. }
        | E::LayerAlreadyExists { .. }
        | E::TooManyTags
        | E::InvalidTagParameter { .. }
        | E::NotSupported { .. } => (bad, "UNSUPPORTED"),
        E::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN"),
        E::Busy => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        E::Internal(_) => return internal(),
    };
    wire(status, code, sentence::catalog(error))
}

fn envelope(wire: &Wire) -> Outgoing {
    let body = serde_json::json!({"errors": [{"code": wire.code, "message": wire.message}]}).to_string();
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = wire.status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn plain(status: StatusCode, text: &'static str) -> Outgoing {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests;
