//! Policies inside users, groups and roles.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;

pub(super) async fn put_user_policy(
    services: &Services,
    grant: &Grant,
    input: iam::PutUserPolicyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::PutUserPolicy>()?;
    Ok(services.identity.put_inline_policy(&allowed, &input.policy_name, &input.policy_document).await?)
}

pub(super) async fn get_user_policy(
    services: &Services,
    grant: &Grant,
    input: iam::GetUserPolicyRequest,
) -> Result<iam::GetUserPolicyResponse, Error> {
    let allowed = grant.take::<action::GetUserPolicy>()?;
    let (name, text) = services.identity.inline_policy(&allowed, &input.policy_name).await?;
    Ok(iam::GetUserPolicyResponse {
        user_name: Some(name),
        policy_name: Some(input.policy_name),
        policy_document: render::document(&text),
    })
}

pub(super) async fn delete_user_policy(
    services: &Services,
    grant: &Grant,
    input: iam::DeleteUserPolicyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteUserPolicy>()?;
    Ok(services.identity.delete_inline_policy(&allowed, &input.policy_name).await?)
}

pub(super) async fn list_user_policies(
    services: &Services,
    grant: &Grant,
    input: iam::ListUserPoliciesRequest,
) -> Result<iam::ListUserPoliciesResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let page = services.identity.inline_policies(&grant.take::<action::ListUserPolicies>()?, &page).await?;
    let (policy_names, is_truncated, marker) = render::parts(page, |name| name);
    Ok(iam::ListUserPoliciesResponse { policy_names, is_truncated, marker })
}

pub(super) async fn put_group_policy(
    services: &Services,
    grant: &Grant,
    input: iam::PutGroupPolicyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::PutGroupPolicy>()?;
    Ok(services.identity.put_inline_policy(&allowed, &input.policy_name, &input.policy_document).await?)
}

pub(super) async fn get_group_policy(
    services: &Services,
    grant: &Grant,
    input: iam::GetGroupPolicyRequest,
) -> Result<iam::GetGroupPolicyResponse, Error> {
    let allowed = grant.take::<action::GetGroupPolicy>()?;
    let (name, text) = services.identity.inline_policy(&allowed, &input.policy_name).await?;
    Ok(iam::GetGroupPolicyResponse {
        group_name: Some(name),
        policy_name: Some(input.policy_name),
        policy_document: render::document(&text),
    })
}

pub(super) async fn delete_group_policy(
    services: &Services,
    grant: &Grant,
    input: iam::DeleteGroupPolicyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteGroupPolicy>()?;
    Ok(services.identity.delete_inline_policy(&allowed, &input.policy_name).await?)
}

pub(super) async fn list_group_policies(
    services: &Services,
    grant: &Grant,
    input: iam::ListGroupPoliciesRequest,
) -> Result<iam::ListGroupPoliciesResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let page = services.identity.inline_policies(&grant.take::<action::ListGroupPolicies>()?, &page).await?;
    let (policy_names, is_truncated, marker) = render::parts(page, |name| name);
    Ok(iam::ListGroupPoliciesResponse { policy_names, is_truncated, marker })
}

pub(super) async fn put_role_policy(
    services: &Services,
    grant: &Grant,
    input: iam::PutRolePolicyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::PutRolePolicy>()?;
    Ok(services.identity.put_inline_policy(&allowed, &input.policy_name, &input.policy_document).await?)
}

pub(super) async fn get_role_policy(
    services: &Services,
    grant: &Grant,
    input: iam::GetRolePolicyRequest,
) -> Result<iam::GetRolePolicyResponse, Error> {
    let allowed = grant.take::<action::GetRolePolicy>()?;
    let (name, text) = services.identity.inline_policy(&allowed, &input.policy_name).await?;
    Ok(iam::GetRolePolicyResponse {
        role_name: Some(name),
        policy_name: Some(input.policy_name),
        policy_document: render::document(&text),
    })
}

pub(super) async fn delete_role_policy(
    services: &Services,
    grant: &Grant,
    input: iam::DeleteRolePolicyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteRolePolicy>()?;
    Ok(services.identity.delete_inline_policy(&allowed, &input.policy_name).await?)
}

pub(super) async fn list_role_policies(
    services: &Services,
    grant: &Grant,
    input: iam::ListRolePoliciesRequest,
) -> Result<iam::ListRolePoliciesResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let page = services.identity.inline_policies(&grant.take::<action::ListRolePolicies>()?, &page).await?;
    let (policy_names, is_truncated, marker) = render::parts(page, |name| name);
    Ok(iam::ListRolePoliciesResponse { policy_names, is_truncated, marker })
}
