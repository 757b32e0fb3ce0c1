//! DescribeRegistry, GetAuthorizationToken (ecr.md §3.1).

use aws::Secret;
use aws::ecr::{
    AuthorizationData, DescribeRegistryRequest, DescribeRegistryResponse, GetAuthorizationTokenRequest,
    GetAuthorizationTokenResponse, ReplicationConfiguration,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy::AccountId;
use zeroize::Zeroizing;

use super::Error;
use crate::access::{Grant, Registry, action};
use crate::api::Services;
use crate::catalog;

/// No replication can be configured here, so there are no rules to tell.
pub(super) async fn describe_registry(
    _services: &Services,
    grant: &Grant,
    _input: DescribeRegistryRequest,
) -> Result<DescribeRegistryResponse, Error> {
    let allowed = grant.take::<action::DescribeRegistry>()?;
    Ok(DescribeRegistryResponse {
        registry_id: Some(allowed.resource().account.to_string()),
        replication_configuration: Some(ReplicationConfiguration { rules: Vec::new() }),
    })
}

/// One entry for each registry that was asked for, else one for the caller's own. The password is the same in
/// all: it stands for the caller, not for a registry.
pub(super) async fn get_authorization_token(
    services: &Services,
    grant: &Grant,
    input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, Error> {
    let allowed = grant.take::<action::GetAuthorizationToken>()?;
    let own = allowed.resource();
    let registries = match &input.registry_ids {
        Some(ids) => ids.iter().map(|id| named(id, own)).collect::<Result<Vec<_>, _>>()?,
        None => vec![own.clone()],
    };
    let (password, expires_at) = services
        .guard
        .registry_password(grant.caller())
        .map_err(|error| catalog::Error::Internal(error.into()))?;
    let pair = Zeroizing::new(format!("AWS:{}", password.as_str()));
    let token = Secret::from(STANDARD.encode(pair.as_bytes()));
    let data = registries.iter().map(|registry| AuthorizationData {
        authorization_token: Some(token.clone()),
        expires_at: Some(aws::Timestamp::from_microseconds(expires_at)),
        proxy_endpoint: Some(services.names.endpoint(registry)),
    });
    Ok(GetAuthorizationTokenResponse { authorization_data: Some(data.collect()) })
}

fn named(id: &str, own: &Registry) -> Result<Registry, Error> {
    let constraint =
        "Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]";
    let account = AccountId::parse(id).map_err(|_| Error::parameter("registryIds", constraint))?;
    Ok(Registry { account, region: own.region.clone() })
}
