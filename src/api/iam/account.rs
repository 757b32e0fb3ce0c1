//! The account: its alias and its numbers.

use aws::iam;
use aws::iam::enums::summary_key_type as key;

use super::{Error, render};
use crate::access::{Grant, action};
use crate::api::Services;
use crate::identity::Quotas;

pub(super) async fn get_account_summary(
    services: &Services,
    grant: &Grant,
    _: iam::GetAccountSummaryRequest,
) -> Result<iam::GetAccountSummaryResponse, Error> {
    let summary = services.identity.summary(&grant.take::<action::GetAccountSummary>()?).await?;
    let quotas = Quotas::default();
    let numbers = [
        (key::USERS, summary.users),
        (key::USERS_QUOTA, quotas.users),
        (key::GROUPS, summary.groups),
        (key::GROUPS_QUOTA, quotas.groups),
        (key::ROLES, summary.roles),
        (key::ROLES_QUOTA, quotas.roles),
        (key::INSTANCE_PROFILES, summary.instance_profiles),
        (key::INSTANCE_PROFILES_QUOTA, quotas.instance_profiles),
        (key::POLICIES, summary.policies),
        (key::POLICIES_QUOTA, quotas.policies),
        (key::POLICY_VERSIONS_IN_USE, summary.policy_versions),
        (key::VERSIONS_PER_POLICY_QUOTA, quotas.versions_per_policy),
        (key::POLICY_SIZE_QUOTA, quotas.policy_size),
        (key::USER_POLICY_SIZE_QUOTA, quotas.user_policy_size),
        (key::GROUP_POLICY_SIZE_QUOTA, quotas.group_policy_size),
        (key::ROLE_POLICY_SIZE_QUOTA, quotas.role_policy_size),
        (key::ASSUME_ROLE_POLICY_SIZE_QUOTA, quotas.trust_policy_size),
        (key::ATTACHED_POLICIES_PER_USER_QUOTA, quotas.attached_policies),
        (key::ATTACHED_POLICIES_PER_GROUP_QUOTA, quotas.attached_policies),
        (key::ATTACHED_POLICIES_PER_ROLE_QUOTA, quotas.attached_policies),
        (key::GROUPS_PER_USER_QUOTA, quotas.groups_per_user),
        (key::ACCESS_KEYS_PER_USER_QUOTA, quotas.access_keys_per_user),
        (key::ACCOUNT_ACCESS_KEYS_PRESENT, summary.root_access_keys),
        // What this server does not have cannot be present.
        (key::ACCOUNT_MFA_ENABLED, 0),
        (key::ACCOUNT_PASSWORD_PRESENT, 0),
        (key::ACCOUNT_SIGNING_CERTIFICATES_PRESENT, 0),
        (key::MFA_DEVICES, 0),
        (key::MFA_DEVICES_IN_USE, 0),
        (key::SERVER_CERTIFICATES, 0),
        (key::PROVIDERS, 0),
    ];
    let entry = |(key, number): (&str, i64)| Some((key.to_owned(), i32::try_from(number).ok()?));
    Ok(iam::GetAccountSummaryResponse { summary_map: Some(numbers.into_iter().filter_map(entry).collect()) })
}

pub(super) async fn create_account_alias(
    services: &Services,
    grant: &Grant,
    input: iam::CreateAccountAliasRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::CreateAccountAlias>()?;
    Ok(services.identity.create_account_alias(&allowed, &input.account_alias).await?)
}

pub(super) async fn delete_account_alias(
    services: &Services,
    grant: &Grant,
    input: iam::DeleteAccountAliasRequest,
) -> Result<(), Error> {
    let allowed = grant.take::<action::DeleteAccountAlias>()?;
    Ok(services.identity.delete_account_alias(&allowed, &input.account_alias).await?)
}

pub(super) async fn list_account_aliases(
    services: &Services,
    grant: &Grant,
    input: iam::ListAccountAliasesRequest,
) -> Result<iam::ListAccountAliasesResponse, Error> {
    let request = render::page(input.marker, input.max_items);
    let allowed = grant.take::<action::ListAccountAliases>()?;
    let page = services.identity.account_aliases(&allowed, &request).await?;
    let (account_aliases, is_truncated, marker) = render::parts(page, |alias| alias);
    Ok(iam::ListAccountAliasesResponse { account_aliases, is_truncated, marker })
}
