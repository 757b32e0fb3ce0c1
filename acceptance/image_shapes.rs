//! Images of every shape come back byte for byte, whoever pushes and whoever pulls.

use crate::harness::{
    PLAIN, Repository, Server, Terminal,
    layout::{Layout, digest_of_file},
    libpod,
    shapes::{Form, attested_index, build_cache, empty_config_artifact, image, large_image},
};
use serde_json::Value;
use std::thread;

/// A repository and everybody logged in to it.
fn prepare(root: &Terminal) -> Repository<'_> {
    let repository = Repository::create(root, "shapes");
    repository.login(root, "docker login");
    repository.login(root, &format!("skopeo login {PLAIN}"));
    repository
}

/// Pulls by digest with oras, which unpacks nothing and so can hold any shape, and compares every blob.
fn comes_back(root: &Terminal, repository: &Repository<'_>, made: &Layout, descriptor: &Value) {
    let digest = descriptor["digest"].as_str().unwrap();
    let folder = format!("back-{}", &digest[7..19]);
    root.run(&format!("oras copy --no-tty {}@{digest} --to-oci-layout {folder}", repository.uri()));
    let back = Layout::open(root.home().join(folder));
    assert_eq!(back.reachable(digest), made.reachable(digest));
}

#[test]
fn more_than_a_hundred_layers() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = prepare(&root);
    let uri = repository.uri();
    let made = Layout::create(root.home().join("made"));
    let descriptor = image(&made, uri, Form::OciGzip, "amd64", 120);
    made.name("many", &descriptor);
    root.run(&format!("crane push made {uri}:many"));
    assert_eq!(repository.digest("many"), descriptor["digest"].as_str().unwrap());
    comes_back(&root, &repository, &made, &descriptor);

    // Docker unpacks all of them, and pushes them elsewhere as an image of its own: the same layers, mounted.
    root.run(&format!("docker pull --quiet {uri}@{}", repository.digest("many")));
    let other = Repository::create(&root, "other/shapes");
    root.run(&format!("docker tag {uri}@{} {}:many", repository.digest("many"), other.uri()));
    root.run(&format!("docker push --quiet {}:many", other.uri()));
    let pushed = root.json(&format!("crane manifest {}:many", other.uri()));
    let original = made.json(descriptor["digest"].as_str().unwrap());
    let digests = |manifest: &Value| -> Vec<Value> {
        manifest["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].clone()).collect()
    };
    assert_eq!(digests(&pushed), digests(&original));
    assert_eq!(pushed["layers"].as_array().unwrap().len(), 120);
}

#[test]
fn zstd_schema_2_index_artifact_and_cache() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = prepare(&root);
    let uri = repository.uri();
    let made = Layout::create(root.home().join("made"));
    let shapes = [
        ("zstd", image(&made, "zstd", Form::OciZstd, "amd64", 2), "application/vnd.oci.image.config.v1+json"),
        (
            "schema2",
            image(&made, &format!("{uri} schema2"), Form::Schema2, "amd64", 2),
            "application/vnd.docker.container.image.v1+json",
        ),
        ("index", attested_index(&made, &format!("{uri} index")), ""),
        ("artifact", empty_config_artifact(&made, "artifact"), "application/vnd.example.report.v1"),
        ("cache", build_cache(&made, "cache"), ""),
    ];
    for (tag, descriptor, artifact_media_type) in &shapes {
        push_by_hand(&repository, &made, descriptor, tag);
        let digest = descriptor["digest"].as_str().unwrap();
        comes_back(&root, &repository, &made, descriptor);
        let described = repository.describe(&format!("imageTag={tag}"));
        assert_eq!(described["imageDigest"], digest, "{tag}");
        assert_eq!(described["imageManifestMediaType"], descriptor["mediaType"], "{tag}");
        assert_eq!(described["artifactMediaType"].as_str().unwrap_or(""), *artifact_media_type, "{tag}");
    }
    // The Engine takes what it can run: schema 2, and from an index the image of its own processor.
    for tag in ["schema2", "index"] {
        root.run(&format!("docker pull --quiet {uri}:{tag}"));
        let by_digest =
            root.run(&format!("docker inspect --format '{{{{index .RepoDigests 0}}}}' {uri}:{tag}"));
        assert_eq!(by_digest, format!("{uri}@{}", repository.digest(tag)));
    }
    // Debian's podman unpacks zstd.
    root.run(&format!("podman pull --quiet {PLAIN} {uri}:zstd"));
    let unpacked = root.run(&format!("podman image inspect --format '{{{{.Digest}}}}' {uri}:zstd"));
    assert_eq!(unpacked, repository.digest("zstd"));
}

