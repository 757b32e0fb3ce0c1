//! Users.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;

pub(super) async fn create_user(
    services: &Services,
    grant: &Grant,
    input: iam::CreateUserRequest,
) -> Result<iam::CreateUserResponse, Error> {
    let tags = render::pairs(input.tags.as_deref());
    let boundary = input.permissions_boundary.as_deref();
    let user = services.identity.create_user(&grant.take::<action::CreateUser>()?, boundary, &tags).await?;
    Ok(iam::CreateUserResponse { user: Some(render::whole_user(user)) })
}

pub(super) async fn get_user(
    services: &Services,
    grant: &Grant,
    _: iam::GetUserRequest,
) -> Result<iam::GetUserResponse, Error> {
    let allowed = grant.take::<action::GetUser>()?;
    let account = &allowed.resource().account;
    let root = format!("arn:aws:iam::{account}:root");
    if allowed.resource().arn == root {
        // The root has neither name nor path (iam.md §2.4).
        let user = iam::User {
            user_id: Some(account.to_string()),
            arn: Some(root),
            create_date: services.identity.account_created_at(&allowed).await?.and_then(render::time),
            ..Default::default()
        };
        return Ok(iam::GetUserResponse { user: Some(user) });
    }
    let user = services.identity.user(&allowed).await?;
    Ok(iam::GetUserResponse { user: Some(render::whole_user(user)) })
}

pub(super) async fn update_user(
    services: &Services,
    grant: &Grant,
    _: iam::UpdateUserRequest,
) -> Result<(), Error> {
    super::rename::<action::UpdateUser>(services, grant).await
}

pub(super) async fn delete_user(
    services: &Services,
    grant: &Grant,
    _: iam::DeleteUserRequest,
) -> Result<(), Error> {
    Ok(services.identity.delete_user(&grant.take::<action::DeleteUser>()?).await?)
}

pub(super) async fn list_users(
    services: &Services,
    grant: &Grant,
    input: iam::ListUsersRequest,
) -> Result<iam::ListUsersResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let page = services.identity.users(&grant.take::<action::ListUsers>()?, prefix, &page).await?;
    let (users, is_truncated, marker) = render::parts(page, render::user);
    Ok(iam::ListUsersResponse { users, is_truncated, marker })
}
