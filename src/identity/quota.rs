//! AWS's default quotas (iam.md §2.7).

use super::entity::Kind;
use super::error::{Error, Quota};

/// Managed policies attached to one user, group or role.
pub(super) const ATTACHED: i64 = 10;
/// Access keys of one user, and of the root.
pub(super) const ACCESS_KEYS: i64 = 2;
/// Groups that one user is in.
pub(super) const GROUPS_PER_USER: i64 = 10;
/// Versions of a managed policy.
pub(super) const POLICY_VERSIONS: i64 = 5;
/// Characters of a managed policy without layout.
pub(super) const MANAGED_SIZE: usize = 6144;
/// Characters of a trust policy without layout.
pub(super) const TRUST_SIZE: usize = 2048;
/// Tags of one entity.
pub(super) const TAGS: usize = 50;

/// Entities of a kind per account.
pub(super) const fn entities(kind: Kind) -> i64 {
    match kind {
        Kind::User => 5000,
        Kind::Group => 300,
        Kind::Role | Kind::InstanceProfile => 1000,
        Kind::Policy => 1500,
    }
}

/// Characters of all inline policies of one entity together, without layout.
pub(super) const fn inline_size(kind: Kind) -> usize {
    match kind {
        Kind::User => 2048,
        Kind::Group => 5120,
        Kind::Role | Kind::InstanceProfile | Kind::Policy => 10_240,
    }
}

/// The refusal of one more entity of a kind.
pub(super) fn entities_exceeded(kind: Kind) -> Error {
    let name = match kind {
        Kind::User => "UsersPerAccount",
        Kind::Group => "GroupsPerAccount",
        Kind::Role => "RolesPerAccount",
        Kind::InstanceProfile => "InstanceProfilesPerAccount",
        Kind::Policy => "PoliciesPerAccount",
    };
    exceeded(name, entities(kind))
}

/// The refusal of one more attached policy.
pub(super) fn attached_exceeded(kind: Kind) -> Error {
    let name = match kind {
        Kind::Group => "PoliciesPerGroup",
        Kind::Role => "PoliciesPerRole",
        Kind::User | Kind::InstanceProfile | Kind::Policy => "PoliciesPerUser",
    };
    exceeded(name, ATTACHED)
}

pub(super) fn exceeded(name: &'static str, maximum: i64) -> Error {
    Error::LimitExceeded(Quota::Counted { name, maximum })
}

/// The quotas as GetAccountSummary shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Users per account.
    pub users: i64,
    /// Groups per account.
    pub groups: i64,
    /// Roles per account.
    pub roles: i64,
    /// Instance profiles per account.
    pub instance_profiles: i64,
    /// Customer managed policies per account.
    pub policies: i64,
    /// Versions of a managed policy.
    pub versions_per_policy: i64,
    /// Characters of a managed policy.
    pub policy_size: i64,
    /// Characters of the inline policies of a user.
    pub user_policy_size: i64,
    /// Characters of the inline policies of a group.
    pub group_policy_size: i64,
    /// Characters of the inline policies of a role.
    pub role_policy_size: i64,
    /// Characters of a trust policy.
    pub trust_policy_size: i64,
    /// Managed policies attached to one entity.
    pub attached_policies: i64,
    /// Groups that one user is in.
    pub groups_per_user: i64,
    /// Access keys of one user.
    pub access_keys_per_user: i64,
}

impl Default for Quotas {
    fn default() -> Self {
        let size = |characters: usize| i64::try_from(characters).unwrap_or(i64::MAX);
        Self {
            users: entities(Kind::User),
            groups: entities(Kind::Group),
            roles: entities(Kind::Role),
            instance_profiles: entities(Kind::InstanceProfile),
            policies: entities(Kind::Policy),
            versions_per_policy: POLICY_VERSIONS,
            policy_size: size(MANAGED_SIZE),
            user_policy_size: size(inline_size(Kind::User)),
            group_policy_size: size(inline_size(Kind::Group)),
            role_policy_size: size(inline_size(Kind::Role)),
            trust_policy_size: size(TRUST_SIZE),
            attached_policies: ATTACHED,
            groups_per_user: GROUPS_PER_USER,
            access_keys_per_user: ACCESS_KEYS,
        }
    }
}
