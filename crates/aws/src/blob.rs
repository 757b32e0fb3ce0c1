//! Binary members: bytes in memory, standard base64 on the wire.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Padding is required and trailing bits are ignored: exactly the texts that [`decoded_length`] admits.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Bytes of a blob member, such as ECR's `layerPartBlob`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

/// Only the length: blobs are megabytes, or secret.
impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Blob({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&ENGINE.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Blob;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("base64 text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
                ENGINE.decode(text).map(Blob).map_err(|_| E::custom("invalid base64"))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Number of bytes that a base64 text decodes to; `None` when it is not base64.
///
/// Lets constraints be checked without decoding 20 MB twice.
#[must_use]
pub fn decoded_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let padding = bytes.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    let digits = bytes.len() - padding;
    let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    bytes.iter().take(digits).all(alphabet).then_some(bytes.len() / 4 * 3 - padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_agrees_with_decoding() {
        let accepted = ["", "QQ==", "QUI=", "QUJD", "QR==", "+/+/", "QUJDRA=="];
        for text in accepted {
            assert_eq!(decoded_length(text), Some(ENGINE.decode(text).unwrap().len()), "{text}");
        }
        for text in ["Q", "QQ", "QQ=", "=", "====", "Q===", "QQ=A", "QU J", "QUJ\n", "-_-_", "QQ==QQ=="] {
            assert_eq!(decoded_length(text), None, "{text}");
            assert!(ENGINE.decode(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn admitted_texts_always_decode(text in "[A-C+/=]{0,12}") {
            proptest::prop_assert_eq!(decoded_length(&text), ENGINE.decode(&text).ok().map(|bytes| bytes.len()));
        }
    }
}
