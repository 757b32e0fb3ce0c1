//! Sealed text: what only this installation can read or make.
//!
//! AES-256-GCM with a key id, a random nonce and a purpose that is authenticated but not stored, so that a
//! docker password can never pass as a session token. The keys lie in one file, newest first, a line each:
//! `<id> <64 hex digits>`; rotation adds a line on top and removes the last one when nothing sealed with it
//! can be alive. Losing the file loses every secret access key: back it up apart from the database.
//!
//! Sealed bytes: version (1) ‖ key id (4, big endian) ‖ nonce (12) ‖ ciphertext and tag.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::environment::Environment;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 5;
const NONCE_BYTES: usize = 12;

/// What a sealed text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The secret of an access key, at rest.
    AccessKeySecret,
    /// The password that docker sends.
    RegistryPassword,
    /// The token that goes with temporary credentials.
    SessionToken,
    /// A position in a listing.
    Cursor,
    /// A URL that fetches one layer without credentials.
    LayerUrl,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::AccessKeySecret => b"longshore/access-key-secret/1",
            Self::RegistryPassword => b"longshore/registry-password/1",
            Self::SessionToken => b"longshore/session-token/1",
            Self::Cursor => b"longshore/cursor/1",
            Self::LayerUrl => b"longshore/layer-url/1",
        }
    }
}

/// The installation's sealing keys.
pub struct Sealer {
    keys: Vec<SealingKey>,
    environment: Environment,
}

struct SealingKey {
    id: u32,
    aead: LessSafeKey,
    mac: hmac::Key,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<u32> = self.keys.iter().map(|key| key.id).collect();
        formatter.debug_struct("Sealer").field("key_ids", &ids).finish_non_exhaustive()
    }
}

/// Why the keys cannot be used, or a text cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be read or written.
    #[error("the key file cannot be used: {0}")]
    File(#[from] std::io::Error),
    /// Others than the owner may read the key file.
    #[error("the key file has mode {mode:o}; only its owner may read it (chmod 600)")]
    Exposed {
        /// The permission bits found.
        mode: u32,
    },
    /// A line is not `<id> <64 hex digits>`.
    #[error("line {line} of the key file is not `<id> <64 hex digits>`")]
    Malformed {
        /// Counted from 1.
        line: usize,
    },
    /// No randomness, or the cipher refused.
    #[error("sealing failed")]
    Cipher,
}

impl Sealer {
    /// Reads the key file; writes a new one with one random key when there is none.
    ///
    /// # Errors
    /// [`SealError`]; an existing file is never changed.
    pub fn open_or_create(path: &Path, environment: Environment) -> Result<Self, SealError> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(SealError::Exposed { mode });
                }
                Self::parse(&Zeroizing::new(text), environment)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(path, environment),
            Err(error) => Err(error.into()),
        }
    }

    fn create(path: &Path, environment: Environment) -> Result<Self, SealError> {
        let bytes = Zeroizing::new(environment.random::<32>().map_err(|_| SealError::Cipher)?);
        let text = Zeroizing::new(format!("1 {}\n", hex::encode(bytes.as_slice())));
        // Under another name until it is whole: a process that dies here must not leave a file without a key, which
        // no later start could use.
        let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
        let options = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
        let mut file = options.open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match std::fs::hard_link(&unfinished, path) {
            // Another process that starts at the same time was faster: its key is the one.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                std::fs::remove_file(&unfinished)?;
                return Self::parse(&Zeroizing::new(std::fs::read_to_string(path)?), environment);
            }
            Ok(()) => std::fs::remove_file(&unfinished)?,
            // A file system without links.
            Err(_) => std::fs::rename(&unfinished, path)?,
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Without this the key may vanish in a power cut while what it sealed stays.
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Self::parse(&text, environment)
    }

    fn parse(text: &str, environment: Environment) -> Result<Self, SealError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            keys.push(SealingKey::parse(line).ok_or(SealError::Malformed { line: index + 1 })?);
        }
        if keys.is_empty() {
            return Err(SealError::Malformed { line: 1 });
        }
        Ok(Self { keys, environment })
    }

    /// Seals `plain`; `about` is authenticated with it and must be given again to open it.
    ///
    /// # Errors
    /// [`SealError::Cipher`] when there is no randomness.
    pub fn seal(&self, purpose: Purpose, about: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.keys.first().ok_or(SealError::Cipher)?;
        let nonce = self.environment.random::<NONCE_BYTES>().map_err(|_| SealError::Cipher)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let aad = Aad::from(associated(purpose, key.id, about));
        key.aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| SealError::Cipher)?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] made with the same purpose and `about`; `None` for anything else.
    #[must_use]
    pub fn open(&self, purpose: Purpose, about: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (version, rest) = sealed.split_first()?;
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if *version != VERSION {
            return None;
        }
        let id = u32::from_be_bytes(*id);
        let key = self.keys.iter().find(|key| key.id == id)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let aad = Aad::from(associated(purpose, id, about));
        let length =
            key.aead.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    /// A short signature (32 bytes) over public text, such as the parts of a layer URL.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, text: &[u8]) -> Vec<u8> {
        self.keys.first().map(|key| mac(key, purpose, text).as_ref().to_vec()).unwrap_or_default()
    }

    /// Whether [`Self::sign`] made the signature, with any live key; in constant time.
    #[must_use]
    pub fn verify(&self, purpose: Purpose, text: &[u8], signature: &[u8]) -> bool {
        self.keys.iter().any(|key| {
            let expected = mac(key, purpose, text);
            bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_ref(), signature))
        })
    }
}

