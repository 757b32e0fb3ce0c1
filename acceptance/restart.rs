//! What was acknowledged is there after any end of the process, and every end that is asked for is clean.

use crate::harness::{People, Server, Settings, Terminal, build, pasted, tools};

#[test]
fn everything_survives_kill_9() {
    let mut server = Server::start();
    let root = server.root();
    let uri =
        root.json("aws ecr create-repository --repository-name app")["repository"]["repositoryUri"].clone();
    let reference = format!("{}:1", uri.as_str().unwrap());
    root.run("$(aws ecr get-login --no-include-email)");
    build(&root, &reference);
    root.run(&format!("docker push {reference}"));
    let reader = People::of(&root).user_with("reader", "AmazonEC2ContainerRegistryReadOnly");
    let before = everything(&root);

    for _ in 0..2 {
        server.stop("KILL");
        let again = server.settings();
        server = Server::start_with(again);
        assert_eq!(everything(&root), before);
        // The layers too, through the login made before; a local copy would hide their loss.
        root.run(&format!("docker rmi {reference}"));
        root.run(&format!("docker pull {reference}"));
        reader.run("aws ecr list-images --repository-name app");
    }
}

fn everything(root: &Terminal) -> Vec<String> {
    let questions = [
        "aws ecr describe-repositories",
        "aws ecr list-images --repository-name app",
        "aws ecr batch-get-image --repository-name app --image-ids imageTag=1",
        "aws iam list-users",
        "aws iam list-access-keys --user-name reader",
        "aws iam list-attached-user-policies --user-name reader",
    ];
    questions.iter().map(|question| root.run(question)).collect()
}

#[test]
fn the_root_key_is_shown_once_and_a_later_start_says_how_to_get_another() {
    let mut server = Server::start();
    let secret = server.block()["AWS_SECRET_ACCESS_KEY"].clone();
    assert!(server.printed().contains(&secret));
    server.stop("TERM");
    let server = Server::start_with(server.settings());
    assert!(server.block().is_empty(), "{}", server.printed());
    assert!(!server.printed().contains(&secret));
    assert!(server.printed().contains("longshore credentials"), "{}", server.printed());
}

#[test]
fn a_new_root_key_comes_from_the_command_line_beside_the_running_server() {
    let server = Server::start();
    let root = server.root();
    let data = server.settings().data.unwrap();
    let block = root.run(&format!(
        "'{}' credentials root --data-dir '{}'",
        tools::longshore().display(),
        data.path().display()
    ));
    let block = pasted(&block);
    assert_ne!(block["AWS_ACCESS_KEY_ID"], server.block()["AWS_ACCESS_KEY_ID"]);
    let again = root.someone_else(&block["AWS_ACCESS_KEY_ID"], &block["AWS_SECRET_ACCESS_KEY"]);
    assert_eq!(again.json("aws sts get-caller-identity")["Arn"], "arn:aws:iam::123456789012:root");
    root.run("aws sts get-caller-identity");
}

#[test]
fn a_given_root_key_account_and_region_are_used_and_not_shown() {
    let (key, secret) = ("AKIAACCEPTANCETEST22", "b0Jk/xq7Jz2s+3Hn5tYw8Lr1Vd4Gf6Mc9Pa0QeTu");
    let given = [
        ("LONGSHORE_ROOT_ACCESS_KEY_ID", key),
        ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", secret),
        ("LONGSHORE_ACCOUNT", "000000000042"),
        ("LONGSHORE_REGION", "us-west-2"),
    ];
    let environment = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let server = Server::start_with(Settings { environment, ..Settings::default() });
    assert!(!server.printed().contains(secret), "{}", server.printed());
    let root = Terminal::new(&server.block())
        .someone_else(key, secret)
        .with("AWS_ENDPOINT_URL", Some(&format!("http://{}", server.address())))
        .with("AWS_DEFAULT_REGION", Some("us-west-2"));
    assert_eq!(root.json("aws sts get-caller-identity")["Account"], "000000000042");
    let repository = &root.json("aws ecr create-repository --repository-name app")["repository"];
    assert_eq!(repository["repositoryArn"], "arn:aws:ecr:us-west-2:000000000042:repository/app");
}

#[test]
fn the_secret_lies_nowhere_in_the_data_folder_as_it_is() {
    let server = Server::start();
    let root = server.root();
    People::of(&root).user("alice");
    let secret = server.block()["AWS_SECRET_ACCESS_KEY"].clone();
    let data = server.settings().data.unwrap();
    let search = format!(
        "grep --recursive --text --count --fixed-strings -e '{secret}' '{}' | grep -v ':0$' || true",
        data.path().display()
    );
    assert_eq!(root.run(&search), "");
}

#[test]
fn sigterm_and_sigint_end_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        server.root().run("aws ecr create-repository --repository-name app");
        let status = server.stop(signal);
        assert_eq!(status.code(), Some(0), "SIG{signal}: {status}\n{}", server.printed());
    }
}
