//! Images as batch requests name them, and how one of them fails (ecr.md §4.1, §4.4).

use oci::{Tag, is_ecr_digest_form};

use crate::catalog::Error;

/// An image as a batch request names it: by digest, by tag, or by both, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ImageId {
    /// `sha256:…`
    pub digest: Option<String>,
    /// A tag.
    pub tag: Option<String>,
}

/// Why one id of a batch failed; the codes are ECR's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureCode {
    /// Neither digest nor tag.
    MissingDigestAndTag,
    /// Not of a digest's form.
    InvalidImageDigest,
    /// Not of a tag's form.
    InvalidImageTag,
    /// No such image.
    ImageNotFound,
    /// The tag points at another digest.
    ImageTagDoesNotMatchDigest,
    /// An index needs the image.
    ImageReferencedByManifestList {
        /// The indexes.
        indexes: Vec<String>,
    },
}

/// One id that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// As sent.
    pub id: ImageId,
    /// Why.
    pub code: FailureCode,
}

impl ImageId {
    /// The form checks that need no look at the catalog.
    pub(super) fn check(&self) -> Result<(), FailureCode> {
        if self.digest.is_none() && self.tag.is_none() {
            return Err(FailureCode::MissingDigestAndTag);
        }
        if self.digest.as_deref().is_some_and(|digest| !is_ecr_digest_form(digest)) {
            return Err(FailureCode::InvalidImageDigest);
        }
        if self.tag.as_deref().is_some_and(|tag| !has_tag_form(tag)) {
            return Err(FailureCode::InvalidImageTag);
        }
        Ok(())
    }
}

/// The pattern that the failure prints, which is wider than what a push accepts: such a tag is of the right form
/// and cannot exist.
fn has_tag_form(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Reads a tag column.
pub(super) fn stored_tag(text: &str) -> Result<Tag, Error> {
    Tag::parse(text).map_err(|_| crate::store::db::Error::Corrupt(format!("{text:?} is no tag")).into())
}
