//! Access keys of users and of the root.

use aws::iam;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;
use crate::identity::KeyUse;

/// What the model's `statusType` says of a key.
fn status(is_active: bool) -> Option<String> {
    Some(if is_active { "Active" } else { "Inactive" }.to_owned())
}

/// The name of the user; AWS shows the root's keys under `<root_account>`.
fn owner(name: Option<String>) -> Option<String> {
    Some(name.unwrap_or_else(|| "<root_account>".to_owned()))
}

pub(super) async fn create_access_key(
    services: &Services,
    grant: &Grant,
    _: iam::CreateAccessKeyRequest,
) -> Result<iam::CreateAccessKeyResponse, Error> {
    let allowed = grant.take::<action::CreateAccessKey>()?;
    let (name, key) = services.identity.create_access_key(&allowed).await?;
    Ok(iam::CreateAccessKeyResponse {
        access_key: Some(iam::AccessKey {
            user_name: owner(name),
            access_key_id: Some(key.id),
            status: status(true),
            secret_access_key: Some(key.secret.as_str().into()),
            create_date: render::time(key.created_at),
        }),
    })
}

pub(super) async fn update_access_key(
    services: &Services,
    grant: &Grant,
    input: iam::UpdateAccessKeyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::UpdateAccessKey>()?;
    let is_active = input.status == "Active";
    Ok(services.identity.set_access_key_active(&allowed, &input.access_key_id, is_active).await?)
}

pub(super) async fn delete_access_key(
    services: &Services,
    grant: &Grant,
    input: iam::DeleteAccessKeyRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteAccessKey>()?;
    Ok(services.identity.delete_access_key(&allowed, &input.access_key_id).await?)
}

pub(super) async fn list_access_keys(
    services: &Services,
    grant: &Grant,
    input: iam::ListAccessKeysRequest,
) -> Result<iam::ListAccessKeysResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let allowed = grant.take::<action::ListAccessKeys>()?;
    let (name, page) = services.identity.access_keys(&allowed, &request).await?;
    let (access_key_metadata, is_truncated, marker) = render::parts(page, |key| iam::AccessKeyMetadata {
        user_name: owner(name.clone()),
        access_key_id: Some(key.id),
        status: status(key.is_active),
        create_date: render::time(key.created_at),
    });
    Ok(iam::ListAccessKeysResponse { access_key_metadata, is_truncated, marker })
}

pub(super) async fn get_access_key_last_used(
    services: &Services,
    grant: &Grant,
    input: iam::GetAccessKeyLastUsedRequest,
) -> Result<iam::GetAccessKeyLastUsedResponse, Error> {
    let allowed = grant.take::<action::GetAccessKeyLastUsed>()?;
    let (name, used) = services.identity.access_key_last_used(&allowed, &input.access_key_id).await?;
    let access_key_last_used = match used {
        Some(KeyUse { at, service, region }) => iam::AccessKeyLastUsed {
            last_used_date: render::time(at),
            service_name: Some(service),
            region: Some(region),
        },
        None => iam::AccessKeyLastUsed {
            last_used_date: None,
            service_name: Some("N/A".to_owned()),
            region: Some("N/A".to_owned()),
        },
    };
    Ok(iam::GetAccessKeyLastUsedResponse {
        user_name: owner(name),
        access_key_last_used: Some(access_key_last_used),
    })
}
