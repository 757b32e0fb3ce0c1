//! What names a stored object.

use oci::Digest;

/// Tells apart the objects that were stored under one digest: 16 lower-case hex digits, drawn at random.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Generation(String);

impl Generation {
    const DIGITS: usize = 16;

    /// The generation with these random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(hex::encode(bytes))
    }

    /// Reads what [`Self::as_str`] gave; `None` for anything else, which can be no part of a file's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && text.len() == Self::DIGITS).then(|| Self(text.to_owned()))
    }

    /// The text, as rows and file names hold it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One object, as its row describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Which of the objects with this digest.
    pub generation: Generation,
    /// How many bytes it must have.
    pub size_bytes: u64,
}

/// One object, as a listing of the store found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name and the length that it really has.
    pub object: Object,
    /// When it came under this name or was last changed, in microseconds since the epoch, by the clock of the
    /// file system.
    pub changed_at: i64,
}

/// An upload that has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YoungUpload {
    /// Its id.
    pub id: oci::UploadId,
    /// What was said when it began.
    pub owner: bytes::Bytes,
    /// Bytes that it has received.
    pub length: u64,
}

/// An upload with fewer bytes than its state counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// Bytes that were acknowledged.
    pub expected: u64,
    /// Bytes that are there.
    pub found: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_hex_only() {
        let generation = Generation::from_random([0xa0; 8]);
        assert_eq!(Generation::parse(generation.as_str()), Some(generation));
        for text in ["", "A0a0a0a0a0a0a0a0", "../../../../etc/x", "a0a0a0a0a0a0a0a", "a0a0a0a0a0a0a0a0a"] {
            assert_eq!(Generation::parse(text), None, "{text}");
        }
    }
}
