//! Content digests.
//!
//! Owns the text form `<algorithm>:<lower-case hex>` of SHA-256 and SHA-512 digests (OCI image-spec,
//! descriptor.md, "Digests"). Other algorithms are refused by name: content that cannot be verified here
//! must not be stored under its own claim.
//!
//! ```
//! use oci::Digest;
//! let digest = Digest::sha256_of(b"");
//! assert_eq!(digest.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
//! ```

use std::sync::Arc;

use sha2::Digest as _;

use crate::text::text_traits;

/// A hash function that a digest may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `sha256`, 32 bytes.
    Sha256,
    /// `sha512`, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of a hash in bytes; its text has twice as many characters.
    #[must_use]
    pub fn length_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The algorithm of that name, if it is one of the two.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// The digest of some bytes: algorithm and hash, cheap to clone, ordered by its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    // INVARIANT: `<name of algorithm>:<hex>`, checked by `parse` or built by `from_hash`.
    text: Arc<str>,
    algorithm: Algorithm,
}

/// Why a text or a byte string is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `:`.
    #[error("a digest names its algorithm before a colon")]
    MissingAlgorithm,
    /// The algorithm is neither `sha256` nor `sha512`.
    #[error("a digest is a sha256 or sha512 digest")]
    UnsupportedAlgorithm,
    /// The hash has the wrong length.
    #[error("the hash has {found} characters instead of {expected}")]
    WrongLength {
        /// Hex characters that the algorithm has.
        expected: usize,
        /// Characters (bytes of text) found; for a byte string, twice its length.
        found: usize,
    },
    /// A character of the hash is not one of `0-9a-f`.
    #[error("the hash is not lower-case hexadecimal at character {position}")]
    NotLowerHex {
        /// Byte offset inside the hash.
        position: usize,
    },
}

impl Digest {
    /// Reads `sha256:<64 lower-case hex>` or `sha512:<128 lower-case hex>`.
    ///
    /// # Errors
    /// All variants of [`DigestError`], in the order in which they are declared. Upper-case hex is refused:
    /// two spellings of one digest would be two keys.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (name, hash) = text.split_once(':').ok_or(DigestError::MissingAlgorithm)?;
        let algorithm = Algorithm::from_name(name).ok_or(DigestError::UnsupportedAlgorithm)?;
        let expected = algorithm.length_bytes() * 2;
        if hash.len() != expected {
            return Err(DigestError::WrongLength { expected, found: hash.len() });
        }
        match hash.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            Some(position) => Err(DigestError::NotLowerHex { position }),
            None => Ok(Self { text: text.into(), algorithm }),
        }
    }

    /// The digest with this raw hash.
    ///
    /// # Errors
    /// [`DigestError::WrongLength`] when `hash` is not as long as the algorithm's hashes are.
    pub fn from_bytes(algorithm: Algorithm, hash: &[u8]) -> Result<Self, DigestError> {
        if hash.len() == algorithm.length_bytes() {
            Ok(Self::from_hash(algorithm, hash))
        } else {
            Err(DigestError::WrongLength {
                expected: algorithm.length_bytes() * 2,
                found: hash.len().saturating_mul(2),
            })
        }
    }

    /// The SHA-256 digest of `bytes`: what identifies a manifest (ecr.md §4.1).
    #[must_use]
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self::from_hash(Algorithm::Sha256, &sha2::Sha256::digest(bytes))
    }

    /// The digest of `bytes` under the given algorithm.
    #[must_use]
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::sha256_of(bytes),
            Algorithm::Sha512 => Self::from_hash(algorithm, &sha2::Sha512::digest(bytes)),
        }
    }

    /// `hash` must have the algorithm's length; callers inside the crate pass a finished hash.
    pub(crate) fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Self {
        Self { text: format!("{}:{}", algorithm.as_str(), hex::encode(hash)).into(), algorithm }
    }

    /// The hash function.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash as lower-case hex, 64 or 128 characters.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, hash)| hash)
    }

    /// The raw hash, 32 or 64 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // INVARIANT: the text is valid hex of even length, so decoding cannot fail.
        hex::decode(self.hex()).unwrap_or_default()
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

text_traits!(Digest, DigestError);

/// Whether `text` satisfies ECR's own, wider digest pattern `[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+` (ecr.md §4.1).
///
/// The batch operations answer `InvalidImageDigest` or `InvalidLayerDigest` only when this is false; a text
/// of this form that [`Digest::parse`] refuses cannot name anything stored and counts as not found.
#[must_use]
pub fn is_ecr_digest_form(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hash)| {
        !algorithm.is_empty()
            && !hash.is_empty()
            && algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte))
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // FIPS 180-4 example "abc".
    const ABC_256: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const ABC_512: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                           2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn known_hashes() {
        assert_eq!(Digest::sha256_of(b"abc").as_str(), ABC_256);
        assert_eq!(Digest::of(Algorithm::Sha512, b"abc").as_str(), ABC_512);
        let digest = Digest::parse(ABC_512).unwrap();
        assert_eq!(digest.algorithm(), Algorithm::Sha512);
        assert_eq!(digest.hex().len(), 128);
    }

    #[test]
    fn malformed_texts_are_named() {
        let zeros = "0".repeat(64);
        for (text, error) in [
            (String::new(), DigestError::MissingAlgorithm),
            ("latest".into(), DigestError::MissingAlgorithm),
            (zeros.clone(), DigestError::MissingAlgorithm),
            (format!("md5:{zeros}"), DigestError::UnsupportedAlgorithm),
            (format!("SHA256:{zeros}"), DigestError::UnsupportedAlgorithm),
            (format!(":{zeros}"), DigestError::UnsupportedAlgorithm),
            (format!("sha256 :{zeros}"), DigestError::UnsupportedAlgorithm),
            ("sha256:".into(), DigestError::WrongLength { expected: 64, found: 0 }),
            (format!("sha256:{zeros}0"), DigestError::WrongLength { expected: 64, found: 65 }),
            (format!("sha512:{zeros}"), DigestError::WrongLength { expected: 128, found: 64 }),
            (format!("sha256:A{}", "0".repeat(63)), DigestError::NotLowerHex { position: 0 }),
            (format!("sha256:0g{}", "0".repeat(62)), DigestError::NotLowerHex { position: 1 }),
            (format!("sha256:{}é", "0".repeat(62)), DigestError::NotLowerHex { position: 62 }),
            (format!("sha256:sha256:{}", "0".repeat(57)), DigestError::NotLowerHex { position: 0 }),
        ] {
            assert_eq!(Digest::parse(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn raw_hashes_must_have_the_right_length() {
        assert_eq!(
            Digest::from_bytes(Algorithm::Sha256, &[0; 31]),
            Err(DigestError::WrongLength { expected: 64, found: 62 })
        );
    }

    #[test]
    fn the_wider_form_of_ecr() {
        for (text, expected) in [
            (ABC_256, true),
            ("sha256:ABC", true),
            ("md5:0", true),
            ("a+b.c-d_e:0", true),
            ("", false),
            (":", false),
            ("sha256:", false),
            (":00", false),
            ("sha256:xyz", false),
            ("sha 256:00", false),
            ("sha256:00:00", false),
        ] {
            assert_eq!(is_ecr_digest_form(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_hash_survives_a_round_trip(hash in prop::collection::vec(any::<u8>(), 64)) {
            let digest = Digest::from_bytes(Algorithm::Sha512, &hash).unwrap();
            let again = Digest::parse(digest.as_str()).unwrap();
            prop_assert_eq!(again.to_bytes(), hash);
            prop_assert_eq!(again, digest);
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.as_str(), text);
            }
        }
    }
}
