//! Keys and the string to sign.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use zeroize::{Zeroize as _, Zeroizing};

use super::{ALGORITHM, TERMINATOR, clock};

/// Derived key of one secret, date, region and service; cleared on drop.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(***)")
    }
}

/// Derives the key: `date` is `YYYYMMDD`, region and service as in the scope. Worth caching per key and day.
#[must_use]
pub fn signing_key(secret_access_key: &str, date: &str, region: &str, service: &str) -> SigningKey {
    let first = Zeroizing::new(format!("AWS4{secret_access_key}").into_bytes());
    let mut key = SigningKey(mac(&first, date.as_bytes()));
    for part in [region, service, TERMINATOR] {
        key = SigningKey(mac(&key.0, part.as_bytes()));
    }
    key
}

impl SigningKey {
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 32] {
        mac(&self.0, message)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8; 32]) -> bool {
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), message, signature).is_ok()
    }
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = [0; 32];
    for (byte, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *byte = *from;
    }
    bytes
}

/// `20261123/eu-central-1/ecr/aws4_request`.
pub(super) fn scope(date: &str, region: &str, service: &str) -> String {
    format!("{date}/{region}/{service}/{TERMINATOR}")
}

pub(super) fn string_to_sign(timestamp: i64, scope: &str, canonical_request: &[u8]) -> String {
    let hash = hex::encode(digest::digest(&digest::SHA256, canonical_request));
    format!("{ALGORITHM}\n{}\n{scope}\n{hash}", clock::basic_text(timestamp))
}
