//! Byte ranges of downloads and of uploaded chunks.
//!
//! Two headers that look alike and mean different things: `Range` asks for a part of a blob (RFC 9110
//! §14.2), `Content-Range` on a `PATCH` says where a chunk belongs (OCI distribution-spec, "Pushing a blob
//! in chunks"). All bounds are byte offsets from 0, both inclusive.
//!
//! ```
//! use oci::range::{RangeOutcome, parse_content_range, parse_range};
//! assert_eq!(parse_range("bytes=90-", 100), RangeOutcome::Partial(90..=99));
//! assert_eq!(parse_content_range("0-99"), Some((0, 99)));
//! ```

use std::ops::RangeInclusive;

/// What a `Range` header asks of a body of known length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeOutcome {
    /// Answer 200 with everything: no usable range was asked for.
    Full,
    /// Answer 206 with these bytes; never empty, never past the end.
    Partial(RangeInclusive<u64>),
    /// Answer 416 with `Content-Range: bytes */<length>`.
    Unsatisfiable,
}

/// Reads a `Range` header against a body of `length` bytes.
///
/// A header that is malformed, of another unit, or asks for several ranges gives [`RangeOutcome::Full`]:
/// RFC 9110 §14.2 lets a server ignore it, registry clients send one range only, and answering several
/// invites overlapping-range floods. A range past the end is cut at the end; one that begins past the end,
/// the last zero bytes (`bytes=-0`), or one that ends before it begins is unsatisfiable: RFC 9110 lets a server
/// reject the last one, and the conformance suite wants it, because whoever sends it has miscounted.
#[must_use]
pub fn parse_range(header: &str, length: u64) -> RangeOutcome {
    let Some((unit, ranges)) = header.split_once('=') else { return RangeOutcome::Full };
    let Some((first, last)) = ranges.trim().split_once('-') else { return RangeOutcome::Full };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return RangeOutcome::Full;
    }
    let (start, end) = match (position(first), position(last)) {
        (Some(start), Some(end)) if start > end => return RangeOutcome::Unsatisfiable,
        (Some(start), Some(end)) => (start, end),
        (Some(start), None) if last.is_empty() => (start, u64::MAX),
        (None, Some(0)) if first.is_empty() => return RangeOutcome::Unsatisfiable,
        // The suffix of an empty body is satisfiable but has no Content-Range to say so: send it all.
        (None, Some(_)) if first.is_empty() && length == 0 => return RangeOutcome::Full,
        (None, Some(suffix)) if first.is_empty() => (length.saturating_sub(suffix), u64::MAX),
        _ => return RangeOutcome::Full,
    };
    match length.checked_sub(1) {
        Some(final_byte) if start <= final_byte => RangeOutcome::Partial(start..=end.min(final_byte)),
        _ => RangeOutcome::Unsatisfiable,
    }
}

/// Reads the `Content-Range` of an uploaded chunk: first and last byte, inclusive.
///
/// Takes the form of the distribution specification, `0-99`, and the HTTP form, `bytes 0-99/*` or
/// `bytes 0-99/100`. `None` when it is neither, when it ends before it begins, or when a stated total is
/// not beyond its end. The caller compares the length with the body.
#[must_use]
pub fn parse_content_range(header: &str) -> Option<(u64, u64)> {
    let header = header.trim();
    let (range, total) = match header.split_once(' ') {
        Some((unit, rest)) if unit.eq_ignore_ascii_case("bytes") => {
            let (range, total) = rest.trim().split_once('/')?;
            (range, (total != "*").then_some(total))
        }
        Some(_) => return None,
        None => (header, None),
    };
    let (first, last) = range.split_once('-')?;
    let (first, last) = (exact(first)?, exact(last)?);
    let within = match total {
        Some(total) => last < exact(total)?,
        None => true,
    };
    (first <= last && within).then_some((first, last))
}

/// Digits only (no sign, no blank) as a number; what is beyond `u64` counts as its maximum.
fn position(digits: &str) -> Option<u64> {
    let clean = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    clean.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Digits only, and within `u64`: an offset of a stored byte must not be guessed.
fn exact(digits: &str) -> Option<u64> {
    position(digits)?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_of_a_download() {
        use RangeOutcome::{Full, Partial, Unsatisfiable};
        for (header, length, expected) in [
            ("bytes=0-0", 100, Partial(0..=0)),
            ("bytes=0-99", 100, Partial(0..=99)),
            ("bytes=10-19", 100, Partial(10..=19)),
            ("Bytes = 10-19", 100, Partial(10..=19)),
            ("bytes=10-", 100, Partial(10..=99)),
            ("bytes=99-1000", 100, Partial(99..=99)),
            ("bytes=-10", 100, Partial(90..=99)),
            ("bytes=-1000", 100, Partial(0..=99)),
            ("bytes=0-99999999999999999999999", 100, Partial(0..=99)),
            ("bytes=-99999999999999999999999", 100, Partial(0..=99)),
            ("bytes=100-", 100, Unsatisfiable),
            ("bytes=99999999999999999999999-", 100, Unsatisfiable),
            ("bytes=18446744073709551615-", u64::MAX, Unsatisfiable),
            ("bytes=-0", 100, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=-5", 0, Full),
            ("bytes=5-4", 100, Unsatisfiable),
            ("bytes=500-0", 100, Unsatisfiable),
            ("bytes=0-1,3-4", 100, Full),
            ("bytes=-", 100, Full),
            ("bytes=", 100, Full),
            ("bytes", 100, Full),
            ("", 100, Full),
            ("items=0-1", 100, Full),
            ("bytes=+0-1", 100, Full),
            ("bytes=a-b", 100, Full),
            ("bytes=--5", 100, Full),
            ("bytes=0-1-2", 100, Full),
            ("bytes=0x1-2", 100, Full),
        ] {
            assert_eq!(parse_range(header, length), expected, "{header:?} of {length}");
        }
    }

    #[test]
    fn ranges_of_a_chunk() {
        for (header, expected) in [
            ("0-99", Some((0, 99))),
            ("5-5", Some((5, 5))),
            ("bytes 0-99/*", Some((0, 99))),
            ("Bytes 0-99/100", Some((0, 99))),
            ("bytes 0-99/99", None),
            ("bytes 0-99/x", None),
            ("bytes 0-99", None),
            ("bytes */100", None),
            ("items 0-99/*", None),
            ("bytes=0-99", None),
            ("99-0", None),
            ("-5", None),
            ("5-", None),
            ("", None),
            ("-", None),
            ("0-99,100-199", None),
            ("+0-99", None),
            ("0 - 99", None),
            ("0-99999999999999999999999", None),
        ] {
            assert_eq!(parse_content_range(header), expected, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn a_partial_answer_lies_inside_the_body(header in "bytes=[0-9,-]{0,25}|.{0,20}", length in any::<u64>()) {
            if let RangeOutcome::Partial(range) = parse_range(&header, length) {
                prop_assert!(range.start() <= range.end() && *range.end() < length);
            }
        }

        #[test]
        fn chunk_ranges_round_trip(first in any::<u64>(), more in 0u64..1_000_000) {
            let last = first.saturating_add(more);
            prop_assert_eq!(parse_content_range(&format!("{first}-{last}")), Some((first, last)));
            prop_assert_eq!(parse_content_range(&format!("bytes {first}-{last}/*")), Some((first, last)));
        }

        #[test]
        fn no_text_panics(header in ".{0,40}") {
            if let Some((first, last)) = parse_content_range(&header) {
                prop_assert!(first <= last);
            }
        }
    }
}
