//! Who asks: the authenticated principal of a request, its ARNs, and the context keys it brings (iam.md §3.8).
//!
//! Example: the session `s1` of the role `/app/puller` shows itself in denials as
//! `arn:aws:sts::111122223333:assumed-role/puller/s1`, is named in policies by its role
//! `arn:aws:iam::111122223333:role/app/puller` or by that session ARN, and has `aws:userid` `AROA…:s1`.

use std::borrow::Cow;

use crate::account::AccountId;
use crate::context::{Context, fold};

/// The keys of [`Principal::context`] besides those of tags, in lower case.
const KEYS: [&str; 8] = [
    "aws:federatedprovider",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:userid",
    "aws:username",
];

/// What the keys of tags begin with.
const TAG: &str = "aws:principaltag/";

/// The user who made a federated session with GetFederationToken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederationOwner {
    /// Path of the user, `/` or `/…/`.
    pub path: String,
    /// Name of the user.
    pub name: String,
    /// Unique id of the user, `AIDA…`.
    pub id: String,
}

/// An authenticated principal. Tags are what `aws:PrincipalTag/…` sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The root of an account.
    Root {
        /// The account.
        account: AccountId,
    },
    /// An IAM user, by long-term key or by a GetSessionToken session.
    User {
        /// The account of the user.
        account: AccountId,
        /// Path, `/` or `/…/`.
        path: String,
        /// Name.
        name: String,
        /// Unique id, `AIDA…`.
        id: String,
        /// Tags of the user.
        tags: Vec<(String, String)>,
    },
    /// A session of a role.
    RoleSession {
        /// The account of the role.
        account: AccountId,
        /// Path of the role, `/` or `/…/`.
        role_path: String,
        /// Name of the role.
        role_name: String,
        /// Unique id of the role, `AROA…`.
        role_id: String,
        /// Name of the session.
        session_name: String,
        /// Tags of the role overlaid by tags of the session.
        tags: Vec<(String, String)>,
    },
    /// A session made by GetFederationToken.
    FederatedUser {
        /// The account.
        account: AccountId,
        /// The name given to GetFederationToken.
        name: String,
        /// The user who made it; `None` when the root made it.
        user: Option<FederationOwner>,
        /// Tags of the session.
        tags: Vec<(String, String)>,
    },
    /// The holder of an identity provider's token who calls AssumeRoleWithWebIdentity.
    WebIdentity {
        /// The account of the provider and of the role.
        account: AccountId,
        /// ARN of the provider.
        provider_arn: String,
        /// The `sub` claim.
        subject: String,
    },
    /// A service of this installation that works on behalf of an account.
    Service {
        /// The account on whose behalf it works.
        account: AccountId,
        /// The service principal, such as `replication.ecr.amazonaws.com`.
        name: String,
    },
}

impl Principal {
    /// The account that the principal belongs to or works for.
    pub fn account(&self) -> &AccountId {
        match self {
            Principal::Root { account }
            | Principal::User { account, .. }
            | Principal::RoleSession { account, .. }
            | Principal::FederatedUser { account, .. }
            | Principal::WebIdentity { account, .. }
            | Principal::Service { account, .. } => account,
        }
    }

    /// The ARN shown in denials, GetCallerIdentity and audit: for sessions the session's.
    ///
    /// Services have no ARN and show their name; web identities show their provider.
    pub fn arn(&self) -> String {
        match self {
            Principal::Root { account } => format!("arn:aws:iam::{account}:root"),
            Principal::User { account, path, name, .. } => format!("arn:aws:iam::{account}:user{path}{name}"),
            Principal::RoleSession { account, role_name, session_name, .. } => {
                format!("arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}")
            }
            Principal::FederatedUser { account, name, .. } => {
                format!("arn:aws:sts::{account}:federated-user/{name}")
            }
            Principal::WebIdentity { provider_arn, .. } => provider_arn.clone(),
            Principal::Service { name, .. } => name.clone(),
        }
    }

