//! `longshore credential-helper`: docker and podman push and pull with AWS credentials and no login.

use crate::harness::{
    Engine, Namespace, PLAIN, People, Repository, Server, Settings, Terminal, build, libpod, tools,
};
use std::io::{Read, Write};
use std::net::TcpListener;

/// The terminal with the helper installed, as the how-to page says.
fn with_helper(terminal: &Terminal, configuration: &str) -> Terminal {
    terminal.write(".docker/config.json", configuration);
    std::fs::create_dir_all(terminal.home().join("bin")).unwrap();
    let link = terminal.home().join("bin/docker-credential-longshore");
    if !link.exists() {
        std::os::unix::fs::symlink(tools::longshore(), link).unwrap();
    }
    let path = format!("{}/bin:{}", terminal.home().display(), tools::path());
    terminal.clone().with("PATH", Some(&path))
}

/// Asks the helper as docker does; gives what it answers and whether that is an answer.
fn ask(terminal: &Terminal, action: &str, input: &str) -> (bool, String) {
    let answer = terminal.try_run(&format!("printf '%s' '{input}' | docker-credential-longshore {action}"));
    (answer.succeeded, answer.stdout.trim_end().to_owned())
}

#[test]
fn docker_pushes_and_pulls_without_a_login() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let configuration = format!(r#"{{"credHelpers":{{"{}":"longshore"}}}}"#, repository.host());
    // Whoever has no endpoint configured is let in by the host itself.
    for (tag, endpoint) in [("1", None), ("2", Some(format!("http://{}", server.address())))] {
        let root = with_helper(&root, &configuration).with("AWS_ENDPOINT_URL", endpoint.as_deref());
        let reference = format!("{}:{tag}", repository.uri());
        build(&root, &reference);
        root.run(&format!("docker push --quiet {reference}"));
        root.run(&format!("docker rmi {reference}"));
        let pulled = root.run(&format!("docker pull {reference}"));
        assert!(pulled.contains(&repository.digest(tag)), "{pulled}");
    }
    let kept = std::fs::read_to_string(root.home().join(".docker/config.json")).unwrap();
    assert_eq!(kept, configuration, "nothing was stored");
    let anonymous = root.clone().with("HOME", Some("/nonexistent"));
    assert!(!anonymous.try_run(&format!("docker pull {}:1", repository.uri())).succeeded);
}

#[test]
fn as_the_store_of_all_credentials_it_answers_for_its_own_and_leaves_strangers_alone() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let root = with_helper(&root, r#"{"credsStore":"longshore"}"#);
    let reference = format!("{}:1", repository.uri());
    build(&root, &reference);
    root.run(&format!("docker push --quiet {reference}"));
    root.run(&format!("docker rmi {reference}"));
    // Docker's builder asks for all there are: `list`, then `get`.
    root.write("on-top/Dockerfile", format!("FROM {reference}\nLABEL on=top\n"));
    root.run("DOCKER_BUILDKIT=0 docker build --quiet on-top");
    let (_, listed) = ask(&root, "list", "");
    assert_eq!(listed, format!(r#"{{"http://{}":"AWS"}}"#, repository.host()));

    // A registry that is none of ours gets one question without credentials.
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = stranger.local_addr().unwrap().to_string();
    let seen = std::thread::spawn(move || {
        let mut plain = String::new();
        for stream in stranger.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let length = stream.read(&mut bytes).unwrap();
            plain += &String::from_utf8_lossy(&bytes[..length]);
            let _ = stream.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer realm=\"a\"\r\n\
                  content-length: 0\r\nconnection: close\r\n\r\n",
            );
        }
        plain
    });
    let not_found = (false, "credentials not found in native keychain".to_owned());
    assert_eq!(ask(&root, "get", &host), not_found);
    let seen = seen.join().unwrap();
    assert!(seen.contains("GET /v2/ HTTP/1.1") && !seen.to_lowercase().contains("authorization"), "{seen}");
    assert_eq!(ask(&root, "get", "no host"), not_found);
}

