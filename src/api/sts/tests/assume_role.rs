//! AssumeRole: who may, and what the session is (iam.md §4.4, §6.1, §6.2).

use super::{OTHER, credentials, entity, lets};
use crate::access::action;
use crate::access::testing::allow;
use crate::api::query::testing::{Answer, House, Key, NOW, OWNER, houses};

const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
const ASSUME: &str = "\"sts:AssumeRole\"";
const MAY_ASSUME: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}"#;

fn statements(list: &[String]) -> String {
    format!("[{}]", list.join(","))
}

fn denied(answer: &Answer) -> String {
    let (status, code, message) = answer.refusal();
    assert_eq!((status, code.as_str()), (403, "AccessDenied"), "{}", answer.xml);
    message
}

#[tokio::test]
async fn trust_by_name_is_enough_and_trust_in_the_account_delegates() {
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let bob = house.member(OWNER, "bob", None).await;
        let carol = house.member(OWNER, "carol", Some(MAY_ASSUME)).await;
        let named = house.role("named", &statements(&[lets(ALICE, ASSUME)]), |_| ()).await;
        let open = house.role("open", &statements(&[lets(OWNER, ASSUME)]), |_| ()).await;
        house.assume(&alice, &named, &[]).await.good("named");
        house.assume(&carol, &open, &[]).await.good("delegated");
        let expected = |user: &str, role: &str| {
            format!(
                "User: arn:aws:iam::123456789012:user/{user} is not authorized to perform: sts:AssumeRole on resource: {role}"
            )
        };
        assert_eq!(denied(&house.assume(&bob, &named, &[]).await), expected("bob", &named));
        assert_eq!(denied(&house.assume(&carol, &named, &[]).await), expected("carol", &named));
        // One sentence for all: a role that trusts the account, one that does not trust, one that does not exist.
        assert_eq!(denied(&house.assume(&alice, &open, &[]).await), expected("alice", &open));
        let absent = "arn:aws:iam::123456789012:role/absent";
        assert_eq!(denied(&house.assume(&carol, absent, &[]).await), expected("carol", absent));
        let root = denied(&house.assume(&house.root, &named, &[]).await);
        assert_eq!(root, "Roles may not be assumed by root accounts.");
        for arn in [
            "arn:aws:iam::123456789012:user/alice",
            "arn:aws:iam::123456789012:rol",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
        ] {
            let refused = house.assume(&alice, arn, &[]).await.refusal();
            assert_eq!(refused, (400, "ValidationError".to_owned(), format!("{arn} is invalid")));
        }
    }
}

#[tokio::test]
async fn both_accounts_must_agree() {
    for house in houses().await {
        let friend = house.member(OTHER, "friend", Some(MAY_ASSUME)).await;
        let mute = house.member(OTHER, "mute", None).await;
        let role = house.role("r", &statements(&[lets(OTHER, ASSUME)]), |_| ()).await;
        let closed = house.role("closed", &statements(&[lets(OWNER, ASSUME)]), |_| ()).await;
        let session = credentials(house.assume(&friend, &role, &[]).await);
        assert_eq!(house.arn_of(&session).await.text("Account"), OWNER);
        denied(&house.assume(&mute, &role, &[]).await);
        denied(&house.assume(&friend, &closed, &[]).await);
    }
}

#[tokio::test]
async fn the_answer_has_what_aws_shows() {
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let role = house.role("r", &statements(&[lets(ALICE, "\"sts:*\"")]), |_| ()).await;
        let answer = house.assume(&alice, &role, &[]).await.good("plain");
        assert_eq!(answer.texts("Arn"), ["arn:aws:sts::123456789012:assumed-role/r/s1"]);
        assert!(
            answer.text("AssumedRoleId").starts_with("AROA") && answer.text("AssumedRoleId").ends_with(":s1")
        );
        let end = answer.text("Expiration").parse::<jiff::Timestamp>().unwrap().as_second();
        assert_eq!(end, NOW + 3600);
        assert!(!answer.has("PackedPolicySize") && !answer.has("SourceIdentity"));
        let policy =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
        let more = [("Policy", policy), ("SourceIdentity", "alice@example")];
        let answer = house.assume(&alice, &role, &more).await.good("more");
        assert!(answer.has("PackedPolicySize"));
        assert_eq!(answer.text("SourceIdentity"), "alice@example");
    }
}

