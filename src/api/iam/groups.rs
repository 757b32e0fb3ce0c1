//! Groups and who is in them.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;

pub(super) async fn create_group(
    services: &Services,
    grant: &Grant,
    _: iam::CreateGroupRequest,
) -> Result<iam::CreateGroupResponse, Error> {
    let group = services.identity.create_group(&grant.take::<action::CreateGroup>()?).await?;
    Ok(iam::CreateGroupResponse { group: Some(render::group(group)) })
}

pub(super) async fn get_group(
    services: &Services,
    grant: &Grant,
    input: iam::GetGroupRequest,
) -> Result<iam::GetGroupResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let (group, page) = services.identity.group(&grant.take::<action::GetGroup>()?, &page).await?;
    let (users, is_truncated, marker) = render::parts(page, render::user);
    Ok(iam::GetGroupResponse { group: Some(render::group(group)), users, is_truncated, marker })
}

pub(super) async fn update_group(
    services: &Services,
    grant: &Grant,
    _: iam::UpdateGroupRequest,
) -> Result<(), Error> {
    super::rename::<action::UpdateGroup>(services, grant).await
}

pub(super) async fn delete_group(
    services: &Services,
    grant: &Grant,
    _: iam::DeleteGroupRequest,
) -> Result<(), Error> {
    Ok(services.identity.delete_group(&grant.take::<action::DeleteGroup>()?).await?)
}

pub(super) async fn list_groups(
    services: &Services,
    grant: &Grant,
    input: iam::ListGroupsRequest,
) -> Result<iam::ListGroupsResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let page = services.identity.groups(&grant.take::<action::ListGroups>()?, prefix, &page).await?;
    let (groups, is_truncated, marker) = render::parts(page, render::group);
    Ok(iam::ListGroupsResponse { groups, is_truncated, marker })
}

pub(super) async fn list_groups_for_user(
    services: &Services,
    grant: &Grant,
    input: iam::ListGroupsForUserRequest,
) -> Result<iam::ListGroupsForUserResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let allowed = grant.take::<action::ListGroupsForUser>()?;
    let page = services.identity.groups_of_user(&allowed, &page).await?;
    let (groups, is_truncated, marker) = render::parts(page, render::group);
    Ok(iam::ListGroupsForUserResponse { groups, is_truncated, marker })
}

pub(super) async fn add_user_to_group(
    services: &Services,
    grant: &Grant,
    input: iam::AddUserToGroupRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::AddUserToGroup>()?;
    Ok(services.identity.add_user_to_group(&allowed, &input.user_name).await?)
}

pub(super) async fn remove_user_from_group(
    services: &Services,
    grant: &Grant,
    input: iam::RemoveUserFromGroupRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::RemoveUserFromGroup>()?;
    Ok(services.identity.remove_user_from_group(&allowed, &input.user_name).await?)
}
