//! Exclusion filters of tag mutability.
//!
//! A repository in a `*_WITH_EXCLUSION` mode carries one to five of these; a tag that matches any of them
//! follows the opposite rule (ecr.md §4.9). The only filter type is `WILDCARD`.
//!
//! ```
//! use oci::{Tag, TagFilter};
//! let filter = TagFilter::parse("dev-*").unwrap();
//! assert!(filter.matches(&Tag::parse("dev-17").unwrap()));
//! assert!(!filter.matches(&Tag::parse("my-dev-17").unwrap()));
//! ```

use std::sync::Arc;

use crate::tag::Tag;
use crate::text::text_traits;
use crate::wildcard;

/// A whole-tag wildcard pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagFilter(Arc<str>);

/// Why a text is not a tag filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagFilterError {
    /// Empty, or longer than [`TagFilter::MAX_LENGTH`].
    #[error("a tag filter has 1 to 128 characters, this one has {length}")]
    Length {
        /// Length found, in bytes.
        length: usize,
    },
    /// A character outside `[0-9a-zA-Z._*-]`.
    #[error("a tag filter cannot have this character at byte {position}")]
    Character {
        /// Byte offset of the first wrong character.
        position: usize,
    },
    /// More than [`TagFilter::MAX_WILDCARDS`] `*`.
    #[error("a tag filter has at most 2 wildcards, this one has {found}")]
    TooManyWildcards {
        /// Number of `*` found.
        found: usize,
    },
}

impl TagFilter {
    /// Most characters.
    pub const MAX_LENGTH: usize = 128;
    /// Most `*` in one filter (unverified).
    pub const MAX_WILDCARDS: usize = 2;
    /// Most filters on one repository.
    pub const MAX_PER_REPOSITORY: usize = 5;

    /// Reads a filter.
    ///
    /// # Errors
    /// [`TagFilterError::Character`], [`TagFilterError::Length`], [`TagFilterError::TooManyWildcards`],
    /// judged in this order.
    pub fn parse(text: &str) -> Result<Self, TagFilterError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._*-".contains(&byte);
        if let Some(position) = text.bytes().position(|byte| !allowed(byte)) {
            return Err(TagFilterError::Character { position });
        }
        if text.is_empty() || text.len() > Self::MAX_LENGTH {
            return Err(TagFilterError::Length { length: text.len() });
        }
        let found = text.bytes().filter(|byte| *byte == b'*').count();
        if found > Self::MAX_WILDCARDS {
            return Err(TagFilterError::TooManyWildcards { found });
        }
        Ok(Self(text.into()))
    }

    /// Whether the whole tag matches. Linear in the two lengths.
    #[must_use]
    pub fn matches(&self, tag: &Tag) -> bool {
        wildcard::matches(&self.0, tag.as_str())
    }

    /// The filter as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(TagFilter, TagFilterError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for filter in ["*", "a", "dev-*", "*-cache*", "a.b_c-D9"] {
            assert_eq!(TagFilter::parse(filter).unwrap().as_str(), filter);
        }
        assert!(TagFilter::parse(&"a".repeat(128)).is_ok());
        for (filter, error) in [
            (String::new(), TagFilterError::Length { length: 0 }),
            ("a".repeat(129), TagFilterError::Length { length: 129 }),
            ("a?".into(), TagFilterError::Character { position: 1 }),
            ("^a".into(), TagFilterError::Character { position: 0 }),
            ("a/b".into(), TagFilterError::Character { position: 1 }),
            ("a\n".into(), TagFilterError::Character { position: 1 }),
            ("***".into(), TagFilterError::TooManyWildcards { found: 3 }),
        ] {
            assert_eq!(TagFilter::parse(&filter), Err(error), "{filter:?}");
        }
    }

    #[test]
    fn a_filter_covers_the_whole_tag_and_a_dot_is_a_dot() {
        let matches =
            |filter: &str, tag: &str| TagFilter::parse(filter).unwrap().matches(&Tag::parse(tag).unwrap());
        assert!(matches("cache", "cache"));
        assert!(!matches("cache", "buildcache"));
        assert!(!matches("v1.0", "v1x0"));
        assert!(matches("sha256-*", "sha256-0d1d.sig"));
    }
}
