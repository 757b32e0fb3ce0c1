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
mod assume_role;
mod attachment;
mod authenticate;
mod boundary;
mod cache;
mod entity;
mod error;
mod family;
mod gather;
mod group;
mod id;
mod inline_policy;
mod instance_profile;
mod last_used;
mod managed_policy;
mod page;
mod quota;
mod reader;
mod role;
mod session;
mod session_token;
mod tag;
mod trust;
mod user;

pub use access_key::{AccessKey, NewAccessKey};
pub use account::Summary;
pub use assume_role::{Assumable, AssumedRole, SessionRequest};
pub use attachment::{AttachedPolicy, PolicyUse};
pub use authenticate::{Authenticated, Lookup};
pub use entity::{Entity, Facts, Kind, arn, parse_arn};
pub use error::{Blocker, Error, Existing, Missing, Quota};
pub use family::{
    AttachPolicy, DeleteBoundary, DeleteInlinePolicy, DetachPolicy, GetInlinePolicy, ListAttachedPolicies,
    ListInlinePolicies, ListTags, PutBoundary, PutInlinePolicy, Rename, Tag, Untag,
};
pub use gather::Policies;
pub use instance_profile::InstanceProfile;
pub use last_used::KeyUse;
pub use managed_policy::{ManagedPolicy, PolicyFilter, PolicyVersion, Scope, is_policy_arn};
pub use page::{Page, PageRequest};
pub use quota::Quotas;
pub use role::{NewRole, Role};
pub use session::TemporaryCredentials;
pub use user::Tagged;

use std::sync::Arc;

use crate::environment::Environment;
use crate::store::db::Database;
use crate::store::seal::Sealer;

use cache::Caches;
use last_used::LastUsed;

/// The identities of one installation: all accounts.
#[derive(Debug, Clone)]
pub struct IdentityRoom {
    database: Database,
    sealer: Arc<Sealer>,
    environment: Environment,
    caches: Arc<Caches>,
    last_used: Arc<LastUsed>,
}

impl IdentityRoom {
    /// The room over an open database; secrets are sealed with `sealer`.
    #[must_use]
    pub fn new(database: Database, sealer: Arc<Sealer>, environment: Environment) -> Self {
        Self { database, sealer, environment, caches: Arc::default(), last_used: Arc::default() }
    }
}

#[cfg(test)]
mod tests;
