//! Tags of users, roles, policies and instance profiles.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;
use crate::identity::{ListTags, PageRequest};

async fn listed<A: ListTags>(
    services: &Services,
    grant: &Grant,
    request: &PageRequest,
) -> Result<(Option<Vec<iam::Tag>>, Option<bool>, Option<String>), Error> {
    let page = services.identity.tags(&grant.take::<A>()?, request).await?;
    Ok(render::parts(page, |(key, value)| iam::Tag { key, value }))
}

pub(super) async fn tag_user(
    services: &Services,
    grant: &Grant,
    input: iam::TagUserRequest,
) -> Result<(), Error> {
    let tags = render::pairs(Some(&input.tags));
    Ok(services.identity.tag(&grant.take::<action::TagUser>()?, &tags).await?)
}

pub(super) async fn untag_user(
    services: &Services,
    grant: &Grant,
    input: iam::UntagUserRequest,
) -> Result<(), Error> {
    Ok(services.identity.untag(&grant.take::<action::UntagUser>()?, &input.tag_keys).await?)
}

pub(super) async fn list_user_tags(
    services: &Services,
    grant: &Grant,
    input: iam::ListUserTagsRequest,
) -> Result<iam::ListUserTagsResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let (tags, is_truncated, marker) = listed::<action::ListUserTags>(services, grant, &request).await?;
    Ok(iam::ListUserTagsResponse { tags, is_truncated, marker })
}

pub(super) async fn tag_role(
    services: &Services,
    grant: &Grant,
    input: iam::TagRoleRequest,
) -> Result<(), Error> {
    let tags = render::pairs(Some(&input.tags));
    Ok(services.identity.tag(&grant.take::<action::TagRole>()?, &tags).await?)
}

pub(super) async fn untag_role(
    services: &Services,
    grant: &Grant,
    input: iam::UntagRoleRequest,
) -> Result<(), Error> {
    Ok(services.identity.untag(&grant.take::<action::UntagRole>()?, &input.tag_keys).await?)
}

pub(super) async fn list_role_tags(
    services: &Services,
    grant: &Grant,
    input: iam::ListRoleTagsRequest,
) -> Result<iam::ListRoleTagsResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let (tags, is_truncated, marker) = listed::<action::ListRoleTags>(services, grant, &request).await?;
    Ok(iam::ListRoleTagsResponse { tags, is_truncated, marker })
}

pub(super) async fn tag_policy(
    services: &Services,
    grant: &Grant,
    input: iam::TagPolicyRequest,
) -> Result<(), Error> {
    let tags = render::pairs(Some(&input.tags));
    Ok(services.identity.tag(&grant.take::<action::TagPolicy>()?, &tags).await?)
}

pub(super) async fn untag_policy(
    services: &Services,
    grant: &Grant,
    input: iam::UntagPolicyRequest,
) -> Result<(), Error> {
    Ok(services.identity.untag(&grant.take::<action::UntagPolicy>()?, &input.tag_keys).await?)
}

pub(super) async fn list_policy_tags(
    services: &Services,
    grant: &Grant,
    input: iam::ListPolicyTagsRequest,
) -> Result<iam::ListPolicyTagsResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let (tags, is_truncated, marker) = listed::<action::ListPolicyTags>(services, grant, &request).await?;
    Ok(iam::ListPolicyTagsResponse { tags, is_truncated, marker })
}

pub(super) async fn tag_instance_profile(
    services: &Services,
    grant: &Grant,
    input: iam::TagInstanceProfileRequest,
) -> Result<(), Error> {
    let tags = render::pairs(Some(&input.tags));
    Ok(services.identity.tag(&grant.take::<action::TagInstanceProfile>()?, &tags).await?)
}

pub(super) async fn untag_instance_profile(
    services: &Services,
    grant: &Grant,
    input: iam::UntagInstanceProfileRequest,
) -> Result<(), Error> {
    Ok(services.identity.untag(&grant.take::<action::UntagInstanceProfile>()?, &input.tag_keys).await?)
}

pub(super) async fn list_instance_profile_tags(
    services: &Services,
    grant: &Grant,
    input: iam::ListInstanceProfileTagsRequest,
) -> Result<iam::ListInstanceProfileTagsResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let (tags, is_truncated, marker) =
        listed::<action::ListInstanceProfileTags>(services, grant, &request).await?;
    Ok(iam::ListInstanceProfileTagsResponse { tags, is_truncated, marker })
}
