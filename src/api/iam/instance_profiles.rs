//! Instance profiles.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;

pub(super) async fn create_instance_profile(
    services: &Services,
    grant: &Grant,
    input: iam::CreateInstanceProfileRequest,
) -> Result<iam::CreateInstanceProfileResponse, Error> {
    let allowed = grant.take::<action::CreateInstanceProfile>()?;
    let tags = render::pairs(input.tags.as_deref());
    let profile = services.identity.create_instance_profile(&allowed, &tags).await?;
    Ok(iam::CreateInstanceProfileResponse { instance_profile: Some(render::profile(profile)) })
}

pub(super) async fn get_instance_profile(
    services: &Services,
    grant: &Grant,
    _: iam::GetInstanceProfileRequest,
) -> Result<iam::GetInstanceProfileResponse, Error> {
    let profile = services.identity.instance_profile(&grant.take::<action::GetInstanceProfile>()?).await?;
    Ok(iam::GetInstanceProfileResponse { instance_profile: Some(render::profile(profile)) })
}

pub(super) async fn delete_instance_profile(
    services: &Services,
    grant: &Grant,
    _: iam::DeleteInstanceProfileRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteInstanceProfile>()?;
    Ok(services.identity.delete_instance_profile(&allowed).await?)
}

pub(super) async fn list_instance_profiles(
    services: &Services,
    grant: &Grant,
    input: iam::ListInstanceProfilesRequest,
) -> Result<iam::ListInstanceProfilesResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let allowed = grant.take::<action::ListInstanceProfiles>()?;
    let page = services.identity.instance_profiles(&allowed, prefix, &page).await?;
    let (instance_profiles, is_truncated, marker) = render::parts(page, render::profile);
    Ok(iam::ListInstanceProfilesResponse { instance_profiles, is_truncated, marker })
}

pub(super) async fn list_instance_profiles_for_role(
    services: &Services,
    grant: &Grant,
    input: iam::ListInstanceProfilesForRoleRequest,
) -> Result<iam::ListInstanceProfilesForRoleResponse, Error> {
    let page = render::page(input.marker, input.max_items);
    let allowed = grant.take::<action::ListInstanceProfilesForRole>()?;
    let page = services.identity.instance_profiles_of_role(&allowed, &page).await?;
    let (instance_profiles, is_truncated, marker) = render::parts(page, render::profile);
    Ok(iam::ListInstanceProfilesForRoleResponse { instance_profiles, is_truncated, marker })
}

pub(super) async fn add_role_to_instance_profile(
    services: &Services,
    grant: &Grant,
    _: iam::AddRoleToInstanceProfileRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::AddRoleToInstanceProfile>()?;
    let passed = grant.take::<action::PassRole>()?;
    Ok(services.identity.add_role_to_instance_profile(&allowed, &passed).await?)
}

pub(super) async fn remove_role_from_instance_profile(
    services: &Services,
    grant: &Grant,
    input: iam::RemoveRoleFromInstanceProfileRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::RemoveRoleFromInstanceProfile>()?;
    Ok(services.identity.remove_role_from_instance_profile(&allowed, &input.role_name).await?)
}
