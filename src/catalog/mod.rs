//! The catalog room: repositories, uploads, layers, images, tags, referrers.
//!
//! Owns the tables `repository*`, `blob*`, `upload`, `image*` and `tag`, and the rules of ECR about them
//! (ecr.md §3, §4). Knows neither HTTP nor AWS JSON. Every function that a caller can reach takes the guard's
//! [`Allowed`](crate::access::Allowed) and acts on the resource that it carries.
//!
//! INVARIANT: nothing that a client can see changes before the one transaction of its operation commits, and
//! the bytes of a blob are durable before a row names them.
//! INVARIANT: a blob is visible in a repository only through a `blob_link` row; no answer about one
//! repository depends on what lies in another.

mod error;

pub use error::{Error, Place};

use std::sync::Arc;

use crate::environment::Environment;
use crate::store::blob::Blobs;
use crate::store::db::Database;

/// The catalog of one installation: all accounts and regions.
#[derive(Debug, Clone)]
pub struct Catalog {
    database: Database,
    blobs: Arc<Blobs>,
    environment: Environment,
}

impl Catalog {
    /// A catalog over an open database and a blob store.
    #[must_use]
    pub fn new(database: Database, blobs: Arc<Blobs>, environment: Environment) -> Self {
        Self { database, blobs, environment }
    }
}
