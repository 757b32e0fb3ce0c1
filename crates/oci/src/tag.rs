//! Image tags.
//!
//! Owns the grammar of a tag, `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (ecr.md §4.1, §8.6).
//!
//! ```
//! use oci::Tag;
//! assert!(Tag::parse("8.0.12-c15").is_ok());
//! assert!(Tag::parse("1.0.0+build").is_err()); // semver build metadata is not a tag
//! ```

use std::sync::Arc;

use crate::text::text_traits;

/// A tag: 1 to 128 characters, cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

/// Why a text is not a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The text is empty.
    #[error("a tag has at least one character")]
    Empty,
    /// Longer than [`Tag::MAX_LENGTH`].
    #[error("a tag has at most 128 characters, this one has {length}")]
    TooLong {
        /// Length found, in bytes.
        length: usize,
    },
    /// A character that tags do not have, or `.` or `-` in front.
    #[error("a tag cannot have this character at byte {position}")]
    Character {
        /// Byte offset of the first wrong character.
        position: usize,
    },
}

impl Tag {
    /// Most characters.
    pub const MAX_LENGTH: usize = 128;
    /// The pattern that the service prints in its error (ecr.md §1.4); it leaves out the first-character rule.
    pub const PRINTED_PATTERN: &str = "[a-zA-Z0-9-_.]+";

    /// Reads a tag.
    ///
    /// # Errors
    /// [`TagError::Empty`], [`TagError::Character`], [`TagError::TooLong`], judged in this order.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        if text.is_empty() {
            return Err(TagError::Empty);
        }
        let fault = text.bytes().enumerate().position(|(position, byte)| {
            let inside = position > 0 && matches!(byte, b'.' | b'-');
            !(byte.is_ascii_alphanumeric() || byte == b'_' || inside)
        });
        if let Some(position) = fault {
            return Err(TagError::Character { position });
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(TagError::TooLong { length: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(Tag, TagError);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_people_use_are_accepted() {
        for tag in [
            "latest",
            "stable",
            "v1.7.3",
            "8.0.12-c15",
            "0d1d7fc32c4fd3ab1f5cba6cd1b5f5b6b2a6b1c3",
            "_",
            "_x",
            "A",
            "sha256-0d1d.sig",
            "a..b",
            "a-",
            "a.",
        ] {
            assert_eq!(Tag::parse(tag).unwrap().as_str(), tag);
        }
        assert!(Tag::parse(&"a".repeat(128)).is_ok());
    }

    #[test]
    fn the_rest_is_named() {
        for (tag, error) in [
            (String::new(), TagError::Empty),
            ("-a".into(), TagError::Character { position: 0 }),
            (".a".into(), TagError::Character { position: 0 }),
            ("..".into(), TagError::Character { position: 0 }),
            ("1.0+x".into(), TagError::Character { position: 3 }),
            ("a/b".into(), TagError::Character { position: 1 }),
            ("a:b".into(), TagError::Character { position: 1 }),
            ("a b".into(), TagError::Character { position: 1 }),
            ("a\0".into(), TagError::Character { position: 1 }),
            ("a%2e".into(), TagError::Character { position: 1 }),
            ("é".into(), TagError::Character { position: 0 }),
            ("a".repeat(129), TagError::TooLong { length: 129 }),
        ] {
            assert_eq!(Tag::parse(&tag), Err(error), "{tag:?}");
        }
    }

    proptest! {
        #[test]
        fn generated_tags_survive_a_round_trip(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            prop_assert_eq!(Tag::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            if let Ok(tag) = Tag::parse(&text) {
                prop_assert_eq!(tag.as_str(), text);
            }
        }
    }
}
