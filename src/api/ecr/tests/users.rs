//! Users of this and another account against repository policies: every cell of the matrix.

use serde_json::{Value, json};

use super::door::{Door, OWNER, STRANGER, doors, exception};

const BODY: &str = r#"{"repositoryName": "app", "registryId": "123456789012"}"#;

fn identity_policy(effect: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Action": "ecr:DescribeImages", "Resource": "*"},
    ]})
}

fn repository_policy(effect: &str, principal: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Principal": {"AWS": principal}, "Action": "ecr:DescribeImages"},
    ]})
}

async fn set_policy(door: &Door, policy: &Value) {
    let body = json!({"repositoryName": "app", "policyText": policy.to_string(), "force": true});
    door.good("SetRepositoryPolicy", &body.to_string()).await;
}

/// What the two policies say, and how the answer ends: `None` is an allowed request.
#[derive(Clone, Copy)]
struct Cell {
    account: &'static str,
    /// The user's own policy.
    identity: Option<&'static str>,
    /// The repository's policy: effect, and whether it names the user or the user's account.
    repository: Option<(&'static str, Named)>,
    refusal: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Named {
    User,
    Account,
}

const fn cell(
    account: &'static str,
    identity: Option<&'static str>,
    repository: Option<(&'static str, Named)>,
    refusal: Option<&'static str>,
) -> Cell {
    Cell { account, identity, repository, refusal }
}

const ALLOW: &str = "Allow";
const DENY: &str = "Deny";
const NO_IDENTITY: &str = "because no identity-based policy allows the ecr:DescribeImages action";
const NO_RESOURCE: &str = "because no resource-based policy allows the ecr:DescribeImages action";
const DENIED_BY_IDENTITY: &str = "with an explicit deny in an identity-based policy";
const DENIED_BY_RESOURCE: &str = "with an explicit deny in a resource-based policy";

const MATRIX: &[Cell] = &[
    // Same account: one of the two is enough, and the account's name alone only delegates.
    cell(OWNER, None, None, Some(NO_IDENTITY)),
    cell(OWNER, Some(ALLOW), None, None),
    cell(OWNER, None, Some((ALLOW, Named::User)), None),
    cell(OWNER, None, Some((ALLOW, Named::Account)), Some(NO_IDENTITY)),
    cell(OWNER, Some(ALLOW), Some((ALLOW, Named::Account)), None),
    cell(OWNER, Some(ALLOW), Some((DENY, Named::User)), Some(DENIED_BY_RESOURCE)),
    cell(OWNER, Some(ALLOW), Some((DENY, Named::Account)), Some(DENIED_BY_RESOURCE)),
    cell(OWNER, Some(DENY), Some((ALLOW, Named::User)), Some(DENIED_BY_IDENTITY)),
    // Another account: both are needed.
    cell(STRANGER, None, None, Some("because no")),
    cell(STRANGER, Some(ALLOW), None, Some(NO_RESOURCE)),
    cell(STRANGER, None, Some((ALLOW, Named::User)), Some(NO_IDENTITY)),
    cell(STRANGER, None, Some((ALLOW, Named::Account)), Some(NO_IDENTITY)),
    cell(STRANGER, Some(ALLOW), Some((ALLOW, Named::User)), None),
    cell(STRANGER, Some(ALLOW), Some((ALLOW, Named::Account)), None),
    cell(STRANGER, Some(ALLOW), Some((DENY, Named::User)), Some(DENIED_BY_RESOURCE)),
    cell(STRANGER, Some(DENY), Some((ALLOW, Named::User)), Some(DENIED_BY_IDENTITY)),
];

#[tokio::test]
async fn every_cell_of_the_matrix() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        for (number, cell) in MATRIX.iter().enumerate() {
            let own = cell.identity.map(identity_policy);
            let user = door.user(cell.account, &format!("user-{number}"), own.as_ref()).await;
            match cell.repository {
                Some((effect, Named::User)) => set_policy(&door, &repository_policy(effect, &user.arn)).await,
                Some((effect, Named::Account)) => {
                    set_policy(&door, &repository_policy(effect, cell.account)).await;
                }
                None => drop(door.call("DeleteRepositoryPolicy", r#"{"repositoryName": "app"}"#).await),
            }
            let answer = door.call_as(&user.key, "DescribeImages", BODY).await;
            let Some(tail) = cell.refusal else {
                assert_eq!(answer.0, 200, "cell {number} on {}: {}", door.engine, answer.1);
                continue;
            };
            let (kind, message) = exception(&answer);
            assert_eq!(kind, "AccessDeniedException", "cell {number}");
            let head = format!(
                "User: {} is not authorized to perform: ecr:DescribeImages on resource: \
                 arn:aws:ecr:eu-central-1:123456789012:repository/app {tail}",
                user.arn
            );
            assert!(message.starts_with(&head), "cell {number} on {}: {message}", door.engine);
        }
    }
}

#[tokio::test]
async fn a_user_made_again_under_the_old_name_inherits_nothing() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let first = door.user(OWNER, "alice", None).await;
        set_policy(&door, &repository_policy("Allow", &first.arn)).await;
        assert_eq!(door.call_as(&first.key, "DescribeImages", BODY).await.0, 200);
        let shown = async || {
            let answer = door.good("GetRepositoryPolicy", r#"{"repositoryName": "app"}"#).await;
            let text: Value = serde_json::from_str(answer["policyText"].as_str().unwrap()).unwrap();
            text["Statement"][0]["Principal"]["AWS"].as_str().unwrap().to_owned()
        };
        assert_eq!(shown().await, first.arn);

        door.remove_user(&first).await;
        let id = shown().await;
        assert!(id.starts_with("AIDA") && id.len() == 21, "a deleted user shows as its id: {id}");
        let second = door.user(OWNER, "alice", None).await;
        assert_eq!(second.arn, first.arn);
        assert_eq!(
            exception(&door.call_as(&second.key, "DescribeImages", BODY).await).0,
            "AccessDeniedException"
        );
        assert_eq!(shown().await, id);

        // Setting the policy again means the new one.
        set_policy(&door, &repository_policy("Allow", &second.arn)).await;
        assert_eq!(door.call_as(&second.key, "DescribeImages", BODY).await.0, 200);
        assert_eq!(shown().await, second.arn);
    }
}

#[tokio::test]
async fn a_user_does_not_lock_itself_out_by_accident() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let all = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"},
        ]});
        let user = door.user(OWNER, "alice", Some(&all)).await;
        let deny = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": {"AWS": user.arn}, "Action": "ecr:SetRepositoryPolicy"},
        ]});
        let mut body = json!({"repositoryName": "app", "policyText": deny.to_string()});
        let answer = door.call_as(&user.key, "SetRepositoryPolicy", &body.to_string()).await;
        let (kind, message) = exception(&answer);
        assert_eq!(kind, "InvalidParameterException");
        assert!(message.contains("Potential lockout"), "{message}");
        body["force"] = Value::Bool(true);
        assert_eq!(door.call_as(&user.key, "SetRepositoryPolicy", &body.to_string()).await.0, 200);
        assert_eq!(
            exception(&door.call_as(&user.key, "SetRepositoryPolicy", &body.to_string()).await).0,
            "AccessDeniedException"
        );
    }
}

