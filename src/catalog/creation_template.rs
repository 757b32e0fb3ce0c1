//! Repository creation templates: what a repository is like that a push creates (ecr.md §7.4).
//!
//! Owns the table `repository_creation_template`. `set` creates, changes and removes templates, `list` shows them,
//! `apply` finds the one for a name and creates the repository by it.
//!
//! Invariants:
//! * a template is for a namespace, the part of a name before a `/`; two spellings of one namespace (`team`,
//!   `team/`) are one template;
//! * of the templates that fit a name the longest namespace decides, `ROOT` only when none fits;
//! * a setting that would not be acted upon is refused, never stored (KMS encryption, a custom role, templates for
//!   replication and pull-through caches), so every template is one for creation on push;
//! * a template acts at the moment of creation only: changing it changes no repository.
//!
//! ```text
//! prefix    fits             fits not
//! team      team/app         team, teams/app
//! ROOT      whatever no other template fits
//! ```

mod apply;
mod list;
mod set;
#[cfg(test)]
mod tests;

pub use list::TemplatePage;
pub use set::{NewTemplate, TemplateChange};

use oci::RepositoryName;

use super::repository::{BoundPolicy, ResourceTags};
use super::{Error, TagMutability};
use crate::access::Registry;
use crate::environment::Micros;
use crate::lifecycle::LifecyclePolicy;
use crate::store::db::Row;

/// The most templates in one registry (the number is ours: unverified).
pub const MAX_TEMPLATES: i64 = 50;

/// The prefix of the template for names that no other template fits.
const ROOT: &str = "ROOT";

/// What the templates of this server are for, as the column and the wire have it.
pub const APPLIED_FOR: &str = "CREATE_ON_PUSH";

/// The namespace that a template is for: `ROOT`, or what stands before a `/` in repository names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePrefix(String);

impl TemplatePrefix {
    /// Reads a prefix as it was sent.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] at `prefix` when no repository name can begin with it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let namespace = text.strip_suffix('/').unwrap_or(text);
        // What can stand before `/x` in a name is a namespace; this also leaves room for the shortest name.
        if text == ROOT || RepositoryName::parse(&format!("{namespace}/x")).is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::InvalidParameter {
            parameter: "prefix",
            constraint: format!(
                "must satisfy regular expression '{}' or be ROOT",
                RepositoryName::PRINTED_PATTERN
            ),
        })
    }

    /// The prefix as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The namespace without the slash that ends it; empty for `ROOT`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        if self.0 == ROOT { "" } else { self.0.strip_suffix('/').unwrap_or(&self.0) }
    }
}

/// A template as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreationTemplate {
    /// The namespace that it is for.
    pub prefix: TemplatePrefix,
    /// What its author says about it.
    pub description: Option<String>,
    /// Which tags a push may move in repositories made by it.
    pub tag_mutability: TagMutability,
    /// The tags of repositories made by it.
    pub resource_tags: ResourceTags,
    /// Their policy, bound to the users and roles of the moment when it was set.
    pub policy: Option<BoundPolicy>,
    /// Their lifecycle policy.
    pub lifecycle_policy: Option<LifecyclePolicy>,
    /// When the template was created, microseconds since the epoch.
    pub created_at: Micros,
    /// When it was last changed, microseconds since the epoch.
    pub updated_at: Micros,
}

/// The columns of a [`CreationTemplate`], in the order that [`CreationTemplate::read`] takes them.
macro_rules! select_template {
    ($rest:literal) => {
        concat!(
            "SELECT prefix, description, tag_mutability, tag_mutability_filters, resource_tags, policy, \
             lifecycle_policy, created_at, updated_at FROM repository_creation_template ",
            $rest
        )
    };
}
use select_template;

impl CreationTemplate {
    fn read(row: &Row) -> Result<Self, Error> {
        let corrupt = |what: &str| {
            Error::from(crate::store::db::Error::Corrupt(format!(
                "a creation template's {what} cannot be read"
            )))
        };
        let tags: Vec<(String, String)> =
            serde_json::from_str(&row.get::<String>(4)?).map_err(|_| corrupt("tags"))?;
        let lifecycle_policy = match row.get::<Option<String>>(6)? {
            // It was valid when it was stored; rules that got stricter since must not pass in silence.
            Some(text) => Some(LifecyclePolicy::parse(&text).map_err(|_| corrupt("lifecycle policy"))?),
            None => None,
        };
        Ok(Self {
            prefix: TemplatePrefix(row.get(0)?),
            description: row.get(1)?,
            tag_mutability: TagMutability::read(&row.get::<String>(2)?, &row.get::<String>(3)?)?,
            resource_tags: ResourceTags::new(tags).map_err(|_| corrupt("tags"))?,
            policy: row.get::<Option<String>>(5)?.map(|column| BoundPolicy::read(&column)),
            lifecycle_policy,
            created_at: row.get(7)?,
            updated_at: row.get(8)?,
        })
    }

    /// The tags as the column holds them.
    fn tags_column(&self) -> Result<String, Error> {
        serde_json::to_string(self.resource_tags.as_slice()).map_err(|error| Error::Internal(error.into()))
    }
}

fn already_exists(registry: &Registry, prefix: &TemplatePrefix) -> Error {
    Error::TemplateAlreadyExists { account: registry.account.clone(), prefix: prefix.as_str().to_owned() }
}

fn not_found(registry: &Registry, prefix: &TemplatePrefix) -> Error {
    Error::TemplateNotFound { account: registry.account.clone(), prefix: prefix.as_str().to_owned() }
}
