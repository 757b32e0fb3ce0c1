//! Identifiers of layers being received.
//!
//! An upload id is a UUID in its lower-case hyphenated form, as `InitiateLayerUpload` returns it (ecr.md
//! §4.6) and as it stands in `/v2/<name>/blobs/uploads/<id>`. Only the one canonical spelling is read: the
//! id is a key in the catalog and part of a staged file's name.
//!
//! ```
//! use oci::UploadId;
//! assert_eq!(UploadId::from_bytes([0xab; 16]).as_str(), "abababab-abab-abab-abab-abababababab");
//! ```

use std::sync::Arc;

use crate::text::text_traits;

/// The identifier of one upload, 36 characters, cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(Arc<str>);

/// The text is not a lower-case hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an upload id is a lower-case UUID such as 01234567-89ab-cdef-0123-456789abcdef")]
pub struct UploadIdError;

impl UploadId {
    const LENGTH: usize = 36;

    /// Reads an id.
    ///
    /// # Errors
    /// [`UploadIdError`] for everything but 8-4-4-4-12 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, UploadIdError> {
        let shape = text.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
        if shape && text.len() == Self::LENGTH { Ok(Self(text.into())) } else { Err(UploadIdError) }
    }

    /// The id with these 16 bytes, for callers that draw a fresh UUID. Version and variant are theirs.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let mut text = String::with_capacity(Self::LENGTH);
        for (position, digit) in hex::encode(bytes).chars().enumerate() {
            if matches!(position, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(UploadId, UploadIdError);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        let canonical = "01234567-89ab-4def-8123-456789abcdef";
        assert_eq!(UploadId::parse(canonical).unwrap().as_str(), canonical);
        for text in [
            "",
            "01234567-89AB-4def-8123-456789abcdef",
            "0123456789ab4def8123456789abcdef",
            "01234567-89ab-4def-8123-456789abcde",
            "01234567-89ab-4def-8123-456789abcdeff",
            "01234567-89ab-4def-81234-56789abcdef",
            "{1234567-89ab-4def-8123-456789abcde}",
            "../../../../../../../../../etc/passw",
            "01234567-89ab-4def-8123-456789abcdé",
        ] {
            assert_eq!(UploadId::parse(text), Err(UploadIdError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn drawn_ids_read_back(bytes in any::<[u8; 16]>()) {
            let id = UploadId::from_bytes(bytes);
            prop_assert_eq!(UploadId::parse(id.as_str()), Ok(id));
        }
    }
}
