//! Creation on push: a push to a repository that does not exist creates it, when a creation template says so
//! (ecr.md §7.4).
//!
//! ```text
//! POST /v2/team/new/blobs/uploads/   no repository, template for `team`, ecr:CreateRepository allowed  → made, 202
//!                                    no repository, template, not allowed                             → 403 DENIED
//!                                    no repository, no template                                       → 404 NAME_UNKNOWN
//! ```
//!
//! The repository is made under the pusher's own rights, never under those of the template's author. A push to a
//! repository that exists costs nothing here: the guard has seen the repository when it decided.

use super::checks;
use super::operation::Operation;
use crate::access::{Check, Grant, Repository, action};
use crate::api::registry::Error;
use crate::api::{Services, request_tags};
use crate::catalog;
use crate::catalog::creation_template::CreationTemplate;

/// Whether the operation begins a push to a repository that the guard did not find.
pub(super) fn may_be_needed(
    operation: &Operation,
    registry: &crate::access::Registry,
    grant: &Grant,
) -> bool {
    operation.begins_push_to().is_some_and(|name| {
        grant.found_missing(&Repository { registry: registry.clone(), name: name.clone() })
    })
}

/// Makes the repository of a push that the guard found missing; gives the grant under which to go on.
///
/// That grant is a new one after a creation: the repository has a policy and tags then, which may forbid what was
/// allowed while there was none.
///
/// # Errors
/// [`Error::Access`] when the caller may not create the repository, or may not push to what was created;
/// [`Error::Catalog`] when the registry is full.
pub(super) async fn on_push(
    services: &Services,
    operation: &Operation,
    registry: &crate::access::Registry,
    grant: Grant,
) -> Result<Grant, Error> {
    let Some(name) = operation.begins_push_to() else { return Ok(grant) };
    let repository = Repository { registry: registry.clone(), name: name.clone() };
    // Without a template the operation itself says that the repository does not exist.
    let Some(template) = template(services, operation, &grant).await? else { return Ok(grant) };
    let tags = template.resource_tags.as_slice();
    let context = request_tags::context(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let mut needed =
        vec![Check::new::<action::CreateRepository>(repository.clone()).with_context(context.clone())];
    if !tags.is_empty() {
        needed.push(Check::new::<action::TagResource>(repository.clone()).with_context(context));
    }
    let creation = services.guard.authorize(grant.caller(), needed).await?;
    let allowed = creation.take::<action::CreateRepository>()?;
    let tagging = if tags.is_empty() { None } else { Some(creation.take::<action::TagResource>()?) };
    match services.catalog.create_from_template(&allowed, tagging, template).await {
        Ok(_) => tracing::info!(repository.name = %repository.name, "a push has created a repository"),
        // Of several first pushes one creates; the others find what they wanted.
        Err(catalog::Error::RepositoryAlreadyExists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(checks::checks(operation, registry).authorize(&services.guard, grant.caller()).await?)
}

async fn template(
    services: &Services,
    operation: &Operation,
    grant: &Grant,
) -> Result<Option<CreationTemplate>, Error> {
    let catalog = &services.catalog;
    Ok(match operation {
        Operation::PutManifest(..) => catalog.template_for_push(&grant.take::<action::PutImage>()?).await?,
        _ => catalog.template_for_push(&grant.take::<action::InitiateLayerUpload>()?).await?,
    })
}
