//! Why a text is not a lifecycle policy, in the service's words.
//!
//! The schema sentences are those of the JSON-schema validator behind the service. Sentences marked
//! (unverified) are guesses: the service refuses these policies in words that nobody has reported.

use std::fmt;

use serde_json::Value;

use super::{MAX_PATTERN_WILDCARDS, MAX_RULES, MAX_TEXT_CHARACTERS};

/// Why a text is not a lifecycle policy. `Display` gives the part of the message that varies (ecr.md §5.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than [`MAX_TEXT_CHARACTERS`]. The shape of the request says this first where there is one.
    #[error("Member must have length less than or equal to {MAX_TEXT_CHARACTERS}")]
    TooLong,
    /// Not a JSON object; also a document with duplicate members, very deep nesting, or numbers beyond
    /// `i32::MAX` (these three unverified).
    #[error("Could not map policyString into LifecyclePolicy.")]
    NotAPolicy,
    /// Breaks the schema: one sentence per fault, joined by newlines. Never empty.
    #[error("{}", lines(.0))]
    Schema(Vec<SchemaFault>),
    /// Each rule is well-formed, but one is contradictory or two do not fit together.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// One place where the document breaks the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaFault {
    /// Members that must be there; sorted.
    MissingProperties(Vec<&'static str>),
    /// Members that the schema does not know; sorted.
    UnknownProperties(Vec<String>),
    /// A value of the wrong JSON type.
    Type {
        /// JSON-schema name of the type found.
        found: &'static str,
        /// JSON-schema name of the type that belongs there.
        allowed: &'static str,
    },
    /// A text that is none of the possible ones.
    Enumeration {
        /// The text found.
        found: String,
        /// The possible texts; sorted.
        possible: &'static [&'static str],
    },
    /// Count type, unit, storage class and action that do not go together.
    NoAlternative,
    /// A number below its minimum.
    BelowMinimum {
        /// Smallest allowed number.
        minimum: u32,
        /// The number as written.
        found: String,
    },
    /// More than [`MAX_RULES`] rules (sentence unverified).
    TooManyRules {
        /// Number of rules.
        found: usize,
    },
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingProperties(names) => {
                let names = array(names.iter().copied());
                write!(formatter, "object has missing required properties ({names})")
            }
            Self::UnknownProperties(names) => {
                let names = array(names.iter().map(String::as_str));
                write!(
                    formatter,
                    "object instance has properties which are not allowed by the schema: ({names})"
                )
            }
            Self::Type { found, allowed } => {
                let allowed = array([*allowed]);
                write!(
                    formatter,
                    "instance type ({found}) does not match any allowed primitive type (allowed: {allowed})"
                )
            }
            Self::Enumeration { found, possible } => {
                let (found, possible) = (Value::from(found.as_str()), array(possible.iter().copied()));
                write!(formatter, "instance value ({found}) not found in enum (possible values: {possible})")
            }
            Self::NoAlternative => {
                formatter.write_str("instance failed to match exactly one schema (matched 0 out of 2)")
            }
            Self::BelowMinimum { minimum, found } => write!(
                formatter,
                "numeric instance is lower than the required minimum (minimum: {minimum}, found: {found})"
            ),
            Self::TooManyRules { found } => write!(
                formatter,
                "array is too long: must have at most {MAX_RULES} elements but instance has {found} elements"
            ),
        }
    }
}

/// A contradiction in one rule or between rules (ecr.md §5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// `tagStatus` is `tagged` and both lists are absent or empty.
    #[error("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.")]
    TagListMissing,
    /// A list of tags although the rule does not select tagged images (sentence unverified).
    #[error("tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED.")]
    TagListForbidden,
    /// Prefixes and patterns in one rule (sentence unverified).
    #[error("Only one of tagPrefixList and tagPatternList can be specified.")]
    TwoTagLists,
    /// A pattern with more than [`MAX_PATTERN_WILDCARDS`] `*` (sentence unverified).
    #[error("A tag pattern can contain at most {MAX_PATTERN_WILDCARDS} wildcards: {}", Value::from(.pattern.as_str()))]
    TooManyWildcards {
        /// The pattern.
        pattern: String,
    },
    /// Two rules of one priority (sentence unverified).
    #[error("Rule priorities must be unique: {priority} is used by more than one rule.")]
    DuplicatePriority {
        /// The priority.
        priority: u32,
    },
    /// Two rules for untagged images in one storage class.
    #[error("Only one rule can select Untagged images per storage class")]
    SecondUntagged,
    /// A rule for any image is followed by another rule of its storage class.
    #[error("Rule for tagStatus=ANY must have the lowest priority per storage class")]
    AnyNotLast,
    /// Two rules of one storage class with the same set of prefixes or patterns (sentence unverified).
    #[error("Rules {first} and {second} select the same tags; tag lists must be unique per storage class.")]
    SameTags {
        /// Priority of the more important rule.
        first: u32,
        /// Priority of the other.
        second: u32,
    },
}

fn lines(faults: &[SchemaFault]) -> String {
    faults.iter().map(SchemaFault::to_string).collect::<Vec<_>>().join("\n")
}

/// `["a","b"]`, with JSON escapes: names come from the document.
fn array<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    Value::from_iter(names).to_string()
}
