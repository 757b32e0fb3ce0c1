//! Evaluation: one request against the policies that apply to it (iam.md §4.2 and §4.4).
//!
//! All denies of all documents first, then allows. The order of documents, statements and list members never
//! matters for the decision; it only decides which of several applying statements is named.
//!
//! INVARIANT: a document that cannot be read denies; every path that does not find an Allow denies.

use std::sync::Arc;

use crate::decision::{Decision, Denial, DenialNote, MatchedStatement, PolicyType, Reason};
use crate::document::{Ask, Effect, MatchKind};
use crate::principal::Principal;
use crate::set::{Applicable, Request, SourcedDocument};

/// What nothing can deny (iam.md §3.10, vector 92).
const NEVER_DENIED: [&str; 2] = ["sts:getcalleridentity", "sts:getsessiontoken"];

/// What the owner's root may do whatever a repository or registry policy says, so that a policy which locks
/// everybody out can be repaired (Design, end of iam.md §4.2).
const REPAIRS: [&str; 5] = [
    "ecr:getrepositorypolicy",
    "ecr:setrepositorypolicy",
    "ecr:deleterepositorypolicy",
    "ecr:putregistrypolicy",
    "ecr:deleteregistrypolicy",
];

/// Decides one request on one resource.
///
/// In: the gathered policies, and the request with its context filled. Out: the decision with the statement or
/// the kind of policy behind it. An operation on several resources asks once for each; one denial denies it.
/// Cost: linear in the size of the policies for a given request.
pub fn evaluate<'a>(set: impl Into<Applicable<'a>>, request: &Request<'_>) -> Decision {
    let set = &set.into();
    let ask = Ask::new(set, request);
    if NEVER_DENIED.contains(&ask.action.as_str()) {
        return Decision::Allowed(Reason::NeverDenied);
    }
    let own_account = request.principal.account() == request.resource_account;
    let owner_root = own_account && matches!(request.principal, Principal::Root { .. });
    let resource: &[Arc<SourcedDocument>] =
        if owner_root && REPAIRS.contains(&ask.action.as_str()) { &[] } else { set.resource };
    let denial = denied(resource, PolicyType::Resource, &ask).or_else(|| denied_by_caller(set, &ask));
    if let Some(denial) = denial.or_else(|| not_below_guard_rail(set, &ask)) {
        return Decision::Denied(denial);
    }
    if owner_root {
        return match capped_by_session(set, &ask) {
            Some(denial) => Decision::Denied(denial),
            None => Decision::Allowed(Reason::Root),
        };
    }
    let granted = strongest(resource, &ask);
    decide(set, &ask, granted, own_account)
}

/// Decides whether the caller may assume a role (or tag the session, or set its source identity).
///
/// In: the role's trust policy, the caller's own policies (`resource` is ignored), and the request with the
/// role's ARN as resource and its account as `resource_account`. The trust policy must allow in every case;
/// whether the caller's policies must too depends on how it names the caller (iam.md §4.4). Roots may not
/// assume roles. For web identities and services only the trust policy counts.
pub fn evaluate_trust<'a>(
    trust: &SourcedDocument,
    set: impl Into<Applicable<'a>>,
    request: &Request<'_>,
) -> Decision {
    let set = &set.into();
    let ask = Ask::new(set, request);
    let note = match request.principal {
        Principal::Root { .. } => Some(DenialNote::RootAssumesRole),
        Principal::WebIdentity { .. } => Some(DenialNote::WebIdentity),
        _ => None,
    };
    let deny = |mut denial: Denial| {
        denial.note = note.or(denial.note);
        Decision::Denied(denial)
    };
    if note == Some(DenialNote::RootAssumesRole) {
        return deny(Denial::implicit(PolicyType::Trust));
    }
    let trust = [Arc::new(trust.clone())];
    let denial = denied(&trust, PolicyType::Trust, &ask).or_else(|| denied_by_caller(set, &ask));
    if let Some(denial) = denial.or_else(|| not_below_guard_rail(set, &ask)) {
        return deny(denial);
    }
    // Trust comes first among the missing allows: without it nothing that the caller's side grants can help.
    let Some(granted) = strongest(&trust, &ask) else {
        return deny(Denial::implicit(PolicyType::Trust));
    };
    if matches!(request.principal, Principal::WebIdentity { .. } | Principal::Service { .. }) {
        return Decision::Allowed(Reason::Statement(granted.1));
    }
    let own_account = request.principal.account() == request.resource_account;
    match decide(set, &ask, Some(granted), own_account) {
        Decision::Denied(denial) => deny(denial),
        allowed => allowed,
    }
}

