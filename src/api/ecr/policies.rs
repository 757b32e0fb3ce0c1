//! SetRepositoryPolicy, GetRepositoryPolicy, DeleteRepositoryPolicy (ecr.md §6.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::ecr::{
    DeleteRepositoryPolicyRequest, DeleteRepositoryPolicyResponse, GetRepositoryPolicyRequest,
    GetRepositoryPolicyResponse, SetRepositoryPolicyRequest, SetRepositoryPolicyResponse,
};
use policy::{AccountId, Arn, PolicySource, SourcedDocument};

use super::Error;
use super::policy_text::pretty;
use crate::access::{Check, Grant, Repository, action};
use crate::api::Services;
use crate::catalog::repository::{BoundPolicy, RepositoryPolicy};
use crate::catalog::{self, AccessFacts};

pub(super) async fn set_repository_policy(
    services: &Services,
    grant: &Grant,
    input: SetRepositoryPolicyRequest,
) -> Result<SetRepositoryPolicyResponse, Error> {
    let allowed = grant.take::<action::SetRepositoryPolicy>()?;
    let address = allowed.resource();
    let policy = RepositoryPolicy::parse(&input.policy_text)?;
    let facts = services.catalog.access_facts(address).await?;
    let facts = facts.ok_or_else(|| catalog::Error::RepositoryNotFound(address.into()))?;
    let ids = current_ids(services, policy.entities()).await?;
    let policy = policy.bind(ids.clone())?;
    if !input.force.unwrap_or(false) {
        refuse_lock_out(services, grant, address, &policy, facts).await?;
    }
    services.catalog.set_repository_policy(&allowed, &policy).await?;
    Ok(SetRepositoryPolicyResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        policy_text: Some(shown(&policy, &ids)),
    })
}

pub(super) async fn get_repository_policy(
    services: &Services,
    grant: &Grant,
    _input: GetRepositoryPolicyRequest,
) -> Result<GetRepositoryPolicyResponse, Error> {
    let allowed = grant.take::<action::GetRepositoryPolicy>()?;
    let policy = services.catalog.repository_policy(&allowed).await?;
    let address = allowed.resource();
    Ok(GetRepositoryPolicyResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        policy_text: Some(current_text(services, &policy).await?),
    })
}

pub(super) async fn delete_repository_policy(
    services: &Services,
    grant: &Grant,
    _input: DeleteRepositoryPolicyRequest,
) -> Result<DeleteRepositoryPolicyResponse, Error> {
    let allowed = grant.take::<action::DeleteRepositoryPolicy>()?;
    let removed = services.catalog.delete_repository_policy(&allowed).await?;
    let address = allowed.resource();
    Ok(DeleteRepositoryPolicyResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        policy_text: Some(current_text(services, &removed).await?),
    })
}

/// A policy text, checked and bound to the users and roles that exist now.
pub(super) async fn bind(services: &Services, text: &str) -> Result<BoundPolicy, Error> {
    let policy = RepositoryPolicy::parse(text)?;
    let ids = current_ids(services, policy.entities()).await?;
    Ok(policy.bind(ids)?)
}

/// The text of a stored policy as ECR prints it now.
pub(super) async fn current_text(services: &Services, policy: &BoundPolicy) -> Result<String, Error> {
    let ids = current_ids(services, policy.principals.keys().cloned()).await?;
    Ok(shown(policy, &ids))
}

/// The unique ids that users and roles have now; those that do not exist are left out.
async fn current_ids(
    services: &Services,
    arns: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut ids = BTreeMap::new();
    for arn in arns {
        let account = Arn::parse(&arn).ok().and_then(|parsed| AccountId::parse(parsed.account()).ok());
        let Some(account) = account else { continue };
        if let Some(id) = services.identity.unique_id(&account, &arn).await? {
            ids.insert(arn, id);
        }
    }
    Ok(ids)
}

/// Without `force` nobody may set a policy that keeps them from setting the next one.
async fn refuse_lock_out(
    services: &Services,
    grant: &Grant,
    address: &Repository,
    policy: &BoundPolicy,
    facts: AccessFacts,
) -> Result<(), Error> {
    let proposed = SourcedDocument { source: PolicySource::Repository, document: policy.document() };
    let proposed = AccessFacts { policy: Some(Arc::new(proposed)), ..facts };
    let check = Check::new::<action::SetRepositoryPolicy>(address.clone());
    if services.guard.would_allow(grant.caller(), &check, &proposed).await? {
        return Ok(());
    }
    // (unverified)
    Err(Error::parameter(
        "PolicyText",
        "Potential lockout: the policy would keep you from calling SetRepositoryPolicy again; use force to set it \
         anyway",
    ))
}

/// The text as ECR prints it. A principal whose user or role is gone, or was made again since, shows as the
/// unique id that the policy is bound to (iam.md §3.2).
fn shown(policy: &BoundPolicy, ids: &BTreeMap<String, String>) -> String {
    let text = policy.document().text_with_principals(&mut |principal| {
        let bound = principal.bound()?;
        let current = principal.entity_arn().and_then(|arn| ids.get(arn));
        (current.map(String::as_str) != Some(bound)).then(|| bound.to_owned())
    });
    pretty(&text)
}
