//! Tag mutability: may a push move a tag? (ecr.md §4.9)

use oci::{Tag, TagFilter};

use super::Error;

/// A repository's setting with its exclusion filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMutability {
    /// Which tags may move.
    pub mode: Mode,
    /// Tags for which the opposite holds; only with the two modes that have exclusions.
    pub filters: Vec<TagFilter>,
}

/// ECR's four modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All tags may move: the default.
    Mutable,
    /// No tag may move.
    Immutable,
    /// Only tags that match a filter may move.
    ImmutableWithExclusion,
    /// All tags may move but those that match a filter.
    MutableWithExclusion,
}

impl Mode {
    /// The name on the wire and in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::ImmutableWithExclusion => "IMMUTABLE_WITH_EXCLUSION",
            Self::MutableWithExclusion => "MUTABLE_WITH_EXCLUSION",
        }
    }

    /// The mode of a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Mutable, Self::Immutable, Self::ImmutableWithExclusion, Self::MutableWithExclusion]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }

    /// Whether the mode is meaningless without filters.
    #[must_use]
    pub fn has_exclusions(self) -> bool {
        matches!(self, Self::ImmutableWithExclusion | Self::MutableWithExclusion)
    }
}

impl Default for TagMutability {
    fn default() -> Self {
        Self { mode: Mode::Mutable, filters: Vec::new() }
    }
}

impl TagMutability {
    /// Whether a push may not move this tag.
    #[must_use]
    pub fn is_immutable(&self, tag: &Tag) -> bool {
        let is_excluded = || self.filters.iter().any(|filter| filter.matches(tag));
        match self.mode {
            Mode::Mutable => false,
            Mode::Immutable => true,
            Mode::ImmutableWithExclusion => !is_excluded(),
            Mode::MutableWithExclusion => is_excluded(),
        }
    }

    /// Reads the two columns; `filters` is a JSON list of texts.
    pub(super) fn read(mode: &str, filters: &str) -> Result<Self, Error> {
        let damaged = || crate::store::db::Error::Corrupt("tag mutability cannot be read".to_owned());
        let mode = Mode::parse(mode).ok_or_else(damaged)?;
        let texts: Vec<String> = serde_json::from_str(filters).map_err(|_| damaged())?;
        let filters: Result<Vec<_>, _> = texts.iter().map(|text| TagFilter::parse(text)).collect();
        Ok(Self { mode, filters: filters.map_err(|_| damaged())? })
    }

    /// The filters as the column holds them.
    pub(super) fn filters_column(&self) -> String {
        let texts: Vec<&str> = self.filters.iter().map(TagFilter::as_str).collect();
        serde_json::Value::from(texts).to_string()
    }
}
