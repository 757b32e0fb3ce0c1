//! cosign signs and attests images, by the referrers API and by the tags that came before it, and verifies both.

use crate::harness::{
    Repository, Server, Terminal,
    layout::Layout,
    shapes::{Form, image},
};

/// The oldest registries know no referrers: signatures are tags `sha256-<hex>.sig`, attestations `….att`.
const BY_TAGS: &str = "--use-signing-config=false --new-bundle-format=false --tlog-upload=false";

/// The newest form. A signing configuration without services keeps everything on this machine.
const BY_REFERRERS: &str = "--signing-config offline.json";

/// A terminal that can sign, logged in, with a pair of keys `<name>.key` and `<name>.pub`.
fn signer(root: &Terminal, repository: &Repository<'_>) -> Terminal {
    // What cosign asks of the public good instance fails at once instead of after a time; nothing here needs it.
    let root = root.clone().with("COSIGN_PASSWORD", Some("")).with("HTTPS_PROXY", Some("http://127.0.0.1:9"));
    repository.login(&root, "cosign login");
    root.write("offline.json", r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#);
    root.write("predicate.json", r#"{"passed":true}"#);
    for name in ["mine", "other"] {
        root.run(&format!("cosign generate-key-pair --output-key-prefix {name}"));
    }
    root
}

/// Pushes an image; gives `localhost:4580/app@sha256:…`.
fn push(root: &Terminal, repository: &Repository<'_>, tag: &str) -> String {
    let made = Layout::create(root.home().join(tag));
    made.name(tag, &image(&made, tag, Form::OciGzip, "amd64", 1));
    root.run(&format!("crane push {tag} {}:{tag}", repository.uri()))
}

fn sign(root: &Terminal, image: &str, way: &str) {
    root.run(&format!("cosign sign --yes --allow-http-registry --key mine.key {way} {image}"));
}

fn attest(root: &Terminal, image: &str, way: &str) {
    root.run(&format!(
        "cosign attest --yes --allow-http-registry --key mine.key {way} --type custom --predicate predicate.json {image}"
    ));
}

/// Both must verify with my key, neither with the other.
fn verify(root: &Terminal, image: &str, way: &str) {
    let flags = format!("--allow-http-registry --insecure-ignore-tlog {way}");
    root.run(&format!("cosign verify {flags} --key mine.pub {image}"));
    let statement =
        root.run(&format!("cosign verify-attestation {flags} --type custom --key mine.pub {image}"));
    assert!(statement.contains("application/vnd.in-toto+json"), "{statement}");
    root.fails(&format!("cosign verify {flags} --key other.pub {image}"));
    root.fails(&format!("cosign verify-attestation {flags} --type custom --key other.pub {image}"));
}

#[test]
fn signatures_and_attestations_are_referrers() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let root = signer(&root, &repository);
    let (signed, bare) = (push(&root, &repository, "signed"), push(&root, &repository, "bare"));
    sign(&root, &signed, BY_REFERRERS);
    attest(&root, &signed, BY_REFERRERS);
    assert_eq!(repository.tags(), ["bare", "signed"]);
    verify(&root, &signed, "");
    root.fails(&format!("cosign verify --allow-http-registry --insecure-ignore-tlog --key mine.pub {bare}"));

    let tree = root.run(&format!("cosign tree --allow-http-registry {signed}"));
    assert_eq!(tree.matches("artifacts via OCI referrer").count(), 2, "{tree}");
    let digest = signed.split_once('@').unwrap().1;
    let name = repository.name();
    let listed = root.json(&format!(
        "aws ecr list-image-referrers --repository-name {name} --subject-id imageDigest={digest}"
    ));
    assert_eq!(listed["referrers"].as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn signatures_and_attestations_are_tags() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let root = signer(&root, &repository);
    let signed = push(&root, &repository, "signed");
    sign(&root, &signed, BY_TAGS);
    attest(&root, &signed, BY_TAGS);
    // Another signature is added to the first: the tag moves.
    sign(&root, &signed, &format!("{BY_TAGS} --annotations stage=two"));
    let fallback = signed.split_once('@').unwrap().1.replace(':', "-");
    assert_eq!(
        repository.tags(),
        [format!("{fallback}.att"), format!("{fallback}.sig"), "signed".to_owned()]
    );
    verify(&root, &signed, "--new-bundle-format=false");
    root.run(&format!(
        "cosign verify --allow-http-registry --insecure-ignore-tlog --new-bundle-format=false \
         --key mine.pub --annotations stage=two {signed}"
    ));
}

#[test]
fn an_immutable_repository_with_an_exclusion_takes_moving_signature_tags() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let root = signer(&root, &repository);
    root.run(
        "aws ecr put-image-tag-mutability --repository-name app --image-tag-mutability IMMUTABLE_WITH_EXCLUSION \
         --image-tag-mutability-exclusion-filters filterType=WILDCARD,filter=sha256-*",
    );
    let signed = push(&root, &repository, "signed");
    for stage in ["one", "two"] {
        sign(&root, &signed, &format!("{BY_TAGS} --annotations stage={stage}"));
        attest(&root, &signed, BY_TAGS);
        sign(&root, &signed, BY_REFERRERS);
        attest(&root, &signed, BY_REFERRERS);
    }
    verify(&root, &signed, "--new-bundle-format=false");
    verify(&root, &signed, "");
    push(&root, &repository, "other");
    let overwritten = root.fails(&format!("crane push other {}:signed", repository.uri()));
    let sentence = "The image tag 'signed' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.";
    assert!(overwritten.contains(sentence), "{overwritten}");

    // Without the exclusion a signature tag is written once; referrers, which need no tag, go on.
    root.run("aws ecr put-image-tag-mutability --repository-name app --image-tag-mutability IMMUTABLE");
    let moved = root.fails(&format!(
        "cosign sign --yes --allow-http-registry --key mine.key {BY_TAGS} --annotations stage=three {signed}"
    ));
    assert!(moved.contains("cannot be overwritten because the tag is immutable"), "{moved}");
    sign(&root, &signed, BY_REFERRERS);
}
