//! Managed policies on users, groups and roles.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;
use crate::identity::{AttachPolicy, DetachPolicy, Kind, ListAttachedPolicies, PageRequest, PolicyUse};

pub(super) async fn list_entities_for_policy(
    services: &Services,
    grant: &Grant,
    input: iam::ListEntitiesForPolicyRequest,
) -> Result<iam::ListEntitiesForPolicyResponse, Error> {
    let kinds: &[Kind] = match input.entity_filter.as_deref() {
        None => &[Kind::User, Kind::Group, Kind::Role],
        Some("User") => &[Kind::User],
        Some("Group") => &[Kind::Group],
        Some("Role") => &[Kind::Role],
        // Policies are no users of policies.
        Some(_) => &[],
    };
    let uses: &[PolicyUse] = match input.policy_usage_filter.as_deref() {
        Some("PermissionsPolicy") => &[PolicyUse::Permissions],
        Some("PermissionsBoundary") => &[PolicyUse::Boundary],
        _ => &[PolicyUse::Permissions, PolicyUse::Boundary],
    };
    let request = render::page(input.marker, input.max_items);
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let allowed = grant.take::<action::ListEntitiesForPolicy>()?;
    let page = services.identity.entities_of_policy(&allowed, kinds, uses, prefix, &request).await?;
    let (mut users, mut groups, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    for entity in page.items {
        let (name, id) = (Some(entity.name), Some(entity.id));
        match entity.kind {
            Kind::User => users.push(iam::PolicyUser { user_name: name, user_id: id }),
            Kind::Group => groups.push(iam::PolicyGroup { group_name: name, group_id: id }),
            Kind::Role => roles.push(iam::PolicyRole { role_name: name, role_id: id }),
            Kind::InstanceProfile | Kind::Policy => {}
        }
    }
    Ok(iam::ListEntitiesForPolicyResponse {
        policy_groups: Some(groups),
        policy_users: Some(users),
        policy_roles: Some(roles),
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
    })
}

async fn attach<A: AttachPolicy>(services: &Services, grant: &Grant, arn: &str) -> Result<(), Error> {
    Ok(services.identity.attach_policy(&grant.take::<A>()?, arn).await?)
}

async fn detach<A: DetachPolicy>(services: &Services, grant: &Grant, arn: &str) -> Result<(), Error> {
    Ok(services.identity.detach_policy(&grant.take::<A>()?, arn).await?)
}

/// Items, whether more follows, marker.
type Listed<T> = (Option<Vec<T>>, Option<bool>, Option<String>);

async fn attached<A: ListAttachedPolicies>(
    services: &Services,
    grant: &Grant,
    path_prefix: Option<String>,
    request: &PageRequest,
) -> Result<Listed<iam::AttachedPolicy>, Error> {
    let prefix = path_prefix.as_deref().unwrap_or("/");
    let page = services.identity.attached_policies(&grant.take::<A>()?, prefix, request).await?;
    Ok(render::parts(page, |policy| iam::AttachedPolicy {
        policy_name: Some(policy.name),
        policy_arn: Some(policy.arn),
    }))
}

pub(super) async fn attach_user_policy(
    services: &Services,
    grant: &Grant,
    input: iam::AttachUserPolicyRequest,
) -> Result<(), Error> {
    attach::<action::AttachUserPolicy>(services, grant, &input.policy_arn).await
}

pub(super) async fn detach_user_policy(
    services: &Services,
    grant: &Grant,
    input: iam::DetachUserPolicyRequest,
) -> Result<(), Error> {
    detach::<action::DetachUserPolicy>(services, grant, &input.policy_arn).await
}

pub(super) async fn list_attached_user_policies(
    services: &Services,
    grant: &Grant,
    input: iam::ListAttachedUserPoliciesRequest,
) -> Result<iam::ListAttachedUserPoliciesResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let listed =
        attached::<action::ListAttachedUserPolicies>(services, grant, input.path_prefix, &request).await?;
    let (attached_policies, is_truncated, marker) = listed;
    Ok(iam::ListAttachedUserPoliciesResponse { attached_policies, is_truncated, marker })
}

pub(super) async fn attach_group_policy(
    services: &Services,
    grant: &Grant,
    input: iam::AttachGroupPolicyRequest,
) -> Result<(), Error> {
    attach::<action::AttachGroupPolicy>(services, grant, &input.policy_arn).await
}

pub(super) async fn detach_group_policy(
    services: &Services,
    grant: &Grant,
    input: iam::DetachGroupPolicyRequest,
) -> Result<(), Error> {
    detach::<action::DetachGroupPolicy>(services, grant, &input.policy_arn).await
}

pub(super) async fn list_attached_group_policies(
    services: &Services,
    grant: &Grant,
    input: iam::ListAttachedGroupPoliciesRequest,
) -> Result<iam::ListAttachedGroupPoliciesResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let listed =
        attached::<action::ListAttachedGroupPolicies>(services, grant, input.path_prefix, &request).await?;
    let (attached_policies, is_truncated, marker) = listed;
    Ok(iam::ListAttachedGroupPoliciesResponse { attached_policies, is_truncated, marker })
}

pub(super) async fn attach_role_policy(
    services: &Services,
    grant: &Grant,
    input: iam::AttachRolePolicyRequest,
) -> Result<(), Error> {
    attach::<action::AttachRolePolicy>(services, grant, &input.policy_arn).await
}

pub(super) async fn detach_role_policy(
    services: &Services,
    grant: &Grant,
    input: iam::DetachRolePolicyRequest,
) -> Result<(), Error> {
    detach::<action::DetachRolePolicy>(services, grant, &input.policy_arn).await
}

pub(super) async fn list_attached_role_policies(
    services: &Services,
    grant: &Grant,
    input: iam::ListAttachedRolePoliciesRequest,
) -> Result<iam::ListAttachedRolePoliciesResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let listed =
        attached::<action::ListAttachedRolePolicies>(services, grant, input.path_prefix, &request).await?;
    let (attached_policies, is_truncated, marker) = listed;
    Ok(iam::ListAttachedRolePoliciesResponse { attached_policies, is_truncated, marker })
}
