//! regctl, the client of regclient: copies with referrers and digest tags, and works on blobs and tags alone.

use crate::harness::{
    Repository, Server,
    layout::{Layout, digest},
    shapes::{Form, image},
};

#[test]
fn regctl_copies_an_image_with_everything_that_refers_to_it() {
    let server = Server::start();
    let root = server.root();
    let (source, target) = (Repository::create(&root, "source"), Repository::create(&root, "target"));
    root.run(&format!("regctl registry set {} --tls disabled --skip-check", source.host()));
    let host = source.host();
    root.run(&format!("aws ecr get-login-password | regctl registry login {host} --user AWS --pass-stdin"));
    let made = Layout::create(root.home().join("made"));
    let descriptor = image(&made, "made", Form::OciGzip, "amd64", 2);
    made.name("1", &descriptor);
    let image_digest = descriptor["digest"].as_str().unwrap();
    let (source, target) = (source.uri(), target.uri());
    root.run(&format!("regctl image copy ocidir://made:1 {source}:1"));
    for (name, subject) in
        [("report", format!("{source}:1")), ("signature", format!("{source}@{image_digest}"))]
    {
        root.run(&format!(
            "echo {name} | regctl artifact put --subject {subject} --artifact-type application/vnd.example.{name}"
        ));
    }
    // The fallback for registries without the referrers API is a tag; as a tag it must be copied like any other.
    let fallback = format!("{}.sig", image_digest.replace(':', "-"));
    root.run(&format!(
        "echo old | regctl artifact put --artifact-type application/vnd.example.old {source}:{fallback}"
    ));

    root.run(&format!("regctl image copy --referrers --digest-tags {source}:1 {target}:1"));
    let referrers = |repository: &str| {
        let list = root.json(&format!("regctl artifact list {repository}:1 --format '{{{{json .}}}}'"));
        let mut digests: Vec<String> = list["descriptors"]
            .as_array()
            .unwrap_or_else(|| panic!("{list}"))
            .iter()
            .map(|descriptor| descriptor["digest"].as_str().unwrap().to_owned())
            .collect();
        digests.sort_unstable();
        digests
    };
    assert_eq!(referrers(source).len(), 2);
    assert_eq!(referrers(target), referrers(source));
    assert_eq!(root.run(&format!("regctl artifact get {target}:{fallback}")), "old");
    assert_eq!(
        root.run(&format!(
            "regctl artifact get --subject {target}:1 --filter-artifact-type application/vnd.example.report"
        )),
        "report"
    );
    assert_eq!(root.run(&format!("regctl tag ls {target}")), root.run(&format!("regctl tag ls {source}")));

    root.run(&format!("regctl image copy {target}:1 ocidir://back:1"));
    assert_eq!(Layout::open(root.home().join("back")).reachable(image_digest), made.reachable(image_digest));
    assert_eq!(root.run(&format!("echo -n loose | regctl blob put {target}")), digest(b"loose"));
    assert_eq!(root.run(&format!("regctl blob get {target} {}", digest(b"loose"))), "loose");
    root.run(&format!("regctl tag rm {target}:{fallback}"));
    assert_eq!(root.run(&format!("regctl tag ls {target}")), "1");
}
