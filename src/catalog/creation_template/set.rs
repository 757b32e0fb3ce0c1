//! CreateRepositoryCreationTemplate, UpdateRepositoryCreationTemplate, DeleteRepositoryCreationTemplate.

use super::{
    APPLIED_FOR, CreationTemplate, MAX_TEMPLATES, TemplatePrefix, already_exists, not_found, select_template,
};
use crate::access::action::{
    CreateRepositoryCreationTemplate, DeleteRepositoryCreationTemplate, UpdateRepositoryCreationTemplate,
};
use crate::access::{Allowed, Registry};
use crate::catalog::repository::{BoundPolicy, ResourceTags, parse_lifecycle_policy};
use crate::catalog::{Catalog, Error, TagMutability};
use crate::store::db::{Transaction, Value};
use crate::{params, transaction};

/// What a new template shall be like.
#[derive(Debug)]
pub struct NewTemplate {
    /// The namespace that it is for.
    pub prefix: TemplatePrefix,
    /// What its author says about it.
    pub description: Option<String>,
    /// Which tags a push may move in repositories made by it.
    pub tag_mutability: TagMutability,
    /// Their tags.
    pub resource_tags: ResourceTags,
    /// Their policy.
    pub policy: Option<BoundPolicy>,
    /// The text of their lifecycle policy, as it was sent.
    pub lifecycle_policy: Option<String>,
}

/// What shall change; `None` keeps a setting, and of those that may be absent `Some(None)` takes it away.
#[derive(Debug, Default)]
pub struct TemplateChange {
    /// What its author says about it.
    pub description: Option<Option<String>>,
    /// Which tags a push may move, mode and filters together.
    pub tag_mutability: Option<TagMutability>,
    /// The tags, all of them.
    pub resource_tags: Option<ResourceTags>,
    /// The policy.
    pub policy: Option<Option<BoundPolicy>>,
    /// The text of the lifecycle policy, as it was sent.
    pub lifecycle_policy: Option<Option<String>>,
}

const COUNT: &str = "SELECT COUNT(*) FROM repository_creation_template WHERE account = $1 AND region = $2";

const INSERT: &str = "INSERT INTO repository_creation_template (account, region, namespace, prefix, description, \
    tag_mutability, tag_mutability_filters, resource_tags, policy, lifecycle_policy, updated_at, created_at, \
    applied_for) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
    ON CONFLICT (account, region, namespace) DO NOTHING";

const UPDATE: &str = "UPDATE repository_creation_template SET prefix = $4, description = $5, tag_mutability = $6, \
    tag_mutability_filters = $7, resource_tags = $8, policy = $9, lifecycle_policy = $10, updated_at = $11 \
    WHERE account = $1 AND region = $2 AND namespace = $3";

const BY_NAMESPACE: &str = select_template!("WHERE account = $1 AND region = $2 AND namespace = $3");

const DELETE: &str =
    "DELETE FROM repository_creation_template WHERE account = $1 AND region = $2 AND namespace = $3";

impl Catalog {
    /// Creates a template.
    ///
    /// # Errors
    /// [`Error::TemplateAlreadyExists`]; [`Error::InvalidParameter`] at `LifecyclePolicyText`;
    /// [`Error::LimitExceeded`] above [`MAX_TEMPLATES`].
    pub async fn create_creation_template(
        &self,
        allowed: &Allowed<CreateRepositoryCreationTemplate>,
        new: NewTemplate,
    ) -> Result<CreationTemplate, Error> {
        let registry = allowed.resource();
        let now = self.environment.now();
        let template = CreationTemplate {
            prefix: new.prefix,
            description: new.description,
            tag_mutability: new.tag_mutability,
            resource_tags: new.resource_tags,
            policy: new.policy,
            lifecycle_policy: new.lifecycle_policy.as_deref().map(parse_lifecycle_policy).transpose()?,
            created_at: now,
            updated_at: now,
        };
        transaction!(self.database, open => {
            open.touches(&[]);
            let of_registry = params![registry.account.as_str(), registry.region.as_str()];
            let count: i64 = open.required(COUNT, of_registry).await?.get(0)?;
            let mut columns = columns(registry, &template)?;
            columns.extend(params![template.created_at, APPLIED_FOR]);
            if open.execute(INSERT, columns).await? == 0 {
                return Err(already_exists(registry, &template.prefix));
            }
            if count >= MAX_TEMPLATES {
                return Err(Error::LimitExceeded {
                    limit: "repository creation templates per registry",
                    maximum: u64::try_from(MAX_TEMPLATES).unwrap_or(0),
                });
            }
            Ok::<_, Error>(())
        })?;
        Ok(template)
    }

