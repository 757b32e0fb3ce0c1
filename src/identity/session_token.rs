//! GetSessionToken and GetAccessKeyInfo.

use policy::{AccountId, Principal};

use super::error::Error;
use super::session::{Claims, Holder, TemporaryCredentials};
use super::{IdentityRoom, id};
use crate::access::{Allowed, action};
use crate::environment::SECOND;
use crate::params;

/// Seconds of a session that nobody asked a length for.
const DEFAULT_SECONDS: i64 = 43_200;

/// The most for the root; longer wishes are cut to it (API reference of GetSessionToken).
const ROOT_SECONDS: i64 = 3600;

impl IdentityRoom {
    /// Temporary credentials for the calling user or root. They end with the long-term key that made them.
    ///
    /// # Errors
    /// [`Error::SessionCredentials`] for a caller who has temporary credentials.
    pub fn session_token(
        &self,
        allowed: &Allowed<action::GetSessionToken>,
        duration_seconds: Option<i64>,
    ) -> Result<TemporaryCredentials, Error> {
        let caller = allowed.caller();
        if caller.credential.session.is_some() {
            return Err(Error::SessionCredentials("GetSessionToken"));
        }
        let (holder, maximum) = match &**caller.principal {
            Principal::Root { .. } => (Holder::Root, ROOT_SECONDS),
            Principal::User { id, .. } => (Holder::User(id.clone()), i64::MAX),
            Principal::RoleSession { .. }
            | Principal::FederatedUser { .. }
            | Principal::WebIdentity { .. }
            | Principal::Service { .. } => return Err(Error::SessionCredentials("GetSessionToken")),
        };
        let seconds = duration_seconds.unwrap_or(DEFAULT_SECONDS).min(maximum);
        let now = self.environment.now();
        let claims = Claims {
            account: caller.account().to_string(),
            holder,
            issued_at: now,
            expires_at: now.saturating_add(seconds.saturating_mul(SECOND)),
            is_restricted: false,
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
            is_chained: false,
            parent_key: Some(caller.credential.access_key_id.clone()),
        };
        self.issue(caller.account(), claims)
    }

    /// The account that an access key id was made for: read from the id, or from its row when the operator
    /// chose the id. Out: `None` for ids that nobody here could have made.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn account_of_key(
        &self,
        _allowed: &Allowed<action::GetAccessKeyInfo>,
        access_key_id: &str,
    ) -> Result<Option<AccountId>, Error> {
        let row = self
            .database
            .row("SELECT account FROM iam_access_key WHERE id = $1", params![access_key_id])
            .await?;
        if let Some(row) = row {
            return Ok(AccountId::parse(&row.get::<String>(0)?).ok());
        }
        let is_key = access_key_id.starts_with("AKIA") || access_key_id.starts_with("ASIA");
        Ok(if is_key { id::account_of(access_key_id) } else { None })
    }
}
