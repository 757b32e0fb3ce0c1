//! References: what stands after `/manifests/`, a tag or a digest.
//!
//! ```
//! use oci::Reference;
//! assert!(matches!(Reference::parse("latest"), Ok(Reference::Tag(_))));
//! ```

use crate::digest::{Digest, DigestError};
use crate::tag::{Tag, TagError};
use crate::text::text_traits;

/// A way to name one image in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A movable name.
    Tag(Tag),
    /// The identity of the manifest bytes.
    Digest(Digest),
}

/// Why a text is neither a tag nor a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has no colon and is not a tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// It has a colon and is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Reference {
    /// Reads a reference: with a colon it is a digest, without a tag (a tag cannot contain a colon).
    ///
    /// # Errors
    /// [`ReferenceError::Tag`] or [`ReferenceError::Digest`] with the cause.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            Ok(Self::Digest(Digest::parse(text)?))
        } else {
            Ok(Self::Tag(Tag::parse(text)?))
        }
    }

    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

text_traits!(Reference, ReferenceError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colon_decides() {
        let digest = Digest::sha256_of(b"x");
        assert_eq!(Reference::parse(digest.as_str()), Ok(Reference::Digest(digest)));
        assert_eq!(Reference::parse("v1"), Ok(Reference::Tag(Tag::parse("v1").unwrap())));
        assert_eq!(Reference::parse("v:1"), Err(ReferenceError::Digest(DigestError::UnsupportedAlgorithm)));
        assert_eq!(Reference::parse(""), Err(ReferenceError::Tag(TagError::Empty)));
    }
}
