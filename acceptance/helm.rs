//! Helm keeps charts as OCI artifacts: push, pull, show, template, and the `+` that no tag may hold.

use crate::harness::{Repository, Server, layout::digest_of_file};

#[test]
fn helm_pushes_a_chart_and_installs_from_it() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "charts/hello");
    repository.login(&root, "helm registry login --plain-http");
    let host = repository.host();
    root.run("helm create hello");
    for version in ["0.1.0", "0.2.0+build.5"] {
        root.run(&format!("helm package hello --version {version}"));
        let printed =
            root.run(&format!("helm push --plain-http hello-{version}.tgz oci://{host}/charts 2>&1"));
        let tag = version.replace('+', "_");
        let digest = repository.digest(&tag);
        assert!(printed.contains(&format!("Digest: {digest}")), "{printed}");
        root.run(&format!(
            "mkdir pulled-{tag} && helm pull --plain-http oci://{host}/charts/hello --version {version} \
             --destination pulled-{tag}"
        ));
        assert_eq!(
            digest_of_file(&root.home().join(format!("pulled-{tag}/hello-{version}.tgz"))),
            digest_of_file(&root.home().join(format!("hello-{version}.tgz")))
        );
    }
    assert_eq!(repository.tags(), ["0.1.0", "0.2.0_build.5"]);
    let described = repository.describe("imageTag=0.1.0");
    assert_eq!(described["artifactMediaType"], "application/vnd.cncf.helm.config.v1+json");

    let chart = root
        .run(&format!("helm show chart --plain-http oci://{host}/charts/hello --version 0.1.0 2>/dev/null"));
    assert!(chart.contains("version: 0.1.0"), "{chart}");
    // The newest that fits is found in the list of tags.
    let rendered = root.run(&format!(
        "helm template --plain-http greeting oci://{host}/charts/hello --version '^0.1' 2>/dev/null"
    ));
    assert!(rendered.contains("helm.sh/chart: hello-0.1.0"), "{rendered}");
}
