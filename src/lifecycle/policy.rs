//! A lifecycle policy as a checked value.
//!
//! Text goes through three gates in this order, as in the service (ecr.md §5.3): it must be a JSON object,
//! it must satisfy the schema (`schema`, all faults reported together), and its rules must fit together
//! (`constraints`, the first conflict reported).
//!
//! ```json
//! {"rules":[{"rulePriority":1,"description":"old builds","selection":{"tagStatus":"tagged",
//!   "tagPatternList":["build-*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":14},
//!   "action":{"type":"expire"}}]}
//! ```

mod canonical;
mod constraints;
mod error;
mod schema;

use oci::strict_json::{self, Limits};
use serde_json::Value;

pub use error::{PolicyError, RuleError, SchemaFault};

/// Longest policy text in characters (ecr.md §9).
pub const MAX_TEXT_CHARACTERS: usize = 30_720;
/// Most rules in one policy (ecr.md §5.1).
pub const MAX_RULES: usize = 50;
/// Most `*` in one entry of a `tagPatternList` (ecr.md §5.1).
pub const MAX_PATTERN_WILDCARDS: usize = 4;
/// Fewest days an image stays archived before a rule may expire it (ecr.md §5.1).
pub const MIN_ARCHIVE_DAYS: u32 = 90;

/// A policy nests 5 deep and its objects have at most 7 members; the rest is room for a better message.
const LIMITS: Limits = Limits { depth: 32, members: 1024 };

/// A valid lifecycle policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecyclePolicy {
    // INVARIANT: sorted by priority, priorities unique.
    rules: Vec<Rule>,
}

/// One rule: which images, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// 1 to `i32::MAX`; a lower number is judged earlier.
    pub priority: u32,
    /// The author's words, kept as they are; `None` when there were none.
    pub description: Option<String>,
    /// Which images.
    pub selection: Selection,
    /// What becomes of them.
    pub action: Action,
}

/// Which images a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// By their tags.
    pub tags: TagSelection,
    /// By where they are stored, as the author wrote it; see [`Selection::storage_class`].
    pub stated_storage_class: Option<StorageClass>,
    /// By number or age.
    pub count: Count,
}

impl Selection {
    /// The storage class that the rule is about: the stated one, else standard.
    #[must_use]
    pub fn storage_class(&self) -> StorageClass {
        self.stated_storage_class.unwrap_or(StorageClass::Standard)
    }
}

/// The tags that an image must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagSelection {
    /// Every entry of the list must be satisfied by at least one of the image's tags (ecr.md §5.5).
    Tagged(TagList),
    /// No tags.
    Untagged,
    /// Any image.
    Any,
}

/// A list of conditions on tags, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagList {
    /// `tagPrefixList`: what tags begin with, literally.
    Prefixes(Vec<String>),
    /// `tagPatternList`: whole tags with `*` for any run of characters, see [`oci::wildcard`].
    Patterns(Vec<String>),
}

/// Where an image is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageClass {
    /// `standard`: can be pulled.
    Standard,
    /// `archive`: must be restored first.
    Archive,
}

/// How many or how old; numbers are at least 1, ages in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// `imageCountMoreThan`: all but this many of the newest.
    ImageCountMoreThan(u32),
    /// `sinceImagePushed`: pushed more than this many days ago.
    SinceImagePushed(u32),
    /// `sinceImagePulled`: last pulled more than this many days ago; only to archive.
    SinceImagePulled(u32),
    /// `sinceImageTransitioned`: archived more than this many days (90 or more) ago; only to expire, and
    /// only with storage class archive.
    SinceImageTransitioned(u32),
}

/// What becomes of the selected images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `expire`: they are deleted.
    Expire,
    /// `transition` to `archive`, the only target there is.
    TransitionToArchive,
}

impl LifecyclePolicy {
    /// Reads and validates a policy text.
    ///
    /// The lower bound of 100 characters belongs to the request's shape (ecr.md §5.1) and is not checked
    /// here. An empty list of rules is taken (unverified).
    ///
    /// # Errors
    /// [`PolicyError`]; its `Display` is what stands after `Lifecycle policy validation failure: ` in the
    /// service's message (ecr.md §5.3).
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.chars().nth(MAX_TEXT_CHARACTERS).is_some() {
            return Err(PolicyError::TooLong);
        }
        strict_json::check(text.as_bytes(), LIMITS).map_err(|_| PolicyError::NotAPolicy)?;
        let document: Value = serde_json::from_str(text).map_err(|_| PolicyError::NotAPolicy)?;
        let mut rules = schema::read(&document)?;
        constraints::check(&rules)?;
        rules.sort_by_key(|rule| rule.priority);
        Ok(Self { rules: rules.into_iter().map(schema::DraftRule::finish).collect::<Result<_, _>>()? })
    }

    /// The rules by priority, lowest number first.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The policy as compact JSON in the service's order of members, rules by priority (ecr.md §5.7):
    ///
    /// `{"rules":[{"rulePriority":1,"description":"…","selection":{"tagStatus":"tagged",
    /// "tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}}]}`
    ///
    /// `description` and `storageClass` appear if they were stated; empty lists of tags do not come back.
    #[must_use]
    pub fn canonical_text(&self) -> String {
        canonical::text(&self.rules)
    }
}

#[cfg(test)]
mod tests;
