//! CreateRepositoryCreationTemplate, DescribeRepositoryCreationTemplates, UpdateRepositoryCreationTemplate,
//! DeleteRepositoryCreationTemplate (ecr.md §7.4).
//!
//! Only templates for creation on push: replication and pull-through caches are not built, and a template for them
//! would never act. Members that are sent empty count as not set, and clear the setting in an update.

use aws::ecr::{
    CreateRepositoryCreationTemplateRequest, CreateRepositoryCreationTemplateResponse,
    DeleteRepositoryCreationTemplateRequest, DeleteRepositoryCreationTemplateResponse,
    DescribeRepositoryCreationTemplatesRequest, DescribeRepositoryCreationTemplatesResponse,
    EncryptionConfigurationForRepositoryCreationTemplate, RepositoryCreationTemplate, Tag,
    UpdateRepositoryCreationTemplateRequest, UpdateRepositoryCreationTemplateResponse,
};

use super::repositories::{refuse_kms, shown_filters, tag_mutability};
use super::{Error, pages, policies, tags};
use crate::access::{Grant, Registry, action};
use crate::api::{Services, cursor};
use crate::catalog;
use crate::catalog::creation_template::{
    APPLIED_FOR, CreationTemplate, NewTemplate, TemplateChange, TemplatePrefix,
};
use crate::catalog::repository::BoundPolicy;

pub(super) async fn create_repository_creation_template(
    services: &Services,
    grant: &Grant,
    input: CreateRepositoryCreationTemplateRequest,
) -> Result<CreateRepositoryCreationTemplateResponse, Error> {
    let allowed = grant.take::<action::CreateRepositoryCreationTemplate>()?;
    refuse_other_uses(&input.applied_for)?;
    refuse_encryption(input.encryption_configuration.as_ref())?;
    refuse_role(input.custom_role_arn.as_deref())?;
    let new = NewTemplate {
        prefix: TemplatePrefix::parse(&input.prefix)?,
        description: present(input.description),
        tag_mutability: tag_mutability(
            input.image_tag_mutability.as_deref(),
            input.image_tag_mutability_exclusion_filters.as_deref(),
        )?,
        resource_tags: tags::resource_tags(input.resource_tags.unwrap_or_default())?,
        policy: policy(services, input.repository_policy).await?,
        lifecycle_policy: present(input.lifecycle_policy),
    };
    let created = services.catalog.create_creation_template(&allowed, new).await?;
    Ok(CreateRepositoryCreationTemplateResponse {
        registry_id: Some(allowed.resource().account.to_string()),
        repository_creation_template: Some(shown(services, &created).await?),
    })
}

pub(super) async fn describe_repository_creation_templates(
    services: &Services,
    grant: &Grant,
    input: DescribeRepositoryCreationTemplatesRequest,
) -> Result<DescribeRepositoryCreationTemplatesResponse, Error> {
    let allowed = grant.take::<action::DescribeRepositoryCreationTemplates>()?;
    let registry = allowed.resource();
    let (templates, next_token) = match input.prefixes.filter(|prefixes| !prefixes.is_empty()) {
        Some(prefixes) => {
            pages::refuse_with("prefixes", input.max_results, input.next_token.as_ref())?;
            let prefixes =
                prefixes.iter().map(|text| TemplatePrefix::parse(text)).collect::<Result<Vec<_>, _>>()?;
            (services.catalog.creation_templates_named(&allowed, &prefixes).await?, None)
        }
        None => {
            let about = listing(registry);
            let after = match &input.next_token {
                Some(token) => Some(TemplatePrefix::parse(&cursor::open(&services.sealer, &about, token)?)?),
                None => None,
            };
            let limit = pages::size(input.max_results);
            let page = services.catalog.list_creation_templates(&allowed, after.as_ref(), limit).await?;
            let next = match &page.next {
                Some(last) => Some(cursor::seal(&services.sealer, &about, last.as_str())?),
                None => None,
            };
            (page.templates, next)
        }
    };
    let mut answer = Vec::with_capacity(templates.len());
    for template in &templates {
        answer.push(shown(services, template).await?);
    }
    Ok(DescribeRepositoryCreationTemplatesResponse {
        registry_id: Some(registry.account.to_string()),
        repository_creation_templates: Some(answer),
        next_token,
    })
}

