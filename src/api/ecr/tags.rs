//! TagResource, UntagResource, ListTagsForResource (ecr.md §3).

use aws::ecr::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest, TagResourceResponse,
    UntagResourceRequest, UntagResourceResponse,
};

use super::Error;
use crate::access::{Caller, Grant, Repository, action};
use crate::api::Services;
use crate::catalog;
use crate::catalog::repository::ResourceTags;

pub(super) async fn tag_resource(
    services: &Services,
    grant: &Grant,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Error> {
    let allowed = grant.take::<action::TagResource>()?;
    let tags = resource_tags(input.tags)?;
    require_region(allowed.resource(), grant.caller())?;
    services.catalog.tag_repository(&allowed, &tags).await?;
    Ok(TagResourceResponse {})
}

pub(super) async fn untag_resource(
    services: &Services,
    grant: &Grant,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Error> {
    let allowed = grant.take::<action::UntagResource>()?;
    require_region(allowed.resource(), grant.caller())?;
    services.catalog.untag_repository(&allowed, &input.tag_keys).await?;
    Ok(UntagResourceResponse {})
}

pub(super) async fn list_tags_for_resource(
    services: &Services,
    grant: &Grant,
    _input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let allowed = grant.take::<action::ListTagsForResource>()?;
    require_region(allowed.resource(), grant.caller())?;
    let tags = services.catalog.list_repository_tags(&allowed).await?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceResponse { tags: Some(tags) })
}

/// The tags of a request, checked.
pub(super) fn resource_tags(tags: Vec<Tag>) -> Result<ResourceTags, Error> {
    let pairs = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    Ok(ResourceTags::new(pairs)?)
}

/// An ARN of another region names nothing at this endpoint (unverified).
fn require_region(repository: &Repository, caller: &Caller) -> Result<(), Error> {
    if repository.registry.region == caller.region {
        Ok(())
    } else {
        Err(catalog::Error::RepositoryNotFound(repository.into()).into())
    }
}
