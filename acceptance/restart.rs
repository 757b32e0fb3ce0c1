//! What was acknowledged is there after any end of the process, and every end that is asked for is clean.

use crate::harness::{People, Server, Terminal, build};

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
