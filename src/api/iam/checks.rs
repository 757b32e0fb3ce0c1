//! Operation → what the guard has to allow, one exhaustive match (iam.md §3.10).
//!
//! The resource of an operation on something that exists is its ARN with the path that it has; `Create…` is
//! checked on the ARN to be. Example: `AttachUserPolicy` of alice under `/eng/` is `iam:AttachUserPolicy` on
//! `arn:aws:iam::123456789012:user/eng/alice` with `iam:PolicyARN`.

use aws::iam::{AddRoleToInstanceProfileRequest, Operation};

use super::dispatch;
use super::target::{Need, Target, user_or_self};
use crate::access::action::{self, Action};
use crate::access::{Caller, Check, Identity};
use crate::api::Services;
use crate::identity::{self, Kind};

/// All checks of an operation.
///
/// # Errors
/// What can be said without touching anything: a malformed policy ARN, a user that must be named.
pub(super) async fn checks(
    services: &Services,
    caller: &Caller,
    operation: &Operation,
) -> Result<Vec<Check>, identity::Error> {
    let mut checks = Vec::new();
    for need in needs(services, caller, operation).await? {
        checks.push(need.check(services, caller).await?);
    }
    Ok(checks)
}

async fn needs(
    services: &Services,
    caller: &Caller,
    operation: &Operation,
) -> Result<Vec<Need>, identity::Error> {
    Ok(match operation {
        Operation::CreateUser(input) => vec![
            Need::new::<action::CreateUser>(new(Kind::User, input.path.as_ref(), &input.user_name))
                .tags(input.tags.as_deref())
                .new_boundary(input.permissions_boundary.as_deref()),
        ],
        Operation::GetUser(input) => {
            vec![Need::new::<action::GetUser>(user_or_self(caller, input.user_name.as_ref())?)]
        }
        Operation::UpdateUser(input) => {
            renames::<action::UpdateUser>(
                services,
                caller,
                Kind::User,
                &input.user_name,
                input.new_path.as_ref(),
                input.new_user_name.as_ref(),
            )
            .await?
        }
        Operation::DeleteUser(input) => {
            vec![Need::new::<action::DeleteUser>(Target::Named(Kind::User, input.user_name.clone()))]
        }
        Operation::ListUsers(_) => vec![Need::new::<action::ListUsers>(Target::All)],
        Operation::TagUser(input) => vec![
            Need::new::<action::TagUser>(Target::Named(Kind::User, input.user_name.clone()))
                .tags(Some(&input.tags)),
        ],
        Operation::UntagUser(input) => vec![
            Need::new::<action::UntagUser>(Target::Named(Kind::User, input.user_name.clone()))
                .tag_keys(input.tag_keys.iter()),
        ],
        Operation::ListUserTags(input) => {
            vec![Need::new::<action::ListUserTags>(Target::Named(Kind::User, input.user_name.clone()))]
        }
        Operation::TagRole(input) => vec![
            Need::new::<action::TagRole>(Target::Named(Kind::Role, input.role_name.clone()))
                .tags(Some(&input.tags)),
        ],
        Operation::UntagRole(input) => vec![
            Need::new::<action::UntagRole>(Target::Named(Kind::Role, input.role_name.clone()))
                .tag_keys(input.tag_keys.iter()),
        ],
        Operation::ListRoleTags(input) => {
            vec![Need::new::<action::ListRoleTags>(Target::Named(Kind::Role, input.role_name.clone()))]
        }
        Operation::TagInstanceProfile(input) => vec![
            Need::new::<action::TagInstanceProfile>(Target::Named(
                Kind::InstanceProfile,
                input.instance_profile_name.clone(),
            ))
            .tags(Some(&input.tags)),
        ],
        Operation::UntagInstanceProfile(input) => vec![
            Need::new::<action::UntagInstanceProfile>(Target::Named(
                Kind::InstanceProfile,
                input.instance_profile_name.clone(),
            ))
            .tag_keys(input.tag_keys.iter()),
        ],
        Operation::ListInstanceProfileTags(input) => vec![Need::new::<action::ListInstanceProfileTags>(
            Target::Named(Kind::InstanceProfile, input.instance_profile_name.clone()),
        )],
        Operation::TagPolicy(input) => vec![
            Need::new::<action::TagPolicy>(Target::Policy(input.policy_arn.clone())).tags(Some(&input.tags)),
        ],
        Operation::UntagPolicy(input) => vec![
            Need::new::<action::UntagPolicy>(Target::Policy(input.policy_arn.clone()))
                .tag_keys(input.tag_keys.iter()),
        ],
        Operation::ListPolicyTags(input) => {
            vec![Need::new::<action::ListPolicyTags>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::CreateAccessKey(input) => {
            vec![Need::new::<action::CreateAccessKey>(user_or_self(caller, input.user_name.as_ref())?)]
        }
        Operation::UpdateAccessKey(input) => {
            vec![Need::new::<action::UpdateAccessKey>(user_or_self(caller, input.user_name.as_ref())?)]
        }
        Operation::DeleteAccessKey(input) => {
            vec![Need::new::<action::DeleteAccessKey>(user_or_self(caller, input.user_name.as_ref())?)]
        }
        Operation::ListAccessKeys(input) => {
            vec![Need::new::<action::ListAccessKeys>(user_or_self(caller, input.user_name.as_ref())?)]
        }
        Operation::GetAccessKeyLastUsed(input) => vec![Need::new::<action::GetAccessKeyLastUsed>(
            key_owner(services, caller, &input.access_key_id).await?,
        )],
        Operation::CreateGroup(input) => {
            vec![Need::new::<action::CreateGroup>(new(Kind::Group, input.path.as_ref(), &input.group_name))]
        }
        Operation::UpdateGroup(input) => {
            renames::<action::UpdateGroup>(
                services,
                caller,
                Kind::Group,
                &input.group_name,
                input.new_path.as_ref(),
                input.new_group_name.as_ref(),
            )
            .await?
        }
        Operation::GetGroup(input) => {
            vec![Need::new::<action::GetGroup>(Target::Named(Kind::Group, input.group_name.clone()))]
        }
        Operation::DeleteGroup(input) => {
            vec![Need::new::<action::DeleteGroup>(Target::Named(Kind::Group, input.group_name.clone()))]
        }
        Operation::AddUserToGroup(input) => {
            vec![Need::new::<action::AddUserToGroup>(Target::Named(Kind::Group, input.group_name.clone()))]
        }
        Operation::RemoveUserFromGroup(input) => vec![Need::new::<action::RemoveUserFromGroup>(
            Target::Named(Kind::Group, input.group_name.clone()),
        )],
        Operation::ListGroups(_) => vec![Need::new::<action::ListGroups>(Target::All)],
        Operation::ListGroupsForUser(input) => {
            vec![Need::new::<action::ListGroupsForUser>(Target::Named(Kind::User, input.user_name.clone()))]
        }
        Operation::CreateRole(input) => vec![
            Need::new::<action::CreateRole>(new(Kind::Role, input.path.as_ref(), &input.role_name))
                .tags(input.tags.as_deref())
                .new_boundary(input.permissions_boundary.as_deref()),
        ],
        Operation::GetRole(input) => vec![
            Need::new::<action::GetRole>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
        ],
        Operation::UpdateRole(input) => vec![
            Need::new::<action::UpdateRole>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
        ],
        Operation::UpdateAssumeRolePolicy(input) => vec![
            Need::new::<action::UpdateAssumeRolePolicy>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
        ],
        Operation::DeleteRole(input) => vec![
            Need::new::<action::DeleteRole>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
        ],
        Operation::UpdateRoleDescription(input) => vec![Need::new::<action::UpdateRoleDescription>(
            Target::Named(Kind::Role, input.role_name.clone()),
        )],
        Operation::ListRoles(_) => vec![Need::new::<action::ListRoles>(Target::All)],
        Operation::CreatePolicy(input) => vec![
            Need::new::<action::CreatePolicy>(new(Kind::Policy, input.path.as_ref(), &input.policy_name))
                .tags(input.tags.as_deref()),
        ],
        Operation::GetPolicy(input) => {
            vec![Need::new::<action::GetPolicy>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::DeletePolicy(input) => {
            vec![Need::new::<action::DeletePolicy>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::CreatePolicyVersion(input) => {
            vec![Need::new::<action::CreatePolicyVersion>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::GetPolicyVersion(input) => {
            vec![Need::new::<action::GetPolicyVersion>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::DeletePolicyVersion(input) => {
            vec![Need::new::<action::DeletePolicyVersion>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::ListPolicyVersions(input) => {
            vec![Need::new::<action::ListPolicyVersions>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::SetDefaultPolicyVersion(input) => {
            vec![Need::new::<action::SetDefaultPolicyVersion>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::ListEntitiesForPolicy(input) => {
            vec![Need::new::<action::ListEntitiesForPolicy>(Target::Policy(input.policy_arn.clone()))]
        }
        Operation::ListPolicies(_) => vec![Need::new::<action::ListPolicies>(Target::All)],
        Operation::AttachUserPolicy(input) => vec![attachment(
            Need::new::<action::AttachUserPolicy>(Target::Named(Kind::User, input.user_name.clone()))
                .present_boundary(),
            &input.policy_arn,
        )?],
        Operation::DetachUserPolicy(input) => vec![attachment(
            Need::new::<action::DetachUserPolicy>(Target::Named(Kind::User, input.user_name.clone()))
                .present_boundary(),
            &input.policy_arn,
        )?],
        Operation::ListAttachedUserPolicies(input) => vec![Need::new::<action::ListAttachedUserPolicies>(
            Target::Named(Kind::User, input.user_name.clone()),
        )],
        Operation::PutUserPolicy(input) => vec![
            Need::new::<action::PutUserPolicy>(Target::Named(Kind::User, input.user_name.clone()))
                .present_boundary(),
        ],
        Operation::DeleteUserPolicy(input) => vec![
            Need::new::<action::DeleteUserPolicy>(Target::Named(Kind::User, input.user_name.clone()))
                .present_boundary(),
        ],
        Operation::GetUserPolicy(input) => {
            vec![Need::new::<action::GetUserPolicy>(Target::Named(Kind::User, input.user_name.clone()))]
        }
        Operation::ListUserPolicies(input) => {
            vec![Need::new::<action::ListUserPolicies>(Target::Named(Kind::User, input.user_name.clone()))]
        }
        Operation::AttachGroupPolicy(input) => vec![attachment(
            Need::new::<action::AttachGroupPolicy>(Target::Named(Kind::Group, input.group_name.clone())),
            &input.policy_arn,
        )?],
        Operation::DetachGroupPolicy(input) => vec![attachment(
            Need::new::<action::DetachGroupPolicy>(Target::Named(Kind::Group, input.group_name.clone())),
            &input.policy_arn,
        )?],
        Operation::ListAttachedGroupPolicies(input) => vec![Need::new::<action::ListAttachedGroupPolicies>(
            Target::Named(Kind::Group, input.group_name.clone()),
        )],
        Operation::PutGroupPolicy(input) => {
            vec![Need::new::<action::PutGroupPolicy>(Target::Named(Kind::Group, input.group_name.clone()))]
        }
        Operation::DeleteGroupPolicy(input) => {
            vec![Need::new::<action::DeleteGroupPolicy>(Target::Named(Kind::Group, input.group_name.clone()))]
        }
        Operation::GetGroupPolicy(input) => {
            vec![Need::new::<action::GetGroupPolicy>(Target::Named(Kind::Group, input.group_name.clone()))]
        }
        Operation::ListGroupPolicies(input) => {
            vec![Need::new::<action::ListGroupPolicies>(Target::Named(Kind::Group, input.group_name.clone()))]
        }
        Operation::AttachRolePolicy(input) => vec![attachment(
            Need::new::<action::AttachRolePolicy>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
            &input.policy_arn,
        )?],
        Operation::DetachRolePolicy(input) => vec![attachment(
            Need::new::<action::DetachRolePolicy>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
            &input.policy_arn,
        )?],
        Operation::ListAttachedRolePolicies(input) => vec![Need::new::<action::ListAttachedRolePolicies>(
            Target::Named(Kind::Role, input.role_name.clone()),
        )],
        Operation::PutRolePolicy(input) => vec![
            Need::new::<action::PutRolePolicy>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
        ],
        Operation::DeleteRolePolicy(input) => vec![
            Need::new::<action::DeleteRolePolicy>(Target::Named(Kind::Role, input.role_name.clone()))
                .present_boundary(),
        ],
        Operation::GetRolePolicy(input) => {
            vec![Need::new::<action::GetRolePolicy>(Target::Named(Kind::Role, input.role_name.clone()))]
        }
        Operation::ListRolePolicies(input) => {
            vec![Need::new::<action::ListRolePolicies>(Target::Named(Kind::Role, input.role_name.clone()))]
        }
        Operation::PutUserPermissionsBoundary(input) => vec![
            Need::new::<action::PutUserPermissionsBoundary>(Target::Named(
                Kind::User,
                input.user_name.clone(),
            ))
            .new_boundary(Some(&input.permissions_boundary)),
        ],
        Operation::DeleteUserPermissionsBoundary(input) => vec![
            Need::new::<action::DeleteUserPermissionsBoundary>(Target::Named(
                Kind::User,
                input.user_name.clone(),
            ))
            .present_boundary(),
        ],
        Operation::PutRolePermissionsBoundary(input) => vec![
            Need::new::<action::PutRolePermissionsBoundary>(Target::Named(
                Kind::Role,
                input.role_name.clone(),
            ))
            .new_boundary(Some(&input.permissions_boundary)),
        ],
        Operation::DeleteRolePermissionsBoundary(input) => vec![
            Need::new::<action::DeleteRolePermissionsBoundary>(Target::Named(
                Kind::Role,
                input.role_name.clone(),
            ))
            .present_boundary(),
        ],
        Operation::CreateInstanceProfile(input) => vec![
            Need::new::<action::CreateInstanceProfile>(new(
                Kind::InstanceProfile,
                input.path.as_ref(),
                &input.instance_profile_name,
            ))
            .tags(input.tags.as_deref()),
        ],
        Operation::GetInstanceProfile(input) => vec![Need::new::<action::GetInstanceProfile>(Target::Named(
            Kind::InstanceProfile,
            input.instance_profile_name.clone(),
        ))],
        Operation::DeleteInstanceProfile(input) => vec![Need::new::<action::DeleteInstanceProfile>(
            Target::Named(Kind::InstanceProfile, input.instance_profile_name.clone()),
        )],
        Operation::RemoveRoleFromInstanceProfile(input) => {
            vec![Need::new::<action::RemoveRoleFromInstanceProfile>(Target::Named(
                Kind::InstanceProfile,
                input.instance_profile_name.clone(),
            ))]
        }
        Operation::AddRoleToInstanceProfile(input) => passes(caller, input),
        Operation::ListInstanceProfiles(_) => vec![Need::new::<action::ListInstanceProfiles>(Target::All)],
        Operation::ListInstanceProfilesForRole(input) => {
            vec![Need::new::<action::ListInstanceProfilesForRole>(Target::Named(
                Kind::Role,
                input.role_name.clone(),
            ))]
        }
        Operation::GetAccountSummary(_) => vec![Need::new::<action::GetAccountSummary>(Target::All)],
        Operation::CreateAccountAlias(_) => vec![Need::new::<action::CreateAccountAlias>(Target::All)],
        Operation::DeleteAccountAlias(_) => vec![Need::new::<action::DeleteAccountAlias>(Target::All)],
        Operation::ListAccountAliases(_) => vec![Need::new::<action::ListAccountAliases>(Target::All)],
        // Not built here, but whether even that may be told is decided like everything else.
        dispatch::absent!() => vec![Need::absent(dispatch::action(operation), Target::All)],
    })
}

fn new(kind: Kind, path: Option<&String>, name: &str) -> Target {
    let path = path.map_or("/", String::as_str).to_owned();
    Target::New { kind, path, name: name.to_owned() }
}

/// A rename needs the right on the old place and, when it differs, on the new one.
async fn renames<A: Action<Resource = Identity>>(
    services: &Services,
    caller: &Caller,
    kind: Kind,
    name: &str,
    new_path: Option<&String>,
    new_name: Option<&String>,
) -> Result<Vec<Need>, identity::Error> {
    let facts = services.identity.facts(caller.account(), kind, name).await?;
    let present = facts.as_ref().map_or("/", |facts| facts.entity.path.as_str());
    let path = new_path.map_or(present, String::as_str).to_owned();
    let target = Target::New { kind, path, name: new_name.map_or(name, String::as_str).to_owned() };
    Ok(vec![Need::new::<A>(Target::Named(kind, name.to_owned())), Need::new::<A>(target)])
}

fn attachment(need: Need, policy_arn: &str) -> Result<Need, identity::Error> {
    if identity::is_policy_arn(policy_arn) {
        Ok(need.policy_arn(policy_arn))
    } else {
        Err(identity::Error::InvalidArn)
    }
}

/// To put a role into a profile is to hand it to machines, which is a right of its own.
fn passes(caller: &Caller, input: &AddRoleToInstanceProfileRequest) -> Vec<Need> {
    let profile = Target::Named(Kind::InstanceProfile, input.instance_profile_name.clone());
    let arn = identity::arn(caller.account(), Kind::InstanceProfile, "/", &input.instance_profile_name);
    vec![
        Need::new::<action::AddRoleToInstanceProfile>(profile),
        Need::new::<action::PassRole>(Target::Named(Kind::Role, input.role_name.clone()))
            .passed_to("ec2.amazonaws.com", &arn),
    ]
}

/// The user whose key it is; `*` when nobody of this account has it.
async fn key_owner(services: &Services, caller: &Caller, key_id: &str) -> Result<Target, identity::Error> {
    let owner = services.identity.access_key_owner(caller.account(), key_id).await?;
    Ok(match owner {
        Some(Some(user)) => Target::Named(Kind::User, user.name),
        Some(None) => Target::Root,
        None => Target::All,
    })
}
