//! Why bytes are not a manifest.

use crate::strict_json::JsonFault;

/// Longest [`ManifestError::Invalid`] reason in characters: it may quote the document.
const MAX_REASON_CHARACTERS: usize = 200;

/// Why bytes are not a manifest that the service stores.
///
/// `Display` gives the documented sentence where there is one (ecr.md §1.4, §4.2): for
/// [`ManifestError::NotJson`] the constraint of member `ImageManifest`, for
/// [`ManifestError::MediaTypeMissing`] the whole message. The others have no known text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Longer than [`crate::MAX_MANIFEST_BYTES`].
    #[error("the manifest has {size_bytes} bytes, at most {max} are taken", max = super::MAX_MANIFEST_BYTES)]
    TooLarge {
        /// Length of the document.
        size_bytes: usize,
    },
    /// Not one JSON value in UTF-8.
    #[error("Invalid JSON syntax")]
    NotJson,
    /// Neither the document nor the request says what it is.
    #[error("image manifest mediatype not provided in manifest or parameter")]
    MediaTypeMissing,
    /// The document and the request say different things.
    #[error("the manifest is declared as {declared:?} and says of itself {found:?}")]
    MediaTypeMismatch {
        /// From the request, at most 255 characters.
        declared: String,
        /// From the document, at most 255 characters.
        found: String,
    },
    /// A type that is no manifest, or one that the service does not store.
    #[error("manifests of type {media_type:?} are not supported")]
    UnsupportedMediaType {
        /// The type, at most 255 characters.
        media_type: String,
    },
    /// JSON of a known type that breaks the rules of that type.
    #[error("the manifest is not valid: {reason}")]
    Invalid {
        /// Where and what, one line of at most 200 characters; control characters are replaced.
        reason: String,
    },
}

impl ManifestError {
    /// An [`ManifestError::Invalid`] with a reason that is safe to print: one bounded line.
    pub(super) fn invalid(reason: impl std::fmt::Display) -> Self {
        let line = reason.to_string();
        let printable = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        Self::Invalid { reason: printable.take(MAX_REASON_CHARACTERS).collect() }
    }
}

impl From<JsonFault> for ManifestError {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::Syntax => Self::NotJson,
            JsonFault::TooDeep | JsonFault::TooManyMembers | JsonFault::DuplicateMember => {
                Self::invalid(fault)
            }
        }
    }
}
