//! Incremental hashing that can stop and go on elsewhere.
//!
//! Owns the saved form of a half-computed hash, so that an upload resumes after a restart or on another
//! node without reading its bytes again.
//!
//! Saved form (all of it, in order): version byte `1`; algorithm byte (`1` SHA-256, `2` SHA-512); number of
//! bytes hashed so far, `u64` big-endian; the state as the `sha2` crate serialises it (104 or 208 bytes);
//! the first 8 bytes of the SHA-256 of everything before. The layout of the state belongs to `sha2` and may
//! change with it: then the version byte changes here, [`Hasher::restore`] gives `None`, and the caller
//! reads the stored bytes again.
//!
//! ```
//! use oci::{Algorithm, Digest, Hasher};
//! let mut first = Hasher::new(Algorithm::Sha256);
//! first.update(b"hello ");
//! let mut second = Hasher::restore(&first.save()).unwrap();
//! second.update(b"world");
//! assert_eq!(second.finish(), Digest::sha256_of(b"hello world"));
//! ```

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

use crate::digest::{Algorithm, Digest};

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;
/// More than any stream has: SHA-256 counts bits in 64 bits.
const MOST_BYTES: u64 = u64::MAX / 16;

/// A running SHA-256 or SHA-512 over a stream of bytes.
#[derive(Clone)]
pub struct Hasher {
    state: State,
    length: u64,
}

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        };
        Self { state, length: 0 }
    }

    /// Hashes the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
        self.length = self.length.saturating_add(bytes.len() as u64);
    }

    /// Which hash function runs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.state {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Bytes hashed so far, also those from before a [`Hasher::restore`].
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest of everything hashed.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.state {
            State::Sha256(hash) => Digest::from_hash(Algorithm::Sha256, &hash.finalize()),
            State::Sha512(hash) => Digest::from_hash(Algorithm::Sha512, &hash.finalize()),
        }
    }

    /// The state so far in the form of the module doc, at most 226 bytes. The hasher itself goes on.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut saved = vec![VERSION, algorithm_byte(self.algorithm())];
        saved.extend_from_slice(&self.length.to_be_bytes());
        match &self.state {
            State::Sha256(hash) => saved.extend_from_slice(&hash.serialize()),
            State::Sha512(hash) => saved.extend_from_slice(&hash.serialize()),
        }
        let checksum = Sha256::digest(&saved);
        saved.extend(checksum.iter().take(CHECKSUM_BYTES));
        saved
    }

    /// Goes on from what [`Hasher::save`] gave.
    ///
    /// `None` when the bytes are damaged, truncated or of another version: hash the stored bytes again. The
    /// checksum matters, because a damaged state would not fail but give the wrong digest much later. A state that
    /// counts other blocks than the length has is `None` too: `sha2` multiplies that count, and an absurd one would
    /// overflow there.
    #[must_use]
    pub fn restore(saved: &[u8]) -> Option<Self> {
        let (body, checksum) = saved.split_at_checked(saved.len().checked_sub(CHECKSUM_BYTES)?)?;
        if !Sha256::digest(body).starts_with(checksum) {
            return None;
        }
        let ([VERSION, algorithm], rest) = body.split_first_chunk::<2>()? else { return None };
        let (length, state) = rest.split_first_chunk::<8>()?;
        let length = u64::from_be_bytes(*length);
        let (blocks, block_bytes) = match *algorithm {
            1 => (u128::from(u64::from_le_bytes(*count(state, 32)?)), 64),
            2 => (u128::from_le_bytes(*count(state, 64)?), 128),
            _ => return None,
        };
        if length > MOST_BYTES || blocks != u128::from(length / block_bytes) {
            return None;
        }
        let state = match *algorithm {
            1 => State::Sha256(deserialize(state)?),
            _ => State::Sha512(deserialize(state)?),
        };
        Some(Self { state, length })
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Hasher")
            .field("algorithm", &self.algorithm())
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

fn algorithm_byte(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
    }
}

/// The count of whole blocks in a saved state: a little endian number behind the words of the hash.
fn count<const BYTES: usize>(state: &[u8], words_bytes: usize) -> Option<&[u8; BYTES]> {
    state.split_at_checked(words_bytes)?.1.first_chunk()
}

fn deserialize<H: SerializableState>(state: &[u8]) -> Option<H> {
    let state = SerializedState::<H>::try_from(state).ok()?;
    H::deserialize(&state).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn saved_states_have_the_documented_size() {
        assert_eq!(Hasher::new(Algorithm::Sha256).save().len(), 2 + 8 + 104 + 8);
        assert_eq!(Hasher::new(Algorithm::Sha512).save().len(), 2 + 8 + 208 + 8);
    }

    #[test]
    fn another_version_or_algorithm_is_not_restored() {
        let resealed = |position: usize, value: u8| {
            let mut saved = Hasher::new(Algorithm::Sha256).save();
            saved.truncate(saved.len() - CHECKSUM_BYTES);
            saved[position] = value;
            let checksum = Sha256::digest(&saved);
            saved.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
            saved
        };
        assert!(Hasher::restore(&resealed(0, VERSION)).is_some());
        assert!(Hasher::restore(&resealed(0, 2)).is_none());
        // SHA-256 state under the name of SHA-512: the length does not fit.
        assert!(Hasher::restore(&resealed(1, 2)).is_none());
        assert!(Hasher::restore(&resealed(1, 0)).is_none());
    }

    #[test]
    fn a_state_of_more_blocks_than_bytes_is_not_restored() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let behind_words = 2 + 8 + algorithm.length_bytes();
            let last = behind_words + if algorithm == Algorithm::Sha512 { 15 } else { 7 };
            for (position, byte) in [(behind_words, 1), (last, 0x40), (2, 0xff)] {
                let mut saved = Hasher::new(algorithm).save();
                saved.truncate(saved.len() - CHECKSUM_BYTES);
                saved[position] = byte;
                let checksum = Sha256::digest(&saved);
                saved.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
                assert!(Hasher::restore(&saved).is_none(), "byte {position} of {algorithm:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn stopping_anywhere_gives_the_one_shot_digest(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            stops in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            wide in any::<bool>(),
        ) {
            let algorithm = if wide { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let mut stops: Vec<usize> = stops.iter().map(|stop| stop.index(bytes.len() + 1)).collect();
            stops.push(bytes.len());
            stops.sort_unstable();
            let mut hasher = Hasher::new(algorithm);
            let mut from = 0;
            for stop in stops {
                hasher.update(&bytes[from..stop]);
                from = stop;
                hasher = Hasher::restore(&hasher.save()).unwrap();
                prop_assert_eq!(hasher.length(), stop as u64);
            }
            prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &bytes));
        }

        #[test]
        fn a_flipped_bit_is_noticed(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            place in any::<prop::sample::Index>(),
            bit in 0..8u8,
        ) {
            let mut hasher = Hasher::new(Algorithm::Sha256);
            hasher.update(&bytes);
            let mut saved = hasher.save();
            let place = place.index(saved.len());
            saved[place] ^= 1 << bit;
            prop_assert!(Hasher::restore(&saved).is_none());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Hasher::restore(&bytes).is_none());
        }

        #[test]
        fn a_truncated_state_is_noticed(keep in 0usize..122) {
            let saved = Hasher::new(Algorithm::Sha256).save();
            prop_assert!(Hasher::restore(&saved[..keep]).is_none());
        }
    }
}
