//! Which objects this process knows to be whole: it hashed them while they came, or has read them since.
//!
//! A file that was written to afterwards has another modification time and is no longer known, so that what an
//! operator, a restore or a stray program does to it is noticed at the next read. Bits that rot in place change no
//! time: those are found by the scrub, and by clients, who compare the digest as well.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};

use crate::store::blob::Generation;

/// Objects that each of the two halves remembers: about a megabyte at most. What is forgotten is read again.
const HALF: usize = 32 * 1024;

/// A bounded memory of whole objects; the older half is forgotten at once when the younger one is full.
#[derive(Debug, Default)]
pub(super) struct Known {
    halves: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<u64, i64>,
    old: HashMap<u64, i64>,
}

impl Known {
    /// Remembers that the object with this generation was whole when its file had this modification time.
    pub(super) fn insert(&self, generation: &Generation, modified: i64) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.young.len() >= HALF {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key(generation), modified);
    }

    /// Whether the object was whole and nobody has written to its file since.
    pub(super) fn has(&self, generation: &Generation, modified: i64) -> bool {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(generation);
        halves.young.get(&key).or_else(|| halves.old.get(&key)) == Some(&modified)
    }

    /// Forgets an object that was found damaged.
    pub(super) fn remove(&self, generation: &Generation) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.remove(&key(generation));
        halves.old.remove(&key(generation));
    }
}

/// When a file was last written to, in nanoseconds since the epoch.
pub(super) fn modified(metadata: &Metadata) -> i64 {
    metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec())
}

/// Generations are 64 random bits, one for every object ever stored.
fn key(generation: &Generation) -> u64 {
    u64::from_str_radix(generation.as_str(), 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64) -> Generation {
        Generation::from_random(number.to_be_bytes())
    }

    #[test]
    fn the_newest_are_remembered_and_memory_is_bounded() {
        let known = Known::default();
        for number in 0..5 * HALF as u64 {
            known.insert(&generation(number), 7);
        }
        let newest = generation(5 * HALF as u64 - 1);
        assert!(known.has(&newest, 7));
        assert!(!known.has(&newest, 8), "somebody wrote to it");
        assert!(!known.has(&generation(0), 7));
        let halves = known.halves.lock().unwrap();
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF);
    }

    #[test]
    fn what_is_damaged_is_forgotten() {
        let known = Known::default();
        known.insert(&generation(1), 7);
        known.remove(&generation(1));
        assert!(!known.has(&generation(1), 7));
    }
}
