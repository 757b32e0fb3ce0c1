//! Every row of iam.md §2.8 and §2.9: what cannot be deleted, what is not there, what is there already.

use super::{allow, trust};
use crate::api::query::testing::{House, houses};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
const POLICY: &str = "arn:aws:iam::123456789012:policy/p";

/// Operation, parameters, and the sentence of the refusal.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

async fn expect(house: &House, operation: &str, parameters: &[(&str, &str)], expected: (u16, &str, &str)) {
    let refused = house.refused(operation, parameters).await;
    let expected = (expected.0, expected.1.to_owned(), expected.2.to_owned());
    assert_eq!(refused, expected, "{operation} {parameters:?} on {}", house.engine);
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted() {
    const CONFLICT: &str = "DeleteConflict";
    const DETACH: (u16, &str, &str) =
        (409, CONFLICT, "Cannot delete entity, must detach all policies first.");
    const INLINE: (u16, &str, &str) = (409, CONFLICT, "Cannot delete entity, must delete policies first.");
    const MEMBERS: (u16, &str, &str) =
        (409, CONFLICT, "Cannot delete entity, must remove users from group first.");
    const PROFILE: (u16, &str, &str) =
        (409, CONFLICT, "Cannot delete entity, must remove roles from instance profile first.");
    for house in houses().await {
        let key = house.user("u").await;
        house.done("CreateGroup", &[("GroupName", "g")]).await;
        house.done("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust("*"))]).await;
        house.done("CreateInstanceProfile", &[("InstanceProfileName", "i")]).await;
        house.done("AddRoleToInstanceProfile", &[("InstanceProfileName", "i"), ("RoleName", "r")]).await;
        house.done("AddUserToGroup", &[("GroupName", "g"), ("UserName", "u")]).await;
        for (kind, name) in [("User", "u"), ("Group", "g"), ("Role", "r")] {
            let field = format!("{kind}Name");
            let attached = [(field.as_str(), name), ("PolicyArn", READ_ONLY)];
            house.done(&format!("Attach{kind}Policy"), &attached).await;
            let document = allow("ecr:*");
            let inline =
                [(field.as_str(), name), ("PolicyName", "in"), ("PolicyDocument", document.as_str())];
            house.done(&format!("Put{kind}Policy"), &inline).await;
        }

        let user = [("UserName", "u")];
        expect(&house, "DeleteUser", &user, DETACH).await;
        house.done("DetachUserPolicy", &[("UserName", "u"), ("PolicyArn", READ_ONLY)]).await;
        expect(&house, "DeleteUser", &user, INLINE).await;
        house.done("DeleteUserPolicy", &[("UserName", "u"), ("PolicyName", "in")]).await;
        expect(&house, "DeleteUser", &user, MEMBERS).await;
        expect(&house, "DeleteGroup", &[("GroupName", "g")], MEMBERS).await;
        house.done("RemoveUserFromGroup", &[("GroupName", "g"), ("UserName", "u")]).await;
        let keys = (409, CONFLICT, "Cannot delete entity, must delete access keys first.");
        expect(&house, "DeleteUser", &user, keys).await;
        house.done("DeleteAccessKey", &[("UserName", "u"), ("AccessKeyId", &key.id)]).await;
        house.done("DeleteUser", &user).await;

        expect(&house, "DeleteGroup", &[("GroupName", "g")], DETACH).await;
        house.done("DetachGroupPolicy", &[("GroupName", "g"), ("PolicyArn", READ_ONLY)]).await;
        expect(&house, "DeleteGroup", &[("GroupName", "g")], INLINE).await;
        house.done("DeleteGroupPolicy", &[("GroupName", "g"), ("PolicyName", "in")]).await;
        house.done("DeleteGroup", &[("GroupName", "g")]).await;

        let role = [("RoleName", "r")];
        expect(&house, "DeleteRole", &role, PROFILE).await;
        expect(&house, "DeleteInstanceProfile", &[("InstanceProfileName", "i")], PROFILE).await;
        house.done("RemoveRoleFromInstanceProfile", &[("InstanceProfileName", "i"), ("RoleName", "r")]).await;
        expect(&house, "DeleteRole", &role, DETACH).await;
        house.done("DetachRolePolicy", &[("RoleName", "r"), ("PolicyArn", READ_ONLY)]).await;
        expect(&house, "DeleteRole", &role, INLINE).await;
        house.done("DeleteRolePolicy", &[("RoleName", "r"), ("PolicyName", "in")]).await;
        house.done("DeleteRole", &role).await;
    }
}

#[tokio::test]
async fn policies_in_use_stay() {
    for house in houses().await {
        house.user("u").await;
        house.done("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &allow("ecr:*"))]).await;
        let policy = [("PolicyArn", POLICY)];
        let used = (409, "DeleteConflict", "Cannot delete a policy attached to entities.");
        house.done("AttachUserPolicy", &[("UserName", "u"), ("PolicyArn", POLICY)]).await;
        expect(&house, "DeletePolicy", &policy, used).await;
        house.done("DetachUserPolicy", &[("UserName", "u"), ("PolicyArn", POLICY)]).await;
        house.done("PutUserPermissionsBoundary", &[("UserName", "u"), ("PermissionsBoundary", POLICY)]).await;
        expect(&house, "DeletePolicy", &policy, used).await;
        house.done("DeleteUserPermissionsBoundary", &[("UserName", "u")]).await;
        house.done("DeleteUserPermissionsBoundary", &[("UserName", "u")]).await;
        let document = allow("ecr:Get*");
        house.done("CreatePolicyVersion", &[("PolicyArn", POLICY), ("PolicyDocument", &document)]).await;
        let versions = "This policy has more than one version. Before you delete a policy, you must delete the \
                        policy's versions. The default version is deleted with the policy.";
        expect(&house, "DeletePolicy", &policy, (409, "DeleteConflict", versions)).await;
        let default = (409, "DeleteConflict", "Cannot delete the default version of a policy.");
        expect(&house, "DeletePolicyVersion", &[("PolicyArn", POLICY), ("VersionId", "v1")], default).await;
        house.done("DeletePolicyVersion", &[("PolicyArn", POLICY), ("VersionId", "v2")]).await;
        house.done("DeletePolicy", &policy).await;
    }
}

#[tokio::test]
async fn what_is_not_there() {
    let document = allow("ecr:*");
    let trust = trust("*");
    for house in houses().await {
        house.user("u").await;
        house.done("CreateGroup", &[("GroupName", "g")]).await;
        house.done("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust)]).await;
        house.done("CreateInstanceProfile", &[("InstanceProfileName", "i")]).await;
        let user = "The user with name X cannot be found.";
        let group = "The group with name X cannot be found.";
        let role = "The role with name X cannot be found.";
        let profile = "Instance Profile X cannot be found.";
        let gone = "Policy arn:aws:iam::123456789012:policy/p was not found.";
        let unattachable = "Policy arn:aws:iam::123456789012:policy/p does not exist or is not attachable.";
        let foreign = "arn:aws:iam::000000000001:policy/p";
        let rows: &[Row<'_>] = &[
            ("GetUser", &[("UserName", "X")], user),
            ("DeleteUser", &[("UserName", "X")], user),
            ("UpdateUser", &[("UserName", "X"), ("NewPath", "/y/")], user),
            ("CreateAccessKey", &[("UserName", "X")], user),
            ("ListAccessKeys", &[("UserName", "X")], user),
            ("AddUserToGroup", &[("GroupName", "g"), ("UserName", "X")], user),
            ("RemoveUserFromGroup", &[("GroupName", "g"), ("UserName", "X")], user),
            ("TagUser", &[("UserName", "X"), ("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")], user),
            ("ListAttachedUserPolicies", &[("UserName", "X")], user),
            ("PutUserPolicy", &[("UserName", "X"), ("PolicyName", "p"), ("PolicyDocument", &document)], user),
            ("PutUserPermissionsBoundary", &[("UserName", "X"), ("PermissionsBoundary", READ_ONLY)], user),
            ("GetGroup", &[("GroupName", "X")], group),
            ("AddUserToGroup", &[("GroupName", "X"), ("UserName", "u")], group),
            ("DeleteGroup", &[("GroupName", "X")], group),
            ("GetRole", &[("RoleName", "X")], role),
            ("DeleteRole", &[("RoleName", "X")], role),
            ("UpdateAssumeRolePolicy", &[("RoleName", "X"), ("PolicyDocument", &trust)], role),
            ("AddRoleToInstanceProfile", &[("InstanceProfileName", "i"), ("RoleName", "X")], role),
            ("RemoveRoleFromInstanceProfile", &[("InstanceProfileName", "i"), ("RoleName", "X")], role),
            ("GetInstanceProfile", &[("InstanceProfileName", "X")], profile),
            ("AddRoleToInstanceProfile", &[("InstanceProfileName", "X"), ("RoleName", "r")], profile),
            (
                "GetUserPolicy",
                &[("UserName", "u"), ("PolicyName", "P")],
                "The user policy with name P cannot be found.",
            ),
            (
                "DeleteUserPolicy",
                &[("UserName", "u"), ("PolicyName", "P")],
                "The user policy with name P cannot be found.",
            ),
            (
                "GetGroupPolicy",
                &[("GroupName", "g"), ("PolicyName", "P")],
                "The group policy with name P cannot be found.",
            ),
            (
                "GetRolePolicy",
                &[("RoleName", "r"), ("PolicyName", "P")],
                "The role policy with name P cannot be found.",
            ),
            ("GetPolicy", &[("PolicyArn", POLICY)], gone),
            ("DeletePolicy", &[("PolicyArn", POLICY)], gone),
            ("DetachUserPolicy", &[("UserName", "u"), ("PolicyArn", POLICY)], gone),
            ("ListEntitiesForPolicy", &[("PolicyArn", POLICY)], gone),
            ("AttachUserPolicy", &[("UserName", "u"), ("PolicyArn", POLICY)], unattachable),
            (
                "PutRolePermissionsBoundary",
                &[("RoleName", "r"), ("PermissionsBoundary", POLICY)],
                unattachable,
            ),
            ("CreateUser", &[("UserName", "n"), ("PermissionsBoundary", POLICY)], unattachable),
            (
                "GetPolicy",
                &[("PolicyArn", foreign)],
                "Policy arn:aws:iam::000000000001:policy/p was not found.",
            ),
            (
                "GetPolicyVersion",
                &[("PolicyArn", READ_ONLY), ("VersionId", "v1")],
                "Policy arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly version v1 does not exist or is \
                 not attachable.",
            ),
            (
                "DeleteAccessKey",
                &[("UserName", "u"), ("AccessKeyId", "AKIAIOSFODNN7EXAMPLE")],
                "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
            ),
            (
                "GetAccessKeyLastUsed",
                &[("AccessKeyId", "AKIAIOSFODNN7EXAMPLE")],
                "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
            ),
        ];
        for (operation, parameters, sentence) in rows {
            expect(&house, operation, parameters, (404, "NoSuchEntity", sentence)).await;
        }
        assert_eq!(house.refused("GetUser", &[("UserName", "n")]).await.0, 404, "nothing was half done");
    }
}

#[tokio::test]
async fn the_policies_of_another_account_are_not_there() {
    for house in houses().await {
        house.done("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &allow("ecr:*"))]).await;
        house.iam_as(&house.stranger, "CreateUser", &[("UserName", "u")]).await.good("user");
        for (operation, parameters) in [
            ("GetPolicy", &[("PolicyArn", POLICY)][..]),
            ("DeletePolicy", &[("PolicyArn", POLICY)]),
            ("AttachUserPolicy", &[("UserName", "u"), ("PolicyArn", POLICY)]),
            ("PutUserPermissionsBoundary", &[("UserName", "u"), ("PermissionsBoundary", POLICY)]),
        ] {
            let refused = house.iam_as(&house.stranger, operation, parameters).await;
            assert_eq!(refused.refusal().1, "NoSuchEntity", "{operation}");
        }
        house.done("GetPolicy", &[("PolicyArn", POLICY)]).await;
    }
}

#[tokio::test]
async fn what_is_there_already() {
    let (document, trust) = (allow("ecr:*"), trust("*"));
    for house in houses().await {
        let rows: &[Row<'_>] = &[
            ("CreateUser", &[("UserName", "x")], "User with name x already exists."),
            ("CreateGroup", &[("GroupName", "x")], "Group with name x already exists."),
            (
                "CreateRole",
                &[("RoleName", "x"), ("AssumeRolePolicyDocument", &trust)],
                "Role with name x already exists.",
            ),
            ("CreateInstanceProfile", &[("InstanceProfileName", "x")], "Instance Profile x already exists."),
            (
                "CreatePolicy",
                &[("PolicyName", "x"), ("PolicyDocument", &document)],
                "A policy called x already exists. Duplicate names are not allowed.",
            ),
        ];
        for (operation, parameters, sentence) in rows {
            house.done(operation, parameters).await;
            expect(&house, operation, parameters, (409, "EntityAlreadyExists", sentence)).await;
        }
    }
}
