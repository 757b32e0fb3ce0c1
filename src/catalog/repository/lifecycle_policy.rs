//! The lifecycle policy of a repository, as a document: put, get, delete (ecr.md §5.7).
//!
//! The text is stored as it was given and read again for every answer, so that a preview can show what was
//! submitted and everything else the canonical form. Nothing is evaluated here.

use super::not_found;
use crate::access::action::{DeleteLifecyclePolicy, GetLifecyclePolicy, PutLifecyclePolicy};
use crate::access::{Allowed, Repository};
use crate::catalog::read_cache::repository_scope;
use crate::catalog::{Catalog, Error, repository_parameters};
use crate::environment::Micros;
use crate::lifecycle::LifecyclePolicy;
use crate::store::db::Row;
use crate::{params, transaction};

/// A lifecycle policy as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLifecyclePolicy {
    /// The text, as it was given.
    pub text: String,
    /// The policy that the text states.
    pub policy: LifecyclePolicy,
    /// When it was last applied, microseconds since the epoch; 0 until then.
    pub evaluated_at: Micros,
}

/// A new policy has not been applied yet, whatever its predecessor did.
const PUT: &str = "UPDATE repository SET lifecycle_policy = $4, lifecycle_evaluated_at = 0 \
    WHERE account = $1 AND region = $2 AND name = $3";

const GET: &str = "SELECT lifecycle_policy, lifecycle_evaluated_at FROM repository \
    WHERE account = $1 AND region = $2 AND name = $3";

const CLEAR: &str = "UPDATE repository SET lifecycle_policy = NULL, lifecycle_evaluated_at = 0 \
    WHERE account = $1 AND region = $2 AND name = $3";

impl Catalog {
    /// Validates a policy text and stores it in place of the one that there may be.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] at `LifecyclePolicyText` with the fault; [`Error::RepositoryNotFound`].
    pub async fn put_lifecycle_policy(
        &self,
        allowed: &Allowed<PutLifecyclePolicy>,
        text: &str,
    ) -> Result<LifecyclePolicy, Error> {
        let address = allowed.resource();
        let policy = parse(text)?;
        transaction!(self.database, open => {
            open.touches(&[repository_scope(allowed.resource())]);
            let mut parameters = repository_parameters(address);
            parameters.extend(params![text]);
            match open.execute(PUT, parameters).await? {
                0 => Err(not_found(address)),
                _ => Ok(()),
            }
        })?;
        Ok(policy)
    }

    /// The policy.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::LifecyclePolicyNotFound`].
    pub async fn lifecycle_policy(
        &self,
        allowed: &Allowed<GetLifecyclePolicy>,
    ) -> Result<StoredLifecyclePolicy, Error> {
        let address = allowed.resource();
        stored(address, self.database.row(GET, repository_parameters(address)).await?)
    }

    /// Removes the policy; returns what it was.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::LifecyclePolicyNotFound`].
    pub async fn delete_lifecycle_policy(
        &self,
        allowed: &Allowed<DeleteLifecyclePolicy>,
    ) -> Result<StoredLifecyclePolicy, Error> {
        let address = allowed.resource();
        transaction!(self.database, open => {
            open.touches(&[repository_scope(allowed.resource())]);
            let removed = stored(address, open.row(GET, repository_parameters(address)).await?)?;
            open.execute(CLEAR, repository_parameters(address)).await?;
            Ok::<_, Error>(removed)
        })
    }
}

/// Reads a policy as it was sent.
///
/// # Errors
/// [`Error::InvalidParameter`] at `LifecyclePolicyText` with the fault.
pub(in crate::catalog) fn parse(text: &str) -> Result<LifecyclePolicy, Error> {
    LifecyclePolicy::parse(text).map_err(|fault| Error::InvalidParameter {
        parameter: "LifecyclePolicyText",
        constraint: format!("Lifecycle policy validation failure: {fault}"),
    })
}

fn stored(address: &Repository, row: Option<Row>) -> Result<StoredLifecyclePolicy, Error> {
    let row = row.ok_or_else(|| not_found(address))?;
    let text: Option<String> = row.get(0)?;
    let text = text.ok_or_else(|| Error::LifecyclePolicyNotFound(address.into()))?;
    // It was valid when it was stored; rules that got stricter since must not pass in silence.
    let policy = LifecyclePolicy::parse(&text).map_err(|fault| {
        Error::Internal(anyhow::anyhow!("a stored lifecycle policy is not valid: {fault}"))
    })?;
    Ok(StoredLifecyclePolicy { text, policy, evaluated_at: row.get(1)? })
}
