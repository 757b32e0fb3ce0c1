//! Matching with `*`, the one wildcard of ECR's tag filters and lifecycle patterns.
//!
//! `*` stands for any run of characters, also none; everything else stands for itself, in its case; the
//! whole text must match (ecr.md §4.9, §5.5).
//!
//! ```
//! assert!(oci::wildcard::matches("*prod*", "preprod"));
//! assert!(!oci::wildcard::matches("prod*", "preprod"));
//! ```

/// Whether `text` as a whole matches `pattern`.
///
/// Takes each literal piece at its first place, which is enough when `*` is the only wildcard, so there is
/// no backtracking: the time is linear in the two lengths together however many `*` there are.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    // The piece after the last `*` is anchored at the end and must not overlap what went before.
    let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
    for piece in middle.split('*') {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "", true),
            ("latest", "latest", true),
            ("latest", "latest1", false),
            ("latest", "xlatest", false),
            ("Latest", "latest", false),
            ("prod*", "prod", true),
            ("prod*", "production-1", true),
            ("prod*", "preprod", false),
            ("*prod*", "preprod", true),
            ("*prod", "preprod", true),
            ("*prod", "prod1", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*bc*bc", "abc", false),
            ("a*bc*bc", "abcbc", true),
            ("v1.*", "v1x0", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    /// The obvious, exponential definition.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((byte, rest)) => text.first() == Some(byte) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }
    }

    #[test]
    fn many_wildcards_stay_fast() {
        let pattern = "*a".repeat(20_000) + "b";
        let text = "a".repeat(30_000);
        let start = Instant::now();
        assert!(!matches(&pattern, &text));
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}
