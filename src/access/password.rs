//! The docker password: base64url of sealed bytes, without `:` (clients split at it) and without spaces.
//!
//! Sealed inside: expiry (8 bytes, microseconds, big endian) ‖ length of the access key id (1) ‖ the id ‖ the
//! session token, when there is one. No name or permission is in it: each use looks those up.
//!
//! A client sends the same password with each request, so what it says is remembered ([`Opened`]), by the SHA-256 of the
//! whole header, of which nobody can choose a part, so that the time of a comparison tells nothing. The password itself is
//! not kept. One with a session token inside is opened each time, because the token would have to be kept too.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use sha2::Digest as _;

use super::caller::Credential;
use crate::environment::{Micros, SECOND};
use crate::store::db::Cache;
use crate::store::seal::{Purpose, SealError, Sealer};

/// How long a password lives: 12 hours (GetAuthorizationToken, API reference).
pub(super) const LIFETIME: Micros = 12 * 3600 * SECOND;

/// The only user name that ECR knows.
const USER: &[u8] = b"AWS";

/// Longest header value that is looked at: a sealed session token of 4 KiB, twice base64.
const MAX_HEADER_BYTES: usize = 12 * 1024;

/// Bytes of passwords that are remembered: some hundred. A cluster has one for each key.
const REMEMBERED_BYTES: usize = 256 * 1024;

/// What a password says.
#[derive(Clone)]
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

/// What passwords that were opened before say. An entry is true for as long as the sealing keys are the same, which they
/// are until the process ends; whether the password has expired, and whether its key is still good, is asked each time.
#[derive(Debug)]
pub(super) struct Remembered(Cache<[u8; 32], (), (String, Micros)>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::bounded(REMEMBERED_BYTES))
    }
}

impl Remembered {
    /// As [`open`], but a header that was opened before is not opened again.
    pub(super) fn open(&self, sealer: &Sealer, header: &str) -> Option<Opened> {
        if header.len() > MAX_HEADER_BYTES {
            return None;
        }
        let digest: [u8; 32] = sha2::Sha256::digest(header.as_bytes()).into();
        if let Some((access_key_id, expires_at)) = self.0.get(&digest, ()) {
            return Some(Opened { access_key_id, session_token: None, expires_at });
        }
        let opened = open(sealer, header)?;
        if opened.session_token.is_none() {
            let bytes = opened.access_key_id.len();
            self.0.put(digest, (), (opened.access_key_id.clone(), opened.expires_at), bytes);
        }
        Some(opened)
    }
}

/// Reads `Basic <base64 of AWS:password>`; `None` for whatever this installation did not make.
fn open(sealer: &Sealer, header: &str) -> Option<Opened> {
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
        let remembered = Remembered::default();
        for _ in 0..2 {
            assert!(remembered.open(&sealer, &header(&password)).unwrap().session_token.is_some());
        }
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
            assert!(remembered.open(&sealer, &bad).is_none(), "{bad:.40}");
        }
    }

    #[test]
    fn what_is_remembered_is_that_very_password_and_no_session_token() {
        let folder = tempfile::tempdir().unwrap();
        let sealer =
            |name: &str| Sealer::open_or_create(&folder.path().join(name), Environment::system()).unwrap();
        let (ours, other) = (sealer("keys"), sealer("others"));
        let credential = |token: Option<&str>| Credential {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            session_token: token.map(|token| Zeroizing::new(token.to_owned())),
            session: None,
        };
        let remembered = Remembered::default();
        let known = header(&seal(&ours, &credential(None), 42).unwrap());
        let session = header(&seal(&ours, &credential(Some("token")), 42).unwrap());
        for sent in [&known, &session] {
            let opened = remembered.open(&ours, sent).unwrap();
            assert_eq!((opened.access_key_id.as_str(), opened.expires_at), ("AKIAEXAMPLE", 42));
        }
        // Only what is remembered needs no key any more.
        assert_eq!(remembered.open(&other, &known).unwrap().expires_at, 42);
        assert!(remembered.open(&other, &session).is_none());
        let mut changed = known.clone();
        changed.pop();
        assert!(remembered.open(&ours, &changed).is_none());
        assert!(Remembered::default().open(&other, &known).is_none());
    }
}
