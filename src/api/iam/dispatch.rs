//! Operation → handler: which operations are built, and where.
//!
//! The table is the one place that says so: [`BUILT`], the actions that the others are checked on and the
//! dispatching `match` are made from the same lines, and the `match` is exhaustive, so a new operation of the
//! model does not compile until it is in one half of the table.

use aws::Service;
use aws::iam::Operation;

use super::{
    Error, access_keys, account, attachments, boundaries, groups, inline_policies, instance_profiles,
    policies, roles, tags, users,
};
use crate::access::Grant;
use crate::api::Services;

macro_rules! operations {
    (built { $($built:ident => $handler:path,)* } not_built { $($absent:ident)* }) => {
        /// The operations that this server performs; all others answer [`Error::NotBuilt`].
        pub const BUILT: &[&str] = &[$(stringify!($built)),*];

        /// The action of an operation, built or not: `iam:CreateUser`.
        pub(super) fn action(operation: &Operation) -> &'static str {
            match operation {
                $(Operation::$built(_) => concat!("iam:", stringify!($built)),)*
                $(Operation::$absent(_) => concat!("iam:", stringify!($absent)),)*
            }
        }

        /// The pattern of all operations that are not built.
        macro_rules! absent {
            () => { $(Operation::$absent(_))|* };
        }
        pub(super) use absent;

        /// Performs an operation whose checks were allowed; gives the XML of the answer.
        pub(super) async fn dispatch(
            services: &Services,
            grant: &Grant,
            operation: Operation,
        ) -> Result<Vec<u8>, Error> {
            let request_id = &grant.caller().request_id;
            match operation {
                $(Operation::$built(input) => {
                    let result = $handler(services, grant, *input).await?;
                    Ok(aws::xml::response(Service::Iam, stringify!($built), Some(&result), request_id))
                })*
                $(Operation::$absent(_) => Err(Error::NotBuilt { operation: stringify!($absent) }),)*
            }
        }
    };
}

