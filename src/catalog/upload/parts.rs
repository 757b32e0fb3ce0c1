//! The parts of `UploadLayerPart` and their smallest size (ecr.md §4.6, §9).

use crate::catalog::Error;

/// Every part but the last one has at least this many bytes: 5 MiB.
pub(super) const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// The most parts of one upload.
const MAX_PARTS: u32 = 4200;

const LAST_IS_SHORT: u64 = 1 << 32;
const HAS_SHORT: u64 = 1 << 33;

/// What is known of the parts of an upload; kept as the note of its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// How many came.
    pub(super) count: u32,
    /// Whether the last one so far is too small to be followed by another.
    last_is_short: bool,
    /// Whether one that was followed by another is too small: told at the end, as ECR does.
    pub(super) has_short: bool,
}

impl Parts {
    pub(super) fn from_note(note: u64) -> Self {
        Self {
            count: u32::try_from(note & u64::from(u32::MAX)).unwrap_or(u32::MAX),
            last_is_short: note & LAST_IS_SHORT != 0,
            has_short: note & HAS_SHORT != 0,
        }
    }

    pub(super) fn to_note(self) -> u64 {
        let flag = |is_set, bit| if is_set { bit } else { 0 };
        u64::from(self.count) | flag(self.last_is_short, LAST_IS_SHORT) | flag(self.has_short, HAS_SHORT)
    }

    /// The parts with one more of this size.
    pub(super) fn with(self, size_bytes: u64) -> Result<Self, Error> {
        if self.count >= MAX_PARTS {
            return Err(Error::LimitExceeded {
                limit: "layer parts per upload",
                maximum: u64::from(MAX_PARTS),
            });
        }
        Ok(Self {
            count: self.count + 1,
            last_is_short: size_bytes < MIN_PART_BYTES,
            has_short: self.has_short || self.last_is_short,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_part_before_the_last_counts() {
        let sizes = |sizes: &[u64]| {
            sizes.iter().fold(Parts::default(), |parts, size| {
                let next = parts.with(*size).unwrap();
                assert_eq!(Parts::from_note(next.to_note()), next);
                next
            })
        };
        assert!(!sizes(&[1]).has_short);
        assert!(!sizes(&[MIN_PART_BYTES, MIN_PART_BYTES, 1]).has_short);
        assert!(sizes(&[MIN_PART_BYTES - 1, MIN_PART_BYTES]).has_short);
        assert!(sizes(&[1, MIN_PART_BYTES, MIN_PART_BYTES]).has_short);
        let full = Parts { count: MAX_PARTS, ..Parts::default() };
        assert!(matches!(full.with(MIN_PART_BYTES), Err(Error::LimitExceeded { maximum: 4200, .. })));
    }
}
