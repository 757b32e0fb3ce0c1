//! The proof that the guard has allowed an action on a resource.

use std::marker::PhantomData;
use std::sync::Arc;

use super::action::Action;
use super::caller::Caller;
use super::resource::{OfResource, Repository, Resource};

/// One thing to be allowed: an action on a resource, with the context keys that only the door knows.
#[derive(Debug, Clone)]
pub struct Check {
    /// `ecr:PutImage`
    pub action: &'static str,
    /// What it is done to.
    pub resource: Resource,
    /// Context keys of the request itself, such as `aws:RequestTag/team` or `sts:ExternalId`.
    pub context: policy::Context,
    /// The trust policy of the role, when the question is whether it may be assumed (iam.md §4.4).
    pub trust: Option<Arc<policy::SourcedDocument>>,
}

impl Check {
    /// A check without context keys of its own.
    #[must_use]
    pub fn new<A: Action>(resource: impl Into<A::Resource>) -> Self {
        Self::on::<A>(resource.into().into())
    }

    /// A check on a resource of another shape than the action's usual one, such as `repository/*`.
    #[must_use]
    pub fn on<A: Action>(resource: Resource) -> Self {
        Self { action: A::NAME, resource, context: policy::Context::default(), trust: None }
    }

    /// The same check with these context keys.
    #[must_use]
    pub fn with_context(mut self, context: policy::Context) -> Self {
        self.context = context;
        self
    }

    /// The same check, decided with the role's trust policy beside the caller's own policies.
    #[must_use]
    pub fn with_trust(mut self, trust: Arc<policy::SourcedDocument>) -> Self {
        self.trust = Some(trust);
        self
    }
}

/// All checks of one operation, allowed. Only the guard makes one.
#[derive(Debug)]
pub struct Grant {
    caller: Arc<Caller>,
    allowed: Vec<(&'static str, Resource)>,
    missing: Vec<Repository>,
}

/// The operation asked for a proof of something that its checks did not name: a defect, answered as a
/// failure of the server, never as permission.
#[derive(Debug, thiserror::Error)]
#[error("the operation did not check {action}")]
pub struct NotGranted {
    /// The action that was not among the checks.
    pub action: &'static str,
}

impl Grant {
    /// Made by the guard after every check was allowed; `missing` are the repositories among the resources that
    /// did not exist when it looked for their policies.
    pub(super) fn new(caller: Arc<Caller>, checks: Vec<Check>, missing: Vec<Repository>) -> Self {
        let allowed = checks.into_iter().map(|check| (check.action, check.resource)).collect();
        Self { caller, allowed, missing }
    }

    /// Whether the guard found no such repository among the resources that it decided about.
    ///
    /// A fact of that moment, for deciding whether a push is about to create the repository; it is no answer.
    #[must_use]
    pub fn found_missing(&self, repository: &Repository) -> bool {
        self.missing.contains(repository)
    }

    /// Who was allowed.
    #[must_use]
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The proof for one action: that of its first check.
    ///
    /// # Errors
    /// [`NotGranted`] when no check named the action.
    pub fn take<A: Action>(&self) -> Result<Allowed<A>, NotGranted> {
        self.proofs().next().ok_or(NotGranted { action: A::NAME })
    }

    /// The proofs for one action on every resource that was checked, in the order of the checks.
    #[must_use]
    pub fn all<A: Action>(&self) -> Vec<Allowed<A>> {
        self.proofs().collect()
    }

    fn proofs<A: Action>(&self) -> impl Iterator<Item = Allowed<A>> {
        self.allowed
            .iter()
            .filter(|(action, _)| *action == A::NAME)
            .filter_map(|(_, resource)| A::Resource::of(resource))
            .map(|resource| Allowed { resource, caller: Arc::clone(&self.caller), action: PhantomData })
    }
}

/// The guard has allowed action `A` on [`Self::resource`].
#[derive(Debug)]
pub struct Allowed<A: Action> {
    resource: A::Resource,
    caller: Arc<Caller>,
    action: PhantomData<A>,
}

impl<A: Action> Allowed<A> {
    /// What the action may be done to.
    #[must_use]
    pub fn resource(&self) -> &A::Resource {
        &self.resource
    }

    /// Who does it.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The ARN of who does it, for "by whom" columns.
    #[must_use]
    pub fn by(&self) -> String {
        self.caller.principal.arn().to_owned()
    }
}
