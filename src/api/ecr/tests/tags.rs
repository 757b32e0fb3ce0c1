//! Resource tags.

use serde_json::{Value, json};

use super::door::doors;

const ARN: &str = "arn:aws:ecr:eu-central-1:123456789012:repository/app";

#[tokio::test]
async fn tags_are_set_merged_listed_and_removed() {
    for door in doors().await {
        let body = json!({"repositoryName": "app", "tags": [{"Key": "team", "Value": "a"}]});
        door.good("CreateRepository", &body.to_string()).await;
        let body =
            json!({"resourceArn": ARN, "tags": [{"Key": "team", "Value": "b"}, {"Key": "env", "Value": ""}]});
        assert_eq!(door.good("TagResource", &body.to_string()).await, json!({}));
        let list = json!({"resourceArn": ARN}).to_string();
        assert_eq!(
            door.good("ListTagsForResource", &list).await,
            json!({"tags": [{"Key": "env", "Value": ""}, {"Key": "team", "Value": "b"}]}),
            "{}",
            door.engine
        );
        let body = json!({"resourceArn": ARN, "tagKeys": ["team", "env", "none"]});
        assert_eq!(door.good("UntagResource", &body.to_string()).await, json!({}));
        assert_eq!(door.good("ListTagsForResource", &list).await, json!({"tags": []}));
    }
}

fn many(count: usize) -> Value {
    (0..count).map(|number| json!({"Key": format!("k{number}"), "Value": "v"})).collect()
}

#[tokio::test]
async fn thousands_of_tags_in_one_request_change_nothing() {
    for door in doors().await {
        let body = json!({"repositoryName": "app", "tags": many(5_000)}).to_string();
        assert_eq!(door.refused("CreateRepository", &body).await.0, "TooManyTagsException");
        door.good("CreateRepository", r#"{"repositoryName": "app"}"#).await;
        for count in [51, 50_000] {
            let body = json!({"resourceArn": ARN, "tags": many(count)}).to_string();
            assert_eq!(door.refused("TagResource", &body).await.0, "TooManyTagsException");
            let keys: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            let body = json!({"resourceArn": ARN, "tagKeys": keys}).to_string();
            assert_eq!(door.refused("UntagResource", &body).await.0, "TooManyTagsException");
        }
        let body = json!({"resourceArn": ARN, "tags": many(50)}).to_string();
        door.good("TagResource", &body).await;
        let body = json!({"resourceArn": ARN, "tags": [{"Key": "one more", "Value": ""}]}).to_string();
        assert_eq!(door.refused("TagResource", &body).await.0, "TooManyTagsException");
    }
}

#[tokio::test]
async fn arns_of_nothing() {
    for door in doors().await {
        for (arn, kind) in [
            ("arn:aws:ecr:eu-central-1:123456789012:repository/none", "RepositoryNotFoundException"),
            ("arn:aws:ecr:us-east-1:123456789012:repository/none", "RepositoryNotFoundException"),
            ("arn:aws:ecr:eu-central-1:123456789012:repository/../x", "InvalidParameterException"),
            ("arn:aws:iam::123456789012:user/x", "InvalidParameterException"),
            ("none", "InvalidParameterException"),
            ("arn:aws:ecr:eu-central-1:000000000001:repository/none", "AccessDeniedException"),
        ] {
            let list = json!({"resourceArn": arn}).to_string();
            assert_eq!(door.refused("ListTagsForResource", &list).await.0, kind, "{arn}");
            let tag = json!({"resourceArn": arn, "tags": [{"Key": "k", "Value": "v"}]}).to_string();
            assert_eq!(door.refused("TagResource", &tag).await.0, kind, "{arn}");
            let untag = json!({"resourceArn": arn, "tagKeys": ["k"]}).to_string();
            assert_eq!(door.refused("UntagResource", &untag).await.0, kind, "{arn}");
        }
    }
}
