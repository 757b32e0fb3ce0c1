//! The docker password: base64url of sealed bytes, without `:` (clients split at it) and without spaces.
//!
//! Sealed inside: expiry (8 bytes, microseconds, big endian) ‖ length of the access key id (1) ‖ the id ‖ the
//! session token, when there is one. No name or permission is in it: each use looks those up.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::caller::Credential;
use crate::environment::{Micros, SECOND};
use crate::store::seal::{Purpose, SealError, Sealer};

/// How long a password lives: 12 hours (GetAuthorizationToken, API reference).
pub(super) const LIFETIME: Micros = 12 * 3600 * SECOND;

/// The only user name that ECR knows.
const USER: &[u8] = b"AWS";

/// Longest header value that is looked at: a sealed session token of 4 KiB, twice base64.
const MAX_HEADER_BYTES: usize = 12 * 1024;

/// What a password says.
pub(super) struct Opened {
    pub(super) access_key_id: String,
    pub(super) session_token: Option<Zeroizing<String>>,
    pub(super) expires_at: Micros,
}

pub(super) fn seal(
    sealer: &Sealer,
    credential: &Credential,
    expires_at: Micros,
) -> Result<Zeroizing<String>, SealError> {
    let id = credential.access_key_id.as_bytes();
    let length = u8::try_from(id.len()).map_err(|_| SealError::Cipher)?;
    let mut plain = Zeroizing::new(expires_at.to_be_bytes().to_vec());
    plain.push(length);
    plain.extend_from_slice(id);
    if let Some(token) = &credential.session_token {
        plain.extend_from_slice(token.as_bytes());
    }
    let sealed = sealer.seal(Purpose::RegistryPassword, b"", &plain)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(sealed)))
}

/// Reads `Basic <base64 of AWS:password>`; `None` for whatever this installation did not make.
pub(super) fn open(sealer: &Sealer, header: &str) -> Option<Opened> {
    if header.len() > MAX_HEADER_BYTES {
        return None;
    }
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (user, rest) = pair.split_at_checked(colon)?;
    let (_, password) = rest.split_first()?;
    if user != USER {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(password).ok()?;
    let plain = sealer.open(Purpose::RegistryPassword, b"", &sealed)?;
    let (expires_at, rest) = plain.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first()?;
    let (id, token) = rest.split_at_checked(usize::from(*length))?;
    let token = std::str::from_utf8(token).ok()?;
    Some(Opened {
        access_key_id: std::str::from_utf8(id).ok()?.to_owned(),
        session_token: (!token.is_empty()).then(|| Zeroizing::new(token.to_owned())),
        expires_at: Micros::from_be_bytes(*expires_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn header(password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("AWS:{password}")))
    }

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open_or_create(&folder.path().join("keys"), Environment::system()).unwrap();
        let credential = Credential {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            session_token: Some(Zeroizing::new("token".to_owned())),
            session: None,
        };
        let password = seal(&sealer, &credential, 42).unwrap();
        assert!(!password.contains(':') && !password.contains(char::is_whitespace));
        let opened = open(&sealer, &header(&password)).unwrap();
        assert_eq!(opened.access_key_id, "ASIAEXAMPLE");
        assert_eq!(opened.session_token.unwrap().as_str(), "token");
        assert_eq!(opened.expires_at, 42);
        for bad in [
            String::new(),
            "Basic".to_owned(),
            "Basic !!!".to_owned(),
            format!("Bearer {}", password.as_str()),
            format!("Basic {}", STANDARD.encode(format!("aws:{}", password.as_str()))),
            header("x"),
            header(&"A".repeat(20_000)),
        ] {
            assert!(open(&sealer, &bad).is_none(), "{bad:.40}");
        }
    }
}
