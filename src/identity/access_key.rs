//! Long-term access keys of users and of the root.
//!
//! The secret is sealed before it reaches a row and shown once, by the operation that made it.

use policy::AccountId;
use zeroize::Zeroizing;

use super::IdentityRoom;
use super::error::{Error, Quota};
use super::id;
use super::reader::Reader;
use crate::environment::Micros;
use crate::params;
use crate::store::db::Transaction;
use crate::store::seal::Purpose;

/// Access keys per user, and of the root (iam.md §2.7).
const MAXIMUM: i64 = 2;

/// An access key without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// Whether it may sign.
    pub is_active: bool,
    /// When it was created.
    pub created_at: Micros,
}

/// A new access key with its secret.
pub struct NewAccessKey {
    /// `AKIA…`
    pub id: String,
    /// 40 characters; cannot be read again.
    pub secret: Zeroizing<String>,
    /// When it was created.
    pub created_at: Micros,
}

impl std::fmt::Debug for NewAccessKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NewAccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whose key it is: a user of an account, or its root.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) account: AccountId,
    /// The user's unique id; the account's number for the root.
    pub(super) id: String,
}

impl Owner {
    pub(super) fn root(account: AccountId) -> Self {
        Self { id: account.to_string(), account }
    }
}

/// A key that is ready to be written.
pub(super) struct Made {
    pub(super) shown: NewAccessKey,
    sealed: Vec<u8>,
}

impl IdentityRoom {
    pub(super) fn make_key(&self, account: &AccountId) -> Result<Made, Error> {
        let id = id::new_id(&self.environment, "AKIA", account, 20)?;
        let secret = id::new_secret(&self.environment)?;
        let sealed = self.seal_secret(&id, &secret)?;
        Ok(Made { shown: NewAccessKey { id, secret, created_at: self.environment.now() }, sealed })
    }

    pub(super) fn seal_secret(&self, access_key_id: &str, secret: &str) -> Result<Vec<u8>, Error> {
        Ok(self.sealer.seal(Purpose::AccessKeySecret, access_key_id.as_bytes(), secret.as_bytes())?)
    }
}

/// Writes a new key.
///
/// # Errors
/// LimitExceeded when the owner has two.
pub(super) async fn insert(open: &mut Transaction, owner: &Owner, key: &Made) -> Result<(), Error> {
    let count: i64 = open
        .required(
            "SELECT COUNT(*) FROM iam_access_key WHERE account = $1 AND owner_id = $2",
            params![owner.account.as_str(), &owner.id],
        )
        .await?
        .get(0)?;
    if count >= MAXIMUM {
        return Err(Error::LimitExceeded(Quota::Counted { name: "AccessKeysPerUser", maximum: MAXIMUM }));
    }
    open.execute(
        "INSERT INTO iam_access_key (id, account, owner_id, secret, is_active, created_at) \
         VALUES ($1, $2, $3, $4, 1, $5)",
        params![&key.shown.id, owner.account.as_str(), &owner.id, key.sealed.clone(), key.shown.created_at],
    )
    .await?;
    Ok(())
}

/// The keys of a user or of the root, oldest first. At most two, so listings have one page.
pub(super) async fn of_owner(reader: &mut impl Reader, owner: &Owner) -> Result<Vec<AccessKey>, Error> {
    let rows = reader
        .rows(
            "SELECT id, is_active, created_at FROM iam_access_key \
             WHERE account = $1 AND owner_id = $2 ORDER BY created_at, id",
            params![owner.account.as_str(), &owner.id],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(AccessKey { id: row.get(0)?, is_active: row.get(1)?, created_at: row.get(2)? }))
        .collect()
}

/// Deletes a key; whether the owner had it.
pub(super) async fn remove(open: &mut Transaction, owner: &Owner, id: &str) -> Result<bool, Error> {
    let deleted = open
        .execute(
            "DELETE FROM iam_access_key WHERE id = $1 AND account = $2 AND owner_id = $3",
            params![id, owner.account.as_str(), &owner.id],
        )
        .await?;
    Ok(deleted == 1)
}
