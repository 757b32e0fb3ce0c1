//! Decisions, and the sentence that a denied caller reads (iam.md §4.5).

use std::sync::Arc;

use crate::document::{Effect, Span, Statement};
use crate::set::{PolicySource, SourcedDocument};

/// The answer to a request. There is no third value that a caller could take for a yes.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Allowed, and by what.
    Allowed(Reason),
    /// Denied, and by what or for lack of what.
    Denied(Denial),
}

impl Decision {
    /// True when allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Decision::Allowed(_))
    }

    /// The denial, if it is one.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Decision::Allowed(_) => None,
            Decision::Denied(denial) => Some(denial),
        }
    }
}

/// Why a request is allowed.
#[derive(Clone, Debug)]
pub enum Reason {
    /// The root of the account that owns the resource.
    Root,
    /// An action that nothing can deny: GetCallerIdentity, GetSessionToken.
    NeverDenied,
    /// This statement allows it (the first one found; others may too).
    Statement(MatchedStatement),
}

impl Reason {
    /// The policy that allows; `None` for root and for what is never denied.
    pub fn source(&self) -> Option<&PolicySource> {
        match self {
            Reason::Statement(matched) => Some(matched.source()),
            Reason::Root | Reason::NeverDenied => None,
        }
    }
}

/// One statement of one policy that applied to a request.
#[derive(Clone, Debug)]
pub struct MatchedStatement {
    policy: Arc<SourcedDocument>,
    index: usize,
}

impl MatchedStatement {
    pub(crate) fn new(policy: Arc<SourcedDocument>, index: usize) -> MatchedStatement {
        MatchedStatement { policy, index }
    }

    /// The policy's source.
    pub fn source(&self) -> &PolicySource {
        &self.policy.source
    }

    /// Index of the statement in its document, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The Sid, when the statement has one.
    pub fn sid(&self) -> Option<&str> {
        self.statement().and_then(Statement::sid)
    }

    /// Allow or Deny; `None` never happens for a statement that evaluation reported.
    pub fn effect(&self) -> Option<Effect> {
        self.statement().map(Statement::effect)
    }

    /// Where it stands in the text of its document.
    pub fn span(&self) -> Option<Span> {
        self.policy.document.span(self.index)
    }

    fn statement(&self) -> Option<&Statement> {
        self.policy.document.statements().get(self.index)
    }
}

/// The kind of policy that denies or that does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyType {
    /// Policies of user, groups, role.
    Identity,
    /// Permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// Repository or registry policy.
    Resource,
    /// Trust policy of a role.
    Trust,
    /// Ceiling of the installation; AWS's word is service control policy.
    GuardRail,
}

/// What is special about a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialNote {
    /// A stored document could not be compiled: log it, it is a fault of the server (iam.md §8.2).
    UnreadablePolicy,
    /// A root tried to assume a role.
    RootAssumesRole,
    /// The caller is a web identity, who learns neither names nor reasons (iam.md §4.4).
    WebIdentity,
}

/// Why a request is denied.
#[derive(Clone, Debug)]
pub struct Denial {
    /// True when a Deny applied, false when an Allow is missing.
    pub explicit: bool,
    /// The kind of policy to blame.
    pub policy_type: PolicyType,
    /// ARN of the managed policy with the Deny, for callers of the same account.
    pub policy_arn: Option<String>,
    /// The statement with the Deny; `None` when an Allow is missing or the document is unreadable.
    pub statement: Option<MatchedStatement>,
    /// What else to know about it.
    pub note: Option<DenialNote>,
}

impl Denial {
    /// An Allow is missing.
    pub(crate) fn implicit(policy_type: PolicyType) -> Denial {
        Denial { explicit: false, policy_type, policy_arn: None, statement: None, note: None }
    }