impl<'a> Ask<'a> {
    pub(crate) fn new(set: &Applicable<'_>, request: &'a Request<'a>) -> Ask<'a> {
        Ask { request, action: request.action.to_ascii_lowercase(), has_boundary: set.boundary.is_some() }
    }
}

/// A statement of the resource's side that allows, and how it names the caller.
type Granted = (MatchKind, MatchedStatement);

/// Steps 5 and 6 of iam.md §4.2: joins the caller's side with what the resource's side grants.
fn decide(set: &Applicable<'_>, ask: &Ask<'_>, granted: Option<Granted>, own_account: bool) -> Decision {
    if own_account {
        match granted {
            Some((MatchKind::Enough, statement)) => return Decision::Allowed(Reason::Statement(statement)),
            Some((MatchKind::Capped, statement)) => {
                return match capped_by_boundary(set, ask).or_else(|| capped_by_session(set, ask)) {
                    Some(denial) => Decision::Denied(denial),
                    None => Decision::Allowed(Reason::Statement(statement)),
                };
            }
            // Naming the account only hands the decision to the account's own policies.
            Some((MatchKind::Delegates, _)) | None => {}
        }
        return match allowed_by_caller(set, ask) {
            Ok(reason) => Decision::Allowed(reason),
            Err(denial) => Decision::Denied(denial),
        };
    }
    match (allowed_by_caller(set, ask), granted) {
        (Err(denial), _) => Decision::Denied(denial),
        (Ok(_), Some((_, statement))) => Decision::Allowed(Reason::Statement(statement)),
        (Ok(_), None) => Decision::Denied(Denial::implicit(PolicyType::Resource)),
    }
}

/// Identity, boundary and session must all allow; out: the identity policy's statement or the first that lacks.
fn allowed_by_caller(set: &Applicable<'_>, ask: &Ask<'_>) -> Result<Reason, Denial> {
    let reason = if ask.request.principal.has_root_identity() {
        Reason::Root
    } else {
        Reason::Statement(allows(set.identity, ask).ok_or_else(|| Denial::implicit(PolicyType::Identity))?)
    };
    match capped_by_boundary(set, ask).or_else(|| capped_by_session(set, ask)) {
        Some(denial) => Err(denial),
        None => Ok(reason),
    }
}

fn capped_by_boundary(set: &Applicable<'_>, ask: &Ask<'_>) -> Option<Denial> {
    let boundary = set.boundary?;
    allows(std::slice::from_ref(boundary), ask).is_none().then(|| Denial::implicit(PolicyType::Boundary))
}

/// Session policies: any of them may allow (unverified). A federated session without any may do nothing.
fn capped_by_session(set: &Applicable<'_>, ask: &Ask<'_>) -> Option<Denial> {
    let allowed = match set.session {
        Some(policies) => allows(policies, ask).is_some(),
        None => !matches!(ask.request.principal, Principal::FederatedUser { .. }),
    };
    (!allowed).then(|| Denial::implicit(PolicyType::Session))
}

fn not_below_guard_rail(set: &Applicable<'_>, ask: &Ask<'_>) -> Option<Denial> {
    let below = |ceiling: &Arc<SourcedDocument>| allows(std::slice::from_ref(ceiling), ask).is_some();
    (!set.guard_rail.iter().all(below)).then(|| Denial::implicit(PolicyType::GuardRail))
}

/// Denies on the caller's side, in the order in which they are blamed (iam.md §4.5).
fn denied_by_caller(set: &Applicable<'_>, ask: &Ask<'_>) -> Option<Denial> {
    denied(set.identity, PolicyType::Identity, ask)
        .or_else(|| {
            denied(set.boundary.map(std::slice::from_ref).unwrap_or_default(), PolicyType::Boundary, ask)
        })
        .or_else(|| denied(set.session.unwrap_or_default(), PolicyType::Session, ask))
        .or_else(|| denied(set.guard_rail, PolicyType::GuardRail, ask))
}

fn denied(policies: &[Arc<SourcedDocument>], policy_type: PolicyType, ask: &Ask<'_>) -> Option<Denial> {
    let own_account = ask.request.principal.account() == ask.request.resource_account;
    policies.iter().find_map(|policy| {
        let unreadable = policy.document.unreadable().is_some();
        let statement = find(policy, Effect::Deny, ask).map(|(_, statement)| statement);
        if !unreadable && statement.is_none() {
            return None;
        }
        // Callers of other accounts do not learn the names of policies here.
        let policy_arn = policy.source.managed_arn().filter(|_| own_account).map(str::to_owned);
        let note = unreadable.then_some(DenialNote::UnreadablePolicy);
        Some(Denial { explicit: true, policy_type, policy_arn, statement, note })
    })
}

/// The first allowing statement.
fn allows(policies: &[Arc<SourcedDocument>], ask: &Ask<'_>) -> Option<MatchedStatement> {
    policies.iter().find_map(|policy| find(policy, Effect::Allow, ask)).map(|(_, statement)| statement)
}

/// The allowing statement that names the caller most strongly.
fn strongest(policies: &[Arc<SourcedDocument>], ask: &Ask<'_>) -> Option<Granted> {
    policies.iter().filter_map(|policy| find(policy, Effect::Allow, ask)).max_by_key(|(kind, _)| *kind)
}

/// The strongest applying statement of one document with this effect.
fn find(policy: &Arc<SourcedDocument>, effect: Effect, ask: &Ask<'_>) -> Option<Granted> {
    let statements = policy.document.statements().iter().enumerate();
    let mut best: Option<(MatchKind, usize)> = None;
    for (index, statement) in statements.filter(|(_, statement)| statement.effect() == effect) {
        if let Some(kind) = statement.applies(ask)
            && best.is_none_or(|(strongest, _)| kind > strongest)
        {
            best = Some((kind, index));
            if kind == MatchKind::Enough {
                break;
            }
        }
    }
    best.map(|(kind, index)| (kind, MatchedStatement::new(Arc::clone(policy), index)))
}
