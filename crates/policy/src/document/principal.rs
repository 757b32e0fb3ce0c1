//! Principals in documents: what they name, whether that can exist, and whom they match (iam.md §3.5).

use crate::account::AccountId;
use crate::arn::Arn;
use crate::document::Effect;
use crate::principal::Principal;

/// The member of a `Principal` element under which a principal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalClass {
    /// `AWS`: accounts, users, roles, sessions, everyone.
    Aws,
    /// `Federated`: identity providers.
    Federated,
    /// `Service`: service principals such as `ec2.amazonaws.com`.
    Service,
    /// `CanonicalUser`: accepted, matches nobody here.
    CanonicalUser,
}

impl PrincipalClass {
    pub(super) fn parse(name: &str) -> Option<PrincipalClass> {
        Some(match name {
            "AWS" => PrincipalClass::Aws,
            "Federated" => PrincipalClass::Federated,
            "Service" => PrincipalClass::Service,
            "CanonicalUser" => PrincipalClass::CanonicalUser,
            _ => return None,
        })
    }

    /// The spelling in "Invalid principal in policy".
    pub(super) fn in_errors(self) -> &'static str {
        match self {
            PrincipalClass::Aws => "AWS",
            PrincipalClass::Federated => "FEDERATED",
            PrincipalClass::Service => "SERVICE",
            PrincipalClass::CanonicalUser => "CANONICALUSER",
        }
    }
}

/// One principal of a statement.
#[derive(Clone, Debug)]
pub struct PolicyPrincipal {
    class: PrincipalClass,
    text: Box<str>,
    form: Form,
    bound: Option<Box<str>>,
    start: usize,
    end: usize,
}

/// What the text of a principal says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Everyone,
    Account(AccountId),
    /// User ARN, compared as text.
    User,
    /// Role ARN, compared as text.
    Role,
    /// Assumed-role or federated-user session ARN, compared as text.
    Session,
    Provider,
    Service,
    /// A bare unique id of a deleted entity, or a text that names nobody.
    Nobody,
}

/// How strong a matching Allow of a resource policy is within the account (iam.md §4.2 step 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MatchKind {
    /// The account was named: it only delegates to its own policies.
    Delegates,
    /// Role, or owner of a federated session: identity policies are not needed, boundary and session cap.
    Capped,
    /// User, session, everyone: enough by itself.
    Enough,
}

/// The part of a caller's identity that a principal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Everyone,
    Account,
    Entity,
    Session,
}

impl PolicyPrincipal {
    pub(super) fn new(class: PrincipalClass, text: &str, start: usize, end: usize) -> PolicyPrincipal {
        PolicyPrincipal { class, text: text.into(), form: form(class, text), bound: None, start, end }
    }

