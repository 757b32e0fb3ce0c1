//! Debian's `amazon-ecr-credential-helper` logs docker in, unchanged and unconfigured: the tutorial's names lead here
//! and the machine trusts our authority.

use crate::harness::{Engine, Namespace, Repository, Server, Settings, Terminal, build};

const HOST: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
const API: &str = "api.ecr.eu-central-1.amazonaws.com";

#[test]
fn amazon_s_own_helper_logs_docker_in() {
    let namespace = Namespace::with_hosts(&[HOST, API]);
    let settings = Settings { listen: "127.0.0.1:443".to_owned(), ..Settings::default() }
        .inside(&namespace)
        .with_flags(&["--tls", "self-signed", "--public-host", "{account}.dkr.ecr.{region}.amazonaws.com"]);
    let server = Server::start_with(settings);
    let authority = server.settings().data.unwrap().path().join("tls/ca.pem");
    let engine = Engine::inside(&namespace, HOST, &std::fs::read_to_string(&authority).unwrap());
    let root = Terminal::before(&engine, &server.block()).inside(&namespace);
    let operator = root.clone().with("AWS_CA_BUNDLE", authority.to_str());
    let repository = Repository::create(&operator, "randserver");
    assert_eq!(repository.host(), HOST);

    // What `update-ca-certificates` would make, seen in this namespace only.
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    root.run(&format!("cat {bundle} '{}' > bundle && mount --bind bundle {bundle}", authority.display()));
    let user = root.with("AWS_ENDPOINT_URL", None).with("AWS_DEFAULT_REGION", None);
    let configuration = r#"{"credsStore":"ecr-login"}"#;
    user.write(".docker/config.json", configuration);
    let reference = format!("{HOST}/randserver:0.0.1");
    build(&user, &reference);
    user.run(&format!("docker push --quiet {reference} && docker rmi {reference}"));
    let pulled = user.run(&format!("docker pull {reference}"));
    assert!(pulled.contains(&repository.digest("0.0.1")), "{pulled}");
    assert_eq!(std::fs::read_to_string(user.home().join(".docker/config.json")).unwrap(), configuration);
}