/// Blobs and manifests with nothing but curl: members of an index first, as the specification asks for.
fn push_by_hand(repository: &Repository<'_>, made: &Layout, descriptor: &Value, reference: &str) {
    let digest = descriptor["digest"].as_str().unwrap();
    let document = made.json(digest);
    let is_manifest = |member: &&Value| member["mediaType"].as_str().unwrap().contains(".manifest.");
    let members: Vec<&Value> = ["manifests", "layers"]
        .iter()
        .filter_map(|name| document[name].as_array())
        .flatten()
        .chain(document.get("config"))
        .collect();
    for member in members.iter().copied().filter(is_manifest) {
        push_by_hand(repository, made, member, member["digest"].as_str().unwrap());
    }
    for blob in members.iter().copied().filter(|member| !is_manifest(member)) {
        let blob = blob["digest"].as_str().unwrap();
        let file = made.blob(blob).display().to_string();
        let answer = repository.request(
            &format!("/blobs/uploads/?digest={blob}"),
            &format!(
                "--request POST --header 'Content-Type: application/octet-stream' --data-binary '@{file}'"
            ),
        );
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.header("docker-content-digest"), Some(blob));
    }
    let (file, media_type) = (made.blob(digest), descriptor["mediaType"].as_str().unwrap());
    let answer = repository.request(
        &format!("/manifests/{reference}"),
        &format!("--request PUT --header 'Content-Type: {media_type}' --data-binary '@{}'", file.display()),
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("docker-content-digest"), Some(digest));
}

#[test]
fn a_layer_of_more_than_a_gibibyte() {
    const BYTES: u64 = (1 << 30) + (64 << 20);
    const PARTS: u64 = 4;
    let (server, elsewhere) = (Server::start(), Server::start());
    let root = libpod(&server.root());
    let repository = prepare(&root);
    let uri = repository.uri();
    let made = Layout::create(root.home().join("made"));
    let descriptor = large_image(&made, BYTES);
    made.name("large", &descriptor);
    root.run(&format!("crane push made {uri}:large"));
    let image_digest = descriptor["digest"].as_str().unwrap();
    let layer = made.json(image_digest)["layers"][0].clone();
    let (layer, size) = (layer["digest"].as_str().unwrap(), layer["size"].as_u64().unwrap());
    assert!(size > 1 << 30);
    assert!(repository.describe("imageTag=large")["imageSizeInBytes"].as_u64().unwrap() >= size);

    // Four clients fetch a quarter each, at the same time.
    thread::scope(|scope| {
        for part in 0..PARTS {
            let (root, host, name, password) =
                (&root, repository.host(), repository.name(), repository.password());
            scope.spawn(move || {
                let (first, last) = (size * part / PARTS, size * (part + 1) / PARTS - 1);
                root.run(&format!(
                    "curl --silent --show-error --fail --range {first}-{last} --output part-{part} \
                     --user 'AWS:{password}' http://{host}/v2/{name}/blobs/{layer}"
                ));
            });
        }
    });
    root.run("cat part-0 part-1 part-2 part-3 > whole && rm part-*");
    assert_eq!(digest_of_file(&root.home().join("whole")), (layer.to_owned(), size));
    root.run("rm whole");

    // Docker pulls it, compresses it and streams it to another registry, where no mount can help.
    root.run(&format!("docker pull --quiet {uri}:large"));
    let stranger = elsewhere.root();
    let target = Repository::create(&stranger, "large");
    target.login(&stranger, "docker login");
    stranger.run(&format!("docker tag {uri}:large {}:large", target.uri()));
    stranger.run(&format!("docker push --quiet {}:large", target.uri()));
    stranger.run(&format!("docker rmi --force {uri}:large {}:large", target.uri()));
    stranger.run(&format!("crane pull --format=oci {}:large back", target.uri()));
    let back = Layout::open(stranger.home().join("back"));
    assert_eq!(back.reachable(&back.only_digest()).len(), 3);
    let config = back.json(&back.only_digest())["config"]["digest"].clone();
    assert_eq!(
        back.json(config.as_str().unwrap())["rootfs"]["diff_ids"][0],
        layer,
        "the layer here is the uncompressed archive itself"
    );
    let compressed = target.describe("imageTag=large")["imageSizeInBytes"].as_u64().unwrap();
    assert!(compressed > 1 << 30, "noise does not compress: {compressed}");
}