/// A right to create is not a right to tag, and a condition can ask for the tags.
#[tokio::test]
async fn creating_with_tags_needs_the_right_to_tag() {
    for door in doors().await {
        let create = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:CreateRepository", "Resource": "arn:aws:ecr:*:*:repository/team/*",
             "Condition": {"StringEqualsIfExists": {"aws:RequestTag/team": "a"}}},
        ]});
        let user = door.user(OWNER, "creator", Some(&create)).await;
        let answer = door.call_as(&user.key, "CreateRepository", r#"{"repositoryName": "team/one"}"#).await;
        assert_eq!(answer.0, 200, "{}", answer.1);
        let tagged = |value: &str| {
            json!({"repositoryName": "team/two", "tags": [{"Key": "team", "Value": value}]}).to_string()
        };
        let (_, message) = exception(&door.call_as(&user.key, "CreateRepository", &tagged("b")).await);
        assert!(message.contains("perform: ecr:CreateRepository on"), "{message}");
        let (_, message) = exception(&door.call_as(&user.key, "CreateRepository", &tagged("a")).await);
        assert!(message.contains("perform: ecr:TagResource on"), "{message}");
        let elsewhere = door.call_as(&user.key, "CreateRepository", r#"{"repositoryName": "other/x"}"#).await;
        assert_eq!(exception(&elsewhere).0, "AccessDeniedException");
        let listed = door.good("DescribeRepositories", "{}").await;
        assert_eq!(listed["repositories"].as_array().unwrap().len(), 1);
    }
}

/// Listing all is another resource than describing one.
#[tokio::test]
async fn a_right_to_describe_one_repository_is_none_to_list_all() {
    for door in doors().await {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        let one = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:DescribeRepositories", "Resource": "arn:aws:ecr:*:*:repository/app"},
        ]});
        let user = door.user(OWNER, "reader", Some(&one)).await;
        let named = r#"{"repositoryNames": ["app"]}"#;
        assert_eq!(door.call_as(&user.key, "DescribeRepositories", named).await.0, 200);
        let (_, message) = exception(&door.call_as(&user.key, "DescribeRepositories", "{}").await);
        assert!(
            message.contains("on resource: arn:aws:ecr:eu-central-1:123456789012:repository/* because"),
            "{message}"
        );
        let both = r#"{"repositoryNames": ["app", "secret"]}"#;
        let (kind, message) = exception(&door.call_as(&user.key, "DescribeRepositories", both).await);
        assert_eq!(kind, "AccessDeniedException", "not RepositoryNotFound: {message}");
    }
}

/// The tutorial's trap: a token is never a matter of one repository.
#[tokio::test]
async fn a_token_is_granted_on_everything_or_not_at_all() {
    for door in doors().await {
        let trap = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/app"},
        ]});
        let user = door.user(OWNER, "trapped", Some(&trap)).await;
        let (kind, message) = exception(&door.call_as(&user.key, "GetAuthorizationToken", "{}").await);
        assert_eq!(kind, "AccessDeniedException");
        assert_eq!(
            message,
            "User: arn:aws:iam::123456789012:user/trapped is not authorized to perform: ecr:GetAuthorizationToken \
             on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action"
        );
    }
}
