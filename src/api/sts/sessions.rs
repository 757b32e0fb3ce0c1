//! Temporary credentials: AssumeRole and GetSessionToken.

use aws::{Timestamp, sts};

use super::{Error, Refusal};
use crate::access::{Grant, action};
use crate::api::Services;
use crate::identity::{SessionRequest, TemporaryCredentials};

pub(super) async fn assume_role(
    services: &Services,
    grant: &Grant,
    input: sts::AssumeRoleRequest,
) -> Result<sts::AssumeRoleResponse, Error> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(Refusal::MultiFactorAuthentication.into());
    }
    if input.provided_contexts.as_ref().is_some_and(|contexts| !contexts.is_empty()) {
        return Err(Refusal::NotSupported("ProvidedContexts").into());
    }
    if input.minimum_session_token_size.is_some() {
        return Err(Refusal::NotSupported("MinimumSessionTokenSize").into());
    }
    let tagging = grant.all::<action::TagSession>();
    let naming = grant.all::<action::SetSourceIdentity>();
    let role = services
        .identity
        .assume_role(
            &grant.take::<action::AssumeRole>()?,
            tagging.first(),
            naming.first(),
            &session_request(&input),
        )
        .await?;
    Ok(sts::AssumeRoleResponse {
        credentials: Some(credentials(role.credentials)),
        assumed_role_user: Some(sts::AssumedRoleUser { assumed_role_id: Some(role.id), arn: Some(role.arn) }),
        packed_policy_size: role.packed_policy_size,
        source_identity: role.source_identity,
        ..Default::default()
    })
}

pub(super) async fn get_session_token(
    services: &Services,
    grant: &Grant,
    input: sts::GetSessionTokenRequest,
) -> Result<sts::GetSessionTokenResponse, Error> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(Refusal::MultiFactorAuthentication.into());
    }
    if input.minimum_session_token_size.is_some() {
        return Err(Refusal::NotSupported("MinimumSessionTokenSize").into());
    }
    let allowed = grant.take::<action::GetSessionToken>()?;
    let made = services.identity.session_token(&allowed, input.duration_seconds.map(i64::from))?;
    Ok(sts::GetSessionTokenResponse { credentials: Some(credentials(made)), ..Default::default() })
}

/// What the room needs of an AssumeRole request.
pub(super) fn session_request(input: &sts::AssumeRoleRequest) -> SessionRequest {
    let arns = input.policy_arns.iter().flatten().filter_map(|policy| policy.arn.clone());
    let tags = input.tags.iter().flatten().map(|tag| (tag.key.clone(), tag.value.clone()));
    SessionRequest {
        session_name: input.role_session_name.clone(),
        duration_seconds: input.duration_seconds.map(i64::from),
        policy: input.policy.clone(),
        policy_arns: arns.collect(),
        tags: tags.collect(),
        transitive_tag_keys: input.transitive_tag_keys.clone().unwrap_or_default(),
        source_identity: input.source_identity.clone(),
    }
}

fn credentials(made: TemporaryCredentials) -> sts::Credentials {
    sts::Credentials {
        access_key_id: Some(made.access_key_id),
        secret_access_key: Some(made.secret.as_str().into()),
        session_token: Some(made.token.as_str().into()),
        expiration: Some(Timestamp::from_microseconds(made.expires_at)),
    }
}
