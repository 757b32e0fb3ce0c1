//! Which members each answer has: iam.md §2.2, "field presence".

use super::{allow, trust};
use crate::api::query::testing::houses;

#[tokio::test]
async fn roles() {
    for house in houses().await {
        let document = trust("*");
        let made =
            house.done("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &document)]).await;
        assert!(made.has("AssumeRolePolicyDocument"));
        for absent in ["MaxSessionDuration", "Description", "Tags", "PermissionsBoundary", "RoleLastUsed"] {
            assert!(!made.has(absent), "{absent}");
        }
        let shown = house.done("GetRole", &[("RoleName", "r")]).await;
        assert_eq!(shown.text("MaxSessionDuration"), "3600");
        assert!(shown.xml.contains("<RoleLastUsed/>"), "{}", shown.xml);
        let tagged = [("RoleName", "r"), ("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")];
        house.done("TagRole", &tagged).await;
        let policy =
            house.done("CreatePolicy", &[("PolicyName", "b"), ("PolicyDocument", &allow("*"))]).await;
        let boundary = [("RoleName", "r"), ("PermissionsBoundary", &policy.text("Arn"))];
        house.done("PutRolePermissionsBoundary", &boundary).await;
        let shown = house.done("GetRole", &[("RoleName", "r")]).await;
        assert!(shown.has("Tags") && shown.has("PermissionsBoundary"));
        let listed = house.done("ListRoles", &[]).await;
        assert!(listed.has("MaxSessionDuration"));
        for absent in ["Tags", "PermissionsBoundary", "RoleLastUsed"] {
            assert!(!listed.has(absent), "{absent}");
        }
    }
}

#[tokio::test]
async fn users_and_policies() {
    for house in houses().await {
        let policy = house
            .done(
                "CreatePolicy",
                &[
                    ("PolicyName", "p"),
                    ("PolicyDocument", &allow("*")),
                    ("Description", "what it is for"),
                    ("Tags.member.1.Key", "k"),
                    ("Tags.member.1.Value", "v"),
                ],
            )
            .await;
        for (element, value) in [
            ("AttachmentCount", "0"),
            ("DefaultVersionId", "v1"),
            ("IsAttachable", "true"),
            ("Path", "/"),
            ("PermissionsBoundaryUsageCount", "0"),
            ("PolicyName", "p"),
        ] {
            assert_eq!(policy.text(element), value);
        }
        let arn = policy.text("Arn");
        let made = [("UserName", "u"), ("PermissionsBoundary", arn.as_str())];
        assert!(house.done("CreateUser", &made).await.has("PermissionsBoundary"));
        assert_eq!(
            house.done("GetPolicy", &[("PolicyArn", &arn)]).await.text("PermissionsBoundaryUsageCount"),
            "1"
        );
        let shown = house.done("GetUser", &[("UserName", "u")]).await;
        assert_eq!(shown.text("PermissionsBoundaryArn"), arn);
        assert!(!house.done("ListUsers", &[]).await.has("PermissionsBoundary"));
        let local = house.done("ListPolicies", &[("Scope", "Local")]).await;
        assert!(!local.has("Description") && !local.has("Tags"));
        let shown = house.done("GetPolicy", &[("PolicyArn", &arn)]).await;
        assert!(shown.has("Tags"));
        assert_eq!(shown.text("Description"), "what it is for");
    }
}

#[tokio::test]
async fn operations_without_a_result_have_only_metadata_and_empty_lists_are_there() {
    for house in houses().await {
        let empty = house.done("ListUsers", &[]).await;
        assert!(
            empty.xml.contains("<ListUsersResult><Users/><IsTruncated>false</IsTruncated></ListUsersResult>")
        );
        house.done("CreateUser", &[("UserName", "u")]).await;
        let gone = house.done("DeleteUser", &[("UserName", "u")]).await;
        assert_eq!(
            gone.xml,
            "<DeleteUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata>\
             <RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata></DeleteUserResponse>"
        );
    }
}

#[tokio::test]
async fn the_root_is_a_user_without_a_name() {
    for house in houses().await {
        let root = house.done("GetUser", &[]).await;
        assert_eq!(root.text("Arn"), "arn:aws:iam::123456789012:root");
        assert_eq!(root.text("UserId"), "123456789012");
        assert!(!root.has("UserName") && root.has("CreateDate"));
        let keys = house.done("ListAccessKeys", &[]).await;
        assert_eq!(keys.texts("AccessKeyId"), std::slice::from_ref(&house.root.id));
        let summary = house.done("GetAccountSummary", &[]).await;
        assert!(summary.xml.contains("<entry><key>AccountAccessKeysPresent</key><value>1</value></entry>"));
        assert!(summary.xml.contains("<entry><key>UsersQuota</key><value>5000</value></entry>"));
    }
}
