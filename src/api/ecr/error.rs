//! Errors of the ECR door: every cause → exception, status and sentence, in one total match (ecr.md §1.2–1.5).

use aws::sigv4::AuthError;
use http::StatusCode;
use serde_json::Value;

use crate::access::{AccessError, NotGranted, SignatureError};
use crate::api::sentence;
use crate::{catalog, identity};

/// Why a request of the ECR API fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `X-Amz-Target` names no operation of ECR.
    #[error("no such operation")]
    UnknownOperation,
    /// The operation exists in ECR but not here.
    #[error("{operation} is not built")]
    NotBuilt {
        /// Its name.
        operation: &'static str,
    },
    /// The body is larger than any request of the operation can be.
    #[error("the body has more than {limit} bytes")]
    BodyTooLarge {
        /// The most it may have.
        limit: usize,
    },
    /// The client went away in the middle of its body.
    #[error("the body ended early")]
    BodyInterrupted,
    /// The signature is missing or wrong, or could not be checked.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body is not the JSON of the operation, or breaks a constraint of its shape.
    #[error(transparent)]
    Decode(#[from] aws::DecodeError),
    /// The policies do not allow it, or could not be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The operation asked for a proof that its checks did not name.
    #[error(transparent)]
    NotGranted(#[from] NotGranted),
    /// The catalog refuses.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The identities could not be read.
    #[error("identities cannot be read: {0}")]
    Identity(#[from] identity::Error),
}

/// What goes over the wire.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wire {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) extra: Vec<(&'static str, Value)>,
}

fn refusal(kind: &'static str, message: impl Into<String>) -> Wire {
    Wire { status: StatusCode::BAD_REQUEST, kind, message: message.into(), extra: Vec::new() }
}

fn failure() -> Wire {
    Wire {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        ..refusal("ServerException", "The server failed; its log has the reason under the request id.")
    }
}

impl Error {
    /// There is no signature at all.
    pub(super) fn unsigned() -> Self {
        Self::Signature(SignatureError::Refused(AuthError::MissingAuthenticationToken))
    }

    /// A rule about a parameter that the shapes do not express; `constraint` without quotes.
    pub(super) fn parameter(parameter: &'static str, constraint: impl Into<String>) -> Self {
        Self::Catalog(catalog::Error::InvalidParameter { parameter, constraint: constraint.into() })
    }

    /// Status, exception and sentence.
    pub(super) fn wire(&self) -> Wire {
        match self {
            Self::UnknownOperation | Self::Decode(aws::DecodeError::UnknownOperation) => {
                refusal("UnknownOperationException", "")
            }
            // Not a code that SDKs retry, and not one that ECR uses for anything else.
            Self::NotBuilt { operation } => refusal(
                "UnsupportedOperationException",
                format!(
                    "{operation} is an operation of Amazon ECR that this server does not implement; \
                     docs/reference/compatibility.md lists what it does"
                ),
            ),
            Self::BodyTooLarge { limit } => Wire {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                ..refusal(
                    "RequestEntityTooLargeException",
                    format!("The request's body has more than {limit} bytes"),
                )
            },
            Self::BodyInterrupted => {
                refusal("SerializationException", "The request's body ended before its declared length")
            }
            Self::Signature(SignatureError::Refused(error)) => {
                refusal(error.json_code(), signature_message(error))
            }
            Self::Decode(error @ aws::DecodeError::Serialization { .. }) => {
                refusal("SerializationException", error.to_string())
            }
            Self::Decode(aws::DecodeError::Invalid(violations)) => refusal(
                "InvalidParameterException",
                violations.first().map(aws::ecr_message).unwrap_or_default(),
            ),
            Self::Access(AccessError::Denied { sentence }) => {
                refusal("AccessDeniedException", sentence.as_str())
            }
            Self::Catalog(error) => catalog_wire(error),
            Self::Signature(SignatureError::Internal(_))
            | Self::Access(AccessError::Identity(_) | AccessError::Catalog(_))
            | Self::NotGranted(_)
            | Self::Identity(_) => failure(),
        }
    }

    /// Status and body of the answer.
    pub(super) fn answer(&self) -> (StatusCode, Vec<u8>) {
        let wire = self.wire();
        (wire.status, aws::json::error_body(wire.kind, &wire.message, &wire.extra))
    }

    /// The log gets the cause once; the client gets the sentence.
    pub(super) fn report(&self) {
        if self.wire().status.is_server_error() {
            tracing::error!(error = %chain(self), "request failed");
        } else {
            tracing::debug!(error = %self, "request refused");
        }
    }
}

/// ECR's front end words the missing signature in its own way (ecr.md §1.2).
fn signature_message(error: &AuthError) -> &str {
    match error {
        AuthError::MissingAuthenticationToken => "Missing Authentication Token",
        AuthError::MalformedQueryString
        | AuthError::IncompleteSignature(_)
        | AuthError::SignatureDoesNotMatch(_)
        | AuthError::InvalidClientToken { .. }
        | AuthError::ExpiredToken => error.message(),
    }
}

fn catalog_wire(error: &catalog::Error) -> Wire {
    use catalog::Error as E;
    let kind = match error {
        E::RepositoryNotFound(_) => "RepositoryNotFoundException",
        E::RepositoryAlreadyExists(_) => "RepositoryAlreadyExistsException",
        E::RepositoryNotEmpty(_) => "RepositoryNotEmptyException",
        E::RepositoryPolicyNotFound(_) => "RepositoryPolicyNotFoundException",
        E::LifecyclePolicyNotFound(_) => "LifecyclePolicyNotFoundException",
        E::TemplateAlreadyExists { .. } => "TemplateAlreadyExistsException",
        E::TemplateNotFound { .. } => "TemplateNotFoundException",
        E::ImageNotFound { .. } => "ImageNotFoundException",
        E::ImageAlreadyExists { .. } => "ImageAlreadyExistsException",
        E::ImageTagAlreadyExists { .. } => "ImageTagAlreadyExistsException",
        E::ImageDigestDoesNotMatch { .. } => "ImageDigestDoesNotMatchException",
        // A damaged blob counts as missing, so that the next push brings it back.
        E::LayersNotFound { .. } | E::LayerNotFound { .. } | E::Damaged(_) => "LayersNotFoundException",
        E::ReferencedImagesNotFound { .. } => "ReferencedImagesNotFoundException",
        E::LayerInaccessible { .. } => "LayerInaccessibleException",
        E::LayerAlreadyExists { .. } => "LayerAlreadyExistsException",
        E::InvalidLayer { .. } => "InvalidLayerException",
        E::InvalidLayerPart { .. } | E::InvalidLayerPartLength { .. } => "InvalidLayerPartException",
        E::LayerPartTooSmall { .. } => "LayerPartTooSmallException",
        E::EmptyUpload { .. } => "EmptyUploadException",
        E::UploadNotFound { .. } => "UploadNotFoundException",
        E::LayerTooLarge { .. } | E::LimitExceeded { .. } => "LimitExceededException",
        E::TooManyTags => "TooManyTagsException",
        E::InvalidTagParameter { .. } => "InvalidTagParameterException",
        E::ImageReferenced { .. }
        | E::LayerReferenced { .. }
        | E::InvalidParameter { .. }
        | E::InvalidParameterMessage(_)
        | E::NotSupported { .. }
        | E::InvalidCursor => "InvalidParameterException",
        E::BodyInterrupted => "SerializationException",
        E::Busy => "ThrottlingException",
        E::StorageFull => {
            return Wire {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                ..refusal("ServerException", sentence::catalog(error))
            };
        }
        E::Internal(_) => return failure(),
    };
    Wire { extra: extra(error), ..refusal(kind, sentence::catalog(error)) }
}

/// The members that two exceptions have beside their message.
fn extra(error: &catalog::Error) -> Vec<(&'static str, Value)> {
    use catalog::Error as E;
    let (E::InvalidLayerPart { place, upload, expected, .. }
    | E::InvalidLayerPartLength { place, upload, expected, .. }) = error
    else {
        return Vec::new();
    };
    vec![
        ("registryId", Value::from(place.account.as_str())),
        ("repositoryName", Value::from(place.name.as_str())),
        ("uploadId", Value::from(upload.as_str())),
        // Nothing received yet has no last byte; -1 keeps `lastValidByteReceived + 1` the next one.
        ("lastValidByteReceived", Value::from(i64::try_from(*expected).unwrap_or(i64::MAX) - 1)),
    ]
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
