//! Who may do what: the guard in front of the room, and how fast a change counts.

use super::allow;
use crate::access::{Identity, action};
use crate::api::query::testing::{Answer, House, Key, OWNER, houses};

async fn grant(house: &House, user: &str, policy: &str) {
    house.done("PutUserPolicy", &[("UserName", user), ("PolicyName", "p"), ("PolicyDocument", policy)]).await;
}

fn sentence(answer: &Answer) -> String {
    let (status, code, message) = answer.refusal();
    assert_eq!((status, code.as_str()), (403, "AccessDenied"), "{}", answer.xml);
    message
}

#[tokio::test]
async fn nobody_may_anything_by_nature_and_the_refusal_names_the_entity() {
    let tail = |action: &str| format!("because no identity-based policy allows the {action} action");
    for house in houses().await {
        let key = house.user("alice").await;
        house.done("CreateUser", &[("UserName", "bob"), ("Path", "/eng/")]).await;
        let me = "User: arn:aws:iam::123456789012:user/alice is not authorized to perform:";
        let policy = "arn:aws:iam::aws:policy/AdministratorAccess";
        for (operation, parameters, resource) in [
            ("ListAccessKeys", &[][..], "user alice"),
            ("GetUser", &[], "user alice"),
            ("GetUser", &[("UserName", "bob")], "user bob"),
            ("GetUser", &[("UserName", "nobody")], "user nobody"),
            ("ListUsers", &[], "*"),
            ("GetPolicy", &[("PolicyArn", policy)], "policy arn:aws:iam::aws:policy/AdministratorAccess"),
            ("CreateUser", &[("UserName", "n"), ("Path", "/x/")], "arn:aws:iam::123456789012:user/x/n"),
            ("GetInstanceProfile", &[("InstanceProfileName", "i")], "instance profile i"),
            ("CreateServiceLinkedRole", &[("AWSServiceName", "ecr.amazonaws.com")], "*"),
        ] {
            let action = format!("iam:{operation}");
            let expected = format!("{me} {action} on resource: {resource} {}", tail(&action));
            assert_eq!(sentence(&house.iam_as(&key, operation, parameters).await), expected);
        }
        assert_eq!(house.refused("GetUser", &[("UserName", "n")]).await.0, 404, "nothing was created");
    }
}

