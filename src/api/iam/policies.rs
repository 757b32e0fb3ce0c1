//! Managed policies and their versions.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;
use crate::identity::{PolicyFilter, Scope};

pub(super) async fn create_policy(
    services: &Services,
    grant: &Grant,
    input: iam::CreatePolicyRequest,
) -> Result<iam::CreatePolicyResponse, Error> {
    let allowed = grant.take::<action::CreatePolicy>()?;
    let tags = render::pairs(input.tags.as_deref());
    let description = input.description.as_deref();
    let policy =
        services.identity.create_policy(&allowed, &input.policy_document, description, &tags).await?;
    let tags = render::tags(policy.tags.clone());
    Ok(iam::CreatePolicyResponse { policy: Some(iam::Policy { tags, ..render::policy(policy) }) })
}

pub(super) async fn get_policy(
    services: &Services,
    grant: &Grant,
    _: iam::GetPolicyRequest,
) -> Result<iam::GetPolicyResponse, Error> {
    let policy = services.identity.managed_policy(&grant.take::<action::GetPolicy>()?).await?;
    let tags = Some(render::tag_list(policy.tags.clone()));
    let description = policy.description.clone();
    Ok(iam::GetPolicyResponse { policy: Some(iam::Policy { tags, description, ..render::policy(policy) }) })
}

pub(super) async fn delete_policy(
    services: &Services,
    grant: &Grant,
    _: iam::DeletePolicyRequest,
) -> Result<(), Error> {
    Ok(services.identity.delete_policy(&grant.take::<action::DeletePolicy>()?).await?)
}

pub(super) async fn list_policies(
    services: &Services,
    grant: &Grant,
    input: iam::ListPoliciesRequest,
) -> Result<iam::ListPoliciesResponse, Error> {
    let usage = input.policy_usage_filter.as_deref();
    let filter = PolicyFilter {
        scope: match input.scope.as_deref() {
            Some("AWS") => Scope::Aws,
            Some("Local") => Scope::Local,
            _ => Scope::All,
        },
        is_attached: input.only_attached.unwrap_or(false) || usage == Some("PermissionsPolicy"),
        is_boundary: usage == Some("PermissionsBoundary"),
        path_prefix: input.path_prefix.unwrap_or_else(|| "/".to_owned()),
    };
    let page = render::page(input.marker, input.max_items);
    let allowed = grant.take::<action::ListPolicies>()?;
    let page = services.identity.managed_policies(&allowed, &filter, &page).await?;
    let (policies, is_truncated, marker) = render::parts(page, render::policy);
    Ok(iam::ListPoliciesResponse { policies, is_truncated, marker })
}

pub(super) async fn create_policy_version(
    services: &Services,
    grant: &Grant,
    input: iam::CreatePolicyVersionRequest,
) -> Result<iam::CreatePolicyVersionResponse, Error> {
    let allowed = grant.take::<action::CreatePolicyVersion>()?;
    let is_default = input.set_as_default.unwrap_or(false);
    let version =
        services.identity.create_policy_version(&allowed, &input.policy_document, is_default).await?;
    Ok(iam::CreatePolicyVersionResponse { policy_version: Some(render::version(version, false)) })
}

pub(super) async fn get_policy_version(
    services: &Services,
    grant: &Grant,
    input: iam::GetPolicyVersionRequest,
) -> Result<iam::GetPolicyVersionResponse, Error> {
    let allowed = grant.take::<action::GetPolicyVersion>()?;
    let version = services.identity.policy_version(&allowed, &input.version_id).await?;
    Ok(iam::GetPolicyVersionResponse { policy_version: Some(render::version(version, true)) })
}

pub(super) async fn delete_policy_version(
    services: &Services,
    grant: &Grant,
    input: iam::DeletePolicyVersionRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeletePolicyVersion>()?;
    Ok(services.identity.delete_policy_version(&allowed, &input.version_id).await?)
}

pub(super) async fn list_policy_versions(
    services: &Services,
    grant: &Grant,
    input: iam::ListPolicyVersionsRequest,
) -> Result<iam::ListPolicyVersionsResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let allowed = grant.take::<action::ListPolicyVersions>()?;
    let page = services.identity.policy_versions(&allowed, &page).await?;
    let (versions, is_truncated, marker) = render::parts(page, |version| render::version(version, false));
    Ok(iam::ListPolicyVersionsResponse { versions, is_truncated, marker })
}

pub(super) async fn set_default_policy_version(
    services: &Services,
    grant: &Grant,
    input: iam::SetDefaultPolicyVersionRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::SetDefaultPolicyVersion>()?;
    Ok(services.identity.set_default_policy_version(&allowed, &input.version_id).await?)
}
