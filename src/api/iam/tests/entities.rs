//! What the tutorial does, and what becomes of it: users, groups, policies, roles, profiles.

use super::{allow, trust};
use crate::api::query::testing::houses;

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";

#[tokio::test]
async fn a_user_with_a_group_and_policies() {
    for house in houses().await {
        let user = house.done("CreateUser", &[("UserName", "johndoe"), ("Path", "/eng/")]).await;
        assert_eq!(user.text("Arn"), "arn:aws:iam::123456789012:user/eng/johndoe");
        assert!(user.text("UserId").starts_with("AIDA") && user.text("UserId").len() == 21);
        assert_eq!(user.text("CreateDate"), "2025-11-23T12:13:20Z");
        let key = house.done("CreateAccessKey", &[("UserName", "johndoe")]).await;
        assert!(key.text("AccessKeyId").starts_with("AKIA") && key.text("AccessKeyId").len() == 20);
        assert_eq!((key.text("SecretAccessKey").len(), key.text("Status")), (40, "Active".to_owned()));

        house.done("AttachUserPolicy", &[("UserName", "johndoe"), ("PolicyArn", READ_ONLY)]).await;
        house.done("AttachUserPolicy", &[("UserName", "johndoe"), ("PolicyArn", READ_ONLY)]).await;
        let attached = house.done("ListAttachedUserPolicies", &[("UserName", "johndoe")]).await;
        assert_eq!(attached.texts("PolicyArn"), [READ_ONLY]);
        assert_eq!(attached.text("PolicyName"), "AmazonEC2ContainerRegistryReadOnly");

        let group = house.done("CreateGroup", &[("GroupName", "pushers")]).await;
        assert!(group.text("GroupId").starts_with("AGPA"));
        let member = [("GroupName", "pushers"), ("UserName", "johndoe")];
        house.done("AddUserToGroup", &member).await;
        house.done("AddUserToGroup", &member).await;
        let policy =
            house.done("CreatePolicy", &[("PolicyName", "push"), ("PolicyDocument", &allow("ecr:*"))]).await;
        assert!(policy.text("PolicyId").starts_with("ANPA"));
        let arn = policy.text("Arn");
        assert_eq!(arn, "arn:aws:iam::123456789012:policy/push");
        house.done("AttachGroupPolicy", &[("GroupName", "pushers"), ("PolicyArn", &arn)]).await;

        let shown = house.done("GetGroup", &[("GroupName", "pushers")]).await;
        assert_eq!(shown.texts("UserName"), ["johndoe"]);
        let groups = house.done("ListGroupsForUser", &[("UserName", "johndoe")]).await;
        assert_eq!(groups.texts("GroupName"), ["pushers"]);
        let users = house.done("ListEntitiesForPolicy", &[("PolicyArn", &arn)]).await;
        assert_eq!(users.texts("GroupName"), ["pushers"]);
        assert!(users.texts("UserName").is_empty());
        assert_eq!(house.done("GetPolicy", &[("PolicyArn", &arn)]).await.text("AttachmentCount"), "1");

        house.done("RemoveUserFromGroup", &member).await;
        house.done("RemoveUserFromGroup", &member).await;
        house.done("DetachGroupPolicy", &[("GroupName", "pushers"), ("PolicyArn", &arn)]).await;
        house.done("DeletePolicy", &[("PolicyArn", &arn)]).await;
        house.done("DeleteGroup", &[("GroupName", "pushers")]).await;
        house.done("DetachUserPolicy", &[("UserName", "johndoe"), ("PolicyArn", READ_ONLY)]).await;
        let id = key.text("AccessKeyId");
        house.done("DeleteAccessKey", &[("UserName", "johndoe"), ("AccessKeyId", &id)]).await;
        house.done("DeleteUser", &[("UserName", "johndoe")]).await;
        assert!(house.done("ListUsers", &[]).await.texts("UserName").is_empty());
    }
}

