//! Long-term access keys of users and of the root.
//!
//! The secret is sealed before it reaches a row and shown once, by the operation that made it.

use policy::AccountId;
use zeroize::Zeroizing;

use super::entity::{self, Entity, Kind};
use super::error::{Error, Missing};
use super::last_used::KeyUse;
use super::page::{Page, PageRequest};
use super::reader::Reader;
use super::{IdentityRoom, cache, id, quota};
use crate::access::{Allowed, Identity, action};
use crate::environment::Micros;
use crate::store::db::Transaction;
use crate::store::seal::Purpose;
use crate::{params, transaction};

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

    /// The owner that an ARN of a user or of the root names, with the user's name.
    async fn authorised(
        reader: &mut impl Reader,
        resource: &Identity,
    ) -> Result<(Self, Option<String>), Error> {
        if resource.arn == format!("arn:aws:iam::{}:root", resource.account) {
            return Ok((Self::root(resource.account.clone()), None));
        }
        let user = entity::authorised(reader, Kind::User, resource).await?;
        Ok((Self { account: user.account, id: user.id }, Some(user.name)))
    }
}

fn missing(key_id: &str) -> Error {
    Error::NoSuchEntity(Missing::AccessKey(key_id.to_owned()))
}

/// A key that is ready to be written.
pub(super) struct Made {
    pub(super) shown: NewAccessKey,
    sealed: Vec<u8>,
}

impl IdentityRoom {
    /// Creates an access key of the authorised user, or of the root; out: the user's name and the key.
    ///
    /// # Errors
    /// NoSuchEntity, LimitExceeded.
    pub async fn create_access_key(
        &self,
        allowed: &Allowed<action::CreateAccessKey>,
    ) -> Result<(Option<String>, NewAccessKey), Error> {
        let key = self.make_key(&allowed.resource().account)?;
        let name = transaction!(self.database, open => {
            let (owner, name) = Owner::authorised(open, allowed.resource()).await?;
            insert(open, &owner, &key).await?;
            Ok::<_, Error>(name)
        })?;
        Ok((name, key.shown))
    }

    /// The access keys of the authorised user, or of the root: the user's name and the keys, oldest first.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn access_keys(
        &self,
        allowed: &Allowed<action::ListAccessKeys>,
        request: &PageRequest,
    ) -> Result<(Option<String>, Page<AccessKey>), Error> {
        let listing = self.listing(&["ListAccessKeys", &allowed.resource().arn], request);
        let mut snapshot = self.database.snapshot().await?;
        let (owner, name) = Owner::authorised(&mut snapshot, allowed.resource()).await?;
        let keys = of_owner(&mut snapshot, &owner).await?;
        Ok((name, listing.cut(keys, |key| format!("{:020}{}", key.created_at, key.id))?))
    }

    /// Activates or deactivates an access key; it counts from the next request on.
    ///
    /// # Errors
    /// NoSuchEntity for the user, or for a key that is not the user's.
    pub async fn set_access_key_active(
        &self,
        allowed: &Allowed<action::UpdateAccessKey>,
        key_id: &str,
        is_active: bool,
    ) -> Result<(), Error> {
        transaction!(self.database, open => {
            let (owner, _) = Owner::authorised(open, allowed.resource()).await?;
            let changed = open
                .execute(
                    "UPDATE iam_access_key SET is_active = $4 WHERE id = $1 AND account = $2 AND owner_id = $3",
                    params![key_id, owner.account.as_str(), &owner.id, is_active],
                )
                .await?;
            if changed == 0 {
                return Err(missing(key_id));
            }
            cache::bump(open, &owner.account).await?;
            Ok(())
        })
    }

    /// Deletes an access key; it is dead from the next request on.
    ///
    /// # Errors
    /// NoSuchEntity for the user, or for a key that is not the user's.
    pub async fn delete_access_key(
        &self,
        allowed: &Allowed<action::DeleteAccessKey>,
        key_id: &str,
    ) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let (owner, _) = Owner::authorised(open, allowed.resource()).await?;
            if !remove(open, &owner, key_id).await? {
                return Err(missing(key_id));
            }
            cache::bump(open, &owner.account).await?;
            Ok(())
        })
    }

    /// Who an access key of the account belongs to: `None` when there is no such key, `Some(None)` for the root.
    ///
    /// For naming the resource that has to be authorised; tells nothing by itself.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn access_key_owner(
        &self,
        account: &AccountId,
        key_id: &str,
    ) -> Result<Option<Option<Entity>>, Error> {
        let row = self
            .database
            .row(
                "SELECT owner_id FROM iam_access_key WHERE id = $1 AND account = $2",
                params![key_id, account.as_str()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(entity::by_id(&mut &self.database, &row.get::<String>(0)?).await?))
    }

    /// When an access key was used last; out: the user's name (`None` for the root) and the use.
    ///
    /// # Errors
    /// NoSuchEntity for a key that is not the authorised user's.
    pub async fn access_key_last_used(
        &self,
        allowed: &Allowed<action::GetAccessKeyLastUsed>,
        key_id: &str,
    ) -> Result<(Option<String>, Option<KeyUse>), Error> {
        let mut snapshot = self.database.snapshot().await?;
        let (owner, name) = match Owner::authorised(&mut snapshot, allowed.resource()).await {
            Ok(found) => found,
            Err(Error::NoSuchEntity(_)) => return Err(missing(key_id)),
            Err(error) => return Err(error),
        };
        let row = snapshot
            .row(
                "SELECT last_used_at, last_used_service, last_used_region FROM iam_access_key \
                 WHERE id = $1 AND account = $2 AND owner_id = $3",
                params![key_id, owner.account.as_str(), &owner.id],
            )
            .await?
            .ok_or_else(|| missing(key_id))?;
        let stored: Option<Micros> = row.get(0)?;
        let stored = match stored {
            Some(at) => Some(KeyUse {
                at,
                service: row.get::<Option<String>>(1)?.unwrap_or_default(),
                region: row.get::<Option<String>>(2)?.unwrap_or_default(),
            }),
            None => None,
        };
        Ok((name, self.last_used.of_key(key_id).or(stored)))
    }

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
    if count >= quota::ACCESS_KEYS {
        return Err(quota::exceeded("AccessKeysPerUser", quota::ACCESS_KEYS));
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
