//! Who is this: GetCallerIdentity, GetAccessKeyInfo, DecodeAuthorizationMessage.

use aws::sts;

use super::{Error, Refusal};
use crate::access::{Grant, action};
use crate::api::Services;

pub(super) async fn get_caller_identity(
    _: &Services,
    grant: &Grant,
    _: sts::GetCallerIdentityRequest,
) -> Result<sts::GetCallerIdentityResponse, Error> {
    let allowed = grant.take::<action::GetCallerIdentity>()?;
    let principal = &allowed.caller().principal;
    Ok(sts::GetCallerIdentityResponse {
        user_id: Some(principal.user_id().to_owned()),
        account: Some(principal.account().to_string()),
        arn: Some(principal.arn().to_owned()),
    })
}

pub(super) async fn get_access_key_info(
    services: &Services,
    grant: &Grant,
    input: sts::GetAccessKeyInfoRequest,
) -> Result<sts::GetAccessKeyInfoResponse, Error> {
    let allowed = grant.take::<action::GetAccessKeyInfo>()?;
    let account = services.identity.account_of_key(&allowed, &input.access_key_id).await?;
    // AWS's text for ids that are none is (unverified).
    let account = account.ok_or_else(|| Refusal::Invalid("Invalid Access Key ID".to_owned()))?;
    Ok(sts::GetAccessKeyInfoResponse { account: Some(account.to_string()) })
}

/// This server makes no encoded messages, so there is none that it could decode.
pub(super) async fn decode_authorization_message(
    _: &Services,
    grant: &Grant,
    _: sts::DecodeAuthorizationMessageRequest,
) -> Result<sts::DecodeAuthorizationMessageResponse, Error> {
    grant.take::<action::DecodeAuthorizationMessage>()?;
    Err(Error::InvalidAuthorizationMessage)
}