operations! {
    built {
        AddRoleToInstanceProfile => instance_profiles::add_role_to_instance_profile,
        AddUserToGroup => groups::add_user_to_group,
        AttachGroupPolicy => attachments::attach_group_policy,
        AttachRolePolicy => attachments::attach_role_policy,
        AttachUserPolicy => attachments::attach_user_policy,
        CreateAccessKey => access_keys::create_access_key,
        CreateAccountAlias => account::create_account_alias,
        CreateGroup => groups::create_group,
        CreateInstanceProfile => instance_profiles::create_instance_profile,
        CreatePolicy => policies::create_policy,
        CreatePolicyVersion => policies::create_policy_version,
        CreateRole => roles::create_role,
        CreateUser => users::create_user,
        DeleteAccessKey => access_keys::delete_access_key,
        DeleteAccountAlias => account::delete_account_alias,
        DeleteGroup => groups::delete_group,
        DeleteGroupPolicy => inline_policies::delete_group_policy,
        DeleteInstanceProfile => instance_profiles::delete_instance_profile,
        DeletePolicy => policies::delete_policy,
        DeletePolicyVersion => policies::delete_policy_version,
        DeleteRole => roles::delete_role,
        DeleteRolePermissionsBoundary => boundaries::delete_role_permissions_boundary,
        DeleteRolePolicy => inline_policies::delete_role_policy,
        DeleteUser => users::delete_user,
        DeleteUserPermissionsBoundary => boundaries::delete_user_permissions_boundary,
        DeleteUserPolicy => inline_policies::delete_user_policy,
        DetachGroupPolicy => attachments::detach_group_policy,
        DetachRolePolicy => attachments::detach_role_policy,
        DetachUserPolicy => attachments::detach_user_policy,
        GetAccessKeyLastUsed => access_keys::get_access_key_last_used,
        GetAccountSummary => account::get_account_summary,
        GetGroup => groups::get_group,
        GetGroupPolicy => inline_policies::get_group_policy,
        GetInstanceProfile => instance_profiles::get_instance_profile,
        GetPolicy => policies::get_policy,
        GetPolicyVersion => policies::get_policy_version,
        GetRole => roles::get_role,
        GetRolePolicy => inline_policies::get_role_policy,
        GetUser => users::get_user,
        GetUserPolicy => inline_policies::get_user_policy,
        ListAccessKeys => access_keys::list_access_keys,
        ListAccountAliases => account::list_account_aliases,
        ListAttachedGroupPolicies => attachments::list_attached_group_policies,
        ListAttachedRolePolicies => attachments::list_attached_role_policies,
        ListAttachedUserPolicies => attachments::list_attached_user_policies,
        ListEntitiesForPolicy => attachments::list_entities_for_policy,
        ListGroupPolicies => inline_policies::list_group_policies,
        ListGroups => groups::list_groups,
        ListGroupsForUser => groups::list_groups_for_user,
        ListInstanceProfileTags => tags::list_instance_profile_tags,
        ListInstanceProfiles => instance_profiles::list_instance_profiles,
        ListInstanceProfilesForRole => instance_profiles::list_instance_profiles_for_role,
        ListPolicies => policies::list_policies,
        ListPolicyTags => tags::list_policy_tags,
        ListPolicyVersions => policies::list_policy_versions,
        ListRolePolicies => inline_policies::list_role_policies,
        ListRoleTags => tags::list_role_tags,
        ListRoles => roles::list_roles,
        ListUserPolicies => inline_policies::list_user_policies,
        ListUserTags => tags::list_user_tags,
        ListUsers => users::list_users,
        PutGroupPolicy => inline_policies::put_group_policy,
        PutRolePermissionsBoundary => boundaries::put_role_permissions_boundary,
        PutRolePolicy => inline_policies::put_role_policy,
        PutUserPermissionsBoundary => boundaries::put_user_permissions_boundary,
        PutUserPolicy => inline_policies::put_user_policy,
        RemoveRoleFromInstanceProfile => instance_profiles::remove_role_from_instance_profile,
        RemoveUserFromGroup => groups::remove_user_from_group,
        SetDefaultPolicyVersion => policies::set_default_policy_version,
        TagInstanceProfile => tags::tag_instance_profile,
        TagPolicy => tags::tag_policy,
        TagRole => tags::tag_role,
        TagUser => tags::tag_user,
        UntagInstanceProfile => tags::untag_instance_profile,
        UntagPolicy => tags::untag_policy,
        UntagRole => tags::untag_role,
        UntagUser => tags::untag_user,
        UpdateAccessKey => access_keys::update_access_key,
        UpdateAssumeRolePolicy => roles::update_assume_role_policy,
        UpdateGroup => groups::update_group,
        UpdateRole => roles::update_role,
        UpdateRoleDescription => roles::update_role_description,
        UpdateUser => users::update_user,
    }
    not_built {
        AcceptDelegationRequest AcquireRole AddClientIDToOpenIDConnectProvider
        AssociateDelegationRequest ChangePassword CreateDelegationRequest CreateLoginProfile
        CreateOpenIDConnectProvider CreateSAMLProvider CreateServiceLinkedRole
        CreateServiceSpecificCredential CreateVirtualMFADevice DeactivateMFADevice
        DeleteAccountPasswordPolicy DeleteLoginProfile DeleteOpenIDConnectProvider
        DeleteSAMLProvider DeleteSSHPublicKey DeleteServerCertificate DeleteServiceLinkedRole
        DeleteServiceSpecificCredential DeleteSigningCertificate DeleteVirtualMFADevice
        DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions
        DisableOutboundWebIdentityFederation EnableMFADevice
        EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions
        EnableOutboundWebIdentityFederation GenerateCredentialReport
        GenerateOrganizationsAccessReport GenerateServiceLastAccessedDetails
        GetAccountAuthorizationDetails GetAccountPasswordPolicy GetAccountProperties
        GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy GetCredentialReport
        GetDelegationRequest GetHumanReadableSummary GetLoginProfile GetMFADevice
        GetOpenIDConnectProvider GetOrganizationsAccessReport
        GetOutboundWebIdentityFederationInfo GetRoleTemplateVersion GetSAMLProvider
        GetSSHPublicKey GetServerCertificate GetServiceLastAccessedDetails
        GetServiceLastAccessedDetailsWithEntities GetServiceLinkedRoleDeletionStatus
        ListDelegationRequests ListMFADeviceTags ListMFADevices ListOpenIDConnectProviderTags
        ListOpenIDConnectProviders ListOrganizationsFeatures ListPoliciesGrantingServiceAccess
        ListSAMLProviderTags ListSAMLProviders ListSSHPublicKeys ListServerCertificateTags
        ListServerCertificates ListServiceSpecificCredentials ListSigningCertificates
        ListVirtualMFADevices PutAccountProperties RejectDelegationRequest
        RemoveClientIDFromOpenIDConnectProvider ResetServiceSpecificCredential ResyncMFADevice
        SendDelegationToken SetSecurityTokenServicePreferences SimulateCustomPolicy
        SimulatePrincipalPolicy TagMFADevice TagOpenIDConnectProvider TagSAMLProvider
        TagServerCertificate UntagMFADevice UntagOpenIDConnectProvider UntagSAMLProvider
        UntagServerCertificate UpdateAccountPasswordPolicy UpdateDelegationRequest
        UpdateLoginProfile UpdateOpenIDConnectProviderThumbprint UpdateSAMLProvider
        UpdateSSHPublicKey UpdateServerCertificate UpdateServiceSpecificCredential
        UpdateSigningCertificate UploadSSHPublicKey UploadServerCertificate
        UploadSigningCertificate
    }
}

#[cfg(test)]
mod tests {
    use super::BUILT;

    #[test]
    fn the_table_names_operations_of_the_model_once() {
        let mut sorted = BUILT.to_vec();
        sorted.dedup();
        assert_eq!(sorted.len(), BUILT.len());
        for name in BUILT {
            assert!(aws::Service::Iam.operation(name).is_some(), "{name}");
        }
    }
}
