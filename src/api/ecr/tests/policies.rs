//! Repository policies: what is stored, what is shown, whom they let in across accounts.

use serde_json::{Value, json};

use super::door::{Door, STRANGER, doors, exception};

fn statement(effect: &str, principal: &Value, action: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "one", "Effect": effect, "Principal": principal, "Action": action,
    }]})
}

async fn set(door: &Door, policy: &Value, force: bool) -> (u16, Value) {
    let body = json!({"repositoryName": "app", "policyText": policy.to_string(), "force": force});
    door.call("SetRepositoryPolicy", &body.to_string()).await
}

async fn opened() -> Vec<Door> {
    let doors = doors().await;
    for door in &doors {
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
    }
    doors
}

#[tokio::test]
async fn a_policy_is_printed_as_ecr_prints_it() {
    for door in opened().await {
        let text = r#"{"Version":"2008-10-17","Statement":[{"Sid":"pull","Effect":"Allow",
            "Principal":{"AWS":"arn:aws:iam::000000000001:root"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}"#;
        let printed = "{\n  \"Version\" : \"2008-10-17\",\n  \"Statement\" : [ {\n    \"Sid\" : \"pull\",\n    \
            \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"AWS\" : \"arn:aws:iam::000000000001:root\"\n    \
            },\n    \"Action\" : [ \"ecr:BatchGetImage\", \"ecr:GetDownloadUrlForLayer\" ]\n  } ]\n}";
        let body = json!({"repositoryName": "app", "policyText": text}).to_string();
        let expected = json!({"registryId": "123456789012", "repositoryName": "app", "policyText": printed});
        assert_eq!(door.good("SetRepositoryPolicy", &body).await, expected, "{}", door.engine);
        assert_eq!(door.good("GetRepositoryPolicy", r#"{"repositoryName": "app"}"#).await, expected);
        assert_eq!(door.good("DeleteRepositoryPolicy", r#"{"repositoryName": "app"}"#).await, expected);
        for operation in ["GetRepositoryPolicy", "DeleteRepositoryPolicy"] {
            let (kind, message) = door.refused(operation, r#"{"repositoryName": "app"}"#).await;
            assert_eq!(kind, "RepositoryPolicyNotFoundException");
            assert_eq!(
                message,
                "Repository policy does not exist for the repository with name 'app' in the registry with id \
                 '123456789012'"
            );
        }
    }
}

#[tokio::test]
async fn policies_that_are_refused() {
    for door in opened().await {
        let root = json!({"AWS": STRANGER});
        let mut with_resource = statement("Allow", &root, &json!("ecr:*"));
        with_resource["Statement"][0]["Resource"] = Value::from("*");
        let nul = json!({"AWS": "arn:aws:iam::123456789012:user/a\u{0}b"});
        let nobody = json!({"AWS": "arn:aws:iam::123456789012:user/nobody"});
        for (policy, constraint) in [
            (json!({}), "Invalid repository policy provided"),
            (json!([]), "Invalid repository policy provided"),
            (with_resource, "Invalid repository policy provided"),
            (statement("Perhaps", &root, &json!("ecr:*")), "Invalid repository policy provided"),
            (statement("Allow", &root, &json!("s3:GetObject")), "Invalid repository policy provided"),
            (statement("Allow", &nul, &json!("ecr:*")), "Invalid repository policy provided"),
            (statement("Allow", &nobody, &json!("ecr:*")), "Principal not found"),
        ] {
            let (kind, message) = exception(&set(&door, &policy, true).await);
            assert_eq!(kind, "InvalidParameterException");
            assert_eq!(
                message,
                format!("Invalid parameter at 'PolicyText' failed to satisfy constraint: '{constraint}'"),
                "{policy}"
            );
        }
        let long = json!({"repositoryName": "app", "policyText": "x".repeat(10_241)}).to_string();
        let (kind, message) = door.refused("SetRepositoryPolicy", &long).await;
        assert_eq!(kind, "InvalidParameterException");
        assert_eq!(
            message,
            "Invalid parameter at 'policyText' failed to satisfy constraint: 'Member must have length less than or \
             equal to 10240'"
        );
        let deep = json!({"repositoryName": "app", "policyText": "[".repeat(10_000)}).to_string();
        assert_eq!(door.refused("SetRepositoryPolicy", &deep).await.0, "InvalidParameterException");
        let (kind, _) = door.refused("GetRepositoryPolicy", r#"{"repositoryName": "app"}"#).await;
        assert_eq!(kind, "RepositoryPolicyNotFoundException", "nothing was stored");
    }
}

/// The stranger's root may do in the other account what the repository's policy says, and only that.
#[tokio::test]
async fn another_account_needs_the_repositorys_policy() {
    let pull = json!("ecr:DescribeImages");
    for door in opened().await {
        let stranger = || json!({"AWS": format!("arn:aws:iam::{STRANGER}:root")});
        for (policy, may_describe) in [
            (None, false),
            (Some(statement("Allow", &stranger(), &pull)), true),
            (Some(statement("Allow", &json!({"AWS": STRANGER}), &json!(["ecr:Describe*"]))), true),
            (Some(statement("Allow", &json!("*"), &json!("ecr:*"))), true),
            (Some(statement("Allow", &json!({"AWS": "*"}), &pull)), true),
            (Some(statement("Allow", &json!({"AWS": "999999999999"}), &pull)), false),
            (Some(statement("Allow", &stranger(), &json!("ecr:BatchGetImage"))), false),
            (Some(statement("Deny", &stranger(), &pull)), false),
            (Some(statement("Allow", &json!({"Service": "ecs.amazonaws.com"}), &pull)), false),
        ] {
            if let Some(policy) = &policy {
                let answer = set(&door, policy, true).await;
                assert_eq!(answer.0, 200, "{}", answer.1);
            }
            let body = r#"{"repositoryName": "app", "registryId": "123456789012"}"#;
            let answer = door.call_as(&door.stranger, "DescribeImages", body).await;
            if may_describe {
                assert_eq!(answer.0, 200, "{policy:?}: {}", answer.1);
            } else {
                assert_eq!(exception(&answer).0, "AccessDeniedException", "{policy:?}");
            }
            // Never more than the one repository, and never without the registry's id.
            let other = r#"{"repositoryName": "other", "registryId": "123456789012"}"#;
            let answer = door.call_as(&door.stranger, "DescribeImages", other).await;
            assert_eq!(exception(&answer).0, "AccessDeniedException");
            let own = door.call_as(&door.stranger, "DescribeImages", r#"{"repositoryName": "app"}"#).await;
            let (kind, message) = exception(&own);
            assert_eq!(kind, "RepositoryNotFoundException");
            assert!(message.ends_with("does not exist in the registry with id '000000000001'"), "{message}");
        }
        door.good("DeleteRepositoryPolicy", r#"{"repositoryName": "app"}"#).await;
        let body = r#"{"repositoryName": "app", "registryId": "123456789012"}"#;
        let answer = door.call_as(&door.stranger, "DescribeImages", body).await;
        assert_eq!(exception(&answer).0, "AccessDeniedException", "at the very next request");
    }
}

/// Resource tags decide at the next request.
#[tokio::test]
async fn a_condition_on_a_resource_tag() {
    for door in opened().await {
        let mut policy = statement("Allow", &json!({"AWS": STRANGER}), &json!("ecr:DescribeImages"));
        policy["Statement"][0]["Condition"] = json!({"StringEquals": {"ecr:ResourceTag/shared": "yes"}});
        assert_eq!(set(&door, &policy, false).await.0, 200);
        let body = r#"{"repositoryName": "app", "registryId": "123456789012"}"#;
        let may = async || door.call_as(&door.stranger, "DescribeImages", body).await.0 == 200;
        assert!(!may().await);
        let arn = "arn:aws:ecr:eu-central-1:123456789012:repository/app";
        let tag = json!({"resourceArn": arn, "tags": [{"Key": "shared", "Value": "yes"}]}).to_string();
        door.good("TagResource", &tag).await;
        assert!(may().await);
        let untag = json!({"resourceArn": arn, "tagKeys": ["shared"]}).to_string();
        door.good("UntagResource", &untag).await;
        assert!(!may().await);
    }
}

/// The owner's root can always repair a policy, so no policy locks it out.
#[tokio::test]
async fn the_root_is_never_locked_out() {
    for door in opened().await {
        let deny = statement("Deny", &json!("*"), &json!("ecr:*"));
        assert_eq!(set(&door, &deny, false).await.0, 200);
        door.good("GetRepositoryPolicy", r#"{"repositoryName": "app"}"#).await;
        assert_eq!(
            door.refused("DescribeImages", r#"{"repositoryName": "app"}"#).await.0,
            "AccessDeniedException",
            "all else is denied to it too"
        );
        door.good("DeleteRepositoryPolicy", r#"{"repositoryName": "app"}"#).await;
        door.good("DescribeImages", r#"{"repositoryName": "app"}"#).await;
    }
}

/// A stranger who may set the policy must not shut itself out, unless it says that it means it.
#[tokio::test]
async fn nobody_locks_themselves_out_by_accident() {
    for door in opened().await {
        let may_set = statement("Allow", &json!({"AWS": STRANGER}), &json!("ecr:SetRepositoryPolicy"));
        assert_eq!(set(&door, &may_set, false).await.0, 200);
        let useless = statement("Allow", &json!({"AWS": STRANGER}), &json!("ecr:BatchGetImage"));
        let mut body =
            json!({"repositoryName": "app", "registryId": "123456789012", "policyText": useless.to_string()});
        let answer = door.call_as(&door.stranger, "SetRepositoryPolicy", &body.to_string()).await;
        let (kind, message) = exception(&answer);
        assert_eq!(kind, "InvalidParameterException");
        assert!(message.contains("Potential lockout"), "{message}");
        let kept = door.good("GetRepositoryPolicy", r#"{"repositoryName": "app"}"#).await;
        assert!(kept["policyText"].as_str().unwrap().contains("ecr:SetRepositoryPolicy"));

        body["force"] = Value::Bool(true);
        let answer = door.call_as(&door.stranger, "SetRepositoryPolicy", &body.to_string()).await;
        assert_eq!(answer.0, 200, "{}", answer.1);
        let answer = door.call_as(&door.stranger, "SetRepositoryPolicy", &body.to_string()).await;
        assert_eq!(exception(&answer).0, "AccessDeniedException");
    }
}
