//! The tutorial's Kubernetes section: nodes pull with the session of a role that may only read.

use crate::harness::{People, Server, Terminal, build, denied, repository_arn};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},
    {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/node"},"Action":"sts:AssumeRole"}]}"#;

const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/nodes.cluster/i-0123456789abcdef0";

/// Makes the role `nodes.cluster` with one of AWS's policies and gives a terminal with a session of it.
fn session_of(root: &Terminal, managed_policy: &str) -> Terminal {
    root.write("trust.json", TRUST);
    let node = People::of(root).user("node");
    let role = &root.json(
        "aws iam create-role --role-name nodes.cluster --assume-role-policy-document file://trust.json",
    )["Role"];
    assert_eq!(role["Arn"], "arn:aws:iam::123456789012:role/nodes.cluster");
    assert!(role["RoleId"].as_str().unwrap().starts_with("AROA"), "{role}");
    let profile = &root.json("aws iam create-instance-profile --instance-profile-name nodes.cluster")["InstanceProfile"];
    assert!(profile["InstanceProfileId"].as_str().unwrap().starts_with("AIPA"), "{profile}");
    root.run("aws iam add-role-to-instance-profile --instance-profile-name nodes.cluster --role-name nodes.cluster");
    root.run(&format!("aws iam attach-role-policy --role-name nodes.cluster --policy-arn arn:aws:iam::aws:policy/{managed_policy}"));
    let profile =
        &root.json("aws iam get-instance-profile --instance-profile-name nodes.cluster")["InstanceProfile"];
    assert_eq!(profile["Roles"][0]["RoleName"], "nodes.cluster");

    let assumed = node.json(
        "aws sts assume-role --role-arn arn:aws:iam::123456789012:role/nodes.cluster --role-session-name i-0123456789abcdef0",
    );
    assert_eq!(assumed["AssumedRoleUser"]["Arn"], SESSION);
    let credentials = &assumed["Credentials"];
    let text = |name: &str| credentials[name].as_str().unwrap_or_else(|| panic!("{name} in {assumed}"));
    assert!(text("AccessKeyId").starts_with("ASIA"), "{assumed}");
    root.someone_else(text("AccessKeyId"), text("SecretAccessKey"))
        .with("AWS_SESSION_TOKEN", Some(text("SessionToken")))
}

/// A repository `app` with an image that root has pushed; its reference.
fn pushed_image(root: &Terminal) -> String {
    let uri =
        root.json("aws ecr create-repository --repository-name app")["repository"]["repositoryUri"].clone();
    let reference = format!("{}:1", uri.as_str().unwrap());
    root.run("$(aws ecr get-login --no-include-email)");
    build(root, &reference);
    root.run(&format!("docker push {reference}"));
    root.run(&format!("docker rmi {reference}"));
    reference
}

fn assert_pulls_and_may_not_push(session: &Terminal, reference: &str) {
    session.run("$(aws ecr get-login --no-include-email)");
    session.run(&format!("docker pull {reference}"));
    session.run(&format!("docker rmi {reference}"));
    build(session, reference);
    let refusal = session.fails(&format!("docker push {reference}"));
    assert!(
        refusal.contains(&denied(SESSION, "ecr:InitiateLayerUpload", &repository_arn("app"))),
        "{refusal}"
    );
    session.run(&format!("docker rmi {reference}"));
}

#[test]
fn the_session_of_a_read_only_role_pulls_and_may_not_push() {
    let server = Server::start();
    let root = server.root();
    let reference = pushed_image(&root);
    let session = session_of(&root, "AmazonEC2ContainerRegistryReadOnly");
    assert_eq!(session.json("aws sts get-caller-identity")["Arn"], SESSION);
    assert_pulls_and_may_not_push(&session, &reference);

    // What the role loses, its sessions lose, also those that docker has logged in.
    root.run("aws iam detach-role-policy --role-name nodes.cluster --policy-arn arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly");
    let refusal = session.fails(&format!("docker pull {reference}"));
    assert!(refusal.contains(&denied(SESSION, "ecr:BatchGetImage", &repository_arn("app"))), "{refusal}");
}

/// PullOnly lacks BatchCheckLayerAvailability; pulls must not ask for it (ecr.md §2.1).
#[test]
fn the_session_of_a_pull_only_role_pulls_and_sees_nothing_else() {
    let server = Server::start();
    let root = server.root();
    let reference = pushed_image(&root);
    let session = session_of(&root, "AmazonEC2ContainerRegistryPullOnly");
    assert_pulls_and_may_not_push(&session, &reference);
    let refusal = session.fails("aws ecr describe-images --repository-name app");
    assert!(refusal.ends_with(&denied(SESSION, "ecr:DescribeImages", &repository_arn("app"))), "{refusal}");
    let tags = format!(
        "curl --silent --user AWS:$(aws ecr get-login-password) http://{}/v2/app/tags/list",
        reference.split('/').next().unwrap()
    );
    let refusal: serde_json::Value = session.json(&tags);
    assert_eq!(refusal["errors"][0]["code"], "DENIED");
    assert_eq!(refusal["errors"][0]["message"], denied(SESSION, "ecr:ListImages", &repository_arn("app")));
}

#[test]
fn nobody_but_the_trusted_assumes_the_role() {
    let server = Server::start();
    let root = server.root();
    session_of(&root, "AmazonEC2ContainerRegistryReadOnly");
    let role = "arn:aws:iam::123456789012:role/nodes.cluster";
    let assume = format!("aws sts assume-role --role-arn {role} --role-session-name s1");
    let stranger = People::of(&root).user("stranger");
    let refusal = stranger.fails(&assume);
    assert!(refusal.contains("(AccessDenied)"), "{refusal}");
    assert!(refusal.contains(&format!("User: arn:aws:iam::123456789012:user/stranger is not authorized to perform: sts:AssumeRole on resource: {role}")), "{refusal}");
    let refusal = root.fails(&assume);
    assert!(refusal.contains("Roles may not be assumed by root accounts."), "{refusal}");
}
