//! containerd, as Kubernetes uses it: `ctr` imports, pushes and pulls images of one and of several processors.

use crate::harness::{
    Guardian, Repository, Server, Terminal,
    layout::Layout,
    shapes::{Form, attested_index, image},
    wait_for,
};
use std::time::Duration;

/// A containerd of our own, without the part that serves Kubernetes, in its own mounts.
const START: &str = "printf 'version = 2\\nroot = \"{}/root\"\\nstate = \"{}/state\"\\n\
     disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\\n[grpc]\\naddress = \"{}/socket\"\\n\
     [ttrpc]\\naddress = \"{}/ttrpc\"\\n' > {}/config.toml && exec containerd --config {}/config.toml";

/// Starts containerd and gives the words before `ctr`'s subcommands.
pub fn start() -> (Guardian, String) {
    let containerd = Guardian::start("containerd", &["unshare", "--mount", "sh", "-c", START]);
    wait_for("containerd (it needs root)", Duration::from_secs(60), || {
        containerd.log().contains("containerd successfully booted").then_some(())
    });
    let ctr = format!("ctr --address {}/socket", containerd.folder().display());
    (containerd, ctr)
}

/// The digest under which containerd keeps an image.
fn kept(terminal: &Terminal, ctr: &str, reference: &str) -> String {
    let line = terminal.run(&format!("{ctr} image ls 'name=={reference}' | tail -n 1"));
    line.split_whitespace()
        .find(|word| word.starts_with("sha256:"))
        .unwrap_or_else(|| panic!("{line}"))
        .to_owned()
}

#[test]
fn ctr_pushes_and_pulls_images_of_every_form() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "team/app");
    let (_containerd, ctr) = start();
    let user = "--plain-http --user \"AWS:$(aws ecr get-login-password)\"";
    let layout = Layout::create(root.home().join("made"));
    for (tag, descriptor) in [
        ("gzip", image(&layout, "gzip", Form::OciGzip, "amd64", 3)),
        ("zstd", image(&layout, "zstd", Form::OciZstd, "amd64", 3)),
        ("schema2", image(&layout, "schema2", Form::Schema2, "amd64", 3)),
        ("index", attested_index(&layout, "index")),
    ] {
        let reference = format!("{}:{tag}", repository.uri());
        let digest = descriptor["digest"].as_str().unwrap();
        // One archive per image: containerd names what it imports by the annotation.
        let single = Layout::create(root.home().join(tag));
        for member in layout.reachable(digest) {
            std::fs::copy(layout.blob(&member), single.blob(&member)).unwrap();
        }
        single.name(&reference, &descriptor);
        root.run(&format!("tar -C {tag} -cf {tag}.tar ."));
        root.run(&format!("{ctr} image import --all-platforms --no-unpack {tag}.tar"));
        root.run(&format!("{ctr} image push {user} {reference}"));
        assert_eq!(repository.digest(tag), digest, "{tag}");

        root.run(&format!("{ctr} image rm --sync {reference}"));
        // The unpacking of this processor's layers checks their uncompressed digests as well.
        root.run(&format!("{ctr} image pull {user} {reference}"));
        assert_eq!(kept(&root, &ctr, &reference), digest, "{tag}");
        root.run(&format!("{ctr} image rm --sync {reference}"));
        // Every member of an index; attestations are nothing that could be unpacked.
        let by_digest = format!("{}@{digest}", repository.uri());
        root.run(&format!("{ctr} content fetch {user} --all-platforms {by_digest}"));
        assert_eq!(kept(&root, &ctr, &by_digest), digest, "{tag}");
        root.run(&format!("{ctr} image rm --sync {by_digest}"));
    }
    let refused =
        root.fails(&format!("{ctr} image pull --plain-http --user AWS:nonsense {}:gzip", repository.uri()));
    assert!(refused.contains("401") || refused.contains("authorization"), "{refused}");
}
