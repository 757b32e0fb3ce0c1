//! Simulation: the same evaluation, with everything that took part in it (SimulatePrincipalPolicy, iam.md §2.11).
//!
//! Example: two Allow statements of alice match `ecr:PutImage`; [`evaluate()`] names the first, [`simulate`] both,
//! with line and column of each.

use std::collections::HashSet;
use std::sync::Arc;

use crate::context::fold;
use crate::decision::{Decision, MatchedStatement};
use crate::document::{Ask, Effect};
use crate::evaluate::evaluate;
use crate::set::{PolicySet, Request, SourcedDocument};

/// The three answers of the simulation APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `allowed`
    Allowed,
    /// `explicitDeny`
    ExplicitDeny,
    /// `implicitDeny`
    ImplicitDeny,
}

impl Outcome {
    /// The spelling in `EvalDecision`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::ExplicitDeny => "explicitDeny",
            Outcome::ImplicitDeny => "implicitDeny",
        }
    }
}

/// One simulated action on one resource.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The outcome.
    pub outcome: Outcome,
    /// The decision behind it, as for a real request.
    pub decision: Decision,
    /// The statements that made it: all applying denies, or all applying allows; none for an implicit deny.
    pub matched: Vec<MatchedStatement>,
    /// Condition keys and variables of the statements about this action and resource that have no value.
    pub missing_context: Vec<String>,
    /// Whether the boundary allows; `None` without a boundary.
    pub allowed_by_boundary: Option<bool>,
}

/// Simulates one request; the outcome is that of [`evaluate()`] on the same arguments.
pub fn simulate(set: &PolicySet, request: &Request<'_>) -> Simulation {
    let decision = evaluate(set, request);
    let outcome = match decision.denial() {
        None => Outcome::Allowed,
        Some(denial) if denial.explicit => Outcome::ExplicitDeny,
        Some(_) => Outcome::ImplicitDeny,
    };
    let ask = Ask::new(&set.into(), request);
    let grants = set.identity.iter().chain(&set.resource);
    let limits = set.boundary.iter().chain(set.session.iter().flatten()).chain(&set.guard_rail);
    let matched = match outcome {
        Outcome::ImplicitDeny => Vec::new(),
        Outcome::Allowed => applying(grants.clone(), Effect::Allow, &ask),
        Outcome::ExplicitDeny => applying(grants.clone().chain(limits.clone()), Effect::Deny, &ask),
    };
    let allowed_by_boundary = set.boundary.as_ref().map(|boundary| {
        let one = || std::iter::once(boundary);
        boundary.document.unreadable().is_none()
            && applying(one(), Effect::Deny, &ask).is_empty()
            && !applying(one(), Effect::Allow, &ask).is_empty()
    });
    Simulation {
        outcome,
        decision,
        matched,
        missing_context: missing(grants.chain(limits), &ask),
        allowed_by_boundary,
    }
}

fn applying<'a>(
    policies: impl Iterator<Item = &'a Arc<SourcedDocument>>,
    effect: Effect,
    ask: &Ask<'_>,
) -> Vec<MatchedStatement> {
    let mut matched = Vec::new();
    for policy in policies {
        for (index, statement) in policy.document.statements().iter().enumerate() {
            if statement.effect() == effect && statement.applies(ask).is_some() {
                matched.push(MatchedStatement::new(Arc::clone(policy), index));
            }
        }
    }
    matched
}

fn missing<'a>(policies: impl Iterator<Item = &'a Arc<SourcedDocument>>, ask: &Ask<'_>) -> Vec<String> {
    let mut seen = HashSet::new();
    let statements = policies.flat_map(|policy| policy.document.statements());
    statements
        .filter(|statement| statement.concerns(ask))
        .flat_map(|statement| statement.context_keys())
        .filter(|key| ask.request.context.values(&fold(key)).is_none() && seen.insert(key.to_lowercase()))
        .map(str::to_owned)
        .collect()
}
