//! Dates of requests and the window they must lie in (iam.md §5.4).

use jiff::civil::DateTime;

use super::{AuthError, Options};
use crate::timestamp::format_seconds;

/// Seconds since the epoch of `20261123T133000Z`, or of an RFC 1123 `Date` header.
pub(super) fn parse(text: &str) -> Result<i64, AuthError> {
    basic(text).or_else(|| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_second())).ok_or_else(
        || {
            AuthError::IncompleteSignature(format!(
                "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ))
        },
    )
}

/// Exactly `YYYYMMDDTHHMMSSZ`; the shape is checked by hand because parsers are generous with spaces and signs.
fn basic(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = |(index, byte): (usize, &u8)| match index {
        8 => *byte == b'T',
        15 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    if bytes.len() != 16 || !bytes.iter().enumerate().all(shape) {
        return None;
    }
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(jiff::tz::Offset::UTC.to_timestamp(civil).ok()?.as_second())
}

/// `YYYYMMDD` of a time.
pub(super) fn day(seconds: i64) -> String {
    format_seconds(seconds, "%Y%m%d")
}

/// `YYYYMMDDTHHMMSSZ` of a time.
pub(super) fn basic_text(seconds: i64) -> String {
    format_seconds(seconds, "%Y%m%dT%H%M%SZ")
}

/// Refuses what is too old or from the future.
///
/// A presigned request lives for its own time, at most the server's; a signed header for the skew.
pub(super) fn check(
    timestamp: i64,
    now: i64,
    presigned: Option<Option<u32>>,
    options: &Options<'_>,
) -> Result<(), AuthError> {
    let skew = i64::from(options.max_skew_seconds);
    let life = match presigned {
        Some(expires) => i64::from(
            expires
                .map_or(options.max_presigned_seconds, |expires| expires.min(options.max_presigned_seconds)),
        ),
        None => skew,
    };
    let date = basic_text(timestamp);
    let now_text = basic_text(now);
    let oldest = now.saturating_sub(life);
    let newest = now.saturating_add(skew);
    if timestamp < oldest {
        return Err(AuthError::SignatureDoesNotMatch(format!(
            "Signature expired: {date} is now earlier than {} ({now_text} - {}.)",
            basic_text(oldest),
            duration(life)
        )));
    }
    if timestamp > newest {
        return Err(AuthError::SignatureDoesNotMatch(format!(
            "Signature not yet current: {date} is still later than {} ({now_text} + {}.)",
            basic_text(newest),
            duration(skew)
        )));
    }
    Ok(())
}

fn duration(seconds: i64) -> String {
    if seconds % 60 == 0 { format!("{} min", seconds / 60) } else { format!("{seconds} sec") }
}
