//! The identity room: users, groups, roles, policies, access keys, instance profiles, sessions.
//!
//! Owns the tables `account*` and `iam_*` and the rules of IAM about them (iam.md §2, §3). Knows neither HTTP
//! nor XML. Every function that a caller can reach takes the guard's
//! [`Allowed`](crate::access::Allowed).
//!
//! INVARIANT: whoever is gone or deactivated is gone at the next request: keys, users, roles and policies are
//! read from their rows each time, or from memory that a generation number proves to be exact.

mod access_key;
mod account;
mod authenticate;
mod cache;
mod entity;
mod error;
mod gather;
mod id;
mod reader;
mod session;
mod tag;

pub use access_key::{AccessKey, NewAccessKey};
pub use authenticate::{Authenticated, Lookup};
pub use entity::{Entity, Kind, arn, parse_arn};
pub use error::{Blocker, Error, Existing, Missing, Quota};
pub use gather::Policies;
pub use session::TemporaryCredentials;

use std::sync::Arc;

use crate::environment::Environment;
use crate::store::db::Database;
use crate::store::seal::Sealer;

use cache::Cache;

/// The identities of one installation: all accounts.
#[derive(Debug, Clone)]
pub struct IdentityRoom {
    database: Database,
    sealer: Arc<Sealer>,
    environment: Environment,
    caches: Arc<Caches>,
}

#[derive(Debug, Default)]
struct Caches {
    /// Compiled policies by the unique id of a user or role.
    policies: Cache<Policies>,
    /// Tags by the unique id of a user or role.
    tags: Cache<Vec<(String, String)>>,
}

impl IdentityRoom {
    /// The room over an open database; secrets are sealed with `sealer`.
    #[must_use]
    pub fn new(database: Database, sealer: Arc<Sealer>, environment: Environment) -> Self {
        Self { database, sealer, environment, caches: Arc::new(Caches::default()) }
    }
}
