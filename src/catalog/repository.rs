//! Repositories: create, describe, delete, settings, and the facts that decisions about them need.
//!
//! Invariants:
//! * a name is unique in its registry; a repository that is deleted and created again is another one (its id
//!   differs), so nothing of the first shows in the second;
//! * a repository and all that belongs to it go in one transaction; blobs only lose their link and are left to
//!   the collector;
//! * a setting that this server does not act upon is refused, never stored (scan on push, KMS encryption).
//!
//! ```ignore
//! let created = catalog.create_repository(&allowed, NewRepository::default()).await?;
//! assert_eq!(created.tag_mutability.mode, Mode::Mutable);
//! ```

mod create;
mod delete;
mod describe;
mod lifecycle_policy;
mod policy;
mod settings;
mod tags;
#[cfg(test)]
mod tests;

pub(in crate::catalog) use create::Documents;
pub use create::{InitialTags, NewRepository};
pub use describe::RepositoryPage;
pub use lifecycle_policy::StoredLifecyclePolicy;
pub(in crate::catalog) use lifecycle_policy::parse as parse_lifecycle_policy;
pub use policy::{BoundPolicy, RepositoryPolicy};
pub use tags::ResourceTags;

use oci::RepositoryName;

use super::{Error, TagMutability};
use crate::access::{Registry, Repository};
use crate::environment::Micros;
use crate::store::db::Row;

/// The only encryption that a repository can ask for: what ECR calls a repository without a KMS key.
pub const ENCRYPTION_TYPE: &str = "AES256";

/// A repository as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRepository {
    /// Where it is and how it is called.
    pub address: Repository,
    /// When it was created, microseconds since the epoch.
    pub created_at: Micros,
    /// Which tags a push may move.
    pub tag_mutability: TagMutability,
    /// Whether images are scanned when they are pushed.
    pub scan_on_push: bool,
    /// `AES256`
    pub encryption_type: String,
    /// The KMS key, with encryption types that have one.
    pub kms_key: Option<String>,
}

/// The columns of a [`StoredRepository`], in the order that [`StoredRepository::read`] takes them.
macro_rules! select_repository {
    ($rest:literal) => {
        concat!(
            "SELECT name, created_at, tag_mutability, tag_mutability_filters, scan_on_push, encryption_type, \
             kms_key FROM repository ",
            $rest
        )
    };
}
use select_repository;

impl StoredRepository {
    fn read(registry: &Registry, row: &Row) -> Result<Self, Error> {
        let name: String = row.get(0)?;
        Ok(Self {
            address: Repository { registry: registry.clone(), name: stored_name(&name)? },
            created_at: row.get(1)?,
            tag_mutability: TagMutability::read(&row.get::<String>(2)?, &row.get::<String>(3)?)?,
            scan_on_push: row.get(4)?,
            encryption_type: row.get(5)?,
            kms_key: row.get(6)?,
        })
    }
}

/// Reads a name column.
pub(in crate::catalog) fn stored_name(text: &str) -> Result<RepositoryName, Error> {
    RepositoryName::parse(text)
        .map_err(|_| crate::store::db::Error::Corrupt(format!("{text:?} is no repository name")).into())
}

fn not_found(repository: &Repository) -> Error {
    Error::RepositoryNotFound(repository.into())
}