#[tokio::test]
async fn durations() {
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let long = house
            .role("long", &statements(&[lets("*", ASSUME)]), |new| new.max_session_seconds = Some(7200))
            .await;
        let short = house.role("short", &statements(&[lets("*", ASSUME)]), |_| ()).await;
        let two_hours = [("DurationSeconds", "7200")];
        house.assume(&alice, &long, &two_hours).await.good("as long as the role allows");
        let sentence = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        let expected = (400, "ValidationError".to_owned(), sentence.to_owned());
        assert_eq!(house.assume(&alice, &short, &two_hours).await.refusal(), expected);
        let session = credentials(house.assume(&alice, &short, &[]).await);
        let sentence = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
        let expected = (400, "ValidationError".to_owned(), sentence.to_owned());
        assert_eq!(house.assume(&session, &long, &two_hours).await.refusal(), expected);
        house.assume(&session, &long, &[]).await.good("a chain of one hour");
        for (seconds, phrase) in
            [("899", "greater than or equal to 900"), ("43201", "less than or equal to 43200")]
        {
            let refused = house.assume(&alice, &long, &[("DurationSeconds", seconds)]).await.refusal();
            let message = format!(
                "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value {phrase}"
            );
            assert_eq!(refused, (400, "ValidationError".to_owned(), message));
        }
    }
}

#[tokio::test]
async fn external_id() {
    let statement = format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{ALICE}"}},"Action":"sts:AssumeRole","Condition":{{"StringEquals":{{"sts:ExternalId":"42"}}}}}}"#
    );
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let role = house.role("r", &statements(std::slice::from_ref(&statement)), |_| ()).await;
        denied(&house.assume(&alice, &role, &[]).await);
        denied(&house.assume(&alice, &role, &[("ExternalId", "41")]).await);
        house.assume(&alice, &role, &[("ExternalId", "42")]).await.good("with the right one");
    }
}

#[tokio::test]
async fn a_bound_name_is_not_inherited() {
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let role = house.role("r", &statements(&[lets(ALICE, ASSUME)]), |_| ()).await;
        house.assume(&alice, &role, &[]).await.good("alice");
        let user = entity(OWNER, "user", "alice");
        let room = &house.services.identity;
        room.delete_access_key(&allow::<action::DeleteAccessKey>(user.clone()), &alice.id).await.unwrap();
        room.delete_user(&allow::<action::DeleteUser>(user)).await.unwrap();
        let other = house.member(OWNER, "alice", None).await;
        denied(&house.assume(&other, &role, &[]).await);
    }
}

#[tokio::test]
async fn a_session_has_the_policies_of_its_role_now_and_ends_with_it() {
    let list =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:Get*","Resource":"*"}}"#;
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let role = house.role("r", &statements(&[lets(ALICE, ASSUME)]), |_| ()).await;
        let session = credentials(house.assume(&alice, &role, &[]).await);
        assert_eq!(ask(&house, &session).await.status, 403);
        let resource = entity(OWNER, "role", "r");
        let room = &house.services.identity;
        let put = allow::<action::PutRolePolicy>(resource.clone());
        room.put_inline_policy(&put, "p", list).await.unwrap();
        assert_eq!(ask(&house, &session).await.status, 200);
        let restricted =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
        let narrow = credentials(house.assume(&alice, &role, &[("Policy", restricted)]).await);
        let message = denied(&ask(&house, &narrow).await);
        assert!(
            message.ends_with("because no session policy allows the sts:GetAccessKeyInfo action"),
            "{message}"
        );
        let managed = [("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AdministratorAccess")];
        let wide = credentials(house.assume(&alice, &role, &managed).await);
        assert_eq!(ask(&house, &wide).await.status, 200);

        let delete = allow::<action::DeleteRolePolicy>(resource.clone());
        room.delete_inline_policy(&delete, "p").await.unwrap();
        assert_eq!(ask(&house, &wide).await.status, 403, "revoked at once");
        room.delete_role(&allow::<action::DeleteRole>(resource)).await.unwrap();
        assert_eq!(house.arn_of(&session).await.refusal().1, "InvalidClientTokenId");
        house.role("r", &statements(&[lets(ALICE, ASSUME)]), |_| ()).await;
        assert_eq!(
            house.arn_of(&session).await.refusal().1,
            "InvalidClientTokenId",
            "another role of that name"
        );
    }
}

/// Something that a session may do only when its role's policies let it.
async fn ask(house: &House, key: &Key) -> Answer {
    house.sts(key, "GetAccessKeyInfo", &[("AccessKeyId", &key.id)]).await
}