#[tokio::test]
async fn documents_come_back_byte_for_byte() {
    for house in houses().await {
        house.user("alice").await;
        // Spaces, line ends, an escape and a percent sign that must not be decoded a second time.
        let text = "{ \"Version\": \"2012-10-17\",\n\t\"Statement\": {\"Effect\":\"Allow\", \"Action\":\"ecr:Get*\",\
                    \"Resource\":\"arn:aws:ecr:eu-central-1:123456789012:repository%3Ax+\u{e9}\"} }";
        let named = [("UserName", "alice"), ("PolicyName", "p")];
        house
            .done("PutUserPolicy", &[("UserName", "alice"), ("PolicyName", "p"), ("PolicyDocument", text)])
            .await;
        let shown = house.done("GetUserPolicy", &named).await.text("PolicyDocument");
        let decoded = aws::percent::decode(shown.as_bytes(), false).unwrap();
        assert_eq!(String::from_utf8(decoded).unwrap(), text);
        assert!(!shown.contains(['{', ' ', '+']), "{shown}");
        assert_eq!(house.done("ListUserPolicies", &[("UserName", "alice")]).await.texts("member"), ["p"]);
        house.done("DeleteUserPolicy", &named).await;
    }
}

#[tokio::test]
async fn versions_of_a_policy() {
    for house in houses().await {
        let made =
            house.done("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &allow("ecr:A"))]).await;
        let arn = made.text("Arn");
        let second =
            [("PolicyArn", arn.as_str()), ("PolicyDocument", &allow("ecr:B")), ("SetAsDefault", "true")];
        assert_eq!(house.done("CreatePolicyVersion", &second).await.text("VersionId"), "v2");
        assert_eq!(house.done("GetPolicy", &[("PolicyArn", &arn)]).await.text("DefaultVersionId"), "v2");
        let listed = house.done("ListPolicyVersions", &[("PolicyArn", &arn)]).await;
        assert_eq!(listed.texts("VersionId"), ["v2", "v1"]);
        assert_eq!(listed.texts("IsDefaultVersion"), ["true", "false"]);
        house.done("SetDefaultPolicyVersion", &[("PolicyArn", &arn), ("VersionId", "v1")]).await;
        house.done("DeletePolicyVersion", &[("PolicyArn", &arn), ("VersionId", "v2")]).await;
        // The number of a deleted version is not used again.
        let third = [("PolicyArn", arn.as_str()), ("PolicyDocument", &allow("ecr:C"))];
        assert_eq!(house.done("CreatePolicyVersion", &third).await.text("VersionId"), "v3");
        let shown = house.done("GetPolicyVersion", &[("PolicyArn", &arn), ("VersionId", "v3")]).await;
        assert_eq!(shown.text("Document"), aws::percent::encode(allow("ecr:C")));
        assert_eq!(shown.text("IsDefaultVersion"), "false");
    }
}

#[tokio::test]
async fn a_role_in_an_instance_profile() {
    for house in houses().await {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        let role =
            house.done("CreateRole", &[("RoleName", "node"), ("AssumeRolePolicyDocument", text)]).await;
        assert!(role.text("RoleId").starts_with("AROA"));
        let profile = house.done("CreateInstanceProfile", &[("InstanceProfileName", "nodes")]).await;
        assert!(profile.text("InstanceProfileId").starts_with("AIPA"));
        let pair = [("InstanceProfileName", "nodes"), ("RoleName", "node")];
        house.done("AddRoleToInstanceProfile", &pair).await;
        let shown = house.done("GetInstanceProfile", &[("InstanceProfileName", "nodes")]).await;
        assert_eq!(shown.text("RoleName"), "node");
        let listed = house.done("ListInstanceProfilesForRole", &[("RoleName", "node")]).await;
        assert_eq!(listed.text("InstanceProfileName"), "nodes");
        house.done("RemoveRoleFromInstanceProfile", &pair).await;
        house.done("DeleteInstanceProfile", &[("InstanceProfileName", "nodes")]).await;
        house
            .done(
                "UpdateRole",
                &[("RoleName", "node"), ("Description", "of a node"), ("MaxSessionDuration", "7200")],
            )
            .await;
        let shown = house.done("GetRole", &[("RoleName", "node")]).await;
        assert_eq!(shown.text("Description"), "of a node");
        assert_eq!(shown.text("MaxSessionDuration"), "7200");
        let again = house.done("UpdateRoleDescription", &[("RoleName", "node"), ("Description", "x")]).await;
        assert_eq!(again.text("Description"), "x");
        house
            .done(
                "UpdateAssumeRolePolicy",
                &[("RoleName", "node"), ("PolicyDocument", &trust("123456789012"))],
            )
            .await;
        let shown = house.done("GetRole", &[("RoleName", "node")]).await;
        // An account id comes back as the ARN of its root.
        let expected = aws::percent::encode(trust("arn:aws:iam::123456789012:root"));
        assert_eq!(shown.text("AssumeRolePolicyDocument"), expected);
        house.done("DeleteRole", &[("RoleName", "node")]).await;
    }
}

#[tokio::test]
async fn names_are_unique_without_regard_to_case_and_found_only_in_theirs() {
    for house in houses().await {
        house.done("CreateUser", &[("UserName", "Alice"), ("Path", "/a/")]).await;
        let again = house.refused("CreateUser", &[("UserName", "ALICE"), ("Path", "/b/")]).await;
        let exists = "User with name ALICE already exists.".to_owned();
        assert_eq!(again, (409, "EntityAlreadyExists".to_owned(), exists));
        assert_eq!(house.refused("GetUser", &[("UserName", "alice")]).await.1, "NoSuchEntity");
        assert_eq!(house.done("GetUser", &[("UserName", "Alice")]).await.text("UserName"), "Alice");
        // A group of the same name is another thing.
        house.done("CreateGroup", &[("GroupName", "alice")]).await;
    }
}

#[tokio::test]
async fn a_renamed_user_keeps_its_id_and_what_hangs_on_it() {
    for house in houses().await {
        let key = house.user("alice").await;
        house.user("bob").await;
        let before = house.done("GetUser", &[("UserName", "alice")]).await.text("UserId");
        let taken = house.refused("UpdateUser", &[("UserName", "alice"), ("NewUserName", "BOB")]).await;
        assert_eq!(taken.1, "EntityAlreadyExists");
        let change = [("UserName", "alice"), ("NewUserName", "ALICE"), ("NewPath", "/eng/")];
        house.done("UpdateUser", &change).await;
        let after = house.done("GetUser", &[("UserName", "ALICE")]).await;
        assert_eq!(after.text("UserId"), before);
        assert_eq!(after.text("Arn"), "arn:aws:iam::123456789012:user/eng/ALICE");
        let keys = house.done("ListAccessKeys", &[("UserName", "ALICE")]).await;
        assert_eq!(keys.texts("AccessKeyId"), [key.id]);
    }
}

#[tokio::test]
async fn tags_are_unique_without_regard_to_case() {
    for house in houses().await {
        let made = [("UserName", "alice"), ("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "web")];
        house.done("CreateUser", &made).await;
        let more = [
            ("UserName", "alice"),
            ("Tags.member.1.Key", "TEAM"),
            ("Tags.member.1.Value", "api"),
            ("Tags.member.2.Key", "env"),
            ("Tags.member.2.Value", ""),
        ];
        house.done("TagUser", &more).await;
        let listed = house.done("ListUserTags", &[("UserName", "alice")]).await;
        assert_eq!(listed.texts("Key"), ["env", "TEAM"]);
        house.done("UntagUser", &[("UserName", "alice"), ("TagKeys.member.1", "tEAM")]).await;
        assert_eq!(house.done("ListUserTags", &[("UserName", "alice")]).await.texts("Key"), ["env"]);
        let twice = [
            ("UserName", "alice"),
            ("Tags.member.1.Key", "a"),
            ("Tags.member.1.Value", "1"),
            ("Tags.member.2.Key", "A"),
            ("Tags.member.2.Value", "2"),
        ];
        assert_eq!(house.refused("TagUser", &twice).await.1, "InvalidInput");
    }
}

#[tokio::test]
async fn an_alias_belongs_to_one_account_and_replaces_the_one_before() {
    for house in houses().await {
        house.done("CreateAccountAlias", &[("AccountAlias", "one")]).await;
        house.done("CreateAccountAlias", &[("AccountAlias", "two")]).await;
        assert_eq!(house.done("ListAccountAliases", &[]).await.texts("member"), ["two"]);
        let taken = house.iam_as(&house.stranger, "CreateAccountAlias", &[("AccountAlias", "two")]).await;
        assert_eq!(taken.text("Code"), "EntityAlreadyExists");
        assert_eq!(house.refused("DeleteAccountAlias", &[("AccountAlias", "one")]).await.1, "NoSuchEntity");
        house.done("DeleteAccountAlias", &[("AccountAlias", "two")]).await;
        assert!(house.done("ListAccountAliases", &[]).await.texts("member").is_empty());
    }
}