#[tokio::test]
async fn a_permission_on_a_path_reaches_what_lies_under_it() {
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*User","Resource":"arn:aws:iam::123456789012:user/eng/*"}]}"#;
    for house in houses().await {
        let key = house.user("alice").await;
        grant(&house, "alice", policy).await;
        for (path, is_allowed) in [("/eng/", true), ("/eng/a/", true), ("/", false), ("/ops/", false)] {
            let answer = house.iam_as(&key, "CreateUser", &[("UserName", "n"), ("Path", path)]).await;
            assert_eq!(answer.status == 200, is_allowed, "{path}");
            if is_allowed {
                house.iam_as(&key, "GetUser", &[("UserName", "n")]).await.good("read");
                house.iam_as(&key, "DeleteUser", &[("UserName", "n")]).await.good("delete");
            }
        }
        // To move a user out of the path needs the right on the other side too, and nothing moves without it.
        house.iam_as(&key, "CreateUser", &[("UserName", "n"), ("Path", "/eng/")]).await.good("create");
        let moved = house.iam_as(&key, "UpdateUser", &[("UserName", "n"), ("NewPath", "/ops/")]).await;
        assert!(sentence(&moved).contains("on resource: arn:aws:iam::123456789012:user/ops/n because"));
        assert_eq!(house.done("GetUser", &[("UserName", "n")]).await.text("Path"), "/eng/");
        house.iam_as(&key, "UpdateUser", &[("UserName", "n"), ("NewPath", "/eng/b/")]).await.good("move");
    }
}

async fn is_allowed(house: &House, key: &Key) -> bool {
    house.iam_as(key, "ListGroups", &[]).await.status == 200
}

#[tokio::test]
async fn every_change_of_policies_counts_at_the_next_request() {
    for house in houses().await {
        let key = house.user("alice").await;
        assert!(!is_allowed(&house, &key).await);
        let made = house
            .done("CreatePolicy", &[("PolicyName", "list"), ("PolicyDocument", &allow("iam:List*"))])
            .await;
        let arn = made.text("Arn");
        let user = [("UserName", "alice"), ("PolicyArn", arn.as_str())];
        house.done("AttachUserPolicy", &user).await;
        assert!(is_allowed(&house, &key).await, "attached");
        house
            .done(
                "CreatePolicyVersion",
                &[("PolicyArn", &arn), ("PolicyDocument", &allow("ecr:*")), ("SetAsDefault", "true")],
            )
            .await;
        assert!(!is_allowed(&house, &key).await, "another version");
        house.done("SetDefaultPolicyVersion", &[("PolicyArn", &arn), ("VersionId", "v1")]).await;
        assert!(is_allowed(&house, &key).await, "the first version");
        house.done("DetachUserPolicy", &user).await;
        assert!(!is_allowed(&house, &key).await, "detached");

        house.done("CreateGroup", &[("GroupName", "g")]).await;
        house.done("AttachGroupPolicy", &[("GroupName", "g"), ("PolicyArn", &arn)]).await;
        let member = [("GroupName", "g"), ("UserName", "alice")];
        house.done("AddUserToGroup", &member).await;
        assert!(is_allowed(&house, &key).await, "in the group");
        let read_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
        let boundary = [("UserName", "alice"), ("PermissionsBoundary", read_only)];
        house.done("PutUserPermissionsBoundary", &boundary).await;
        let denied = house.iam_as(&key, "ListGroups", &[]).await;
        assert!(
            sentence(&denied).ends_with("because no permissions boundary allows the iam:ListGroups action")
        );
        house.done("DeleteUserPermissionsBoundary", &[("UserName", "alice")]).await;
        assert!(is_allowed(&house, &key).await, "without the boundary");
        house.done("RemoveUserFromGroup", &member).await;
        assert!(!is_allowed(&house, &key).await, "out of the group");

        grant(&house, "alice", &allow("iam:*")).await;
        assert!(is_allowed(&house, &key).await, "inline");
        let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:ListGroups","Resource":"*"}}"#;
        let inline = [("GroupName", "g"), ("PolicyName", "no"), ("PolicyDocument", deny)];
        house.done("AddUserToGroup", &member).await;
        house.done("PutGroupPolicy", &inline).await;
        let denied = house.iam_as(&key, "ListGroups", &[]).await;
        assert!(sentence(&denied).ends_with("with an explicit deny in an identity-based policy"));
    }
}

#[tokio::test]
async fn a_key_that_is_deactivated_or_deleted_is_dead_at_the_next_request() {
    for house in houses().await {
        let key = house.user("alice").await;
        grant(&house, "alice", &allow("iam:*")).await;
        assert!(is_allowed(&house, &key).await);
        let named =
            |status: &'static str| [("UserName", "alice"), ("AccessKeyId", &*key.id), ("Status", status)];
        house.done("UpdateAccessKey", &named("Inactive")).await;
        let dead = (
            403,
            "InvalidClientTokenId".to_owned(),
            "The security token included in the request is invalid.".to_owned(),
        );
        assert_eq!(house.iam_as(&key, "ListGroups", &[]).await.refusal(), dead);
        house.done("UpdateAccessKey", &named("Active")).await;
        assert!(is_allowed(&house, &key).await);
        house.done("DeleteAccessKey", &[("UserName", "alice"), ("AccessKeyId", &key.id)]).await;
        assert_eq!(house.iam_as(&key, "ListGroups", &[]).await.refusal(), dead);
    }
}

#[tokio::test]
async fn users_manage_themselves_when_a_policy_lets_them() {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:*AccessKey*","iam:GetUser"],"Resource":"arn:aws:iam::123456789012:user/${aws:username}"}}"#;
    for house in houses().await {
        let key = house.user("alice").await;
        house.user("bob").await;
        grant(&house, "alice", policy).await;
        assert_eq!(house.iam_as(&key, "GetUser", &[]).await.good("self").text("UserName"), "alice");
        let own = house.iam_as(&key, "ListAccessKeys", &[]).await.good("own keys");
        assert_eq!(own.texts("AccessKeyId"), std::slice::from_ref(&key.id));
        house.iam_as(&key, "CreateAccessKey", &[]).await.good("a second key");
        sentence(&house.iam_as(&key, "ListAccessKeys", &[("UserName", "bob")]).await);
        sentence(&house.iam_as(&key, "CreateAccessKey", &[("UserName", "bob")]).await);
        let used = house.iam_as(&key, "GetAccessKeyLastUsed", &[("AccessKeyId", &key.id)]).await.good("use");
        assert_eq!((used.text("ServiceName"), used.text("UserName")), ("iam".to_owned(), "alice".to_owned()));
    }
}

#[tokio::test]
async fn the_last_use_of_a_key_is_kept() {
    for house in houses().await {
        let key = house.user("alice").await;
        let last = [("AccessKeyId", key.id.as_str())];
        let never = house.done("GetAccessKeyLastUsed", &last).await;
        assert_eq!((never.text("ServiceName"), never.text("Region")), ("N/A".to_owned(), "N/A".to_owned()));
        assert!(!never.has("LastUsedDate"));
        house.iam_as(&key, "GetUser", &[]).await;
        house.services.identity.flush_last_used().await.unwrap();
        house.services.identity.flush_last_used().await.unwrap();
        let used = house.done("GetAccessKeyLastUsed", &last).await;
        assert_eq!(used.text("LastUsedDate"), "2025-11-23T12:13:20Z", "{}", house.engine);
        assert_eq!(
            (used.text("ServiceName"), used.text("Region")),
            ("iam".to_owned(), "eu-central-1".to_owned())
        );
    }
}

#[tokio::test]
async fn conditions_see_tags_policies_and_boundaries() {
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iam:AttachUserPolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}}},
        {"Effect":"Allow","Action":"iam:CreateUser","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"web","iam:PermissionsBoundary":"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}},
        {"Effect":"Allow","Action":"iam:DeleteUser","Resource":"*","Condition":{"StringEquals":{"iam:ResourceTag/team":"web"}}}]}"#;
    for house in houses().await {
        let key = house.user("alice").await;
        house.user("bob").await;
        grant(&house, "alice", policy).await;
        let attach = async |name: &str| {
            let arn = format!("arn:aws:iam::aws:policy/{name}");
            house.iam_as(&key, "AttachUserPolicy", &[("UserName", "bob"), ("PolicyArn", &arn)]).await.status
        };
        assert_eq!(attach("AmazonEC2ContainerRegistryReadOnly").await, 200);
        assert_eq!(attach("AdministratorAccess").await, 403);
        let boundary = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
        let mut create = vec![
            ("UserName", "n"),
            ("PermissionsBoundary", boundary),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "web"),
        ];
        assert_eq!(house.iam_as(&key, "CreateUser", &create[..1]).await.status, 403);
        assert_eq!(house.iam_as(&key, "CreateUser", &create[..2]).await.status, 403);
        create.extend([("Tags.member.2.Key", "other"), ("Tags.member.2.Value", "x")]);
        assert_eq!(house.iam_as(&key, "CreateUser", &create).await.status, 403, "one tag too many");
        house.iam_as(&key, "CreateUser", &create[..4]).await.good("as the conditions want it");
        assert_eq!(house.iam_as(&key, "DeleteUser", &[("UserName", "bob")]).await.status, 403);
        house.iam_as(&key, "DeleteUser", &[("UserName", "n")]).await.good("tagged web");
    }
}

#[tokio::test]
async fn to_hand_out_a_role_is_a_right_of_its_own() {
    let trust = super::trust("*");
    for house in houses().await {
        let key = house.user("alice").await;
        house.done("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust)]).await;
        house.done("CreateInstanceProfile", &[("InstanceProfileName", "i")]).await;
        grant(&house, "alice", &allow("iam:AddRoleToInstanceProfile")).await;
        let pair = [("InstanceProfileName", "i"), ("RoleName", "r")];
        let denied = sentence(&house.iam_as(&key, "AddRoleToInstanceProfile", &pair).await);
        assert!(
            denied.contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/r because"),
            "{denied}"
        );
        grant(&house, "alice", &allow("iam:*Role*")).await;
        house.iam_as(&key, "AddRoleToInstanceProfile", &pair).await.good("with iam:PassRole");
    }
}

#[tokio::test]
async fn a_session_of_get_session_token_may_not_call_iam() {
    for house in houses().await {
        let caller = crate::access::testing::root(&policy::AccountId::parse(OWNER).unwrap());
        let key = Key { id: caller.credential.access_key_id.clone(), ..house.root.clone() };
        let account = caller.account().clone();
        let secret = zeroize::Zeroizing::new(key.secret.clone());
        house.services.identity.set_root_key(&account, &key.id, &secret).await.unwrap();
        assert_eq!(house.iam_as(&key, "ListUsers", &[]).await.status, 200);
        let resource = Identity { account, arn: "*".to_owned(), display: "*".to_owned() };
        let allowed = crate::access::testing::allow::<action::GetSessionToken>(resource);
        let made = house.services.identity.session_token(&allowed, None).unwrap();
        let session = Key {
            id: made.access_key_id,
            secret: made.secret.to_string(),
            token: Some(made.token.to_string()),
        };
        assert_eq!(house.iam_as(&session, "ListUsers", &[]).await.refusal().1, "InvalidClientTokenId");
    }
}
