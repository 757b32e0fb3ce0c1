//! GetSessionToken: what the session may, and when it ends.

use super::{credentials, entity, lets};
use crate::access::action;
use crate::access::testing::allow;
use crate::api::query::testing::{Answer, Key, NOW, OWNER, houses};
use crate::environment::SECOND;

fn seconds(answer: &Answer) -> i64 {
    answer.text("Expiration").parse::<jiff::Timestamp>().unwrap().as_second() - NOW
}

#[tokio::test]
async fn the_session_is_the_user_with_less() {
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    for house in houses().await {
        let key = house.member(OWNER, "alice", Some(all)).await;
        let answer = house.sts(&key, "GetSessionToken", &[]).await;
        assert_eq!(seconds(&answer), 43_200);
        let session = credentials(answer);
        assert!(session.id.starts_with("ASIA") && session.id.len() == 20);
        assert!(session.token.as_ref().unwrap().len() < 4096);
        assert_eq!(house.arn_of(&session).await.text("Arn"), "arn:aws:iam::123456789012:user/alice");
        let refused = house.sts(&session, "GetSessionToken", &[]).await.refusal();
        let sentence = "Cannot call GetSessionToken with session credentials".to_owned();
        assert_eq!(refused, (403, "AccessDenied".to_owned(), sentence));
        // Of STS it has only AssumeRole and GetCallerIdentity, whatever its policies allow.
        let info = [("AccessKeyId", key.id.as_str())];
        assert_eq!(house.sts(&key, "GetAccessKeyInfo", &info).await.status, 200);
        assert_eq!(house.sts(&session, "GetAccessKeyInfo", &info).await.refusal().1, "AccessDenied");
        let role = house.role("r", &format!("[{}]", lets(OWNER, "\"sts:AssumeRole\"")), |_| ()).await;
        credentials(house.assume(&session, &role, &[]).await);
        let short = house.sts(&key, "GetSessionToken", &[("DurationSeconds", "900")]).await;
        assert_eq!(seconds(&short), 900);
        let root = house.sts(&house.root, "GetSessionToken", &[("DurationSeconds", "7200")]).await;
        assert_eq!(seconds(&root), 3600, "the root's is cut");
        let device = [("SerialNumber", "arn:aws:iam::1:mfa/x"), ("TokenCode", "123456")];
        let refused = house.sts(&key, "GetSessionToken", &device).await.refusal();
        assert_eq!(refused.1, "AccessDenied");
    }
}

#[tokio::test]
async fn it_ends_in_time_and_with_its_key_and_its_user() {
    for house in houses().await {
        let user = entity(OWNER, "user", "alice");
        let key = house.member(OWNER, "alice", None).await;
        let session = credentials(house.sts(&key, "GetSessionToken", &[("DurationSeconds", "900")]).await);
        let room = &house.services.identity;
        let update = allow::<action::UpdateAccessKey>(user.clone());
        room.set_access_key_active(&update, &key.id, false).await.unwrap();
        assert_eq!(house.arn_of(&session).await.refusal().1, "InvalidClientTokenId");
        room.set_access_key_active(&update, &key.id, true).await.unwrap();
        assert_eq!(house.arn_of(&session).await.status, 200);
        house.clock.advance(899 * SECOND);
        assert_eq!(house.arn_of(&session).await.status, 200);
        house.clock.advance(SECOND);
        let (status, code, message) = house.arn_of(&session).await.refusal();
        assert_eq!((status, code.as_str()), (403, "ExpiredToken"));
        assert_eq!(message, "The security token included in the request is expired");

        let session = credentials(house.sts(&key, "GetSessionToken", &[]).await);
        let delete = allow::<action::DeleteAccessKey>(user.clone());
        room.delete_access_key(&delete, &key.id).await.unwrap();
        room.delete_user(&allow::<action::DeleteUser>(user.clone())).await.unwrap();
        room.create_user(&allow::<action::CreateUser>(user), None, &[]).await.unwrap();
        assert_eq!(house.arn_of(&session).await.refusal().1, "InvalidClientTokenId", "another alice");
    }
}

#[tokio::test]
async fn a_token_belongs_to_its_key_id() {
    for house in houses().await {
        let key = house.member(OWNER, "alice", None).await;
        let one = credentials(house.sts(&key, "GetSessionToken", &[]).await);
        let two = credentials(house.sts(&key, "GetSessionToken", &[]).await);
        let token = one.token.clone().unwrap();
        let broken = format!("{}x", token.get(..token.len() - 1).unwrap());
        for (forged, what) in [
            (Key { token: two.token.clone(), ..one.clone() }, "the token of another session"),
            (Key { token: None, ..one.clone() }, "no token"),
            (Key { token: Some(token.clone()), ..key.clone() }, "a token with a long-term key"),
            (Key { token: Some(broken), ..one.clone() }, "a changed token"),
            (Key { token: Some("x".repeat(20_000)), ..one.clone() }, "a token without end"),
        ] {
            assert_eq!(house.arn_of(&forged).await.refusal().1, "InvalidClientTokenId", "{what}");
        }
        let wrong = Key { secret: two.secret, ..one.clone() };
        assert_eq!(house.arn_of(&wrong).await.refusal().1, "SignatureDoesNotMatch");
        assert_eq!(house.arn_of(&one).await.status, 200);
    }
}
