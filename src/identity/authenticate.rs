//! From an access key id to the principal behind it, as it is now.

use std::sync::Arc;

use policy::{AccountId, Named, Principal};
use zeroize::Zeroizing;

use super::IdentityRoom;
use super::entity::{self, Entity, Kind};
use super::error::Error;
use super::session::{Claims, Holder};
use super::{cache, tag};
use crate::access::Session;
use crate::params;
use crate::store::db;
use crate::store::seal::Purpose;

/// What an access key id and a session token lead to.
#[derive(Debug)]
pub enum Lookup {
    /// Nothing that may be used: never made here, deactivated, deleted, or its user or role is gone. One
    /// answer for all, so that nobody can ask which keys exist.
    Unknown,
    /// A session of ours that has ended.
    Expired,
    /// A key that can sign.
    Found(Arc<Authenticated>),
}

/// The holder of a key. The signature is not verified yet.
pub struct Authenticated {
    /// Who it is, with the present name, path and tags.
    pub principal: Arc<Named>,
    /// Facts of temporary credentials.
    pub session: Option<Session>,
    /// The generation of the account that this was read at, where that is what proves policies exact.
    pub generation: Option<i64>,
    secret: Secret,
}

/// Where the secret is. It stays sealed in memory until a signature has to be verified.
enum Secret {
    /// Sealed in the row of a long-term key.
    Sealed(Vec<u8>),
    /// Sealed in the session token, which the caller has.
    InToken,
}

impl std::fmt::Debug for Authenticated {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Authenticated")
            .field("principal", &self.principal)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl IdentityRoom {
    /// Finds who an access key belongs to.
    ///
    /// In: the id, and the session token that came with it. A token makes it a question about temporary
    /// credentials, whatever the id looks like; without one only long-term keys are found.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn authenticate(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Lookup, Error> {
        let stamp = self.stamp();
        let key = cache::holder_key(access_key_id, session_token);
        if let Some(found) = stamp.and_then(|stamp| self.caches.holders.get(key.as_slice(), stamp)) {
            return Ok(self.unless_expired(found));
        }
        let found = match session_token {
            // Boxed, so that what was found in memory does not pay for the room of these.
            Some(token) => Box::pin(self.authenticate_session(access_key_id, token)).await?,
            None => Box::pin(self.authenticate_key(access_key_id)).await?,
        };
        if let (Some(stamp), Lookup::Found(found)) = (stamp, &found) {
            self.caches.holders.put(key, stamp, Arc::clone(found), found.weight());
        }
        Ok(found)
    }

    /// Time passes without a commit.
    fn unless_expired(&self, found: Arc<Authenticated>) -> Lookup {
        match &found.session {
            Some(session) if session.expires_at <= self.environment.now() => Lookup::Expired,
            _ => Lookup::Found(found),
        }
    }

