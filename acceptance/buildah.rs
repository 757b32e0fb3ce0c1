//! Buildah makes an image step by step, pushes it and starts the next one from it.

use crate::harness::{PLAIN, Repository, Server, libpod};

#[test]
fn buildah_pushes_an_image_and_builds_on_what_it_pulls() {
    let server = Server::start();
    let root = libpod(&server.root());
    let repository = Repository::create(&root, "team/base");
    repository.login(&root, &format!("buildah login {PLAIN}"));
    let uri = repository.uri();
    root.write("first", format!("{}\n", root.home().display()));
    let base = root.run("buildah from scratch");
    root.run(&format!("buildah copy --quiet {base} first /first"));
    root.run(&format!("buildah config --label name=base {base}"));
    root.run(&format!("buildah commit --quiet {base} {uri}:1"));
    root.run(&format!("buildah push --quiet {PLAIN} --digestfile pushed {uri}:1"));
    assert_eq!(repository.digest("1"), root.run("cat pushed"));

    root.run(&format!("buildah rm {base}"));
    root.run("buildah rmi --all --force");
    let next = root.run(&format!("buildah from --quiet {PLAIN} --pull-always {uri}:1"));
    assert_eq!(
        root.run(&format!("buildah inspect --format '{{{{.FromImageDigest}}}}' {next}")),
        root.run("cat pushed")
    );
    root.write("second", "second\n");
    root.run(&format!("buildah copy --quiet {next} second /second"));
    // Straight from the working container into the registry.
    root.run(&format!("buildah commit --quiet {PLAIN} {next} docker://{uri}:2"));
    let first = root.json(&format!("skopeo inspect {PLAIN} docker://{uri}:1"));
    let second = root.json(&format!("skopeo inspect {PLAIN} docker://{uri}:2"));
    assert_eq!(second["Labels"]["name"], "base");
    assert_eq!(second["Layers"].as_array().unwrap().len(), 2);
    assert_eq!(second["Layers"][0], first["Layers"][0], "the base's layer is the same blob");
}