pub(super) async fn update_repository_creation_template(
    services: &Services,
    grant: &Grant,
    input: UpdateRepositoryCreationTemplateRequest,
) -> Result<UpdateRepositoryCreationTemplateResponse, Error> {
    let allowed = grant.take::<action::UpdateRepositoryCreationTemplate>()?;
    if let Some(uses) = &input.applied_for {
        refuse_other_uses(uses)?;
    }
    refuse_encryption(input.encryption_configuration.as_ref())?;
    refuse_role(input.custom_role_arn.as_deref())?;
    let filters = input.image_tag_mutability_exclusion_filters.as_deref();
    let change = TemplateChange {
        description: input.description.map(|text| present(Some(text))),
        // Mode and filters are set together, as PutImageTagMutability does.
        tag_mutability: match (input.image_tag_mutability.as_deref(), filters) {
            (None, None) => None,
            (mode, filters) => Some(tag_mutability(mode, filters)?),
        },
        resource_tags: input.resource_tags.map(tags::resource_tags).transpose()?,
        policy: match input.repository_policy {
            Some(text) => Some(policy(services, Some(text)).await?),
            None => None,
        },
        lifecycle_policy: input.lifecycle_policy.map(|text| present(Some(text))),
    };
    let prefix = TemplatePrefix::parse(&input.prefix)?;
    let updated = services.catalog.update_creation_template(&allowed, &prefix, &change).await?;
    Ok(UpdateRepositoryCreationTemplateResponse {
        registry_id: Some(allowed.resource().account.to_string()),
        repository_creation_template: Some(shown(services, &updated).await?),
    })
}

pub(super) async fn delete_repository_creation_template(
    services: &Services,
    grant: &Grant,
    input: DeleteRepositoryCreationTemplateRequest,
) -> Result<DeleteRepositoryCreationTemplateResponse, Error> {
    let allowed = grant.take::<action::DeleteRepositoryCreationTemplate>()?;
    let prefix = TemplatePrefix::parse(&input.prefix)?;
    let removed = services.catalog.delete_creation_template(&allowed, &prefix).await?;
    Ok(DeleteRepositoryCreationTemplateResponse {
        registry_id: Some(allowed.resource().account.to_string()),
        repository_creation_template: Some(shown(services, &removed).await?),
    })
}

/// What a cursor of DescribeRepositoryCreationTemplates is bound to.
fn listing(registry: &Registry) -> String {
    format!("DescribeRepositoryCreationTemplates|{}|{}", registry.account, registry.region)
}

/// An empty text is no text.
fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A policy as SetRepositoryPolicy takes it, bound to the users and roles that exist now.
async fn policy(services: &Services, text: Option<String>) -> Result<Option<BoundPolicy>, Error> {
    match present(text) {
        Some(text) => Ok(Some(policies::bind(services, &text).await?)),
        None => Ok(None),
    }
}

fn refuse_other_uses(uses: &[String]) -> Result<(), Error> {
    if uses.is_empty() {
        return Err(Error::parameter("appliedFor", "Member must have length greater than or equal to 1"));
    }
    match uses.iter().find(|applied_for| *applied_for != APPLIED_FOR) {
        None => Ok(()),
        Some(other) => {
            let what = format!("A repository creation template for {other} (appliedFor)");
            Err(catalog::Error::NotSupported { what }.into())
        }
    }
}

fn refuse_encryption(
    encryption: Option<&EncryptionConfigurationForRepositoryCreationTemplate>,
) -> Result<(), Error> {
    let Some(encryption) = encryption else { return Ok(()) };
    let key = encryption.kms_key.as_deref().filter(|key| !key.is_empty());
    refuse_kms(&encryption.encryption_type, key)
}

/// A pusher creates the repository under their own rights, so a role would never be assumed.
fn refuse_role(role: Option<&str>) -> Result<(), Error> {
    match role.filter(|role| !role.is_empty()) {
        None => Ok(()),
        Some(_) => {
            let what = "A role that creates repositories in place of the pusher (customRoleArn)".to_owned();
            Err(catalog::Error::NotSupported { what }.into())
        }
    }
}

async fn shown(
    services: &Services,
    template: &CreationTemplate,
) -> Result<RepositoryCreationTemplate, Error> {
    let policy = match &template.policy {
        Some(policy) => Some(policies::current_text(services, policy).await?),
        None => None,
    };
    let tag = |(key, value): &(String, String)| Tag { key: key.clone(), value: value.clone() };
    Ok(RepositoryCreationTemplate {
        prefix: Some(template.prefix.as_str().to_owned()),
        description: template.description.clone(),
        encryption_configuration: Some(EncryptionConfigurationForRepositoryCreationTemplate {
            encryption_type: catalog::repository::ENCRYPTION_TYPE.to_owned(),
            kms_key: None,
        }),
        resource_tags: Some(template.resource_tags.as_slice().iter().map(tag).collect()),
        image_tag_mutability: Some(template.tag_mutability.mode.as_str().to_owned()),
        image_tag_mutability_exclusion_filters: shown_filters(&template.tag_mutability),
        repository_policy: policy,
        lifecycle_policy: template.lifecycle_policy.as_ref().map(|policy| policy.canonical_text()),
        applied_for: Some(vec![APPLIED_FOR.to_owned()]),
        custom_role_arn: None,
        created_at: Some(aws::Timestamp::from_microseconds(template.created_at)),
        updated_at: Some(aws::Timestamp::from_microseconds(template.updated_at)),
    })
}
