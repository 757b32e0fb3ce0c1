//! Percent encoding as RFC 3986 and Signature Version 4 want it.
//!
//! Unreserved are `A-Za-z0-9-_.~`; everything else becomes `%XX` with upper-case digits. IAM also returns
//! policy documents in this form (iam.md §2.2).

/// Percent-encodes every byte that is not unreserved: `a b/é` becomes `a%20b%2F%C3%A9`.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let mut text = String::with_capacity(bytes.as_ref().len());
    for &byte in bytes.as_ref() {
        push(&mut text, byte);
    }
    text
}

/// As [`encode`], but keeps `/`: for paths.
#[must_use]
pub(crate) fn encode_path(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'/' {
            text.push('/');
        } else {
            push(&mut text, byte);
        }
    }
    text
}

fn push(text: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
        text.push(char::from(byte));
    } else {
        text.push('%');
        for digit in [byte >> 4, byte & 15] {
            let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
            text.push(digit.to_ascii_uppercase());
        }
    }
}

/// Decodes `%XX`; with `plus_is_space` also `+` as in HTML forms. `None` on an escape without two hex digits.
#[must_use]
pub fn decode(text: &[u8], plus_is_space: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = digit(*rest.next()?)?;
                let low = digit(*rest.next()?)?;
                high << 4 | low
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_all_but_unreserved() {
        assert_eq!(encode("aZ09-_.~ /+=%\u{e9}"), "aZ09-_.~%20%2F%2B%3D%25%C3%A9");
        assert_eq!(encode_path(b"/a b/"), "/a%20b/");
    }

    #[test]
    fn decodes_both_cases_and_refuses_broken_escapes() {
        assert_eq!(decode(b"%2f%2F+", true).unwrap(), b"// ");
        assert_eq!(decode(b"+", false).unwrap(), b"+");
        for broken in [&b"%"[..], b"%4", b"%4g", b"%%41", b"% 1"] {
            assert_eq!(decode(broken, false), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn round_trips(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decode(encode(&bytes).as_bytes(), true), Some(bytes));
        }
    }
}
