//! "Push images to ECR", line by line, as its reader types it.

use crate::harness::{Server, TUTORIAL_LABELS, TUTORIAL_POLICY, TUTORIAL_REVISION, Terminal, unique_context};
use serde_json::Value;
use std::time::Duration;

/// Of three first starts the fastest must be "well under a second"; the others may meet a busy machine.
const READY_WITHIN: Duration = Duration::from_millis(700);

const LIFECYCLE_POLICY: &str = r#"{"rules":[{"rulePriority":10,"description":"Keep the last 800 images","selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":800},"action":{"type":"expire"}}]}"#;

/// The names of an object's members, sorted.
fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object
        .as_object()
        .unwrap_or_else(|| panic!("no object: {object}"))
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// The tutorial's repository, its URI ready to be pushed to, and docker logged in.
fn repository(root: &Terminal) -> String {
    let answer = root.json("aws ecr create-repository --repository-name randserver");
    root.run("$(aws ecr get-login --registry-ids 123456789012 --no-include-email)");
    answer["repository"]["repositoryUri"].as_str().unwrap().to_owned()
}

#[test]
fn the_server_is_ready_in_well_under_a_second() {
    let fastest = (0..3).map(|_| Server::start().start_took).min().unwrap();
    assert!(fastest < READY_WITHIN, "{fastest:?}");
}

#[test]
fn create_repository_answers_as_aws_does() {
    let server = Server::start();
    let answer = server.root().json("aws ecr create-repository --repository-name randserver");
    assert_eq!(members(&answer), ["repository"]);
    let repository = &answer["repository"];
    assert_eq!(
        members(repository),
        [
            "createdAt",
            "encryptionConfiguration",
            "imageScanningConfiguration",
            "imageTagMutability",
            "registryId",
            "repositoryArn",
            "repositoryName",
            "repositoryUri"
        ]
    );
    assert_eq!(repository["repositoryArn"], "arn:aws:ecr:eu-central-1:123456789012:repository/randserver");
    assert_eq!(repository["registryId"], "123456789012");
    assert_eq!(repository["repositoryName"], "randserver");
    assert_eq!(repository["imageTagMutability"], "MUTABLE");
    assert_eq!(repository["imageScanningConfiguration"]["scanOnPush"], false);
    assert_eq!(repository["encryptionConfiguration"]["encryptionType"], "AES256");
    assert!(repository["createdAt"].as_f64().unwrap() > 1_700_000_000.0, "{repository}");
    let uri = repository["repositoryUri"].as_str().unwrap();
    assert!(uri.ends_with("/randserver") && !uri.contains("://"), "{uri}");
}

#[test]
fn put_lifecycle_policy_validates_and_stores() {
    let server = Server::start();
    let root = server.root();
    repository(&root);
    let answer = root.json(&format!(
        "aws ecr put-lifecycle-policy --registry-id 123456789012 --repository-name randserver --lifecycle-policy-text '{LIFECYCLE_POLICY}'"
    ));
    assert_eq!(members(&answer), ["lifecyclePolicyText", "registryId", "repositoryName"]);
    let as_json = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap();
    assert_eq!(
        as_json(&answer["lifecyclePolicyText"]),
        serde_json::from_str::<Value>(LIFECYCLE_POLICY).unwrap()
    );
    let stored = root.json("aws ecr get-lifecycle-policy --repository-name randserver");
    assert_eq!(stored["lifecyclePolicyText"], answer["lifecyclePolicyText"]);

    let bad = LIFECYCLE_POLICY.replace("800", "0");
    let refusal = root.fails(&format!(
        "aws ecr put-lifecycle-policy --repository-name randserver --lifecycle-policy-text '{bad}'"
    ));
    assert!(refusal.contains("(InvalidParameterException)"), "{refusal}");
    assert!(refusal.contains("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure:"), "{refusal}");
    assert_eq!(
        root.json("aws ecr get-lifecycle-policy --repository-name randserver")["lifecyclePolicyText"],
        stored["lifecyclePolicyText"]
    );
}

