//! Every operation of the model and what it is checked on, as one reviewed table.

use super::{checks, repository_of_arn};
use crate::access::testing::{registry, root};
use crate::api::ecr::Error;

/// A body that satisfies the shape of any operation: members that an operation does not know are ignored.
pub(in crate::api::ecr) const BODY: &str = r#"{
    "repositoryName": "team/app", "repositoryNames": ["one", "two"], "imageIds": [{"imageTag": "v1"}],
    "imageId": {"imageTag": "v1"}, "layerDigests": ["sha256:0000000000000000000000000000000000000000000000000000000000000000"],
    "layerDigest": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    "uploadId": "00000000-0000-4000-8000-000000000000", "ecrRepositoryPrefix": "cache",
    "upstreamRegistryUrl": "registry.example", "customRoleArn": "arn:aws:iam::123456789012:role/cache",
    "prefix": "team", "appliedFor": ["REPLICATION"], "repositoryPolicy": "{}", "lifecyclePolicy": "{}",
    "principalArn": "arn:aws:iam::123456789012:role/x", "name": "BASIC_SCAN_TYPE_VERSION", "value": "AWS_NATIVE",
    "resourceArn": "arn:aws:ecr:eu-central-1:123456789012:repository/team/app",
    "tags": [{"Key": "team", "Value": "a"}], "tagKeys": ["team"], "imageManifest": "{}",
    "imageScanningConfiguration": {}, "imageTagMutability": "MUTABLE", "policyText": "{}",
    "lifecyclePolicyText": "                                                                                                    ",
    "replicationConfiguration": {"rules": []}, "signingConfiguration": {"rules": []}, "subjectId": {"imageDigest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"},
    "targetStorageClass": "STANDARD", "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "AA==",
    "destination": {"region": "eu-west-1", "registryId": "123456789012"},
    "replicationBackfillId": "00000000-0000-4000-8000-000000000000"
}"#;

#[test]
fn every_operation_is_checked() {
    let caller = root(&registry().account);
    let mut table = String::new();
    for operation in aws::ecr::OPERATIONS {
        // DescribeRepositories means another resource without names.
        let bodies: &[&str] = if operation.name == "DescribeRepositories" { &[BODY, "{}"] } else { &[BODY] };
        for body in bodies {
            let parsed = aws::ecr::Operation::from_json(operation.name, body.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error:?}", operation.name));
            let checks = checks(&parsed, &caller).unwrap();
            assert!(!checks.is_empty(), "{} is unchecked", operation.name);
            table.push_str(operation.name);
            table.push('\n');
            for check in checks {
                table.push_str(&format!("  {} on {}", check.action, check.resource.arn()));
                let mut keys: Vec<&str> = check.context.keys().collect();
                keys.sort_unstable();
                table.push_str(&if keys.is_empty() {
                    "\n".to_owned()
                } else {
                    format!(" with {}\n", keys.join(", "))
                });
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_registry_id_is_another_registry_in_the_same_region() {
    let caller = root(&registry().account);
    for (operation, body, resource) in [
        (
            "DescribeImages",
            r#"{"repositoryName":"app","registryId":"000000000001"}"#,
            "arn:aws:ecr:eu-central-1:000000000001:repository/app",
        ),
        (
            "DescribeRepositories",
            r#"{"registryId":"000000000001"}"#,
            "arn:aws:ecr:eu-central-1:000000000001:repository/*",
        ),
        ("GetAuthorizationToken", r#"{"registryIds":["000000000001"]}"#, "*"),
    ] {
        let parsed = aws::ecr::Operation::from_json(operation, body.as_bytes()).unwrap();
        assert_eq!(checks(&parsed, &caller).unwrap()[0].resource.arn(), resource);
    }
}

#[test]
fn creating_without_tags_needs_no_right_to_tag() {
    let caller = root(&registry().account);
    for body in [r#"{"repositoryName":"app"}"#, r#"{"repositoryName":"app","tags":[]}"#] {
        let parsed = aws::ecr::Operation::from_json("CreateRepository", body.as_bytes()).unwrap();
        let actions: Vec<_> = checks(&parsed, &caller).unwrap().iter().map(|check| check.action).collect();
        assert_eq!(actions, ["ecr:CreateRepository"]);
    }
}

#[test]
fn an_arn_names_one_repository_or_nothing() {
    let good = repository_of_arn("arn:aws:ecr:us-east-1:000000000001:repository/team/app").unwrap();
    assert_eq!(good.arn(), "arn:aws:ecr:us-east-1:000000000001:repository/team/app");
    for bad in [
        "",
        "arn",
        "arn:aws:ecr:eu-central-1:123456789012:repository",
        "arn:aws:ecr:eu-central-1:123456789012:repository/",
        "arn:aws:ecr:eu-central-1:123456789012:repository/*",
        "arn:aws:ecr:eu-central-1:123456789012:repository/../x",
        "arn:aws:ecr:eu-central-1:123456789012:image/app",
        "arn:aws:ecr:eu-central-1:12345678901:repository/app",
        "arn:aws:ecr::123456789012:repository/app",
        "arn:aws:ecr:eu central:123456789012:repository/app",
        "arn:aws:s3:eu-central-1:123456789012:repository/app",
        "arn:other:ecr:eu-central-1:123456789012:repository/app",
        "arn:aws:ecr:eu-central-1:123456789012:repository/app\0",
    ] {
        let error = repository_of_arn(bad).unwrap_err();
        assert!(matches!(error, Error::Catalog(_)), "{bad}");
        let message = error.wire().message;
        assert_eq!(message, "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'");
    }
}