#[test]
fn podman_takes_the_key_of_a_profile() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = Repository::create(&root, "app");
    let configuration = format!(r#"{{"credHelpers":{{"{}":"longshore"}}}}"#, repository.host());
    let key = server.block();
    root.write(
        ".aws/credentials",
        format!(
            "[default]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n[work]\naws_access_key_id = {}\n\
             aws_secret_access_key = {}\n",
            key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"]
        ),
    );
    let user = with_helper(&root, &configuration)
        .with("AWS_ACCESS_KEY_ID", None)
        .with("AWS_SECRET_ACCESS_KEY", None)
        .with("AWS_ENDPOINT_URL", None);
    user.write("context/file", "podman\n");
    user.write("context/Dockerfile", "FROM scratch\nCOPY file /file\n");
    let reference = format!("{}:1", repository.uri());
    user.run(&format!("podman build --quiet --tag {reference} context"));
    let refused = user.fails(&format!("podman push {PLAIN} {reference}"));
    assert!(refused.contains("security token included in the request is invalid"), "{refused}");
    let user = user.with("AWS_PROFILE", Some("work"));
    user.run(&format!("podman push --quiet {PLAIN} {reference}"));
    user.run(&format!("podman rmi {reference} && podman pull --quiet {PLAIN} {reference}"));
    assert_eq!(repository.tags(), ["1"]);
}

#[test]
fn refusals_are_docker_s_sentences_and_the_server_s() {
    let server = Server::start();
    let root = server.root();
    let host = server.address();
    let helper = with_helper(&root, "{}");
    let (found, answer) = ask(&helper, "get", &format!("https://{host}/v2/"));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert!(found && answer["ServerURL"] == format!("https://{host}/v2/") && answer["Username"] == "AWS");

    let johndoe = with_helper(&People::of(&root).user("johndoe"), "{}");
    for endpoint in [None, Some(format!("http://{host}"))] {
        let (found, sentence) =
            ask(&johndoe.clone().with("AWS_ENDPOINT_URL", endpoint.as_deref()), "get", host);
        let denied = "is not authorized to perform: ecr:GetAuthorizationToken on resource: *";
        assert!(!found && sentence.contains(denied), "{sentence}");
    }
    let nobody = helper.clone().with("AWS_ACCESS_KEY_ID", None).with("AWS_SECRET_ACCESS_KEY", None);
    assert!(ask(&nobody, "get", host).1.starts_with("no AWS credentials"));
    assert_eq!(ask(&helper, "get", ""), (false, "no credentials server URL".to_owned()));
    assert_eq!(ask(&helper, "erase", host), (true, String::new()));
    let login = format!(r#"{{"ServerURL":"{host}","Username":"AWS","Secret":"pw"}}"#);
    let (stored, sentence) = ask(&helper, "store", &login);
    assert!(!stored && sentence.contains("keeps none"), "{sentence}");
    let ignoring = helper.clone().with("AWS_ECR_IGNORE_CREDS_STORAGE", Some("true"));
    assert_eq!(ask(&ignoring, "store", &login), (true, String::new()));
    let (known, usage) = ask(&helper, "forget", "");
    assert!(!known && usage.contains("possible values: get, store, erase, list"), "{usage}");
    assert!(ask(&helper, "version", "").1.starts_with("docker-credential-longshore "));

    // The configured endpoint's password is for its own registry and nobody else's.
    let other = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (found, answer) = ask(&helper, "get", &other);
    assert!(!found && answer.contains("cannot be asked"), "{answer}");
}

#[test]
fn over_tls_the_certificate_is_checked() {
    const HOST: &str = "registry.example.com";
    let namespace = Namespace::with_hosts(&[HOST]);
    let settings = Settings { listen: "127.0.0.1:443".to_owned(), ..Settings::default() }
        .inside(&namespace)
        .with_flags(&["--tls", "self-signed", "--public-host", HOST]);
    let server = Server::start_with(settings);
    let authority = server.settings().data.unwrap().path().join("tls/ca.pem");
    let text = std::fs::read_to_string(&authority).unwrap();
    let engine = Engine::inside(&namespace, HOST, &text);
    let root = Terminal::before(&engine, &server.block()).inside(&namespace);
    let trusting = root.clone().with("AWS_CA_BUNDLE", authority.to_str());
    let repository = Repository::create(&trusting, "app");
    let configuration = format!(r#"{{"credHelpers":{{"{HOST}":"longshore"}}}}"#);
    let root = with_helper(&root, &configuration).with("AWS_ENDPOINT_URL", None);
    let (found, sentence) = ask(&root, "get", HOST);
    assert!(!found && sentence.contains("invalid peer certificate"), "{sentence}");
    let trusting = root.with("AWS_CA_BUNDLE", authority.to_str());
    let reference = format!("{}:1", repository.uri());
    build(&trusting, &reference);
    trusting.run(&format!("docker push --quiet {reference} && docker rmi {reference}"));
    assert!(trusting.run(&format!("docker pull {reference}")).contains(&repository.digest("1")));
}
