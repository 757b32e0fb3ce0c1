//! The catalog room: repositories, uploads, layers, images, tags, referrers.
//!
//! Owns the tables `repository*`, `blob*`, `upload`, `image*`, `tag` and `scrub`, and the rules of ECR about them
//! (ecr.md §3, §4). Knows neither HTTP nor AWS JSON. Every function that a caller can reach takes the guard's
//! [`Allowed`](crate::access::Allowed) and acts on the resource that it carries.
//!
//! INVARIANT: nothing that a client can see changes before the one transaction of its operation commits, and
//! the bytes of a blob are durable before a row names them.
//! INVARIANT: a blob is visible in a repository only through a `blob_link` row; no answer about one
//! repository depends on what lies in another.

mod access_facts;
mod collector;
mod content;
pub mod creation_template;
mod damage;
mod error;
pub mod fsck;
pub mod image;
pub mod layer;
mod listing;
mod pull_stamps;
mod read_cache;
mod referrer;
pub mod repository;
mod scrub;
mod tag_mutability;
#[cfg(test)]
mod testing;
pub mod upload;

pub use access_facts::AccessFacts;
pub use collector::Collected;
#[cfg(test)]
pub(crate) use error::samples as error_samples;
pub use error::{Error, Place};
pub use listing::{Names, TagPage};
pub use referrer::{MAX_ARTIFACT_TYPES, Referrers};
pub use scrub::{ScrubPace, Scrubbed};
pub use tag_mutability::{Mode, TagMutability};

use std::sync::Arc;

use oci::Digest;

use crate::access::Repository;
use crate::environment::Environment;
use crate::params;
use crate::store::blob::Blobs;
use crate::store::db::Database;

/// The catalog of one installation: all accounts and regions.
#[derive(Debug, Clone)]
pub struct Catalog {
    database: Database,
    blobs: Arc<Blobs>,
    environment: Environment,
    limits: Limits,
    image_counts: Arc<image::ImageCounts>,
    compiled_policies: Arc<access_facts::CompiledPolicies>,
    pull_stamps: Arc<pull_stamps::PullStamps>,
    first_checks: Arc<damage::FirstChecks>,
    read_cache: Arc<read_cache::ReadCache>,
}

/// The quotas that an operator may change (ecr.md §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Repositories in one registry.
    pub repositories_per_registry: i64,
    /// Images in one repository.
    pub images_per_repository: i64,
    /// Bytes in one layer.
    pub layer_bytes: u64,
    /// How long an upload may lie unfinished, in microseconds.
    pub upload_expiry: i64,
    /// How long a blob that no image names is kept, in microseconds.
    pub blob_grace: i64,
}

impl Default for Limits {
    fn default() -> Self {
        let day = 24 * 3600 * crate::environment::SECOND;
        Self {
            repositories_per_registry: 100_000,
            images_per_repository: 100_000,
            layer_bytes: upload::MAX_LAYER_BYTES,
            upload_expiry: day,
            blob_grace: day,
        }
    }
}

impl Catalog {
    /// A catalog over an open database and a blob store.
    #[must_use]
    pub fn new(database: Database, blobs: Arc<Blobs>, environment: Environment, limits: Limits) -> Self {
        Self {
            database,
            blobs,
            environment,
            limits,
            image_counts: Arc::default(),
            compiled_policies: Arc::default(),
            pull_stamps: Arc::default(),
            first_checks: Arc::default(),
            read_cache: Arc::default(),
        }
    }

    /// The present moment by the catalog's clock, in microseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> crate::environment::Micros {
        self.environment.now()
    }

    /// The id of a repository.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`] when there is none.
    async fn require_repository(&self, repository: &Repository) -> Result<String, Error> {
        let row = self.database.row(REPOSITORY_ID, repository_parameters(repository)).await?;
        let row = row.ok_or_else(|| Error::RepositoryNotFound(repository.into()))?;
        Ok(row.get(0)?)
    }
}

/// The id of a repository by account, region and name.
const REPOSITORY_ID: &str = "SELECT id FROM repository WHERE account = $1 AND region = $2 AND name = $3";

/// The first three parameters of every statement that finds a repository by name.
fn repository_parameters(repository: &Repository) -> Vec<crate::store::db::Value> {
    let registry = &repository.registry;
    params![registry.account.as_str(), registry.region.as_str(), repository.name.as_str()]
}

/// Reads a digest column.
fn stored_digest(text: &str) -> Result<Digest, Error> {
    Digest::parse(text).map_err(|_| crate::store::db::Error::Corrupt(format!("{text:?} is no digest")).into())
}

impl From<&Repository> for Place {
    fn from(repository: &Repository) -> Self {
        Self { account: repository.registry.account.clone(), name: repository.name.clone() }
    }
}