    /// The class.
    pub fn class(&self) -> PrincipalClass {
        self.class
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True for `*`.
    pub fn is_everyone(&self) -> bool {
        self.form == Form::Everyone
    }

    /// The user or role ARN that it names: something that must exist, and that binding asks for.
    pub fn entity_arn(&self) -> Option<&str> {
        matches!(self.form, Form::User | Form::Role).then_some(&*self.text)
    }

    /// True for a bare `AIDA…` or `AROA…`, which AWS shows for deleted entities and refuses on save.
    pub fn is_unique_id(&self) -> bool {
        self.form == Form::Nobody && self.class == PrincipalClass::Aws && is_unique_id(&self.text)
    }

    /// The account that it names or whose entity it names; `None` for everyone, services, providers and ids.
    pub fn account(&self) -> Option<AccountId> {
        match &self.form {
            Form::Account(account) => Some(account.clone()),
            Form::User | Form::Role | Form::Session => {
                Arn::parse(&self.text).ok().and_then(|arn| AccountId::parse(arn.account()).ok())
            }
            _ => None,
        }
    }

    /// The unique id that it is bound to.
    pub fn bound(&self) -> Option<&str> {
        self.bound.as_deref()
    }

    pub(super) fn bind(&mut self, resolve: &mut dyn FnMut(&str) -> Option<String>) {
        if let Some(arn) = self.entity_arn() {
            let bound = resolve(arn).map(String::into_boxed_str);
            self.bound = bound;
        }
    }

    pub(super) fn offsets(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    /// The root ARN of a bare account id.
    pub(super) fn account_as_arn(&self) -> Option<String> {
        match &self.form {
            Form::Account(account) if account.as_str() == &*self.text => {
                Some(format!("arn:aws:iam::{account}:root"))
            }
            _ => None,
        }
    }

    /// The part of the caller that this principal names.
    fn part(&self, caller: &Principal) -> Option<Part> {
        let named = |arn: Option<String>, id: Option<&str>| match &self.bound {
            // Bound: the name may belong to somebody else by now, so only the id counts.
            Some(bound) => id == Some(&**bound),
            None => arn.as_deref() == Some(&*self.text),
        };
        let matched = match &self.form {
            Form::Everyone => return Some(Part::Everyone),
            Form::Account(account) => {
                return (caller.is_of_account() && caller.account() == account).then_some(Part::Account);
            }
            Form::User => named(caller.user_arn(), caller.user_unique_id()),
            Form::Role => named(caller.role_arn(), caller.role_unique_id()),
            Form::Session => {
                return caller.session_arn().is_some_and(|arn| arn == *self.text).then_some(Part::Session);
            }
            Form::Provider => {
                matches!(caller, Principal::WebIdentity { provider_arn, .. } if **provider_arn == *self.text)
            }
            Form::Service => matches!(caller, Principal::Service { name, .. } if **name == *self.text),
            Form::Nobody => false,
        };
        matched.then_some(Part::Entity)
    }

    /// How this principal matches the caller.
    pub(super) fn kind(&self, caller: &Principal, effect: Effect) -> Option<MatchKind> {
        Some(match (self.part(caller)?, caller) {
            // The holder of some provider's token is nobody's "everyone" when it comes to letting in: trust in
            // a provider has to be spoken out. A Deny for everyone does reach such callers.
            (Part::Everyone, Principal::WebIdentity { .. }) if effect == Effect::Allow => return None,
            (Part::Everyone | Part::Session, _) => MatchKind::Enough,
            (Part::Account, _) => MatchKind::Delegates,
            (Part::Entity, Principal::RoleSession { .. } | Principal::FederatedUser { .. }) => {
                MatchKind::Capped
            }
            (Part::Entity, _) => MatchKind::Enough,
        })
    }
}

/// Whether a `NotPrincipal` list exempts the caller: every part of its identity must be listed.
///
/// For a role session these are account, role and session (AWS page "NotPrincipal"). A caller with a boundary
/// is never exempt.
pub(super) fn exempt(list: &[PolicyPrincipal], caller: &Principal, has_boundary: bool) -> bool {
    let listed = |part: Part| list.iter().any(|principal| principal.part(caller) == Some(part));
    if listed(Part::Everyone) {
        return true;
    }
    let needed: &[Part] = match caller {
        Principal::Root { .. } => &[Part::Account],
        Principal::User { .. } => &[Part::Account, Part::Entity],
        Principal::RoleSession { .. } | Principal::FederatedUser { user: Some(_), .. } => {
            &[Part::Account, Part::Entity, Part::Session]
        }
        Principal::FederatedUser { user: None, .. } => &[Part::Account, Part::Session],
        Principal::WebIdentity { .. } | Principal::Service { .. } => &[Part::Entity],
    };
    !has_boundary && needed.iter().all(|part| listed(*part))
}

/// Whether a principal text can name something at all; otherwise "Invalid principal in policy".
pub(super) fn can_exist(class: PrincipalClass, text: &str) -> bool {
    match class {
        // A bare id passes: whether it still names somebody is the existence check of the caller.
        PrincipalClass::Aws => form(class, text) != Form::Nobody || is_unique_id(text),
        PrincipalClass::Federated | PrincipalClass::Service => form(class, text) != Form::Nobody,
        PrincipalClass::CanonicalUser => !text.is_empty() && !text.contains(['*', '?']),
    }
}

fn form(class: PrincipalClass, text: &str) -> Form {
    match class {
        PrincipalClass::Aws => aws_form(text),
        PrincipalClass::Federated if is_provider(text) => Form::Provider,
        PrincipalClass::Service if is_service(text) => Form::Service,
        _ => Form::Nobody,
    }
}

fn aws_form(text: &str) -> Form {
    if text == "*" {
        return Form::Everyone;
    }
    if let Ok(account) = AccountId::parse(text) {
        return Form::Account(account);
    }
    let Ok(arn) = Arn::parse(text) else {
        return Form::Nobody;
    };
    let Ok(account) = AccountId::parse(arn.account()) else {
        return Form::Nobody;
    };
    // Wildcards in principals are no patterns: `role/*` would silently match nobody.
    if arn.partition() != "aws" || !arn.region().is_empty() || arn.resource().contains(['*', '?', '$', ' ']) {
        return Form::Nobody;
    }
    let segments: Vec<&str> = arn.resource().split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Form::Nobody;
    }
    match (arn.service(), segments.as_slice()) {
        ("iam", ["root"]) => Form::Account(account),
        ("iam", ["user", _, ..]) => Form::User,
        ("iam", ["role", _, ..]) => Form::Role,
        ("sts", ["assumed-role", _, _] | ["federated-user", _]) => Form::Session,
        _ => Form::Nobody,
    }
}

/// `AIDA…` or `AROA…`: 21 characters of upper-case letters and digits.
fn is_unique_id(text: &str) -> bool {
    (text.starts_with("AIDA") || text.starts_with("AROA"))
        && text.len() == 21
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// A provider ARN of IAM, or the host name of a provider that AWS knows by name (`accounts.google.com`).
fn is_provider(text: &str) -> bool {
    if text.contains(['*', '?']) {
        return false;
    }
    match Arn::parse(text) {
        Ok(arn) => {
            let known =
                arn.resource().starts_with("oidc-provider/") || arn.resource().starts_with("saml-provider/");
            arn.partition() == "aws"
                && arn.service() == "iam"
                && AccountId::parse(arn.account()).is_ok()
                && known
        }
        Err(_) => is_host(text),
    }
}

/// A host name below one of the domains in which AWS services live (list (unverified)).
fn is_service(text: &str) -> bool {
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal"];
    is_host(text) && domains.iter().any(|domain| text.ends_with(domain))
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(plain)
    };
    text.contains('.') && text.len() <= 253 && text.split('.').all(label)
}