    /// AWS's sentence for this denial.
    ///
    /// In: the caller's [`crate::Principal::arn`], the action in AWS's spelling, the resource as the operation
    /// shows it (ARN, `*`, or IAM's `user alice`). Out: for example `User: arn:aws:iam::123456789012:user/alice
    /// is not authorized to perform: ecr:PutImage on resource: arn:… because no identity-based policy allows
    /// the ecr:PutImage action`.
    ///
    /// An implicit trust denial has no tail: the live service prints none, and so the answer does not tell an
    /// existing role from a missing one (iam.md §4.5, §6.1).
    pub fn sentence(&self, principal_arn: &str, action: &str, resource_display: &str) -> String {
        match self.note {
            Some(DenialNote::RootAssumesRole) => {
                return "Roles may not be assumed by root accounts.".to_owned();
            }
            Some(DenialNote::WebIdentity) => return format!("Not authorized to perform {action}"),
            Some(DenialNote::UnreadablePolicy) | None => {}
        }
        let base = format!(
            "User: {principal_arn} is not authorized to perform: {action} on resource: {resource_display}"
        );
        let tail = if self.explicit { self.explicit_tail() } else { self.implicit_tail(action) };
        base + &tail
    }

    fn implicit_tail(&self, action: &str) -> String {
        // A tail that blames the caller's own policies would tell a role that trusts the account from one that
        // does not exist; the live service prints none (iam.md §6.1).
        if action.eq_ignore_ascii_case("sts:AssumeRole") && self.policy_type == PolicyType::Identity {
            return String::new();
        }
        let policy = match self.policy_type {
            PolicyType::Identity => "identity-based policy",
            PolicyType::Boundary => "permissions boundary",
            PolicyType::Session => "session policy",
            PolicyType::Resource => "resource-based policy",
            PolicyType::GuardRail => "service control policy",
            PolicyType::Trust => return String::new(),
        };
        format!(" because no {policy} allows the {action} action")
    }

    fn explicit_tail(&self) -> String {
        let policy = match self.policy_type {
            PolicyType::Identity => "an identity-based policy",
            PolicyType::Boundary => "a permissions boundary",
            PolicyType::Session => "a session policy",
            PolicyType::Resource => "a resource-based policy",
            PolicyType::Trust => "the role trust policy",
            PolicyType::GuardRail => "a service control policy",
        };
        match &self.policy_arn {
            Some(arn) => format!(" with an explicit deny in {policy}: {arn}"),
            None => format!(" with an explicit deny in {policy}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Denial, DenialNote, PolicyType};

    const ALICE: &str = "arn:aws:iam::123456789012:user/alice";

    fn tail(denial: &Denial) -> String {
        let sentence = denial.sentence(ALICE, "ecr:PutImage", "arn:r");
        let base = format!("User: {ALICE} is not authorized to perform: ecr:PutImage on resource: arn:r");
        sentence.strip_prefix(&base).unwrap().to_owned()
    }

    #[test]
    fn every_tail() {
        for (policy_type, implicit, explicit) in [
            (PolicyType::Identity, "identity-based policy", "an identity-based policy"),
            (PolicyType::Boundary, "permissions boundary", "a permissions boundary"),
            (PolicyType::Session, "session policy", "a session policy"),
            (PolicyType::Resource, "resource-based policy", "a resource-based policy"),
            (PolicyType::GuardRail, "service control policy", "a service control policy"),
        ] {
            let mut denial = Denial::implicit(policy_type);
            assert_eq!(tail(&denial), format!(" because no {implicit} allows the ecr:PutImage action"));
            denial.explicit = true;
            assert_eq!(tail(&denial), format!(" with an explicit deny in {explicit}"));
            denial.policy_arn = Some("arn:aws:iam::123456789012:policy/B".into());
            let suffixed =
                format!(" with an explicit deny in {explicit}: arn:aws:iam::123456789012:policy/B");
            assert_eq!(tail(&denial), suffixed);
        }
        let role = Denial::implicit(PolicyType::Identity).sentence(ALICE, "sts:AssumeRole", "arn:r");
        assert!(role.ends_with("sts:AssumeRole on resource: arn:r"), "{role}");
        let mut trust = Denial::implicit(PolicyType::Trust);
        assert_eq!(tail(&trust), "");
        trust.explicit = true;
        assert_eq!(tail(&trust), " with an explicit deny in the role trust policy");
    }

    #[test]
    fn fixed_sentences() {
        let mut denial = Denial::implicit(PolicyType::Trust);
        denial.note = Some(DenialNote::RootAssumesRole);
        assert_eq!(denial.sentence("a", "sts:AssumeRole", "r"), "Roles may not be assumed by root accounts.");
        denial.note = Some(DenialNote::WebIdentity);
        let action = "sts:AssumeRoleWithWebIdentity";
        assert_eq!(
            denial.sentence("a", action, "r"),
            "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        );
    }
}
