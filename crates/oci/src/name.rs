//! Repository names.
//!
//! Owns the grammar of a repository name: components of lower-case letters and digits, joined inside by
//! `.`, `_`, `__` or a run of `-`, and between each other by `/`. Source: ecr.md §3 (the newer pattern of
//! the service model; the service *prints* the older one, see [`RepositoryName::PRINTED_PATTERN`]).
//!
//! ```
//! use oci::RepositoryName;
//! assert_eq!(RepositoryName::parse("team-a/web__ui").unwrap().as_str(), "team-a/web__ui");
//! assert!(RepositoryName::parse("../etc").is_err());
//! ```

use std::sync::Arc;

use crate::text::text_traits;

/// The name of a repository inside one registry: 2 to 256 characters, cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

/// Why a text is not a repository name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Shorter than [`RepositoryName::MIN_LENGTH`].
    #[error("a repository name has at least 2 characters, this one has {length}")]
    TooShort {
        /// Length found, in bytes.
        length: usize,
    },
    /// Longer than [`RepositoryName::MAX_LENGTH`].
    #[error("a repository name has at most 256 characters, this one has {length}")]
    TooLong {
        /// Length found, in bytes.
        length: usize,
    },
    /// Does not satisfy the pattern.
    #[error("a repository name cannot go on like this at byte {position}")]
    Pattern {
        /// Byte offset of the first byte that cannot be part of a name; the length if the name just stops.
        position: usize,
    },
}

impl RepositoryName {
    /// Fewest characters (ecr.md §3).
    pub const MIN_LENGTH: usize = 2;
    /// Most characters (ecr.md §3).
    pub const MAX_LENGTH: usize = 256;
    /// The pattern that the service prints in its error, older than the one it accepts (ecr.md §1.4, §3).
    pub const PRINTED_PATTERN: &str = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

    /// Reads a name.
    ///
    /// # Errors
    /// [`NameError::TooShort`], [`NameError::TooLong`], [`NameError::Pattern`]. The pattern is judged
    /// first: an over-long path trick is reported by what it is, not by its length.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(position) = first_fault(text.as_bytes()) {
            // "" has its fault at position 0, but the reader of the error wants to know that it is empty.
            if !text.is_empty() {
                return Err(NameError::Pattern { position });
            }
        }
        let length = text.len();
        if length < Self::MIN_LENGTH {
            return Err(NameError::TooShort { length });
        }
        if length > Self::MAX_LENGTH {
            return Err(NameError::TooLong { length });
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(RepositoryName, NameError);

/// What the bytes before this one allow.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// A component starts, or a single `.` or a second `_` went by: a letter or digit must follow.
    NeedsAlphanumeric,
    /// A letter or digit: anything may follow, and the name may end.
    Alphanumeric,
    /// One `_`: another, or a letter or digit.
    Underscore,
    /// One or more `-`: more of them, or a letter or digit.
    Dash,
}

/// Offset of the first byte that no name continues with, or the length if the text stops too early.
fn first_fault(text: &[u8]) -> Option<usize> {
    let mut before = Before::NeedsAlphanumeric;
    for (position, byte) in text.iter().enumerate() {
        before = match (byte, before) {
            (b'a'..=b'z' | b'0'..=b'9', _) => Before::Alphanumeric,
            (b'.' | b'/', Before::Alphanumeric) | (b'_', Before::Underscore) => Before::NeedsAlphanumeric,
            (b'_', Before::Alphanumeric) => Before::Underscore,
            (b'-', Before::Alphanumeric | Before::Dash) => Before::Dash,
            _ => return Some(position),
        };
    }
    (before != Before::Alphanumeric).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_the_model_pattern_are_accepted() {
        for name in [
            "ab",
            "randserver",
            "0a",
            "12",
            "team/app",
            "a/b",
            "a.b",
            "a_b",
            "a__b",
            "a-b",
            "a---b",
            "a.b_c__d-e/f.g/h1/2",
        ] {
            assert_eq!(RepositoryName::parse(name).unwrap().as_str(), name);
        }
        assert!(RepositoryName::parse(&"a".repeat(256)).is_ok());
    }

    #[test]
    fn everything_else_is_refused_at_its_first_wrong_byte() {
        for (name, position) in [
            ("A/b", 0),
            ("aB", 1),
            ("/ab", 0),
            ("ab/", 3),
            ("a//b", 2),
            ("a..b", 2),
            ("a___b", 3),
            ("a._b", 2),
            ("a-_b", 2),
            ("-ab", 0),
            ("ab-", 3),
            ("_ab", 0),
            ("ab.", 3),
            ("..", 0),
            ("../etc", 0),
            ("a/../b", 2),
            ("a/./b", 2),
            ("a%2e", 1),
            ("a%00b", 1),
            ("a\0b", 1),
            ("a b", 1),
            ("a\nb", 1),
            ("a:b", 1),
            ("a\\b", 1),
            ("aé", 1),
        ] {
            assert_eq!(RepositoryName::parse(name), Err(NameError::Pattern { position }), "{name:?}");
        }
    }

    #[test]
    fn length_has_both_bounds() {
        assert_eq!(RepositoryName::parse(""), Err(NameError::TooShort { length: 0 }));
        assert_eq!(RepositoryName::parse("a"), Err(NameError::TooShort { length: 1 }));
        assert_eq!(RepositoryName::parse(&"a".repeat(257)), Err(NameError::TooLong { length: 257 }));
    }

    #[test]
    fn json_goes_through_the_same_check() {
        let name: RepositoryName = serde_json::from_str("\"team/app\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"team/app\"");
        assert!(serde_json::from_str::<RepositoryName>("\"Team\"").is_err());
    }

    proptest! {
        #[test]
        fn generated_names_survive_a_round_trip(
            name in "[a-z0-9]{2,5}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}){0,4}"
        ) {
            let parsed = RepositoryName::parse(&name).unwrap();
            prop_assert_eq!(parsed.to_string(), name);
        }

        #[test]
        fn no_text_panics_and_no_accepted_name_leaves_its_folder(text in ".{0,40}") {
            if let Ok(name) = RepositoryName::parse(&text) {
                let clean = name.as_str().split('/').all(|part| !part.is_empty() && part != "." && part != "..");
                prop_assert!(clean);
            }
        }
    }
}
