//! Permissions boundaries of users and roles.

use aws::iam;

use super::Error;
use crate::access::{Grant, action};
use crate::api::Services;

pub(super) async fn put_user_permissions_boundary(
    services: &Services,
    grant: &Grant,
    input: iam::PutUserPermissionsBoundaryRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::PutUserPermissionsBoundary>()?;
    Ok(services.identity.put_boundary(&allowed, &input.permissions_boundary).await?)
}

pub(super) async fn delete_user_permissions_boundary(
    services: &Services,
    grant: &Grant,
    _: iam::DeleteUserPermissionsBoundaryRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteUserPermissionsBoundary>()?;
    Ok(services.identity.delete_boundary(&allowed).await?)
}

pub(super) async fn put_role_permissions_boundary(
    services: &Services,
    grant: &Grant,
    input: iam::PutRolePermissionsBoundaryRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::PutRolePermissionsBoundary>()?;
    Ok(services.identity.put_boundary(&allowed, &input.permissions_boundary).await?)
}

pub(super) async fn delete_role_permissions_boundary(
    services: &Services,
    grant: &Grant,
    _: iam::DeleteRolePermissionsBoundaryRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteRolePermissionsBoundary>()?;
    Ok(services.identity.delete_boundary(&allowed).await?)
}
