//! What an action is checked on.

use oci::RepositoryName;
use policy::{AccountId, Region};

/// The repositories of one account in one region; the resource of actions that IAM checks on `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registry {
    /// The account that owns the registry.
    pub account: AccountId,
    /// The region of the registry.
    pub region: Region,
}

/// One repository, existing or not: the guard decides before anybody looks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    /// The registry that it belongs to.
    pub registry: Registry,
    /// Its name.
    pub name: RepositoryName,
}

impl Repository {
    /// `arn:aws:ecr:<region>:<account>:repository/<name>`
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:ecr:{}:{}:repository/{}", self.registry.region, self.registry.account, self.name)
    }
}

/// A user, group, role, policy or profile, or all of them (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The account whose identities are meant.
    pub account: AccountId,
    /// What policies match: the ARN of the entity, or `*`.
    pub arn: String,
    /// What a denial shows: `user alice`, `role puller`, the ARN, or `*` (iam.md §3.10).
    pub display: String,
}

/// Any resource, as the guard sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Checked on `*`.
    Registry(Registry),
    /// Checked on `repository/*`: a listing without names.
    AllRepositories(Registry),
    /// Checked on the repository's ARN.
    Repository(Repository),
    /// Checked on the entity's ARN.
    Identity(Identity),
}

impl Resource {
    /// The text that policies match and, for everything but identities, that denials show.
    #[must_use]
    pub fn arn(&self) -> String {
        match self {
            Self::Registry(_) => "*".to_owned(),
            Self::AllRepositories(registry) => {
                format!("arn:aws:ecr:{}:{}:repository/*", registry.region, registry.account)
            }
            Self::Repository(repository) => repository.arn(),
            Self::Identity(identity) => identity.arn.clone(),
        }
    }

    /// The text that denials show.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Identity(identity) => identity.display.clone(),
            other => other.arn(),
        }
    }

    /// The account that owns the resource.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Registry(registry) | Self::AllRepositories(registry) => &registry.account,
            Self::Repository(repository) => &repository.registry.account,
            Self::Identity(identity) => &identity.account,
        }
    }
}

impl From<Registry> for Resource {
    fn from(registry: Registry) -> Self {
        Self::Registry(registry)
    }
}

impl From<Repository> for Resource {
    fn from(repository: Repository) -> Self {
        Self::Repository(repository)
    }
}

impl From<Identity> for Resource {
    fn from(identity: Identity) -> Self {
        Self::Identity(identity)
    }
}

/// How an action reads its own kind of resource back out of a [`Resource`].
pub trait OfResource: Sized + Clone + Into<Resource> {
    /// The value, when the resource is of this kind.
    fn of(resource: &Resource) -> Option<Self>;
}

impl OfResource for Registry {
    fn of(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::Registry(registry) | Resource::AllRepositories(registry) => Some(registry.clone()),
            _ => None,
        }
    }
}

impl OfResource for Repository {
    fn of(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::Repository(repository) => Some(repository.clone()),
            _ => None,
        }
    }
}

impl OfResource for Identity {
    fn of(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::Identity(identity) => Some(identity.clone()),
            _ => None,
        }
    }
}
