//! Trust policies: who may be named, and what a name means later (iam.md §3.2).

use super::trust;
use crate::api::query::testing::{STRANGER, houses};

const BOB: &str = "arn:aws:iam::123456789012:user/bob";

#[tokio::test]
async fn principals_must_exist_where_that_can_be_known() {
    for house in houses().await {
        let create = async |principal: &str| {
            let document = trust(principal);
            house.iam("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &document)]).await
        };
        let foreign = format!("arn:aws:iam::{STRANGER}:user/nobody");
        for principal in [BOB, "AIDAAAAAAAAAAAAAAAAAA", &foreign, "arn:aws:iam::123456789012:group/g"] {
            let message = format!("Invalid principal in policy: \"AWS\":\"{principal}\"");
            let expected = (400, "MalformedPolicyDocument".to_owned(), message);
            assert_eq!(create(principal).await.refusal(), expected, "{}", house.engine);
        }
        assert_eq!(house.refused("GetRole", &[("RoleName", "r")]).await.0, 404);
        // Accounts that do not live here cannot be asked.
        create("arn:aws:iam::999999999999:user/somebody").await.good("a user of a foreign account");
        let (status, code, message) = house
            .refused("UpdateAssumeRolePolicy", &[("RoleName", "r"), ("PolicyDocument", "nothing")])
            .await;
        assert_eq!((status, code.as_str()), (400, "MalformedPolicyDocument"));
        assert_eq!(message, "This policy contains invalid Json");
    }
}

#[tokio::test]
async fn a_name_is_bound_to_who_bore_it() {
    for house in houses().await {
        house.done("CreateUser", &[("UserName", "bob")]).await;
        let id = house.done("GetUser", &[("UserName", "bob")]).await.text("UserId");
        house.done("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust(BOB))]).await;
        let shown = async || {
            let text = house.done("GetRole", &[("RoleName", "r")]).await.text("AssumeRolePolicyDocument");
            String::from_utf8(aws::percent::decode(text.as_bytes(), false).unwrap()).unwrap()
        };
        assert_eq!(shown().await, trust(BOB));
        house.done("UpdateUser", &[("UserName", "bob"), ("NewUserName", "rob"), ("NewPath", "/x/")]).await;
        assert_eq!(shown().await, trust("arn:aws:iam::123456789012:user/x/rob"));
        house.done("DeleteUser", &[("UserName", "rob")]).await;
        assert_eq!(shown().await, trust(&id));
        house.done("CreateUser", &[("UserName", "bob")]).await;
        assert_eq!(shown().await, trust(&id), "another bob is another bob");
    }
}