#[test]
fn both_logins_work() {
    let server = Server::start();
    let root = server.root();
    let printed = root.run("$(aws ecr get-login --registry-ids 123456789012 --no-include-email)");
    assert!(printed.contains("Login Succeeded"), "{printed}");
    let host = repository(&root).trim_end_matches("/randserver").to_owned();
    root.run(&format!("docker logout {host}"));
    let printed = root
        .run(&format!("aws ecr get-login-password | docker login --username AWS --password-stdin {host}"));
    assert!(printed.contains("Login Succeeded"), "{printed}");
    let wrong = root.fails(&format!("echo nonsense | docker login --username AWS --password-stdin {host}"));
    assert!(wrong.contains("401") || wrong.contains("no basic auth credentials"), "{wrong}");
}

#[test]
fn a_pushed_image_comes_back_with_its_digest_tags_and_labels() {
    let server = Server::start();
    let root = server.root();
    let uri = repository(&root);
    unique_context(&root, "randserver");
    root.run("docker build -t randserver:0.0.1 randserver");
    root.run(&format!("docker tag randserver:0.0.1 {uri}:0.0.1"));
    let digest = pushed_digest(&root.run(&format!("docker push {uri}:0.0.1")));

    // Gone locally, under every name; otherwise the pull would prove nothing.
    root.run(&format!("docker rmi {uri}:0.0.1 randserver:0.0.1"));
    root.fails(&format!("docker inspect {uri}:0.0.1"));
    let pulled = root.run(&format!("docker pull {uri}:0.0.1"));
    assert!(pulled.contains("Downloaded newer image"), "{pulled}");
    assert!(pulled.contains(&digest), "{pulled}");
    assert_eq!(
        root.run(&format!("docker inspect --format '{{{{index .RepoDigests 0}}}}' {uri}:0.0.1")),
        format!("{uri}@{digest}")
    );

    let labels = root.json(&format!("docker inspect --format '{{{{json .Config.Labels}}}}' {uri}:0.0.1"));
    for (key, value) in TUTORIAL_LABELS {
        assert_eq!(labels[key], *value);
    }
    let found = root.run(&format!("docker images --filter label=org.label-schema.vcs-ref={TUTORIAL_REVISION} --format '{{{{.Repository}}}}:{{{{.Tag}}}}'"));
    assert!(found.lines().any(|line| line == format!("{uri}:0.0.1")), "{found}");

    for tag in ["latest", "stable", "v1.7.3", TUTORIAL_REVISION, "8.0.12-c15"] {
        root.run(&format!("docker tag {uri}:0.0.1 {uri}:{tag}"));
        assert_eq!(pushed_digest(&root.run(&format!("docker push {uri}:{tag}"))), digest, "{tag}");
        root.run(&format!("docker rmi {uri}:{tag}"));
        root.run(&format!("docker pull {uri}:{tag}"));
    }
    root.run(&format!("docker rmi $(docker images --quiet {uri} | uniq) --force"));
    root.run(&format!("docker pull {uri}@{digest}"));

    let details = root.json("aws ecr describe-images --repository-name randserver");
    let image = &details["imageDetails"][0];
    assert_eq!(details["imageDetails"].as_array().unwrap().len(), 1);
    assert_eq!(image["imageDigest"], digest);
    let mut tags: Vec<&str> =
        image["imageTags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["0.0.1", "8.0.12-c15", TUTORIAL_REVISION, "latest", "stable", "v1.7.3"]);
}

/// The digest that `docker push` ends with: `0.0.1: digest: sha256:… size: …`.
fn pushed_digest(printed: &str) -> String {
    let after = printed.split_once("digest: ").unwrap_or_else(|| panic!("no digest: {printed}")).1;
    after.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn iam_answers_as_aws_does() {
    let server = Server::start();
    let root = server.root();
    let user = root.json("aws iam create-user --user-name johndoe")["User"].clone();
    assert_eq!(members(&user), ["Arn", "CreateDate", "Path", "UserId", "UserName"]);
    assert_eq!(user["Arn"], "arn:aws:iam::123456789012:user/johndoe");
    assert_eq!(user["Path"], "/");
    assert_id(&user["UserId"], "AIDA", 21);

    let key = root.json("aws iam create-access-key --user-name johndoe")["AccessKey"].clone();
    assert_eq!(members(&key), ["AccessKeyId", "CreateDate", "SecretAccessKey", "Status", "UserName"]);
    assert_id(&key["AccessKeyId"], "AKIA", 20);
    assert_eq!(key["SecretAccessKey"].as_str().unwrap().len(), 40);
    assert_eq!(key["Status"], "Active");

    let read_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    assert_eq!(
        root.run(&format!("aws iam attach-user-policy --policy-arn {read_only} --user-name johndoe")),
        ""
    );

    let group = root.json("aws iam create-group --group-name randserver-developers")["Group"].clone();
    assert_eq!(members(&group), ["Arn", "CreateDate", "GroupId", "GroupName", "Path"]);
    assert_eq!(group["Arn"], "arn:aws:iam::123456789012:group/randserver-developers");
    assert_id(&group["GroupId"], "AGPA", 21);
    assert_eq!(
        root.run("aws iam add-user-to-group --group-name randserver-developers --user-name johndoe"),
        ""
    );

    root.write("policy.json", TUTORIAL_POLICY);
    let policy = root
        .json("aws iam create-policy --policy-name push-to-randserver --policy-document file://policy.json")
        ["Policy"]
        .clone();
    assert_eq!(
        members(&policy),
        [
            "Arn",
            "AttachmentCount",
            "CreateDate",
            "DefaultVersionId",
            "IsAttachable",
            "Path",
            "PermissionsBoundaryUsageCount",
            "PolicyId",
            "PolicyName",
            "UpdateDate"
        ]
    );
    assert_eq!(policy["Arn"], "arn:aws:iam::123456789012:policy/push-to-randserver");
    assert_eq!(policy["DefaultVersionId"], "v1");
    assert_eq!(policy["IsAttachable"], true);
    assert_eq!(policy["AttachmentCount"], 0);
    assert_id(&policy["PolicyId"], "ANPA", 21);
    let attach = "aws iam attach-group-policy --group-name randserver-developers --policy-arn arn:aws:iam::123456789012:policy/push-to-randserver";
    assert_eq!(root.run(attach), "");

    assert_eq!(
        root.json("aws iam get-group --group-name randserver-developers")["Users"][0]["UserName"],
        "johndoe"
    );
    assert_eq!(
        root.json("aws iam list-attached-user-policies --user-name johndoe")["AttachedPolicies"][0]["PolicyArn"],
        read_only
    );
    assert_eq!(
        root.json("aws iam list-attached-group-policies --group-name randserver-developers")["AttachedPolicies"]
            [0]["PolicyName"],
        "push-to-randserver"
    );

    let johndoe =
        root.someone_else(key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
    let identity = johndoe.json("aws sts get-caller-identity");
    assert_eq!(members(&identity), ["Account", "Arn", "UserId"]);
    assert_eq!(identity["Account"], "123456789012");
    assert_eq!(identity["Arn"], user["Arn"]);
    assert_eq!(identity["UserId"], user["UserId"]);
}

/// AWS's ids: a prefix for the kind of thing, then upper-case base32 (iam.md §2.5).
fn assert_id(id: &Value, prefix: &str, length: usize) {
    let id = id.as_str().unwrap();
    assert!(id.starts_with(prefix) && id.len() == length, "{id}");
    assert!(id.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')), "{id}");
}
