//! PutLifecyclePolicy, GetLifecyclePolicy, DeleteLifecyclePolicy (ecr.md §5.7).
//!
//! A policy is validated, stored and given back; this server does not apply it yet, so `lastEvaluatedAt` stays
//! at the epoch, as ECR shows it before the first run.

use aws::ecr::{
    DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse, GetLifecyclePolicyRequest,
    GetLifecyclePolicyResponse, PutLifecyclePolicyRequest, PutLifecyclePolicyResponse,
};

use super::Error;
use crate::access::{Grant, action};
use crate::api::Services;

pub(super) async fn put_lifecycle_policy(
    services: &Services,
    grant: &Grant,
    input: PutLifecyclePolicyRequest,
) -> Result<PutLifecyclePolicyResponse, Error> {
    let allowed = grant.take::<action::PutLifecyclePolicy>()?;
    let policy = services.catalog.put_lifecycle_policy(&allowed, &input.lifecycle_policy_text).await?;
    let address = allowed.resource();
    Ok(PutLifecyclePolicyResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        lifecycle_policy_text: Some(policy.canonical_text()),
    })
}

pub(super) async fn get_lifecycle_policy(
    services: &Services,
    grant: &Grant,
    _input: GetLifecyclePolicyRequest,
) -> Result<GetLifecyclePolicyResponse, Error> {
    let allowed = grant.take::<action::GetLifecyclePolicy>()?;
    let stored = services.catalog.lifecycle_policy(&allowed).await?;
    let address = allowed.resource();
    Ok(GetLifecyclePolicyResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        lifecycle_policy_text: Some(stored.policy.canonical_text()),
        last_evaluated_at: Some(aws::Timestamp::from_microseconds(stored.evaluated_at)),
    })
}

pub(super) async fn delete_lifecycle_policy(
    services: &Services,
    grant: &Grant,
    _input: DeleteLifecyclePolicyRequest,
) -> Result<DeleteLifecyclePolicyResponse, Error> {
    let allowed = grant.take::<action::DeleteLifecyclePolicy>()?;
    let removed = services.catalog.delete_lifecycle_policy(&allowed).await?;
    let address = allowed.resource();
    Ok(DeleteLifecyclePolicyResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        lifecycle_policy_text: Some(removed.policy.canonical_text()),
        last_evaluated_at: Some(aws::Timestamp::from_microseconds(removed.evaluated_at)),
    })
}
