//! Operation → what the guard has to allow, one exhaustive match (iam.md §3.10, §4.4).

use std::sync::Arc;

use aws::sts::{AssumeRoleRequest, Operation};
use policy::Context;

use super::dispatch;
use super::sessions::session_request;
use crate::access::action::{self, Action};
use crate::access::{Caller, Check, Identity, Resource};
use crate::api::Services;
use crate::identity;

/// All checks of an operation.
///
/// # Errors
/// [`identity::Error::InvalidRoleArn`] for an ARN that is no role's.
pub(super) async fn checks(
    services: &Services,
    caller: &Caller,
    operation: &Operation,
) -> Result<Vec<Check>, identity::Error> {
    Ok(match operation {
        Operation::AssumeRole(input) => assume_role(services, caller, input).await?,
        Operation::GetCallerIdentity(_) => vec![Check::new::<action::GetCallerIdentity>(all(caller))],
        Operation::GetSessionToken(_) => vec![Check::new::<action::GetSessionToken>(all(caller))],
        Operation::GetAccessKeyInfo(_) => vec![Check::new::<action::GetAccessKeyInfo>(all(caller))],
        Operation::DecodeAuthorizationMessage(_) => {
            vec![Check::new::<action::DecodeAuthorizationMessage>(all(caller))]
        }
        dispatch::absent!() => vec![Check {
            action: dispatch::action(operation),
            resource: Resource::Identity(all(caller)),
            context: Context::new(),
            trust: None,
        }],
    })
}

fn all(caller: &Caller) -> Identity {
    Identity { account: caller.account().clone(), arn: "*".to_owned(), display: "*".to_owned() }
}

/// The role itself, and what the request does beside: tagging and naming a source identity are actions of
/// their own, and the denial names the one that fails.
async fn assume_role(
    services: &Services,
    caller: &Caller,
    input: &AssumeRoleRequest,
) -> Result<Vec<Check>, identity::Error> {
    let role = services.identity.assumable(&input.role_arn).await?;
    let request = session_request(input);
    let source_identity = request.effective_source_identity(caller);
    let mut context = Context::new();
    context.set("sts:RoleSessionName", input.role_session_name.clone());
    if let Some(external_id) = &input.external_id {
        context.set("sts:ExternalId", external_id.clone());
    }
    if let Some(seconds) = input.duration_seconds {
        context.set("sts:DurationSeconds", seconds.to_string());
    }
    if let Some(source_identity) = &source_identity {
        context.set("sts:SourceIdentity", source_identity.clone());
    }
    for (key, value) in &request.tags {
        context.set(&format!("aws:RequestTag/{key}"), value.clone());
    }
    context.set_list("aws:TagKeys", request.tags.iter().map(|(key, _)| key.clone()));
    context.set_list("sts:TransitiveTagKeys", request.transitive_tag_keys.iter().cloned());
    for (key, value) in &role.tags {
        context.set(&format!("aws:ResourceTag/{key}"), value.clone());
        context.set(&format!("iam:ResourceTag/{key}"), value.clone());
    }
    // The account in the ARN, not the caller's: what another account's role allows is decided over there.
    let account = identity::parse_arn(&input.role_arn).map(|(account, ..)| account);
    let resource = Identity {
        account: account.unwrap_or_else(|| caller.account().clone()),
        arn: input.role_arn.clone(),
        display: input.role_arn.clone(),
    };
    let check = |name: &'static str| Check {
        action: name,
        resource: Resource::Identity(resource.clone()),
        context: context.clone(),
        trust: Some(Arc::clone(&role.trust)),
    };
    let mut checks = vec![check(action::AssumeRole::NAME)];
    if !request.tags.is_empty() {
        checks.push(check(action::TagSession::NAME));
    }
    if source_identity.is_some() {
        checks.push(check(action::SetSourceIdentity::NAME));
    }
    Ok(checks)
}
