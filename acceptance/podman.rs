//! Podman builds, pushes and pulls images, alone and as lists of several processors.

use crate::harness::{PLAIN, Repository, Server, libpod, unique_context};

#[test]
fn podman_pushes_and_pulls_what_it_has_built() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = Repository::create(&root, "app");
    repository.login(&root, &format!("podman login {PLAIN}"));
    let uri = repository.uri();
    // Both formats, and a compression that containerd and Docker read as well.
    for (tag, flags, media_type) in [
        ("oci", "--format oci", "application/vnd.oci.image.manifest.v1+json"),
        ("zstd", "--format oci --compression-format zstd", "application/vnd.oci.image.manifest.v1+json"),
        ("docker", "--format v2s2", "application/vnd.docker.distribution.manifest.v2+json"),
    ] {
        // A new image each time: podman would take the layers that are already there, however compressed.
        unique_context(&root, "context");
        root.run(&format!("podman build --quiet --tag {uri}:{tag} context"));
        let id = root.run(&format!("podman inspect --format '{{{{.Id}}}}' {uri}:{tag}"));
        root.run(&format!("podman push {PLAIN} {flags} --digestfile {tag}.digest {uri}:{tag}"));
        let digest = root.run(&format!("cat {tag}.digest"));
        let image = repository.describe(&format!("imageTag={tag}"));
        assert_eq!(image["imageDigest"], digest.as_str(), "{tag}");
        assert_eq!(image["imageManifestMediaType"], media_type, "{tag}");

        root.run("podman rmi --all --force");
        root.run(&format!("podman pull --quiet {PLAIN} {uri}:{tag}"));
        let pulled = root.run(&format!("podman inspect --format '{{{{.Digest}}}} {{{{.Id}}}}' {uri}:{tag}"));
        assert_eq!(pulled, format!("{digest} {id}"), "{tag}");
        root.run("podman rmi --all --force");
        root.run(&format!("podman pull --quiet {PLAIN} {uri}@{digest}"));
    }
    let layers = root.json(&format!("skopeo inspect {PLAIN} --raw docker://{uri}:zstd"))["layers"].clone();
    assert_eq!(layers[0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
}

#[test]
fn podman_pushes_a_list_of_two_processors_and_pulls_each() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = Repository::create(&root, "app");
    repository.login(&root, &format!("podman login {PLAIN}"));
    let uri = repository.uri();
    root.run("podman manifest create both");
    for processor in ["amd64", "arm64"] {
        unique_context(&root, processor);
        root.run(&format!("podman build --quiet --platform linux/{processor} --manifest both {processor}"));
    }
    root.run(&format!("podman manifest push {PLAIN} --all --digestfile digest both docker://{uri}:both"));
    assert_eq!(repository.digest("both"), root.run("cat digest"));
    root.run("podman rmi --all --force");
    for processor in ["amd64", "arm64"] {
        root.run(&format!("podman pull --quiet {PLAIN} --platform linux/{processor} {uri}:both"));
        assert_eq!(
            root.run(&format!("podman inspect --format '{{{{.Architecture}}}}' {uri}:both")),
            processor
        );
    }
    let listed = root.json(&format!("skopeo inspect {PLAIN} --raw docker://{uri}:both"));
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn podman_prints_why_it_was_refused() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = Repository::create(&root, "app");
    let uri = repository.uri();
    unique_context(&root, "context");
    root.run(&format!("podman build --quiet --tag {uri}:1 context"));
    let unknown = root.fails(&format!("podman push {PLAIN} {uri}:1"));
    assert!(unknown.contains("unauthorized: authentication required"), "{unknown}");
    repository.login(&root, &format!("podman login {PLAIN}"));
    let missing = root.fails(&format!("podman push {PLAIN} {uri}:1 docker://{uri}-missing:1"));
    assert!(
        missing.contains("The repository with name 'app-missing' does not exist in the registry"),
        "{missing}"
    );
    let missing = root.fails(&format!("podman pull {PLAIN} {uri}:none"));
    assert!(missing.contains("Requested image not found"), "{missing}");
}
