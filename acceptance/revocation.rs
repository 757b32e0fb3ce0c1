//! What is taken away is gone with the very next request, also for a docker login made before.

use crate::harness::{People, Server, Terminal, build, denied, repository_arn, user_arn};

const POWER_USER: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser";

/// A user with the power user's policy who has logged docker in and pushed once; the reference that was pushed.
fn power_user(server: &Server) -> (Terminal, Terminal, String) {
    let root = server.root();
    let uri =
        root.json("aws ecr create-repository --repository-name app")["repository"]["repositoryUri"].clone();
    let reference = format!("{}:1", uri.as_str().unwrap());
    let user = People::of(&root).user_with("alice", "AmazonEC2ContainerRegistryPowerUser");
    user.run("$(aws ecr get-login --no-include-email)");
    build(&user, &reference);
    user.run(&format!("docker push {reference}"));
    (root, user, reference)
}

#[test]
fn a_detached_policy_and_an_attached_one_count_at_once() {
    let server = Server::start();
    let (root, alice, reference) = power_user(&server);
    for _ in 0..2 {
        root.run(&format!("aws iam detach-user-policy --user-name alice --policy-arn {POWER_USER}"));
        let refusal = alice.fails(&format!("docker pull {reference}"));
        let sentence = denied(&user_arn("alice"), "ecr:BatchGetImage", &repository_arn("app"));
        assert!(refusal.contains(&sentence), "{refusal}");
        let refusal = alice.fails("aws ecr list-images --repository-name app");
        assert!(
            refusal.ends_with(&denied(&user_arn("alice"), "ecr:ListImages", &repository_arn("app"))),
            "{refusal}"
        );

        root.run(&format!("aws iam attach-user-policy --user-name alice --policy-arn {POWER_USER}"));
        alice.run(&format!("docker pull {reference}"));
        alice.run("aws ecr list-images --repository-name app");
    }
}

#[test]
fn a_new_version_of_a_policy_and_a_left_group_count_at_once() {
    let server = Server::start();
    let root = server.root();
    root.run("aws ecr create-repository --repository-name randserver");
    let people = People::of(&root);
    let bob = people.user("bob");
    people.join_tutorial_group("bob");
    bob.run("aws ecr list-images --repository-name randserver");
    let denial = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}"#;
    let policy = "arn:aws:iam::123456789012:policy/push-to-randserver";
    root.run(&format!(
        "aws iam create-policy-version --set-as-default --policy-arn {policy} --policy-document '{denial}'"
    ));
    let refusal = bob.fails("aws ecr list-images --repository-name randserver");
    assert!(
        refusal.contains(&format!("with an explicit deny in an identity-based policy: {policy}")),
        "{refusal}"
    );
    root.run(&format!("aws iam set-default-policy-version --policy-arn {policy} --version-id v1"));
    bob.run("aws ecr list-images --repository-name randserver");
    root.run("aws iam remove-user-from-group --group-name randserver-developers --user-name bob");
    bob.fails("aws ecr list-images --repository-name randserver");
}

#[test]
fn an_inactive_key_and_a_deleted_key_end_every_use() {
    let server = Server::start();
    let (root, alice, reference) = power_user(&server);
    let key = root.run(
        "aws iam list-access-keys --user-name alice --query 'AccessKeyMetadata[0].AccessKeyId' --output text",
    );
    let set = |status: &str| {
        root.run(&format!(
            "aws iam update-access-key --user-name alice --access-key-id {key} --status {status}"
        ))
    };

    set("Inactive");
    assert_unknown_key(&alice, &reference);
    set("Active");
    alice.run(&format!("docker pull {reference}"));
    alice.run("aws sts get-caller-identity");
    root.run(&format!("aws iam delete-access-key --user-name alice --access-key-id {key}"));
    assert_unknown_key(&alice, &reference);
}

#[test]
fn a_deleted_user_does_not_come_back_with_a_new_one_of_the_same_name() {
    let server = Server::start();
    let (root, alice, reference) = power_user(&server);
    let key = root.run(
        "aws iam list-access-keys --user-name alice --query 'AccessKeyMetadata[0].AccessKeyId' --output text",
    );
    root.run(&format!("aws iam delete-access-key --user-name alice --access-key-id {key}"));
    root.run(&format!("aws iam detach-user-policy --user-name alice --policy-arn {POWER_USER}"));
    root.run("aws iam delete-user --user-name alice");
    let namesake = People::of(&root).user_with("alice", "AmazonEC2ContainerRegistryPowerUser");
    namesake.run("aws ecr list-images --repository-name app");
    assert_unknown_key(&alice, &reference);
}

/// No door knows the key any more: neither AWS's protocols nor the docker login made with it.
fn assert_unknown_key(user: &Terminal, reference: &str) {
    let refusal = user.fails("aws ecr list-images --repository-name app");
    assert!(refusal.contains("(UnrecognizedClientException)"), "{refusal}");
    assert!(refusal.ends_with("The security token included in the request is invalid."), "{refusal}");
    let refusal = user.fails("aws iam get-user");
    assert!(refusal.contains("(InvalidClientTokenId)"), "{refusal}");
    user.fails(&format!("docker pull {reference}"));
    let host = reference.split('/').next().unwrap();
    let password = "sed -n 's/.*\"auth\": \"\\(.*\\)\".*/\\1/p' .docker/config.json";
    let status = format!(
        "curl --silent --output answer --write-out '%{{http_code}}' --header \"Authorization: Basic $({password})\" http://{host}/v2/"
    );
    let status = user.run(&status);
    assert!(matches!(status.as_str(), "401" | "403"), "{status}");
}
