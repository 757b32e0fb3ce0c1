//! The tutorial once more with its literal host name, exactly as printed.
//!
//! In a namespace of its own the name leads to a server on port 443 with a certificate of an authority that the
//! Engine and `aws` trust.

use crate::harness::{
    Engine, Namespace, People, Server, Settings, TUTORIAL_REVISION, Terminal, denied, unique_context,
    user_arn,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

const HOST: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

/// The server with its certificate, the Engine beside it, and root's terminal, all inside one namespace.
/// Fields end from the top: clients before the server, the namespace last.
struct Stage {
    root: Terminal,
    _server: Server,
    _engine: Engine,
    _namespace: Namespace,
    _certificates: TempDir,
}

impl Stage {
    fn set() -> Stage {
        let certificates = TempDir::with_prefix("longshore-certificates-").unwrap();
        let authority = write_certificates(&certificates);
        let namespace = Namespace::with_hosts(&[HOST]);
        let place = |name: &str| certificates.path().join(name).to_str().unwrap().to_owned();
        let settings = Settings { listen: "127.0.0.1:443".to_owned(), ..Settings::default() }
            .inside(&namespace)
            .with_flags(&[
                "--tls-cert",
                &place("certificate.pem"),
                "--tls-key",
                &place("key.pem"),
                "--public-host",
                "{account}.dkr.ecr.{region}.amazonaws.com",
            ]);
        let server = Server::start_with(settings);
        let engine = Engine::inside(&namespace, HOST, &authority);
        let root = Terminal::before(&engine, &server.block())
            .inside(&namespace)
            .with("AWS_CA_BUNDLE", Some(&place("authority.pem")));
        Stage { root, _server: server, _engine: engine, _namespace: namespace, _certificates: certificates }
    }
}

/// Writes `certificate.pem` and `key.pem` for [`HOST`], and the authority that signed it, whose text it gives.
fn write_certificates(folder: &TempDir) -> String {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    // Otherwise both certificates bear the same default name, and OpenSSL takes the second for self-signed.
    parameters.distinguished_name.push(DnType::CommonName, "the authority of this test");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate().unwrap();
    let authority = parameters.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(parameters, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![HOST.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    for (name, text) in [
        ("authority.pem", &authority),
        ("certificate.pem", &certificate.pem()),
        ("key.pem", &key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    authority
}

#[test]
fn every_printed_line_works_as_it_stands() {
    let stage = Stage::set();
    let root = &stage.root;
    let repository = &root.json("aws ecr create-repository --repository-name randserver")["repository"];
    assert_eq!(repository["repositoryUri"], format!("{HOST}/randserver"));
    assert_eq!(repository["repositoryArn"], "arn:aws:ecr:eu-central-1:123456789012:repository/randserver");
    let token = &root.json("aws ecr get-authorization-token")["authorizationData"][0];
    assert_eq!(token["proxyEndpoint"], format!("https://{HOST}"));

    root.run("$(aws ecr get-login --registry-ids 123456789012 --no-include-email)");
    unique_context(root, "randserver");
    root.run("docker build -t randserver:0.0.1 randserver");
    root.run("docker tag randserver:0.0.1 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1");
    root.run("docker push 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1");
    root.run("docker rmi 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1 randserver:0.0.1");
    root.run("docker pull 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1");
    for tag in ["latest", "stable", "v1.7.3", TUTORIAL_REVISION, "8.0.12-c15"] {
        root.run(&format!("docker tag {HOST}/randserver:0.0.1 {HOST}/randserver:{tag}"));
        root.run(&format!("docker push {HOST}/randserver:{tag}"));
    }
    let label = root.run("docker inspect --format '{{index .Config.Labels \"org.label-schema.vcs-ref\"}}' 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1");
    assert_eq!(label, TUTORIAL_REVISION);

    let manifest = root.run(
        "aws ecr batch-get-image --repository-name randserver --image-ids imageTag=0.0.1 --query 'images[0].imageManifest' --output text",
    );
    let layer = manifest.rsplit_once("sha256:").unwrap().1.split('"').next().unwrap().to_owned();
    let layer = format!("sha256:{layer}");
    let url = root.run(&format!("aws ecr get-download-url-for-layer --repository-name randserver --layer-digest {layer} --query downloadUrl --output text"));
    assert_eq!(
        root.run(&format!("curl --silent --cacert \"$AWS_CA_BUNDLE\" '{url}' | sha256sum | cut -d' ' -f1")),
        layer["sha256:".len()..]
    );
}

/// The tutorial's policy grants the token on a repository, where the action never applies.
#[test]
fn the_tutorials_own_trap_is_explained_and_has_a_way_out() {
    let stage = Stage::set();
    let root = &stage.root;
    root.run("aws ecr create-repository --repository-name randserver");
    let people = People::of(root);
    let johndoe = people.user("johndoe");
    people.join_tutorial_group("johndoe");

    let refusal = johndoe.fails("aws ecr get-login-password");
    assert!(refusal.ends_with(&denied(&user_arn("johndoe"), "ecr:GetAuthorizationToken", "*")), "{refusal}");

    root.run("aws iam attach-user-policy --policy-arn arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly --user-name johndoe");
    johndoe.run("$(aws ecr get-login --registry-ids 123456789012 --no-include-email)");
    unique_context(&johndoe, "randserver");
    johndoe
        .run("docker build -t 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1 randserver");
    johndoe.run("docker push 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1");
    johndoe.run("docker pull 123456789012.dkr.ecr.eu-central-1.amazonaws.com/randserver:0.0.1");
}