    /// Changes a template; returns what it is now. Repositories that it made stay as they are.
    ///
    /// # Errors
    /// [`Error::TemplateNotFound`]; [`Error::InvalidParameter`] at `LifecyclePolicyText`.
    pub async fn update_creation_template(
        &self,
        allowed: &Allowed<UpdateRepositoryCreationTemplate>,
        prefix: &TemplatePrefix,
        change: &TemplateChange,
    ) -> Result<CreationTemplate, Error> {
        let registry = allowed.resource();
        let now = self.environment.now();
        let lifecycle_policy = match &change.lifecycle_policy {
            Some(text) => Some(text.as_deref().map(parse_lifecycle_policy).transpose()?),
            None => None,
        };
        transaction!(self.database, open => {
            open.touches(&[]);
            let before = require(open, registry, prefix).await?;
            let template = CreationTemplate {
                description: change.description.clone().unwrap_or(before.description),
                tag_mutability: change.tag_mutability.clone().unwrap_or(before.tag_mutability),
                resource_tags: change.resource_tags.clone().unwrap_or(before.resource_tags),
                policy: change.policy.clone().unwrap_or(before.policy),
                lifecycle_policy: lifecycle_policy.clone().unwrap_or(before.lifecycle_policy),
                updated_at: now,
                ..before
            };
            open.execute(UPDATE, columns(registry, &template)?).await?;
            Ok::<_, Error>(template)
        })
    }

    /// Removes a template; returns what it was.
    ///
    /// # Errors
    /// [`Error::TemplateNotFound`].
    pub async fn delete_creation_template(
        &self,
        allowed: &Allowed<DeleteRepositoryCreationTemplate>,
        prefix: &TemplatePrefix,
    ) -> Result<CreationTemplate, Error> {
        let registry = allowed.resource();
        transaction!(self.database, open => {
            open.touches(&[]);
            let removed = require(open, registry, prefix).await?;
            open.execute(DELETE, key(registry, prefix)).await?;
            Ok::<_, Error>(removed)
        })
    }
}

async fn require(
    open: &mut Transaction,
    registry: &Registry,
    prefix: &TemplatePrefix,
) -> Result<CreationTemplate, Error> {
    let row = open.row(BY_NAMESPACE, key(registry, prefix)).await?;
    CreationTemplate::read(&row.ok_or_else(|| not_found(registry, prefix))?)
}

fn key(registry: &Registry, prefix: &TemplatePrefix) -> Vec<Value> {
    params![registry.account.as_str(), registry.region.as_str(), prefix.namespace()]
}

/// The parameters that [`INSERT`] and [`UPDATE`] have in common, `$1` to `$11`.
fn columns(registry: &Registry, template: &CreationTemplate) -> Result<Vec<Value>, Error> {
    let mut columns = key(registry, &template.prefix);
    columns.extend(params![
        template.prefix.as_str(),
        template.description.as_deref(),
        template.tag_mutability.mode.as_str(),
        template.tag_mutability.filters_column(),
        template.tags_column()?,
        template.policy.as_ref().map(BoundPolicy::column).transpose()?,
        template.lifecycle_policy.as_ref().map(crate::lifecycle::LifecyclePolicy::canonical_text),
        template.updated_at,
    ]);
    Ok(columns)
}
