//! `Range` and `Content-Range`: what is answered lies inside the body, and a second reading, written as the
//! grammar stands in RFC 9110 and without its shortcuts, agrees.
//!
//! Input: the length of the body in digits, a line break, the header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::range::{RangeOutcome, parse_content_range, parse_range};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((length, header)) = text.split_once('\n') else { return };
    let length: u64 = length.parse().unwrap_or(100);
    let outcome = parse_range(header, length);
    if let RangeOutcome::Partial(range) = &outcome {
        assert!(range.start() <= range.end() && *range.end() < length, "{header:?} of {length}: {range:?}");
    }
    if let Some(expected) = expected(header, length) {
        assert_eq!(outcome, expected, "{header:?} of {length}");
    }
    if let Some((first, last)) = parse_content_range(header) {
        assert!(first <= last);
        for spelling in [format!("{first}-{last}"), format!("bytes {first}-{last}/*")] {
            assert_eq!(parse_content_range(&spelling), Some((first, last)), "{spelling}");
        }
        if let Some(total) = last.checked_add(1) {
            assert_eq!(parse_content_range(&format!("bytes {first}-{last}/{total}")), Some((first, last)));
        }
        assert_eq!(parse_content_range(&format!("bytes {first}-{last}/{last}")), None);
    }
});

/// The answer to a plain `bytes=first-last`, `bytes=first-` or `bytes=-suffix`; `None` for every other header.
fn expected(header: &str, length: u64) -> Option<RangeOutcome> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        text if text.len() > 30 || text.bytes().any(|byte| !byte.is_ascii_digit()) => None,
        text => text.parse::<u128>().ok().map(Some),
    };
    let end = u128::from(length);
    let (first, beyond) = match (number(first)?, number(last)?) {
        (None, None) => return Some(RangeOutcome::Full),
        (None, Some(0)) => return Some(RangeOutcome::Unsatisfiable),
        (None, Some(_)) if length == 0 => return Some(RangeOutcome::Full),
        (None, Some(suffix)) => (end.saturating_sub(suffix), end),
        (Some(first), None) => (first, end),
        // Offsets beyond u64 are one to the server: such a pair has no order.
        (Some(first), Some(_)) if first > u128::from(u64::MAX) => return Some(RangeOutcome::Unsatisfiable),
        (Some(first), Some(last)) if first > last => return Some(RangeOutcome::Unsatisfiable),
        (Some(first), Some(last)) => (first, end.min(last + 1)),
    };
    let inside = first < end;
    let bound = |number: u128| u64::try_from(number).ok();
    Some(match (bound(first), bound(beyond.saturating_sub(1))) {
        (Some(first), Some(last)) if inside => RangeOutcome::Partial(first..=last),
        _ => RangeOutcome::Unsatisfiable,
    })
}
