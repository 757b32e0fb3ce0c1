//! Roles and their trust policies.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;
use crate::identity::NewRole;

pub(super) async fn create_role(
    services: &Services,
    grant: &Grant,
    input: iam::CreateRoleRequest,
) -> Result<iam::CreateRoleResponse, Error> {
    let new = NewRole {
        trust_policy: input.assume_role_policy_document,
        description: input.description,
        max_session_seconds: input.max_session_duration.map(i64::from),
        boundary: input.permissions_boundary,
        tags: render::pairs(input.tags.as_deref()),
    };
    let role = services.identity.create_role(&grant.take::<action::CreateRole>()?, &new).await?;
    Ok(iam::CreateRoleResponse { role: Some(render::created_role(role)) })
}

pub(super) async fn get_role(
    services: &Services,
    grant: &Grant,
    _: iam::GetRoleRequest,
) -> Result<iam::GetRoleResponse, Error> {
    let role = services.identity.role(&grant.take::<action::GetRole>()?).await?;
    Ok(iam::GetRoleResponse { role: Some(render::whole_role(role)) })
}

pub(super) async fn update_role(
    services: &Services,
    grant: &Grant,
    input: iam::UpdateRoleRequest,
) -> Result<iam::UpdateRoleResponse, Error> {
    let allowed = grant.take::<action::UpdateRole>()?;
    let seconds = input.max_session_duration.map(i64::from);
    services.identity.update_role(&allowed, input.description.as_deref(), seconds).await?;
    Ok(iam::UpdateRoleResponse {})
}

pub(super) async fn update_role_description(
    services: &Services,
    grant: &Grant,
    input: iam::UpdateRoleDescriptionRequest,
) -> Result<iam::UpdateRoleDescriptionResponse, Error> {
    let allowed = grant.take::<action::UpdateRoleDescription>()?;
    let role = services.identity.update_role_description(&allowed, &input.description).await?;
    Ok(iam::UpdateRoleDescriptionResponse { role: Some(render::listed_role(role)) })
}

pub(super) async fn update_assume_role_policy(
    services: &Services,
    grant: &Grant,
    input: iam::UpdateAssumeRolePolicyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::UpdateAssumeRolePolicy>()?;
    Ok(services.identity.update_trust_policy(&allowed, &input.policy_document).await?)
}

pub(super) async fn delete_role(
    services: &Services,
    grant: &Grant,
    _: iam::DeleteRoleRequest,
) -> Result<(), Error> {
    Ok(services.identity.delete_role(&grant.take::<action::DeleteRole>()?).await?)
}

pub(super) async fn list_roles(
    services: &Services,
    grant: &Grant,
    input: iam::ListRolesRequest,
) -> Result<iam::ListRolesResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let page = services.identity.roles(&grant.take::<action::ListRoles>()?, prefix, &page).await?;
    let (roles, is_truncated, marker) = render::parts(page, render::listed_role);
    Ok(iam::ListRolesResponse { roles, is_truncated, marker })
}