#[tokio::test]
async fn session_policies_that_are_refused() {
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let role = house.role("r", &statements(&[lets(ALICE, "\"sts:*\"")]), |_| ()).await;
        let refused = house.assume(&alice, &role, &[("Policy", "{}")]).await.refusal();
        assert_eq!((refused.0, refused.1.as_str()), (400, "MalformedPolicyDocument"));
        let absent = [("PolicyArns.member.1.arn", "arn:aws:iam::123456789012:policy/absent")];
        assert_eq!(house.assume(&alice, &role, &absent).await.refusal().1, "NoSuchEntity");
        let (keys, value): (Vec<_>, _) = ((1..=20).collect(), "v".repeat(200));
        let names: Vec<(String, String, String)> = keys
            .iter()
            .map(|n| (format!("Tags.member.{n}.Key"), format!("k{n}"), format!("Tags.member.{n}.Value")))
            .collect();
        let tags: Vec<(&str, &str)> = names
            .iter()
            .flat_map(|(k, key, v)| [(k.as_str(), key.as_str()), (v.as_str(), value.as_str())])
            .collect();
        let (status, code, message) = house.assume(&alice, &role, &tags).await.refusal();
        assert_eq!((status, code.as_str()), (400, "PackedPolicyTooLarge"));
        assert!(message.starts_with("Packed policy consumes 15"), "{message}");
        let device = [("SerialNumber", "arn:aws:iam::1:mfa/x"), ("TokenCode", "123456")];
        denied(&house.assume(&alice, &role, &device).await);
        let padded = [("RoleArn", role.as_str()), ("RoleSessionName", "a:b")];
        let refused = house.sts(&alice, "AssumeRole", &padded).await.refusal();
        assert_eq!(refused.1, "ValidationError");
        assert!(
            refused.2.starts_with("1 validation error detected: Value 'a:b' at 'roleSessionName' failed"),
            "{}",
            refused.2
        );
    }
}

#[tokio::test]
async fn tags_and_source_identity_are_actions_of_their_own() {
    for house in houses().await {
        let alice = house.member(OWNER, "alice", None).await;
        let plain = house.role("plain", &statements(&[lets(ALICE, ASSUME)]), |_| ()).await;
        let full = house.role("full", &statements(&[lets("*", "\"sts:*\"")]), |_| ()).await;
        let tags = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "web")];
        assert!(denied(&house.assume(&alice, &plain, &tags).await).contains("sts:TagSession"));
        let source = [("SourceIdentity", "alice")];
        assert!(denied(&house.assume(&alice, &plain, &source).await).contains("sts:SetSourceIdentity"));

        let duplicate = [tags[0], tags[1], ("Tags.member.2.Key", "TEAM"), ("Tags.member.2.Value", "x")];
        let refused = house.assume(&alice, &full, &duplicate).await.refusal();
        let sentence = "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned();
        assert_eq!(refused, (400, "InvalidParameterValue".to_owned(), sentence));
        let unknown = [tags[0], tags[1], ("TransitiveTagKeys.member.1", "other")];
        let refused = house.assume(&alice, &full, &unknown).await.refusal();
        let sentence = "The specified transitive tag key must be included in the requested tags.".to_owned();
        assert_eq!(refused, (400, "InvalidParameterValue".to_owned(), sentence));

        let transitive = [tags[0], tags[1], source[0], ("TransitiveTagKeys.member.1", "team")];
        let first = credentials(house.assume(&alice, &full, &transitive).await);
        let changed = [("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "ops")];
        let refused = house.assume(&first, &full, &changed).await.refusal();
        assert_eq!(refused.1, "InvalidParameterValue");
        assert!(refused.2.starts_with("One of the specified transitive tag keys can't be set"));
        let second = house.assume(&first, &full, &[]).await.good("chained");
        assert_eq!(second.text("SourceIdentity"), "alice", "sticky");
        let other = house.assume(&first, &full, &[("SourceIdentity", "mallory")]).await;
        assert_eq!(other.refusal().1, "ValidationError");
        // The tag came along: a condition on aws:PrincipalTag in the second session's policy sees it.
        let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:GetAccessKeyInfo","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"web","aws:SourceIdentity":"alice"}}}}"#;
        let put = allow::<action::PutRolePolicy>(entity(OWNER, "role", "full"));
        house.services.identity.put_inline_policy(&put, "p", policy).await.unwrap();
        assert_eq!(ask(&house, &credentials(second)).await.status, 200);
        let without = credentials(house.assume(&alice, &full, &[]).await);
        assert_eq!(ask(&house, &without).await.status, 403);
    }
}
