//! Repository policies: SetRepositoryPolicy, GetRepositoryPolicy, DeleteRepositoryPolicy (ecr.md §6.1).
//!
//! The text is stored as it was given, with the unique ids that its users and roles had at that moment: an
//! entity that is deleted and made again under the same name does not inherit the grant (iam.md §3.2).

use std::collections::BTreeMap;

use ::policy::{Document, DocumentKind};
use serde::{Deserialize, Serialize};

use super::not_found;
use crate::access::action::{DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy};
use crate::access::{Allowed, Repository};
use crate::catalog::read_cache::repository_scope;
use crate::catalog::{Catalog, Error, repository_parameters};
use crate::{params, transaction};

/// A policy text with the ids of the principals that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundPolicy {
    /// The text, as it was given.
    pub text: String,
    /// Unique id (`AIDA…`, `AROA…`) by ARN of each user and role that the text names.
    pub principals: BTreeMap<String, String>,
}

/// A valid repository policy that has not been bound yet.
#[derive(Debug, Clone)]
pub struct RepositoryPolicy(Document);

impl RepositoryPolicy {
    /// Most characters of a policy (the model's `RepositoryPolicyText`).
    pub const MAX_CHARACTERS: usize = 10_240;

    /// Reads a policy as it was sent.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] at `PolicyText`: not a policy, or one with a `Resource` element, or one that
    /// names a unique id, which AWS shows for deleted entities but does not take.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || invalid("Invalid repository policy provided");
        if text.chars().count() > Self::MAX_CHARACTERS {
            return Err(invalid());
        }
        let document = Document::parse(text, DocumentKind::Repository).map_err(|_| invalid())?;
        if document.principals().any(::policy::PolicyPrincipal::is_unique_id) {
            return Err(invalid());
        }
        Ok(Self(document))
    }

    /// The ARNs of the users and roles that it names, each once: they must exist.
    #[must_use]
    pub fn entities(&self) -> Vec<String> {
        let mut arns: Vec<String> =
            self.0.principals().filter_map(|principal| principal.entity_arn()).map(str::to_owned).collect();
        arns.sort_unstable();
        arns.dedup();
        arns
    }

    /// The policy with the ids that its users and roles have now.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] at `PolicyText`, `Principal not found`, when one of them has no id.
    pub fn bind(self, principals: BTreeMap<String, String>) -> Result<BoundPolicy, Error> {
        if self.entities().iter().any(|arn| !principals.contains_key(arn)) {
            return Err(invalid("Principal not found"));
        }
        Ok(BoundPolicy { text: self.0.text().to_owned(), principals })
    }
}

fn invalid(constraint: &str) -> Error {
    Error::InvalidParameter { parameter: "PolicyText", constraint: constraint.to_owned() }
}

impl BoundPolicy {
    /// Reads the column. A column that is no such JSON becomes a policy whose document denies everything.
    pub(in crate::catalog) fn read(column: &str) -> Self {
        serde_json::from_str(column)
            .unwrap_or_else(|_| Self { text: column.to_owned(), principals: BTreeMap::new() })
    }

    /// The column that [`Self::read`] reads.
    pub(in crate::catalog) fn column(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Internal(error.into()))
    }

    /// The policy compiled for evaluation.
    #[must_use]
    pub fn document(&self) -> Document {
        let mut document = Document::load(&self.text, DocumentKind::Repository);
        document.bind_principals(&mut |arn| self.principals.get(arn).cloned());
        document
    }
}

const SET: &str = "UPDATE repository SET policy = $4 WHERE account = $1 AND region = $2 AND name = $3";

const GET: &str = "SELECT policy FROM repository WHERE account = $1 AND region = $2 AND name = $3";

const CLEAR: &str = "UPDATE repository SET policy = NULL WHERE account = $1 AND region = $2 AND name = $3";

impl Catalog {
    /// Stores a policy in place of the one that there may be.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn set_repository_policy(
        &self,
        allowed: &Allowed<SetRepositoryPolicy>,
        policy: &BoundPolicy,
    ) -> Result<(), Error> {
        let address = allowed.resource();
        let column = policy.column()?;
        transaction!(self.database, open => {
            open.touches(&[repository_scope(allowed.resource())]);
            let mut parameters = repository_parameters(address);
            parameters.extend(params![column.as_str()]);
            match open.execute(SET, parameters).await? {
                0 => Err(not_found(address)),
                _ => Ok(()),
            }
        })
    }

    /// The policy.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::RepositoryPolicyNotFound`].
    pub async fn repository_policy(
        &self,
        allowed: &Allowed<GetRepositoryPolicy>,
    ) -> Result<BoundPolicy, Error> {
        let address = allowed.resource();
        let row = self.database.row(GET, repository_parameters(address)).await?;
        let column: Option<String> = row.ok_or_else(|| not_found(address))?.get(0)?;
        policy_of(address, column)
    }

    /// Removes the policy; returns what it was.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::RepositoryPolicyNotFound`].
    pub async fn delete_repository_policy(
        &self,
        allowed: &Allowed<DeleteRepositoryPolicy>,
    ) -> Result<BoundPolicy, Error> {
        let address = allowed.resource();
        transaction!(self.database, open => {
            open.touches(&[repository_scope(allowed.resource())]);
            let row = open.row(GET, repository_parameters(address)).await?;
            let column: Option<String> = row.ok_or_else(|| not_found(address))?.get(0)?;
            let removed = policy_of(address, column)?;
            open.execute(CLEAR, repository_parameters(address)).await?;
            Ok::<_, Error>(removed)
        })
    }
}

fn policy_of(address: &Repository, column: Option<String>) -> Result<BoundPolicy, Error> {
    let column = column.ok_or_else(|| Error::RepositoryPolicyNotFound(address.into()))?;
    Ok(BoundPolicy::read(&column))
}
