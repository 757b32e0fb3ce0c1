//! The IAM actions that rooms demand a proof for, each with the kind of resource it is checked on.
//!
//! Sources: the service authorization references of ECR, IAM and STS (ecr.md §2, iam.md §3.9, §3.10).

use super::resource::{Identity, OfResource, Registry, Repository};

/// One IAM action.
pub trait Action: Send + Sync + 'static {
    /// The name in policies, as AWS writes it: `ecr:PutImage`.
    const NAME: &'static str;
    /// What it is checked on.
    type Resource: OfResource;
}

macro_rules! actions {
    ($service:literal on $resource:ty: $($name:ident)*) => {
        $(
            #[doc = concat!("`", $service, ":", stringify!($name), "`")]
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Action for $name {
                const NAME: &'static str = concat!($service, ":", stringify!($name));
                type Resource = $resource;
            }
        )*
    };
}

actions! { "ecr" on Registry:
    CreateRepositoryCreationTemplate DeleteRepositoryCreationTemplate DescribeRegistry
    DescribeRepositoryCreationTemplates GetAuthorizationToken UpdateRepositoryCreationTemplate
}

actions! { "ecr" on Repository:
    BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload CreateRepository
    DeleteLifecyclePolicy DeleteRepository DeleteRepositoryPolicy DescribeImages GetDownloadUrlForLayer
    GetLifecyclePolicy GetRepositoryPolicy InitiateLayerUpload ListImages ListTagsForResource PutImage
    PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy SetRepositoryPolicy TagResource UntagResource
    UploadLayerPart
}

/// `ecr:DescribeRepositories` without names: checked on `repository/*`.
#[derive(Debug, Clone, Copy)]
pub struct DescribeAllRepositories;

impl Action for DescribeAllRepositories {
    const NAME: &'static str = "ecr:DescribeRepositories";
    type Resource = Registry;
}

/// `ecr:DescribeRepositories` of one named repository.
#[derive(Debug, Clone, Copy)]
pub struct DescribeRepositories;

impl Action for DescribeRepositories {
    const NAME: &'static str = "ecr:DescribeRepositories";
    type Resource = Repository;
}

actions! { "iam" on Identity:
    AddRoleToInstanceProfile AddUserToGroup AttachGroupPolicy AttachRolePolicy AttachUserPolicy
    CreateAccessKey CreateAccountAlias CreateGroup CreateInstanceProfile CreatePolicy CreatePolicyVersion CreateRole
    CreateUser DeleteAccessKey DeleteAccountAlias DeleteGroup DeleteGroupPolicy DeleteInstanceProfile DeletePolicy
    DeletePolicyVersion DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DeleteUser
    DeleteUserPermissionsBoundary DeleteUserPolicy DetachGroupPolicy DetachRolePolicy DetachUserPolicy
    GetAccessKeyLastUsed GetAccountAuthorizationDetails GetAccountSummary GetContextKeysForCustomPolicy
    GetContextKeysForPrincipalPolicy GetGroup GetGroupPolicy
    GetInstanceProfile GetPolicy GetPolicyVersion GetRole GetRolePolicy GetUser GetUserPolicy ListAccessKeys
    ListAccountAliases ListAttachedGroupPolicies ListAttachedRolePolicies ListAttachedUserPolicies
    ListEntitiesForPolicy ListGroupPolicies ListGroups ListGroupsForUser ListInstanceProfileTags
    ListInstanceProfiles ListInstanceProfilesForRole ListPolicies ListPolicyTags ListPolicyVersions
    ListRolePolicies ListRoleTags ListRoles ListUserPolicies ListUserTags ListUsers PassRole PutGroupPolicy
    PutRolePermissionsBoundary PutRolePolicy PutUserPermissionsBoundary PutUserPolicy
    RemoveRoleFromInstanceProfile RemoveUserFromGroup SetDefaultPolicyVersion SimulateCustomPolicy
    SimulatePrincipalPolicy TagInstanceProfile TagPolicy TagRole TagUser UntagInstanceProfile UntagPolicy
    UntagRole UntagUser UpdateAccessKey UpdateAssumeRolePolicy UpdateGroup UpdateRole UpdateRoleDescription
    UpdateUser
}

actions! { "sts" on Identity:
    AssumeRole DecodeAuthorizationMessage GetAccessKeyInfo GetCallerIdentity GetSessionToken SetSourceIdentity
    TagSession
}
