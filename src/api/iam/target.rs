//! What an operation is about, and the resource that the guard is asked for (iam.md §3.10).

use aws::iam::Tag;
use policy::{AccountId, Context, Principal};

use crate::access::action::Action;
use crate::access::{Caller, Check, Identity, Resource};
use crate::api::Services;
use crate::identity::{self, Facts, Kind};

/// The thing that an operation names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Nothing in particular: `*`.
    All,
    /// The root of the caller's account.
    Root,
    /// An entity that shall come into being.
    New {
        /// Its kind.
        kind: Kind,
        /// Its path.
        path: String,
        /// Its name.
        name: String,
    },
    /// An entity by its name; authorised under the path that it has, or `/` when there is none.
    Named(Kind, String),
    /// A managed policy by its ARN.
    Policy(String),
}

/// One check, before its resource is looked up.
#[derive(Debug)]
pub(super) struct Need {
    action: &'static str,
    target: Target,
    context: Context,
    wants_boundary: bool,
}

impl Need {
    /// The action on a target.
    pub(super) fn new<A: Action<Resource = Identity>>(target: Target) -> Self {
        Self::absent(A::NAME, target)
    }

    /// The action of an operation that has no room function.
    pub(super) fn absent(action: &'static str, target: Target) -> Self {
        Self { action, target, context: Context::new(), wants_boundary: false }
    }

    /// With `iam:PolicyARN`.
    pub(super) fn policy_arn(mut self, arn: &str) -> Self {
        self.context.set("iam:PolicyARN", arn);
        self
    }

    /// With the boundary that the request sets as `iam:PermissionsBoundary`.
    pub(super) fn new_boundary(mut self, arn: Option<&str>) -> Self {
        if let Some(arn) = arn {
            self.context.set("iam:PermissionsBoundary", arn);
        }
        self
    }

    /// With the boundary that the entity has as `iam:PermissionsBoundary`.
    pub(super) fn present_boundary(mut self) -> Self {
        self.wants_boundary = true;
        self
    }

    /// With the tags of the request.
    pub(super) fn tags(mut self, tags: Option<&[Tag]>) -> Self {
        for tag in tags.unwrap_or_default() {
            self.context.set(&format!("aws:RequestTag/{}", tag.key), tag.value.clone());
        }
        self.tag_keys(tags.unwrap_or_default().iter().map(|tag| &tag.key))
    }

    /// With `aws:TagKeys`.
    pub(super) fn tag_keys<'a>(mut self, keys: impl Iterator<Item = &'a String>) -> Self {
        self.context.set_list("aws:TagKeys", keys.cloned());
        self
    }

    /// With the service that a role is handed to.
    pub(super) fn passed_to(mut self, service: &str, resource: &str) -> Self {
        self.context.set("iam:PassedToService", service);
        self.context.set("iam:AssociatedResourceArn", resource);
        self
    }

    /// The check, with the entity's path, tags and boundary as they are now.
    pub(super) async fn check(
        mut self,
        services: &Services,
        caller: &Caller,
    ) -> Result<Check, identity::Error> {
        let account = caller.account();
        let (arn, display, facts) = match self.target {
            Target::All => ("*".to_owned(), "*".to_owned(), None),
            Target::Root => {
                let arn = format!("arn:aws:iam::{account}:root");
                (arn.clone(), arn, None)
            }
            Target::New { kind, path, name } => {
                let arn = identity::arn(account, kind, &path, &name);
                (arn.clone(), arn, None)
            }
            Target::Named(kind, name) => {
                let facts = services.identity.facts(account, kind, &name).await?;
                let path = facts.as_ref().map_or("/", |facts| facts.entity.path.as_str());
                let arn = identity::arn(account, kind, path, &name);
                // Who hands out a role sees its ARN in a denial, not its name.
                let is_passed = self.action == "iam:PassRole";
                let display = if is_passed { arn.clone() } else { format!("{} {name}", words(kind)) };
                (arn, display, facts)
            }
            Target::Policy(arn) => {
                if !identity::is_policy_arn(&arn) {
                    return Err(identity::Error::InvalidArn);
                }
                let facts = policy_facts(services, account, &arn).await?;
                (arn.clone(), format!("policy {arn}"), facts)
            }
        };
        if let Some(facts) = facts {
            for (key, value) in &facts.tags {
                self.context.set(&format!("aws:ResourceTag/{key}"), value.clone());
                self.context.set(&format!("iam:ResourceTag/{key}"), value.clone());
            }
            if let Some(boundary) = facts.entity.boundary.filter(|_| self.wants_boundary) {
                self.context.set("iam:PermissionsBoundary", boundary);
            }
        }
        let resource = Resource::Identity(Identity { account: account.clone(), arn, display });
        Ok(Check { action: self.action, resource, context: self.context, trust: None })
    }
}

async fn policy_facts(
    services: &Services,
    account: &AccountId,
    arn: &str,
) -> Result<Option<Facts>, identity::Error> {
    let Some((owner, Kind::Policy, path, name)) = identity::parse_arn(arn) else { return Ok(None) };
    if owner != *account {
        return Ok(None);
    }
    let facts = services.identity.facts(account, Kind::Policy, &name).await?;
    Ok(facts.filter(|facts| facts.entity.path == path))
}

/// The user that an operation names, or the caller's own when it names none.
///
/// # Errors
/// [`identity::Error::UserNameRequired`] for callers that are neither user nor root.
pub(super) fn user_or_self(caller: &Caller, name: Option<&String>) -> Result<Target, identity::Error> {
    match (name, &**caller.principal) {
        (Some(name), _) | (None, Principal::User { name, .. }) => Ok(Target::Named(Kind::User, name.clone())),
        (None, Principal::Root { .. }) => Ok(Target::Root),
        (None, _) => Err(identity::Error::UserNameRequired),
    }
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::InstanceProfile => "instance profile",
        other => other.as_str(),
    }
}
