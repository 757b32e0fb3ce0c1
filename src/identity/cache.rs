//! What proves that values in memory are still those of the rows.
//!
//! Where this process alone writes, the database's own stamp does: every transaction of this room touches
//! [`identities`], except the stamps of last uses, which decide nothing. Elsewhere other nodes write too; there every
//! change that decides access adds one to `account.generation` in its own transaction, and the number is read anew
//! with each request. A reader takes the proof first and the rows afterwards, so what it keeps is at least as new as
//! the proof it keeps it under.

use policy::AccountId;

use super::error::Error;
use super::gather::Policies;
use super::reader::Reader;
use super::{Authenticated, IdentityRoom};
use crate::params;
use crate::store::db::{Cache, Scope, Stamp, Transaction};

/// Bytes of identities that are kept, and as many of compiled policies, as far as they can be estimated.
const BYTES: usize = 2 * 1024 * 1024;

/// What a compiled policy needs, in multiples of its text.
const COMPILED: usize = 8;

/// Why a value may be given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing was committed since.
    Stamp(Stamp),
    /// The account's generation is still this one.
    Generation(i64),
}

/// What the room keeps in memory.
#[derive(Debug)]
pub(super) struct Caches {
    /// Holders of keys by [`holder_key`].
    pub(super) holders: Cache<Vec<u8>, Stamp, std::sync::Arc<Authenticated>>,
    /// Compiled policies by the unique id of a user or role, and of sessions by what they were made with.
    pub(super) policies: Cache<Vec<u8>, Proof, std::sync::Arc<Policies>>,
    /// Tags by the unique id of a user or role.
    pub(super) tags: Cache<String, i64, Vec<(String, String)>>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            holders: Cache::bounded(BYTES),
            policies: Cache::bounded(BYTES),
            tags: Cache::bounded(BYTES / 4),
        }
    }
}

/// The scope of all rows of this room.
pub(super) fn identities() -> Scope {
    Scope::named(&["identities"])
}

/// What compiled policies need in memory, roughly.
pub(super) fn weight(policies: &Policies) -> usize {
    let session = policies.session.iter().flatten();
    let documents = policies.identity.iter().chain(&policies.boundary).chain(session);
    documents.map(|document| document.document.text().len() * COMPILED).sum()
}

/// The key of a holder: the access key id, and the digest of the session token, which itself is not kept.
pub(super) fn holder_key(access_key_id: &str, session_token: Option<&str>) -> Vec<u8> {
    let mut key = access_key_id.as_bytes().to_vec();
    if let Some(token) = session_token {
        key.push(0);
        key.extend_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(token.as_bytes()));
    }
    key
}

impl IdentityRoom {
    /// The present stamp of all identities, where there is one.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.database.stamp(identities(), None)
    }
}

/// The present generation; `None` when there is no such account.
pub(super) async fn generation(reader: &mut impl Reader, account: &AccountId) -> Result<Option<i64>, Error> {
    let row =
        reader.row("SELECT generation FROM account WHERE account = $1", params![account.as_str()]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Marks all that was computed from the account's rows as old, together with the change that makes it so.
pub(super) async fn bump(open: &mut Transaction, account: &AccountId) -> Result<(), Error> {
    open.touches(&[identities()]);
    open.execute(
        "UPDATE account SET generation = generation + 1 WHERE account = $1",
        params![account.as_str()],
    )
    .await?;
    Ok(())
}
