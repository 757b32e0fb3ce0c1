//! The quotas of iam.md §2.7, each with its sentence, and that nothing of the refused request stays.

use super::{allow, trust};
use crate::api::query::testing::{House, houses};

async fn exceeded(house: &House, operation: &str, parameters: &[(&str, &str)], sentence: &str) {
    let expected = (409, "LimitExceeded".to_owned(), sentence.to_owned());
    assert_eq!(house.refused(operation, parameters).await, expected, "{}", house.engine);
}

/// A policy of at least `size` characters.
fn long(size: usize) -> String {
    allow(&format!("ecr:{}", "x".repeat(size)))
}

#[tokio::test]
async fn counted_things() {
    for house in houses().await {
        house.user("u").await;
        house.key("u").await;
        exceeded(
            &house,
            "CreateAccessKey",
            &[("UserName", "u")],
            "Cannot exceed quota for AccessKeysPerUser: 2",
        )
        .await;
        assert_eq!(house.done("ListAccessKeys", &[("UserName", "u")]).await.texts("AccessKeyId").len(), 2);

        for number in 0..11 {
            let (name, document) = (format!("p{number}"), allow("ecr:*"));
            house.done("CreateGroup", &[("GroupName", &name)]).await;
            house.done("CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", &document)]).await;
        }
        house.done("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust("*"))]).await;
        for (kind, name) in [("User", "u"), ("Group", "p0"), ("Role", "r")] {
            let (field, operation) = (format!("{kind}Name"), format!("Attach{kind}Policy"));
            let arn = |number: usize| format!("arn:aws:iam::123456789012:policy/p{number}");
            for number in 0..10 {
                house.done(&operation, &[(&field, name), ("PolicyArn", &arn(number))]).await;
            }
            let sentence = format!("Cannot exceed quota for PoliciesPer{kind}: 10");
            exceeded(&house, &operation, &[(&field, name), ("PolicyArn", &arn(10))], &sentence).await;
            house.done(&operation, &[(&field, name), ("PolicyArn", &arn(9))]).await;
            let listed = house.done(&format!("ListAttached{kind}Policies"), &[(&field, name)]).await;
            assert_eq!(listed.texts("PolicyArn").len(), 10);
        }
        for number in 0..10 {
            let name = format!("p{number}");
            house.done("AddUserToGroup", &[("GroupName", &name), ("UserName", "u")]).await;
        }
        let eleventh = [("GroupName", "p10"), ("UserName", "u")];
        exceeded(&house, "AddUserToGroup", &eleventh, "Cannot exceed quota for GroupsPerUser: 10").await;

        house.done("CreateInstanceProfile", &[("InstanceProfileName", "i")]).await;
        let pair = [("InstanceProfileName", "i"), ("RoleName", "r")];
        house.done("AddRoleToInstanceProfile", &pair).await;
        let sentence = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
        exceeded(&house, "AddRoleToInstanceProfile", &pair, sentence).await;
    }
}

#[tokio::test]
async fn versions() {
    for house in houses().await {
        let document = allow("ecr:*");
        let made = house.done("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &document)]).await;
        let arn = made.text("Arn");
        let version = [("PolicyArn", arn.as_str()), ("PolicyDocument", document.as_str())];
        for _ in 0..4 {
            house.done("CreatePolicyVersion", &version).await;
        }
        let sentence = "A managed policy can have up to 5 versions. Before you create a new version, you must delete \
                        an existing version.";
        exceeded(&house, "CreatePolicyVersion", &version, sentence).await;
    }
}

#[tokio::test]
async fn sizes() {
    for house in houses().await {
        house.user("u").await;
        let policy = [("PolicyName", "p"), ("PolicyDocument", &*long(6144))];
        exceeded(&house, "CreatePolicy", &policy, "Cannot exceed quota for PolicySize: 6144").await;
        // Layout is not counted.
        let spacious = allow("ecr:*").replace("\":", &format!("\":{}", " ".repeat(3000)));
        assert!(spacious.len() > 6144);
        house.done("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &spacious)]).await;

        let trust = format!(
            r#"{{"Statement":[{{"Sid":"{}","Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}]}}"#,
            "x".repeat(2048)
        );
        let role = [("RoleName", "r"), ("AssumeRolePolicyDocument", trust.as_str())];
        exceeded(&house, "CreateRole", &role, "Cannot exceed quota for ACLSizePerRole: 2048").await;

        let put = async |name: &'static str, size: usize| {
            let document = long(size);
            house
                .iam(
                    "PutUserPolicy",
                    &[("UserName", "u"), ("PolicyName", name), ("PolicyDocument", &document)],
                )
                .await
        };
        put("a", 1000).await.good("half");
        let refused = put("b", 1000).await.refusal();
        let sentence = "Maximum policy size of 2048 bytes exceeded for user u".to_owned();
        assert_eq!(refused, (409, "LimitExceeded".to_owned(), sentence));
        put("a", 1900).await.good("in place of the half");
        assert_eq!(house.done("ListUserPolicies", &[("UserName", "u")]).await.texts("member"), ["a"]);
    }
}

#[tokio::test]
async fn fifty_tags() {
    for house in houses().await {
        house.user("u").await;
        let names: Vec<(String, String)> = (0..51)
            .map(|number| {
                (format!("Tags.member.{}.Key", number + 1), format!("Tags.member.{}.Value", number + 1))
            })
            .collect();
        let keys: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
        let mut all = vec![("UserName", "u")];
        for ((key, value), text) in names.iter().zip(&keys) {
            all.extend([(key.as_str(), text.as_str()), (value.as_str(), "v")]);
        }
        let sentence = "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have \
                        length less than or equal to 50";
        let (status, code, message) = house.refused("TagUser", &all).await;
        assert_eq!((status, code.as_str()), (400, "ValidationError"));
        assert!(message.starts_with(sentence), "{message}");
        house.done("TagUser", &all[..101]).await;
        let more = [("UserName", "u"), ("Tags.member.1.Key", "more"), ("Tags.member.1.Value", "")];
        let (_, code, message) = house.refused("TagUser", &more).await;
        assert_eq!(code, "ValidationError");
        assert!(message.starts_with(sentence), "{message}");
        assert_eq!(house.done("ListUserTags", &[("UserName", "u")]).await.texts("Key").len(), 50);
    }
}
