//! What is evaluated: one request, and the policies that apply to it with their sources.
//!
//! Gathering is the guard's work: `identity` of a user holds inline, attached and group policies; of a role
//! session the role's policies as they are now. Example: alice with one group policy and a repository policy is
//! `PolicySet { identity: vec![group], resource: vec![repository], ..PolicySet::default() }`.

use std::sync::Arc;

use crate::account::AccountId;
use crate::context::Keys;
use crate::document::Document;
use crate::principal::Principal;

/// One question: may this principal do this action on this resource?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// AWS action, `ecr:PutImage`; compared without regard to case.
    pub action: &'a str,
    /// ARN of the resource, or `*` for actions without resource types.
    pub resource: &'a str,
    /// The account that owns the resource; for `*` the caller's own or the registry's.
    pub resource_account: &'a AccountId,
    /// Condition keys, such as a [`Context`](crate::Context); must hold the principal's ([`Principal::value`]).
    pub context: &'a dyn Keys,
}

/// Where a document comes from; shown in audit records, simulation and denials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// A managed policy, customer's or AWS's.
    Managed {
        /// Its ARN.
        arn: String,
    },
    /// An inline policy.
    Inline {
        /// Its name.
        name: String,
        /// ARN of the user, group or role that it is on.
        on: String,
    },
    /// The permissions boundary.
    Boundary {
        /// ARN of the managed policy.
        arn: String,
    },
    /// A session policy.
    Session {
        /// ARN of the managed policy; `None` for the inline one.
        arn: Option<String>,
    },
    /// The policy of the repository.
    Repository,
    /// The policy of the registry.
    Registry,
    /// The trust policy of the role.
    Trust,
    /// A ceiling set by the operator of the installation.
    GuardRail {
        /// Its name.
        name: String,
    },
}

impl PolicySource {
    /// ARN of the managed policy, when it is one.
    pub fn managed_arn(&self) -> Option<&str> {
        match self {
            PolicySource::Managed { arn } | PolicySource::Boundary { arn } => Some(arn),
            PolicySource::Session { arn } => arn.as_deref(),
            PolicySource::Inline { .. }
            | PolicySource::Repository
            | PolicySource::Registry
            | PolicySource::Trust
            | PolicySource::GuardRail { .. } => None,
        }
    }
}

/// A document and its source.
#[derive(Clone, Debug)]
pub struct SourcedDocument {
    /// Where it comes from.
    pub source: PolicySource,
    /// What it says.
    pub document: Document,
}

/// All documents that have a say in one request.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    /// Identity policies: of the user and its groups, or of the role.
    pub identity: Vec<Arc<SourcedDocument>>,
    /// The permissions boundary of the user or role.
    pub boundary: Option<Arc<SourcedDocument>>,
    /// Session policies; `None` when the session was made without any. `Some` of nothing allows nothing.
    pub session: Option<Vec<Arc<SourcedDocument>>>,
    /// Policies of the resource: repository policy, registry policy, or both.
    pub resource: Vec<Arc<SourcedDocument>>,
    /// Ceilings of the installation: each must allow.
    pub guard_rail: Vec<Arc<SourcedDocument>>,
}

/// A [`PolicySet`] whose documents lie elsewhere: whoever keeps them copies no list to ask about them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applicable<'a> {
    /// As [`PolicySet::identity`].
    pub identity: &'a [Arc<SourcedDocument>],
    /// As [`PolicySet::boundary`].
    pub boundary: Option<&'a Arc<SourcedDocument>>,
    /// As [`PolicySet::session`].
    pub session: Option<&'a [Arc<SourcedDocument>]>,
    /// As [`PolicySet::resource`].
    pub resource: &'a [Arc<SourcedDocument>],
    /// As [`PolicySet::guard_rail`].
    pub guard_rail: &'a [Arc<SourcedDocument>],
}

impl<'a> From<&'a PolicySet> for Applicable<'a> {
    fn from(set: &'a PolicySet) -> Self {
        Self {
            identity: &set.identity,
            boundary: set.boundary.as_ref(),
            session: set.session.as_deref(),
            resource: &set.resource,
            guard_rail: &set.guard_rail,
        }
    }
}
