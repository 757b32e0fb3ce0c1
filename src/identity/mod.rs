//! The identity room: users, groups, roles, policies, access keys, instance profiles, sessions.
//!
//! Owns the tables `account*` and `iam_*` and the rules of IAM about them (iam.md §2, §3). Knows neither HTTP
//! nor XML. Every function that a caller can reach takes the guard's
//! [`Allowed`](crate::access::Allowed).

mod pending;

pub use pending::{Authenticated, Error, Lookup, Policies};

use std::sync::Arc;

use crate::environment::Environment;
use crate::store::db::Database;
use crate::store::seal::Sealer;

/// The identities of one installation: all accounts.
#[derive(Debug, Clone)]
pub struct IdentityRoom {
    database: Database,
    sealer: Arc<Sealer>,
    environment: Environment,
}

impl IdentityRoom {
    /// The room over an open database; secrets are sealed with `sealer`.
    #[must_use]
    pub fn new(database: Database, sealer: Arc<Sealer>, environment: Environment) -> Self {
        Self { database, sealer, environment }
    }
}
