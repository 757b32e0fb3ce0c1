//! May the caller do this? Gathers the current policies and asks the engine.

use std::sync::Arc;

use policy::{Applicable, Decision, DenialNote, Request};

use super::Guard;
use super::allowed::{Check, Grant};
use super::caller::Caller;
use super::keys::RequestKeys;
use super::resource::{Repository, Resource};
use crate::catalog::{self, AccessFacts};
use crate::identity::{self, Policies};

/// Why an operation may not go on.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The policies do not allow it; the sentence is AWS's, naming principal, action and resource.
    #[error("{sentence}")]
    Denied {
        /// What the client is told.
        sentence: String,
    },
    /// The policies could not be read: nothing is allowed then.
    #[error("policies cannot be read: {0}")]
    Identity(#[from] identity::Error),
    /// The repository's policy could not be read: nothing is allowed then.
    #[error("the repository's policy cannot be read: {0}")]
    Catalog(#[source] Box<catalog::Error>),
}

impl From<catalog::Error> for AccessError {
    fn from(error: catalog::Error) -> Self {
        Self::Catalog(Box::new(error))
    }
}

impl Guard {
    /// Decides all checks of one operation with the caller's current policies; one denial refuses it all.
    ///
    /// # Errors
    /// [`AccessError::Denied`] for the first check that is not allowed.
    pub async fn authorize(&self, caller: &Arc<Caller>, checks: Vec<Check>) -> Result<Grant, AccessError> {
        let policies = self.policies(caller).await?;
        let mut known: Option<(Repository, Option<AccessFacts>)> = None;
        let mut missing = Vec::new();
        for check in &checks {
            let facts = match &check.resource {
                Resource::Repository(repository) => {
                    if known.as_ref().is_none_or(|(other, _)| other != repository) {
                        let facts = self.catalog.access_facts(repository).await?;
                        if facts.is_none() {
                            missing.push(repository.clone());
                        }
                        known = Some((repository.clone(), facts));
                    }
                    known.as_ref().and_then(|(_, facts)| facts.as_ref())
                }
                _ => None,
            };
            let arn = check.resource.arn();
            let decision = self.decide(caller, check, &arn, &policies, facts);
            self.audit.record(caller, check, &arn, &decision);
            if let Decision::Denied(denial) = decision {
                if denial.note == Some(DenialNote::UnreadablePolicy) {
                    // Denied because nobody knows what the document meant to say: the operator must look.
                    tracing::error!(
                        action = check.action,
                        "a stored policy cannot be read; access is denied"
                    );
                }
                let sentence =
                    denial.sentence(caller.principal.arn(), check.action, &check.resource.display());
                return Err(AccessError::Denied { sentence });
            }
        }
        Ok(Grant::new(Arc::clone(caller), checks, missing))
    }

    /// The grant of the first check that is allowed, or `None`: for a resource that the server looks for on the
    /// caller's behalf. The caller did not ask for those that are passed over, so they leave no audit record.
    ///
    /// # Errors
    /// [`AccessError::Identity`] and [`AccessError::Catalog`] when policies cannot be read.
    pub async fn authorize_first(
        &self,
        caller: &Arc<Caller>,
        candidates: Vec<Check>,
    ) -> Result<Option<Grant>, AccessError> {
        let policies = self.policies(caller).await?;
        for check in candidates {
            let facts = match &check.resource {
                Resource::Repository(repository) => self.catalog.access_facts(repository).await?,
                _ => None,
            };
            let arn = check.resource.arn();
            let decision = self.decide(caller, &check, &arn, &policies, facts.as_ref());
            if matches!(decision, Decision::Allowed(_)) {
                self.audit.record(caller, &check, &arn, &decision);
                return Ok(Some(Grant::new(Arc::clone(caller), vec![check], Vec::new())));
            }
        }
        Ok(None)
    }

    /// Whether the caller could still perform `check` if the repository had `proposed` as its policy: the
    /// lock-out test of SetRepositoryPolicy.
    ///
    /// # Errors
    /// [`AccessError::Identity`] when the policies cannot be read.
    pub async fn would_allow(
        &self,
        caller: &Arc<Caller>,
        check: &Check,
        proposed: &AccessFacts,
    ) -> Result<bool, AccessError> {
        let policies = self.policies(caller).await?;
        let decision = self.decide(caller, check, &check.resource.arn(), &policies, Some(proposed));
        Ok(matches!(decision, Decision::Allowed(_)))
    }

    async fn policies(&self, caller: &Caller) -> Result<Arc<Policies>, identity::Error> {
        let session = caller.credential.session.as_ref();
        self.identity.policies(&caller.principal, session, caller.generation).await
    }

    fn decide(
        &self,
        caller: &Caller,
        check: &Check,
        arn: &str,
        policies: &Policies,
        facts: Option<&AccessFacts>,
    ) -> Decision {
        let set = Applicable {
            identity: &policies.identity,
            boundary: policies.boundary.as_ref(),
            session: policies.session.as_deref(),
            resource: facts
                .and_then(|facts| facts.policy.as_ref())
                .map(std::slice::from_ref)
                .unwrap_or_default(),
            guard_rail: &[],
        };
        let request = Request {
            principal: &caller.principal,
            action: check.action,
            resource: arn,
            resource_account: check.resource.account(),
            context: &RequestKeys { caller, check, facts, environment: &self.environment },
        };
        match &check.trust {
            Some(trust) => policy::evaluate_trust(trust, set, &request),
            None => policy::evaluate(set, &request),
        }
    }
}