    /// `aws:userid`: `AIDA…`, `AROA…:session`, `account:name` for federated users, the account id for root.
    pub fn user_id(&self) -> String {
        match self {
            Principal::Root { account } => account.to_string(),
            Principal::User { id, .. } => id.clone(),
            Principal::RoleSession { role_id, session_name, .. } => format!("{role_id}:{session_name}"),
            Principal::FederatedUser { account, name, .. } => format!("{account}:{name}"),
            Principal::WebIdentity { subject, .. } => subject.clone(),
            Principal::Service { name, .. } => name.clone(),
        }
    }

    /// Writes the principal's keys into a context, and removes those it does not have.
    ///
    /// Keys: `aws:PrincipalArn` (role sessions: the role), `aws:PrincipalAccount`, `aws:PrincipalType`,
    /// `aws:userid`, `aws:username` (users only), `aws:PrincipalTag/…`, `aws:PrincipalIsAWSService`,
    /// `aws:PrincipalServiceName`, `aws:FederatedProvider` (web identities).
    /// A door calls this once per request, before [`crate::evaluate()`]; without it no condition on the
    /// principal can match.
    pub fn context(&self, context: &mut Context) {
        for key in KEYS {
            match self.value(key) {
                Some(value) => context.set_known(key, value),
                None => context.remove(key),
            }
        }
        for (key, value) in self.tags() {
            context.set(&format!("{TAG}{key}"), value.clone());
        }
    }