    /// The secret that signs the requests of a holder that was found for these credentials.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be opened with the sealing keys at hand.
    pub fn secret(
        &self,
        found: &Authenticated,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Zeroizing<String>, Error> {
        let opened = match (&found.secret, session_token) {
            (Secret::Sealed(sealed), _) => self.open_secret(access_key_id, sealed),
            (Secret::InToken, token) => {
                token.and_then(|token| self.open_token(access_key_id, token)).map(|(secret, _)| secret)
            }
        };
        opened.ok_or_else(|| {
            Error::Internal(anyhow::anyhow!(
                "the secret of access key {access_key_id} cannot be opened with the sealing keys at hand"
            ))
        })
    }

    async fn authenticate_key(&self, access_key_id: &str) -> Result<Lookup, Error> {
        let row = self
            .database
            .row(
                concat!(
                    "SELECT ",
                    entity::columns!(),
                    ", k.account, k.owner_id, k.secret, a.generation FROM iam_access_key k \
                     JOIN account a ON a.account = k.account LEFT JOIN iam_entity e ON e.id = k.owner_id \
                     WHERE k.id = $1 AND k.is_active = 1"
                ),
                params![access_key_id],
            )
            .await?;
        let Some(row) = row else { return Ok(Lookup::Unknown) };
        let secret = Secret::Sealed(row.get(entity::COLUMN_COUNT + 2)?);
        let generation = row.get(entity::COLUMN_COUNT + 3)?;
        let owner: String = row.get(entity::COLUMN_COUNT)?;
        let principal = if row.get::<String>(entity::COLUMN_COUNT + 1)? == owner {
            Principal::Root { account: account(&owner)? }
        } else if row.get::<Option<String>>(0)?.is_some() {
            let user = entity::read(&row)?;
            let tags = self.principal_tags(&user, generation).await?;
            user_principal(user, tags)
        } else {
            return Ok(Lookup::Unknown);
        };
        let (principal, generation) = (Arc::new(principal.into()), Some(generation));
        Ok(Lookup::Found(Arc::new(Authenticated { principal, session: None, generation, secret })))
    }

    async fn authenticate_session(&self, access_key_id: &str, token: &str) -> Result<Lookup, Error> {
        let Some((_, claims)) = self.open_token(access_key_id, token) else {
            return Ok(Lookup::Unknown);
        };
        if claims.expires_at <= self.environment.now() {
            return Ok(Lookup::Expired);
        }
        let Some((principal, generation)) = self.holder(&claims).await? else { return Ok(Lookup::Unknown) };
        let (session, secret) = (Some(claims.session()), Secret::InToken);
        let (principal, generation) = (Arc::new(principal.into()), Some(generation));
        Ok(Lookup::Found(Arc::new(Authenticated { principal, session, generation, secret })))
    }

    /// The present state of whoever a session belongs to; `None` when it must no longer work.
    async fn holder(&self, claims: &Claims) -> Result<Option<(Principal, i64)>, Error> {
        let account = account(&claims.account)?;
        let Some(generation) = cache::generation(&mut &self.database, &account).await? else {
            return Ok(None);
        };
        if let Some(parent) = &claims.parent_key {
            // Administrators expect that taking a key away ends what was made with it.
            let row = self
                .database
                .row("SELECT is_active FROM iam_access_key WHERE id = $1", params![parent])
                .await?;
            if !row.map_or(Ok(false), |row| row.get(0))? {
                return Ok(None);
            }
        }
        let (id, kind) = match &claims.holder {
            Holder::Root => return Ok(Some((Principal::Root { account }, generation))),
            Holder::User(id) => (id, Kind::User),
            Holder::Role { id, .. } => (id, Kind::Role),
        };
        let found = entity::by_id(&mut &self.database, id).await?;
        let Some(entity) = found.filter(|entity| entity.kind == kind && entity.account == account) else {
            return Ok(None);
        };
        let tags = self.principal_tags(&entity, generation).await?;
        let principal = match &claims.holder {
            Holder::Role { session_name, .. } => Principal::RoleSession {
                account,
                role_path: entity.path,
                role_name: entity.name,
                role_id: entity.id,
                session_name: session_name.clone(),
                tags: overlay(tags, &claims.tags),
            },
            Holder::Root | Holder::User(_) => user_principal(entity, tags),
        };
        Ok(Some((principal, generation)))
    }

    /// The tags of a user or role: `aws:PrincipalTag`.
    async fn principal_tags(&self, entity: &Entity, generation: i64) -> Result<Vec<(String, String)>, Error> {
        if let Some(tags) = self.caches.tags.get(entity.id.as_str(), generation) {
            return Ok(tags);
        }
        let tags = tag::all(&mut &self.database, &entity.id).await?;
        let bytes = tags.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
        self.caches.tags.put(entity.id.clone(), generation, tags.clone(), bytes);
        Ok(tags)
    }

    pub(super) fn open_secret(&self, access_key_id: &str, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let plain = self.sealer.open(Purpose::AccessKeySecret, access_key_id.as_bytes(), sealed)?;
        std::str::from_utf8(&plain).ok().map(|text| Zeroizing::new(text.to_owned()))
    }
}

impl Authenticated {
    /// The memory that it takes, roughly.
    fn weight(&self) -> usize {
        let session = self.session.as_ref().map_or(0, |session| {
            session.policies.iter().chain(&session.policy_arns).map(String::len).sum::<usize>()
        });
        1024 + session
            + self.principal.tags().iter().map(|(key, value)| key.len() + value.len() + 64).sum::<usize>()
    }
}

fn user_principal(user: Entity, tags: Vec<(String, String)>) -> Principal {
    Principal::User { account: user.account, path: user.path, name: user.name, id: user.id, tags }
}

fn account(text: &str) -> Result<AccountId, db::Error> {
    AccountId::parse(text).map_err(|_| db::Error::Corrupt("an account id".to_owned()))
}

/// Session tags over the role's own: keys are compared without regard to case (iam.md §6.2).
pub(super) fn overlay(base: Vec<(String, String)>, over: &[(String, String)]) -> Vec<(String, String)> {
    let replaced = |key: &str| over.iter().any(|(other, _)| entity::fold(other) == entity::fold(key));
    let mut tags: Vec<_> = base.into_iter().filter(|(key, _)| !replaced(key)).collect();
    tags.extend(over.iter().cloned());
    tags
}
