//! May the caller do this? Gathers the current policies and asks the engine.

use std::sync::Arc;

use policy::{Context, Decision, DenialNote, PolicySet, Request};

use super::Guard;
use super::allowed::{Check, Grant};
use super::caller::Caller;
use super::resource::{Repository, Resource};
use crate::catalog::{self, AccessFacts};
use crate::environment::SECOND;
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
        let mut base = self.base_context(caller);
        let mut known: Option<(Repository, Option<AccessFacts>)> = None;
        let mut missing = Vec::new();
        for (number, check) in checks.iter().enumerate() {
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
            // Nearly every operation has one check: then nothing is copied.
            let is_last = number + 1 == checks.len();
            let context = if is_last { std::mem::take(&mut base) } else { base.clone() };
            let decision = decide(caller, check, &policies, facts, context);
            self.audit.record(caller, check, &decision);
            if let Decision::Denied(denial) = decision {
                if denial.note == Some(DenialNote::UnreadablePolicy) {
                    // Denied because nobody knows what the document meant to say: the operator must look.
                    tracing::error!(
                        action = check.action,
                        "a stored policy cannot be read; access is denied"
                    );
                }
                let principal = caller.principal.arn();
                let sentence = denial.sentence(&principal, check.action, &check.resource.display());
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
        let base = self.base_context(caller);
        for check in candidates {
            let facts = match &check.resource {
                Resource::Repository(repository) => self.catalog.access_facts(repository).await?,
                _ => None,
            };
            let decision = decide(caller, &check, &policies, facts.as_ref(), base.clone());
            if matches!(decision, Decision::Allowed(_)) {
                self.audit.record(caller, &check, &decision);
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
        let decision = decide(caller, check, &policies, Some(proposed), self.base_context(caller));
        Ok(matches!(decision, Decision::Allowed(_)))
    }

    async fn policies(&self, caller: &Caller) -> Result<Policies, identity::Error> {
        let session = caller.credential.session.as_ref();
        self.identity.policies(&caller.principal, session, caller.generation).await
    }

    /// The context keys of the caller and the connection (iam.md §3.8).
    #[must_use]
    pub fn base_context(&self, caller: &Caller) -> Context {
        let mut context = Context::new();
        caller.principal.context(&mut context);
        let now = self.environment.now();
        context.set_known("aws:currenttime", aws::Timestamp::from_microseconds(now).to_string());
        context.set_known("aws:epochtime", now.div_euclid(SECOND).to_string());
        context.set_known("aws:sourceip", caller.origin.address.to_string());
        context.set_known("aws:securetransport", caller.origin.is_secure.to_string());
        context.set_known("aws:requestedregion", caller.region.as_str());
        context.set_known("aws:viaawsservice", "false");
        context.set_known("aws:principalisawsservice", "false");
        if let Some(agent) = &caller.origin.user_agent {
            context.set_known("aws:useragent", agent.as_str());
        }
        if let Some(referer) = &caller.origin.referer {
            context.set_known("aws:referer", referer.as_str());
        }
        if let Some(session) = &caller.credential.session {
            let issued = aws::Timestamp::from_microseconds(session.issued_at).to_string();
            context.set_known("aws:tokenissuetime", issued);
            // Absent for long-term keys on purpose: the BoolIfExists idiom depends on it.
            context.set_known("aws:multifactorauthpresent", "false");
            if let Some(source) = &session.source_identity {
                context.set_known("aws:sourceidentity", source.as_str());
            }
        }
        context
    }
}

fn decide(
    caller: &Caller,
    check: &Check,
    policies: &Policies,
    facts: Option<&AccessFacts>,
    mut context: Context,
) -> Decision {
    context.extend(&check.context);
    context.set_known("aws:resourceaccount", check.resource.account().as_str());
    for (key, value) in facts.map(|facts| facts.tags.as_slice()).unwrap_or_default() {
        // Both names exist for every repository action (service authorization reference of ECR).
        context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
        context.set(&format!("ecr:ResourceTag/{key}"), value.as_str());
    }
    let resource = facts.and_then(|facts| facts.policy.clone());
    let set = PolicySet {
        identity: policies.identity.clone(),
        boundary: policies.boundary.clone(),
        session: policies.session.clone(),
        resource: resource.into_iter().collect(),
        guard_rail: Vec::new(),
    };
    let arn = check.resource.arn();
    let request = Request {
        principal: &caller.principal,
        action: check.action,
        resource: &arn,
        resource_account: check.resource.account(),
        context: &context,
    };
    match &check.trust {
        Some(trust) => policy::evaluate_trust(trust, &set, &request),
        None => policy::evaluate(&set, &request),
    }
}