    /// One of the keys that [`Principal::context`] writes, in lower case; `None` when this principal does not have it.
    pub fn value(&self, folded: &str) -> Option<Cow<'_, str>> {
        if let Some(tag) = folded.strip_prefix(TAG) {
            // Keys that differ in case alone are one key, whose last value counts.
            let found = self.tags().iter().rev().find(|(key, _)| fold(key) == tag);
            return found.map(|(_, value)| Cow::Borrowed(value.as_str()));
        }
        let kind = match self {
            Principal::Root { .. } => Some("Account"),
            Principal::User { .. } => Some("User"),
            Principal::RoleSession { .. } => Some("AssumedRole"),
            Principal::FederatedUser { .. } => Some("FederatedUser"),
            Principal::WebIdentity { .. } | Principal::Service { .. } => None,
        };
        match (folded, self) {
            ("aws:principalisawsservice", Principal::Service { .. }) => Some("true".into()),
            ("aws:principalisawsservice", _) => Some("false".into()),
            ("aws:federatedprovider", Principal::WebIdentity { provider_arn, .. }) => {
                Some(provider_arn.into())
            }
            ("aws:principalservicename", Principal::Service { name, .. }) => Some(name.into()),
            ("aws:username", Principal::User { name, .. }) => Some(name.into()),
            ("aws:principaltype", _) => kind.map(Cow::Borrowed),
            ("aws:principalaccount", _) => kind.map(|_| self.account().as_str().into()),
            ("aws:principalarn", _) => kind.map(|_| self.role_arn().unwrap_or_else(|| self.arn()).into()),
            ("aws:userid", _) => kind.map(|_| self.user_id().into()),
            _ => None,
        }
    }

    /// What `aws:PrincipalTag/…` sees.
    pub fn tags(&self) -> &[(String, String)] {
        match self {
            Principal::User { tags, .. }
            | Principal::RoleSession { tags, .. }
            | Principal::FederatedUser { tags, .. } => tags,
            Principal::Root { .. } | Principal::WebIdentity { .. } | Principal::Service { .. } => &[],
        }
    }

    /// ARN of the user, or of the user behind a federated session.
    pub(crate) fn user_arn(&self) -> Option<String> {
        match self {
            Principal::User { .. } => Some(self.arn()),
            Principal::FederatedUser { account, user: Some(user), .. } => {
                Some(format!("arn:aws:iam::{account}:user{}{}", user.path, user.name))
            }
            _ => None,
        }
    }

    pub(crate) fn user_unique_id(&self) -> Option<&str> {
        match self {
            Principal::User { id, .. } => Some(id),
            Principal::FederatedUser { user: Some(user), .. } => Some(&user.id),
            _ => None,
        }
    }

    /// ARN of the role behind a session, with its path.
    pub fn role_arn(&self) -> Option<String> {
        match self {
            Principal::RoleSession { account, role_path, role_name, .. } => {
                Some(format!("arn:aws:iam::{account}:role{role_path}{role_name}"))
            }
            _ => None,
        }
    }

    pub(crate) fn role_unique_id(&self) -> Option<&str> {
        match self {
            Principal::RoleSession { role_id, .. } => Some(role_id),
            _ => None,
        }
    }

    pub(crate) fn session_arn(&self) -> Option<String> {
        matches!(self, Principal::RoleSession { .. } | Principal::FederatedUser { .. }).then(|| self.arn())
    }

    /// Whether naming the account names this principal. Services count: replication is granted to the source
    /// account in a registry policy (ecr.md §6.2). Web identities are no members of the account.
    pub(crate) fn is_of_account(&self) -> bool {
        !matches!(self, Principal::WebIdentity { .. })
    }

    /// Whether identity policies cannot limit the caller: the root, or a federated session that the root made.
    pub(crate) fn has_root_identity(&self) -> bool {
        matches!(self, Principal::Root { .. } | Principal::FederatedUser { user: None, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::Principal;
    use crate::{AccountId, Context};

    fn account() -> AccountId {
        AccountId::parse("111122223333").unwrap()
    }

    #[test]
    fn a_role_session_shows_its_session_but_counts_as_its_role() {
        let session = Principal::RoleSession {
            account: account(),
            role_path: "/app/".into(),
            role_name: "puller".into(),
            role_id: "AROAPULLER".into(),
            session_name: "s1".into(),
            tags: vec![("team".into(), "web".into())],
        };
        assert_eq!(session.arn(), "arn:aws:sts::111122223333:assumed-role/puller/s1");
        let mut context = Context::new();
        context.set("aws:username", "left over");
        session.context(&mut context);
        assert_eq!(context.get("aws:PrincipalArn"), Some("arn:aws:iam::111122223333:role/app/puller"));
        assert_eq!(context.get("aws:userid"), Some("AROAPULLER:s1"));
        assert_eq!(context.get("aws:PrincipalTag/Team"), Some("web"));
        assert_eq!(context.get("aws:username"), None);
    }

    #[test]
    fn a_single_key_is_what_the_context_has_of_it() {
        let tags = vec![("Team".into(), "web".into()), ("TEAM".into(), "last".into())];
        let user = Principal::User {
            account: account(),
            path: "/".into(),
            name: "alice".into(),
            id: "AIDAALICE".into(),
            tags: tags.clone(),
        };
        let federated = Principal::FederatedUser { account: account(), name: "f".into(), user: None, tags };
        let (provider_arn, subject) = ("arn:aws:iam::111122223333:oidc-provider/p".into(), "s".into());
        let web = Principal::WebIdentity { account: account(), provider_arn, subject };
        let service = Principal::Service { account: account(), name: "x.amazonaws.com".into() };
        for principal in [user, federated, web, service, Principal::Root { account: account() }] {
            let mut context = Context::new();
            principal.context(&mut context);
            for key in super::KEYS.into_iter().chain(["aws:principaltag/team", "aws:principaltag/x", "aws:x"])
            {
                assert_eq!(principal.value(key).as_deref(), context.get(key), "{principal:?} {key}");
            }
        }
    }

    #[test]
    fn root_and_services() {
        let mut context = Context::new();
        Principal::Root { account: account() }.context(&mut context);
        assert_eq!(context.get("aws:PrincipalType"), Some("Account"));
        assert_eq!(context.get("aws:userid"), Some("111122223333"));
        let service = Principal::Service { account: account(), name: "replication.ecr.amazonaws.com".into() };
        service.context(&mut context);
        assert_eq!(context.get("aws:PrincipalIsAWSService"), Some("true"));
        assert_eq!(context.get("aws:PrincipalArn"), None);
    }
}
