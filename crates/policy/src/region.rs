//! Region names, as they stand in ARNs, host names and credential scopes.
//!
//! Any syntactically plain name is a region here: an installation may call its region `berlin-1`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A region name: 1 to 64 characters of `a-z`, `0-9` and `-`, such as `eu-central-1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(Arc<str>);

/// The text is empty, longer than 64 characters, or has a character outside `a-z0-9-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region name is 1 to 64 characters of a-z, 0-9 and -")]
pub struct RegionError;

impl Region {
    /// Takes a region name. Errors: [`RegionError`]. It never lower-cases: `EU-WEST-1` would sign differently.
    pub fn parse(text: &str) -> Result<Region, RegionError> {
        let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if plain && (1..=64).contains(&text.len()) { Ok(Region(text.into())) } else { Err(RegionError) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Region, RegionError> {
        Region::parse(text)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Region;

    #[test]
    fn takes_plain_names_only() {
        assert_eq!(Region::parse("eu-central-1").unwrap().to_string(), "eu-central-1");
        for wrong in ["", "EU", "a_b", "a.b", "a/b", &"a".repeat(65)] {
            assert!(Region::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
