//! Accounts: their roots' keys, their aliases, and how much they hold.

use policy::AccountId;
use zeroize::Zeroizing;

use super::IdentityRoom;
use super::access_key::{self, AccessKey, NewAccessKey, Owner};
use super::error::{Error, Existing, Missing};
use super::page::{Page, PageRequest};
use crate::access::{Allowed, action};
use crate::environment::Micros;
use crate::{params, transaction};

/// How much an account holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users.
    pub users: i64,
    /// Groups.
    pub groups: i64,
    /// Roles.
    pub roles: i64,
    /// Instance profiles.
    pub instance_profiles: i64,
    /// Customer managed policies.
    pub policies: i64,
    /// Versions of all customer managed policies.
    pub policy_versions: i64,
    /// Access keys of the root.
    pub root_access_keys: i64,
}

impl IdentityRoom {
    /// Creates an account. Out: whether it is new; an existing one is left as it is.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn create_account(&self, account: &AccountId) -> Result<bool, Error> {
        let now = self.environment.now();
        transaction!(self.database, open => {
            let inserted = open
                .execute(
                    "INSERT INTO account (account, created_at) VALUES ($1, $2) ON CONFLICT (account) DO NOTHING",
                    params![account.as_str(), now],
                )
                .await?;
            Ok::<_, Error>(inserted == 1)
        })
    }

    /// Creates an access key of the account's root. For the command line and the first start: callers over
    /// the network come through the guard.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when the root has two keys already: the administrator must delete one.
    pub async fn create_root_key(&self, account: &AccountId) -> Result<NewAccessKey, Error> {
        let key = self.make_key(account)?;
        transaction!(self.database, open => {
            access_key::insert(open, &Owner::root(account.clone()), &key).await?;
            Ok::<_, Error>(())
        })?;
        Ok(key.shown)
    }

    /// Sets a root key that the operator chose, or gives an existing root key this secret and makes it active.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the id is not 16 to 128 letters, digits or `_`, when the secret has fewer than 16
    /// characters, or when the id belongs to a user or to another account.
    pub async fn set_root_key(
        &self,
        account: &AccountId,
        access_key_id: &str,
        secret: &Zeroizing<String>,
    ) -> Result<(), Error> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !(16..=128).contains(&access_key_id.len()) || !access_key_id.bytes().all(is_word) {
            return Err(Error::Invalid(
                "an access key id has 16 to 128 letters, digits or underscores".to_owned(),
            ));
        }
        // Short secrets can be guessed offline from one recorded signature.
        if secret.len() < 16 {
            return Err(Error::Invalid("a secret access key has at least 16 characters".to_owned()));
        }
        let sealed = self.seal_secret(access_key_id, secret)?;
        let now = self.environment.now();
        transaction!(self.database, open => {
            let written = open
                .execute(
                    "INSERT INTO iam_access_key (id, account, owner_id, secret, is_active, created_at) \
                     VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT (id) DO UPDATE \
                     SET secret = excluded.secret, is_active = 1 \
                     WHERE iam_access_key.account = excluded.account AND iam_access_key.owner_id = excluded.owner_id",
                    params![access_key_id, account.as_str(), account.as_str(), sealed.clone(), now],
                )
                .await?;
            if written == 0 {
                return Err(Error::Invalid("the access key id is taken by a user or another account".to_owned()));
            }
            Ok(())
        })
    }

    /// The root's access keys, oldest first.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn root_keys(&self, account: &AccountId) -> Result<Vec<AccessKey>, Error> {
        access_key::of_owner(&mut &self.database, &Owner::root(account.clone())).await
    }

    /// Deletes a key of the root.
    ///
    /// # Errors
    /// NoSuchEntity when the root has no such key.
    pub async fn delete_root_key(&self, account: &AccountId, access_key_id: &str) -> Result<(), Error> {
        let owner = Owner::root(account.clone());
        transaction!(self.database, freeing open => {
            if !access_key::remove(open, &owner, access_key_id).await? {
                return Err(Error::NoSuchEntity(Missing::AccessKey(access_key_id.to_owned())));
            }
            Ok(())
        })
    }

    /// Sets the alias of the account, in place of one that it has.
    ///
    /// # Errors
    /// EntityAlreadyExists when another account has it.
    pub async fn create_account_alias(
        &self,
        allowed: &Allowed<action::CreateAccountAlias>,
        alias: &str,
    ) -> Result<(), Error> {
        let account = &allowed.resource().account;
        transaction!(self.database, open => {
            let holder = open
                .row("SELECT account FROM account_alias WHERE alias = $1", params![alias])
                .await?;
            if let Some(row) = holder
                && row.get::<String>(0)? != account.as_str()
            {
                return Err(Error::AlreadyExists(Existing::AccountAlias(alias.to_owned())));
            }
            open.execute(
                "INSERT INTO account_alias (account, alias) VALUES ($1, $2) \
                 ON CONFLICT (account) DO UPDATE SET alias = excluded.alias",
                params![account.as_str(), alias],
            )
            .await?;
            Ok(())
        })
    }

    /// Removes the alias of the account.
    ///
    /// # Errors
    /// NoSuchEntity when the account does not have it.
    pub async fn delete_account_alias(
        &self,
        allowed: &Allowed<action::DeleteAccountAlias>,
        alias: &str,
    ) -> Result<(), Error> {
        let account = &allowed.resource().account;
        transaction!(self.database, freeing open => {
            let deleted = open
                .execute(
                    "DELETE FROM account_alias WHERE account = $1 AND alias = $2",
                    params![account.as_str(), alias],
                )
                .await?;
            if deleted == 0 {
                return Err(Error::NoSuchEntity(Missing::AccountAlias(alias.to_owned())));
            }
            Ok(())
        })
    }

    /// The alias of the account, if it has one.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`].
    pub async fn account_aliases(
        &self,
        allowed: &Allowed<action::ListAccountAliases>,
        request: &PageRequest,
    ) -> Result<Page<String>, Error> {
        let account = allowed.resource().account.as_str();
        let listing = self.listing(&["ListAccountAliases", account], request);
        let row =
            self.database.row("SELECT alias FROM account_alias WHERE account = $1", params![account]).await?;
        let alias: Option<String> = row.map(|row| row.get(0)).transpose()?;
        listing.cut(alias.into_iter().collect(), String::clone)
    }

    /// When the account was created; GetUser shows it for the root.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn account_created_at(
        &self,
        allowed: &Allowed<action::GetUser>,
    ) -> Result<Option<Micros>, Error> {
        let account = allowed.resource().account.as_str();
        let row =
            self.database.row("SELECT created_at FROM account WHERE account = $1", params![account]).await?;
        Ok(row.map(|row| row.get(0)).transpose()?)
    }

    /// Counts what the account holds.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn summary(&self, allowed: &Allowed<action::GetAccountSummary>) -> Result<Summary, Error> {
        let account = allowed.resource().account.as_str();
        let mut snapshot = self.database.snapshot().await?;
        let mut summary = Summary::default();
        let kinds = snapshot
            .rows("SELECT kind, COUNT(*) FROM iam_entity WHERE account = $1 GROUP BY kind", params![account])
            .await?;
        for row in &kinds {
            let count: i64 = row.get(1)?;
            match row.get::<String>(0)?.as_str() {
                "user" => summary.users = count,
                "group" => summary.groups = count,
                "role" => summary.roles = count,
                "instance-profile" => summary.instance_profiles = count,
                "policy" => summary.policies = count,
                _ => {}
            }
        }
        let others = snapshot
            .row(
                "SELECT (SELECT COUNT(*) FROM iam_policy_version v JOIN iam_entity e ON e.id = v.policy_id \
                 WHERE e.account = $1), \
                 (SELECT COUNT(*) FROM iam_access_key WHERE account = $1 AND owner_id = $1)",
                params![account],
            )
            .await?;
        if let Some(row) = others {
            summary.policy_versions = row.get(0)?;
            summary.root_access_keys = row.get(1)?;
        }
        Ok(summary)
    }
}
