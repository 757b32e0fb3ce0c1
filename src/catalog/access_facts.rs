//! What the guard must know of a repository before it decides: the policy on it and its tags.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use policy::{PolicySource, SourcedDocument};

use super::repository::BoundPolicy;
use super::{Catalog, Error, repository_parameters};
use crate::access::Repository;

/// Compiled policies that are kept; more than this and the cache starts anew.
const MAX_COMPILED: usize = 4096;

/// What decides about access to a repository besides the caller's own policies.
#[derive(Debug, Clone, Default)]
pub struct AccessFacts {
    /// The repository policy, compiled.
    pub policy: Option<Arc<SourcedDocument>>,
    /// Resource tags: `aws:ResourceTag/<key>` and `ecr:ResourceTag/<key>`.
    pub tags: Vec<(String, String)>,
}

/// Compiled repository policies by their whole column, so that an entry can never be out of date.
#[derive(Debug, Default)]
pub(super) struct CompiledPolicies(Mutex<HashMap<String, Arc<SourcedDocument>>>);

impl CompiledPolicies {
    fn get(&self, column: &str) -> Arc<SourcedDocument> {
        let mut compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = compiled.get(column) {
            return Arc::clone(document);
        }
        let document = BoundPolicy::read(column).document();
        if let Some(reason) = document.unreadable() {
            // The document denies everything; without this line nobody would know why.
            tracing::error!(%reason, "a stored repository policy cannot be read");
        }
        let document = Arc::new(SourcedDocument { source: PolicySource::Repository, document });
        if compiled.len() >= MAX_COMPILED {
            compiled.clear();
        }
        compiled.insert(column.to_owned(), Arc::clone(&document));
        document
    }
}

impl Catalog {
    /// The facts, or `None` when the repository does not exist. For the guard alone: it decides before anybody
    /// is told whether the repository exists.
    ///
    /// # Errors
    /// [`Error::Internal`] when the row cannot be read: then nothing is allowed.
    pub async fn access_facts(&self, repository: &Repository) -> Result<Option<AccessFacts>, Error> {
        self.cached_facts(repository, async || self.load_access_facts(repository).await).await
    }

    async fn load_access_facts(&self, repository: &Repository) -> Result<Option<AccessFacts>, Error> {
        let rows = self
            .database
            .rows(
                "SELECT r.policy, t.key, t.value FROM repository r \
                 LEFT JOIN repository_tag t ON t.repository_id = r.id \
                 WHERE r.account = $1 AND r.region = $2 AND r.name = $3 ORDER BY t.key",
                repository_parameters(repository),
            )
            .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let policy = first.get::<Option<String>>(0)?;
        let policy = policy.map(|column| self.compiled_policies.get(&column));
        let mut tags = Vec::new();
        for row in &rows {
            if let (Some(key), Some(value)) = (row.get::<Option<String>>(1)?, row.get::<Option<String>>(2)?) {
                tags.push((key, value));
            }
        }
        Ok(Some(AccessFacts { policy, tags }))
    }
}
