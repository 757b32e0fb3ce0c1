//! Skopeo copies images both ways byte for byte, mirrors repositories, lists, inspects and deletes.

use crate::harness::{
    PLAIN, Repository, Server,
    layout::{Layout, digest},
    libpod,
    shapes::{Form, attested_index, image},
};

#[test]
fn skopeo_copies_every_form_both_ways_without_changing_a_byte() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = Repository::create(&root, "app");
    repository.login(&root, &format!("skopeo login {PLAIN}"));
    let uri = repository.uri();
    let layout = Layout::create(root.home().join("made"));
    let made = [
        ("gzip", image(&layout, "gzip", Form::OciGzip, "amd64", 3)),
        ("zstd", image(&layout, "zstd", Form::OciZstd, "amd64", 3)),
        ("index", attested_index(&layout, "index")),
    ];
    for (tag, descriptor) in &made {
        layout.name(tag, descriptor);
        let digest = descriptor["digest"].as_str().unwrap();
        root.run(&format!("skopeo copy --quiet --all --preserve-digests --dest-tls-verify=false oci:made:{tag} docker://{uri}:{tag}"));
        assert_eq!(repository.digest(tag), digest, "{tag}");
        root.run(&format!("skopeo copy --quiet --all --preserve-digests --src-tls-verify=false docker://{uri}@{digest} oci:back-{tag}:{tag}"));
        let back = Layout::open(root.home().join(format!("back-{tag}")));
        assert_eq!(back.only_digest(), digest, "{tag}");
        assert_eq!(back.reachable(digest), layout.reachable(digest), "{tag}");
    }

    // A layout cannot hold schema 2; skopeo's own `dir:` can, and the registry must.
    root.run(&format!(
        "skopeo copy --quiet --format v2s2 --dest-tls-verify=false oci:made:gzip docker://{uri}:schema2"
    ));
    root.run(&format!(
        "skopeo copy --quiet --preserve-digests --src-tls-verify=false docker://{uri}:schema2 dir:schema2"
    ));
    let manifest = std::fs::read(root.home().join("schema2/manifest.json")).unwrap();
    assert_eq!(repository.digest("schema2"), digest(&manifest));

    let mut tags = vec!["gzip", "index", "schema2", "zstd"];
    let list = format!("skopeo list-tags {PLAIN} docker://{uri}");
    assert_eq!(root.json(&list)["Tags"], serde_json::json!(tags));
    let inspected = root.json(&format!("skopeo inspect {PLAIN} docker://{uri}:gzip"));
    assert_eq!(inspected["Digest"], made[0].1["digest"]);
    assert_eq!(inspected["RepoTags"], serde_json::json!(tags));
    assert_eq!(inspected["Layers"].as_array().unwrap().len(), 3);

    root.run(&format!("skopeo delete {PLAIN} docker://{uri}:gzip"));
    tags.remove(0);
    assert_eq!(root.json(&list)["Tags"], serde_json::json!(tags));
    let gone = root.fails(&format!("skopeo inspect {PLAIN} docker://{uri}:gzip"));
    assert!(gone.contains("Requested image not found"), "{gone}");
}

#[test]
fn skopeo_mirrors_a_repository_into_another_registry_and_onto_disk() {
    let (here, there) = (Server::start(), Server::start());
    let root = libpod(&here.root());
    let source = Repository::create(&root, "app");
    source.login(&root, &format!("skopeo login {PLAIN}"));
    let layout = Layout::create(root.home().join("made"));
    for tag in ["one", "two", "three"] {
        let descriptor = image(&layout, tag, Form::OciGzip, "amd64", 2);
        layout.name(tag, &descriptor);
        root.run(&format!(
            "skopeo copy --quiet --dest-tls-verify=false oci:made:{tag} docker://{}:{tag}",
            source.uri()
        ));
    }
    // The other server's password goes into the same file of logins.
    let stranger = there.root();
    let target = Repository::create(&stranger, "mirror/app");
    let password = stranger.run("aws ecr get-login-password");
    root.run(&format!(
        "echo {password} | skopeo login {PLAIN} --username AWS --password-stdin {}",
        target.host()
    ));

    let mirror = target.uri().strip_suffix("/app").unwrap();
    root.run(&format!(
        "skopeo sync --all --src docker --dest docker --src-tls-verify=false --dest-tls-verify=false {} {mirror}",
        source.uri()
    ));
    assert_eq!(target.tags(), source.tags());
    for tag in source.tags() {
        assert_eq!(target.digest(&tag), source.digest(&tag), "{tag}");
    }
    root.run(&format!(
        "skopeo sync --src docker --dest dir --src-tls-verify=false {} mirrored",
        target.uri()
    ));
    for tag in source.tags() {
        let manifest = std::fs::read(root.home().join(format!("mirrored/app:{tag}/manifest.json"))).unwrap();
        assert_eq!(digest(&manifest), source.digest(&tag), "{tag}");
    }
}
