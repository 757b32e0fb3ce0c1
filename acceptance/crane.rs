//! crane pushes layouts, copies, tags, appends, lists and deletes; what it pulls is what was pushed.

use crate::harness::{
    Repository, Server,
    layout::Layout,
    shapes::{Form, attested_index, image},
};

#[test]
fn crane_moves_images_between_layouts_and_repositories() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let other = Repository::create(&root, "deep/er/app");
    repository.login(&root, "crane auth login");
    let (uri, host) = (repository.uri(), repository.host());
    for tag in ["image", "index"] {
        let made = Layout::create(root.home().join(tag));
        let descriptor = match tag {
            "image" => image(&made, tag, Form::OciGzip, "amd64", 4),
            _ => attested_index(&made, tag),
        };
        made.name(tag, &descriptor);
        let digest = descriptor["digest"].as_str().unwrap();
        root.run(&format!("crane push {tag} {uri}:{tag}"));
        assert_eq!(root.run(&format!("crane digest {uri}:{tag}")), digest);
        if tag == "image" {
            // Of an index it would check the attestations too, as if they could be unpacked.
            root.run(&format!("crane validate --remote {uri}:{tag}"));
        }
        root.run(&format!("crane copy {uri}:{tag} {}:{tag}", other.uri()));
        assert_eq!(other.digest(tag), digest);
        root.run(&format!("crane pull --format=oci {}@{digest} back-{tag}", other.uri()));
        let back = Layout::open(root.home().join(format!("back-{tag}")));
        assert_eq!(back.reachable(digest), made.reachable(digest));
    }
    let catalog = root.run(&format!("crane catalog {host}"));
    assert_eq!(catalog, "app\ndeep/er/app");

    // A change made at the registry: a layer more, a label, a tag; each is a new image and the old one stays.
    let before = repository.digest("image");
    root.run("echo more > more && tar -cf more.tar more");
    root.run(&format!("crane append --base {uri}:image --new_layer more.tar --new_tag {uri}:appended"));
    root.run(&format!("crane mutate {uri}:appended --label colour=blue --tag {uri}:mutated"));
    assert_eq!(root.json(&format!("crane config {uri}:mutated"))["config"]["Labels"]["colour"], "blue");
    root.run(&format!("crane tag {uri}:mutated final"));
    assert_eq!(repository.digest("image"), before);
    assert_eq!(root.run(&format!("crane export {uri}:final - | tar -xOf - more")), "more");
    assert_eq!(root.run(&format!("crane ls {uri}")), "appended\nfinal\nimage\nindex\nmutated");

    root.run(&format!("crane delete {uri}:final"));
    assert_eq!(root.run(&format!("crane digest {uri}:mutated")), repository.digest("mutated"));
    let gone = root.fails(&format!("crane digest {uri}:final"));
    assert!(gone.contains("MANIFEST_UNKNOWN: Requested image not found"), "{gone}");
}

#[test]
fn crane_copies_by_mounting_what_the_server_already_has() {
    let server = Server::start();
    let root = server.root();
    let (source, target) = (Repository::create(&root, "source"), Repository::create(&root, "target"));
    source.login(&root, "crane auth login");
    let made = Layout::create(root.home().join("made"));
    let descriptor = image(&made, "made", Form::OciGzip, "amd64", 3);
    made.name("made", &descriptor);
    root.run(&format!("crane push made {}:1", source.uri()));
    let copied = root.try_run(&format!("crane copy {}:1 {}:1", source.uri(), target.uri()));
    assert!(copied.succeeded, "{copied}");
    // Three layers and the configuration, none of them sent.
    assert_eq!(copied.stderr.matches("mounted blob").count(), 4, "{copied}");
    assert!(!copied.stderr.contains("pushed blob"), "{copied}");
    assert_eq!(target.digest("1"), source.digest("1"));
}
