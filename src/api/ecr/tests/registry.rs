//! The registry itself and the docker password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::door::{NOW, STRANGER, doors};

#[tokio::test]
async fn the_registry_replicates_nothing() {
    for door in doors().await {
        let expected = json!({"registryId": "123456789012", "replicationConfiguration": {"rules": []}});
        assert_eq!(door.good("DescribeRegistry", "{}").await, expected);
    }
}

#[tokio::test]
async fn a_token_is_what_the_clients_can_take_apart() {
    for door in doors().await {
        let answer = door.good("GetAuthorizationToken", "{}").await;
        let data = answer["authorizationData"].as_array().unwrap();
        assert_eq!(data.len(), 1);
        assert_eq!(data[0]["proxyEndpoint"], "https://123456789012.dkr.ecr.eu-central-1.registry.example");
        #[expect(clippy::cast_precision_loss, reason = "seconds are exact in f64")]
        let end = (NOW + 12 * 3600) as f64;
        assert_eq!(data[0]["expiresAt"], json!(end));
        let token = STANDARD.decode(data[0]["authorizationToken"].as_str().unwrap()).unwrap();
        let token = String::from_utf8(token).unwrap();
        let parts: Vec<&str> = token.split(':').collect();
        assert_eq!((parts.len(), parts[0]), (2, "AWS"), "aws ecr get-login splits at the colon, once");
        assert!(parts[1].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
}

#[tokio::test]
async fn one_entry_for_each_registry_that_is_asked_for() {
    for door in doors().await {
        let body = json!({"registryIds": [STRANGER, "123456789012"]}).to_string();
        let answer = door.good("GetAuthorizationToken", &body).await;
        let data = answer["authorizationData"].as_array().unwrap();
        let endpoints: Vec<_> = data.iter().map(|entry| entry["proxyEndpoint"].as_str().unwrap()).collect();
        assert_eq!(
            endpoints,
            [
                "https://000000000001.dkr.ecr.eu-central-1.registry.example",
                "https://123456789012.dkr.ecr.eu-central-1.registry.example"
            ]
        );
        let eleven = json!({"registryIds": vec!["123456789012"; 11]}).to_string();
        let (kind, message) = door.refused("GetAuthorizationToken", &eleven).await;
        assert_eq!(kind, "InvalidParameterException");
        assert!(message.contains("'Member must have length less than or equal to 10'"), "{message}");
    }
}
