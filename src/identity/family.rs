//! Operations that do the same to users, groups, roles and the like, each with its own proof.
//!
//! One room function serves `AttachUserPolicy`, `AttachGroupPolicy` and `AttachRolePolicy`; which proofs it
//! takes and which kind of entity each is about is fixed here, so that a permission to attach to users cannot
//! be used on a role.

use super::entity::Kind;
use crate::access::Identity;
use crate::access::action::{self, Action};

macro_rules! family {
    ($(#[$doc:meta])* $name:ident: $($action:ident => $kind:ident),* $(,)?) => {
        $(#[$doc])*
        pub trait $name: Action<Resource = Identity> {
            /// What kind of entity the action is about.
            const KIND: Kind;
        }
        $(impl $name for action::$action {
            const KIND: Kind = Kind::$kind;
        })*
    };
}

family! {
    /// Attaching a managed policy.
    AttachPolicy: AttachUserPolicy => User, AttachGroupPolicy => Group, AttachRolePolicy => Role
}
family! {
    /// Detaching a managed policy.
    DetachPolicy: DetachUserPolicy => User, DetachGroupPolicy => Group, DetachRolePolicy => Role
}
family! {
    /// Listing attached managed policies.
    ListAttachedPolicies: ListAttachedUserPolicies => User, ListAttachedGroupPolicies => Group,
        ListAttachedRolePolicies => Role
}
family! {
    /// Writing an inline policy.
    PutInlinePolicy: PutUserPolicy => User, PutGroupPolicy => Group, PutRolePolicy => Role
}
family! {
    /// Reading an inline policy.
    GetInlinePolicy: GetUserPolicy => User, GetGroupPolicy => Group, GetRolePolicy => Role
}
family! {
    /// Deleting an inline policy.
    DeleteInlinePolicy: DeleteUserPolicy => User, DeleteGroupPolicy => Group, DeleteRolePolicy => Role
}
family! {
    /// Listing the names of inline policies.
    ListInlinePolicies: ListUserPolicies => User, ListGroupPolicies => Group, ListRolePolicies => Role
}
family! {
    /// Setting the permissions boundary.
    PutBoundary: PutUserPermissionsBoundary => User, PutRolePermissionsBoundary => Role
}
family! {
    /// Removing the permissions boundary.
    DeleteBoundary: DeleteUserPermissionsBoundary => User, DeleteRolePermissionsBoundary => Role
}
family! {
    /// Tagging.
    Tag: TagUser => User, TagRole => Role, TagPolicy => Policy, TagInstanceProfile => InstanceProfile
}
family! {
    /// Untagging.
    Untag: UntagUser => User, UntagRole => Role, UntagPolicy => Policy, UntagInstanceProfile => InstanceProfile
}
family! {
    /// Listing tags.
    ListTags: ListUserTags => User, ListRoleTags => Role, ListPolicyTags => Policy,
        ListInstanceProfileTags => InstanceProfile
}
family! {
    /// Giving another name or path.
    Rename: UpdateUser => User, UpdateGroup => Group
}
