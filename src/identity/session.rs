//! Session tokens: temporary credentials that need no row (iam.md §6.6).
//!
//! A token is sealed for its access key id and holds the secret and everything that the session was made with.
//! What may change afterwards is not in it: the user or role is looked up by its unique id at every use, and
//! policies are always the present ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::AccountId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::IdentityRoom;
use super::error::Error;
use super::id;
use crate::access::Session;
use crate::environment::Micros;
use crate::store::seal::Purpose;

/// Longest token text that is looked at; ours stay below 8 KiB.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Temporary credentials, as STS hands them out.
pub struct TemporaryCredentials {
    /// `ASIA…`
    pub access_key_id: String,
    /// The secret, shown once.
    pub secret: Zeroizing<String>,
    /// The sealed token.
    pub token: Zeroizing<String>,
    /// When they end.
    pub expires_at: Micros,
}

impl std::fmt::Debug for TemporaryCredentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TemporaryCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Holder {
    /// The root of the account.
    Root,
    /// A user, by unique id.
    User(String),
    /// A role, by unique id.
    Role {
        /// `AROA…`
        id: String,
        /// The name of the session.
        session_name: String,
    },
}

/// What a token says; the secret is kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) account: String,
    pub(super) holder: Holder,
    pub(super) issued_at: Micros,
    pub(super) expires_at: Micros,
    /// Session policies were passed; without this an empty list would read as "none were".
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_restricted: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) policy_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) transitive_tag_keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source_identity: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_chained: bool,
    /// The long-term key behind GetSessionToken: the session ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    secret: String,
    claims: Claims,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

impl Claims {
    /// What the guard needs to know of the session.
    pub(super) fn session(&self) -> Session {
        Session {
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            policies: self.policies.clone(),
            policy_arns: self.policy_arns.clone(),
            is_restricted: self.is_restricted,
            source_identity: self.source_identity.clone(),
            transitive_tag_keys: self.transitive_tag_keys.clone(),
            is_chained: self.is_chained,
            is_session_token: self.parent_key.is_some(),
        }
    }
}

impl IdentityRoom {
    /// New credentials for `claims`.
    pub(super) fn issue(&self, account: &AccountId, claims: Claims) -> Result<TemporaryCredentials, Error> {
        let access_key_id = id::new_id(&self.environment, "ASIA", account, 20)?;
        let secret = id::new_secret(&self.environment)?;
        let expires_at = claims.expires_at;
        let sealed = Sealed { secret: secret.to_string(), claims };
        let plain = Zeroizing::new(serde_json::to_vec(&sealed)?);
        let bytes = self.sealer.seal(Purpose::SessionToken, access_key_id.as_bytes(), &plain)?;
        let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
        Ok(TemporaryCredentials { access_key_id, secret, token, expires_at })
    }

    /// What a token says, when this installation sealed it for exactly this access key id.
    pub(super) fn open_token(&self, access_key_id: &str, token: &str) -> Option<(Zeroizing<String>, Claims)> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let plain = self.sealer.open(Purpose::SessionToken, access_key_id.as_bytes(), &bytes)?;
        let mut sealed: Sealed = serde_json::from_slice(&plain).ok()?;
        let secret = Zeroizing::new(std::mem::take(&mut sealed.secret));
        Some((secret, sealed.claims.clone()))
    }
}
