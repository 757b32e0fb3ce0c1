//! Points in time on the wire.
//!
//! JSON 1.1 carries epoch seconds as a number with a fraction (`1448875853.241`, ecr.md §1.1), XML carries
//! ISO 8601 in UTC with second precision (`2019-09-03T19:12:49Z`, iam.md §2.2).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z, negative before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// From whole seconds since the epoch; saturates outside about ±292,000 years.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn microseconds(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// ISO 8601 with second precision, `2019-09-03T19:12:49Z`; beyond the years ±9999 the nearest that can be said.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a fraction jiff's own form is this one; a pattern costs five times as much on each request.
        write!(formatter, "{}", instant(self.seconds()))
    }
}

/// A number of seconds with at most three decimals.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of any year below 285,000 are exact in f64"
        )]
        let milliseconds = self.0.div_euclid(1_000) as f64;
        serializer.serialize_f64(milliseconds / 1_000.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        #[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
        let milliseconds = (seconds * 1_000.0).round() as i64;
        Ok(Self(milliseconds.saturating_mul(1_000)))
    }
}

/// The moment, or the nearest that can be said.
fn instant(seconds: i64) -> jiff::Timestamp {
    let clamped = seconds.clamp(jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
    jiff::Timestamp::from_second(clamped).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Formats epoch seconds in UTC with a strftime pattern.
pub(crate) fn format_seconds(seconds: i64, pattern: &str) -> String {
    // A pattern that jiff cannot print would be a mistake in this crate, not in the input; tests cover each.
    jiff::fmt::strtime::format(pattern, instant(seconds)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(timestamp: Timestamp) -> String {
        serde_json::to_string(&timestamp).unwrap()
    }

    #[test]
    fn json_is_seconds_with_milliseconds() {
        assert_eq!(json(Timestamp::from_microseconds(1_448_875_853_241_000)), "1448875853.241");
        assert_eq!(json(Timestamp::from_microseconds(1_448_875_853_241_999)), "1448875853.241");
        assert_eq!(json(Timestamp::from_seconds(1_565_128_275)), "1565128275.0");
        assert_eq!(json(Timestamp::from_microseconds(-1)), "-0.001");
    }

    #[test]
    fn text_is_iso_8601_in_seconds() {
        assert_eq!(Timestamp::from_microseconds(1_567_538_569_999_999).to_string(), "2019-09-03T19:22:49Z");
        assert_eq!(Timestamp::default().to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_microseconds(i64::MAX).to_string(), "9999-12-30T22:00:00Z");
    }

    proptest::proptest! {
        #[test]
        fn milliseconds_round_trip(milliseconds in -62_000_000_000_000_i64..250_000_000_000_000) {
            let timestamp = Timestamp::from_microseconds(milliseconds * 1_000);
            let back: Timestamp = serde_json::from_str(&json(timestamp)).unwrap();
            proptest::prop_assert_eq!(back, timestamp);
        }
    }
}