fn mac(key: &SealingKey, purpose: Purpose, text: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&key.mac);
    context.update(purpose.label());
    context.update(&[0]);
    context.update(text);
    context.sign()
}

fn associated(purpose: Purpose, id: u32, about: &[u8]) -> Vec<u8> {
    // The label has no zero byte, so label, id and text cannot run into each other.
    let mut text = purpose.label().to_vec();
    text.push(0);
    text.extend_from_slice(&id.to_be_bytes());
    text.extend_from_slice(about);
    text
}

impl SealingKey {
    fn parse(line: &str) -> Option<Self> {
        let (id, digits) = line.trim().split_once(' ')?;
        let bytes = Zeroizing::new(hex::decode(digits.trim()).ok()?);
        if bytes.len() != 32 {
            return None;
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let aead = hmac::sign(&root, b"longshore aead key");
        let mac = hmac::sign(&root, b"longshore mac key");
        Some(Self {
            id: id.parse().ok()?,
            aead: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, aead.as_ref()).ok()?),
            mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_ref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> (tempfile::TempDir, Sealer) {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open_or_create(&folder.path().join("keys"), Environment::system()).unwrap();
        (folder, sealer)
    }

    #[test]
    fn opens_only_what_it_sealed_for_the_same_purpose() {
        let (_folder, sealer) = sealer();
        let sealed = sealer.seal(Purpose::SessionToken, b"about", b"plain").unwrap();
        assert_eq!(sealer.open(Purpose::SessionToken, b"about", &sealed).unwrap().as_slice(), b"plain");
        assert!(sealer.open(Purpose::RegistryPassword, b"about", &sealed).is_none());
        assert!(sealer.open(Purpose::SessionToken, b"other", &sealed).is_none());
        for index in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[index] ^= 1;
            assert!(sealer.open(Purpose::SessionToken, b"about", &flipped).is_none(), "byte {index}");
            assert!(sealer.open(Purpose::SessionToken, b"about", &sealed[..index]).is_none());
        }
    }

    #[test]
    fn signatures_are_bound_to_purpose_and_text() {
        let (_folder, sealer) = sealer();
        let signature = sealer.sign(Purpose::LayerUrl, b"text");
        assert!(sealer.verify(Purpose::LayerUrl, b"text", &signature));
        assert!(!sealer.verify(Purpose::Cursor, b"text", &signature));
        assert!(!sealer.verify(Purpose::LayerUrl, b"texu", &signature));
        assert!(!sealer.verify(Purpose::LayerUrl, b"text", b""));
    }

    #[test]
    fn an_older_key_still_opens_and_a_readable_file_is_refused() {
        let (folder, first) = sealer();
        let path = folder.path().join("keys");
        let sealed = first.seal(Purpose::Cursor, b"", b"x").unwrap();
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("2 {}\n{old}", "ab".repeat(32))).unwrap();
        let second = Sealer::open_or_create(&path, Environment::system()).unwrap();
        assert_eq!(second.open(Purpose::Cursor, b"", &sealed).unwrap().as_slice(), b"x");
        assert!(
            first.open(Purpose::Cursor, b"", &second.seal(Purpose::Cursor, b"", b"x").unwrap()).is_none()
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Sealer::open_or_create(&path, Environment::system()),
            Err(SealError::Exposed { mode: 0o644 })
        ));
    }
}
