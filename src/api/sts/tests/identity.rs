//! GetCallerIdentity, GetAccessKeyInfo, DecodeAuthorizationMessage, and what is not built.

use super::{OTHER, credentials, lets};
use crate::api::query::testing::{OWNER, houses};
use crate::api::sts::BUILT;

#[tokio::test]
async fn everybody_learns_who_they_are() {
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    for house in houses().await {
        let root = house.arn_of(&house.root).await.good("root");
        assert_eq!(root.text("Arn"), "arn:aws:iam::123456789012:root");
        assert_eq!((root.text("UserId"), root.text("Account")), (OWNER.to_owned(), OWNER.to_owned()));
        let key = house.member(OWNER, "alice", Some(deny)).await;
        let alice = house.arn_of(&key).await.good("in spite of the deny");
        assert_eq!(alice.text("Arn"), "arn:aws:iam::123456789012:user/alice");
        assert!(alice.text("UserId").starts_with("AIDA"));
        let other = house.member(OTHER, "bob", None).await;
        assert_eq!(house.arn_of(&other).await.text("Arn"), "arn:aws:iam::000000000001:user/bob");
        let role = house.role("r", &format!("[{}]", lets("*", "\"sts:*\"")), |_| ()).await;
        let bob = house.member(OWNER, "bob", None).await;
        let session = credentials(house.assume(&bob, &role, &[]).await);
        let shown = house.arn_of(&session).await.good("session");
        assert_eq!(shown.text("Arn"), "arn:aws:sts::123456789012:assumed-role/r/s1");
        assert!(shown.text("UserId").starts_with("AROA") && shown.text("UserId").ends_with(":s1"));
    }
}

#[tokio::test]
async fn the_account_of_a_key() {
    for house in houses().await {
        let info = house.sts(&house.root, "GetAccessKeyInfo", &[("AccessKeyId", &house.stranger.id)]).await;
        assert_eq!(info.good("info").text("Account"), OTHER);
        let user = house.member(OWNER, "alice", None).await;
        let denied = house.sts(&user, "GetAccessKeyInfo", &[("AccessKeyId", &user.id)]).await;
        assert_eq!(denied.refusal().1, "AccessDenied");
        let unknown =
            house.sts(&house.root, "GetAccessKeyInfo", &[("AccessKeyId", "whatever12345678")]).await;
        assert_eq!(unknown.refusal().1, "ValidationError");
    }
}

#[tokio::test]
async fn no_message_is_ours_and_what_is_not_built_says_so() {
    for house in houses().await {
        let message = [("EncodedMessage", "abc")];
        let refused = house.sts(&house.root, "DecodeAuthorizationMessage", &message).await;
        assert_eq!(refused.refusal().1, "InvalidAuthorizationMessageException");
        let refused = house.sts(&house.root, "GetFederationToken", &[("Name", "bob")]).await.refusal();
        let sentence = "The operation GetFederationToken is not implemented by this server".to_owned();
        assert_eq!(refused, (400, "InvalidAction".to_owned(), sentence));
        assert!(!BUILT.contains(&"GetFederationToken"));
        let user = house.member(OWNER, "alice", None).await;
        let denied = house.sts(&user, "GetFederationToken", &[("Name", "bob")]).await;
        assert_eq!(denied.refusal().1, "AccessDenied", "told only to those who may");
        let refused = house.sts(&house.root, "Nothing", &[]).await.refusal();
        assert_eq!(refused.2, "Could not find operation Nothing for version 2011-06-15");
    }
}
