//! oras pushes artifacts, attaches others to them, discovers what is attached and pulls it all back.

use crate::harness::{
    Repository, Server,
    layout::{Layout, digest, digest_of_file},
};

#[test]
fn oras_pushes_attaches_discovers_and_pulls() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "models/small");
    let other = Repository::create(&root, "mirror/small");
    repository.login(&root, "oras login");
    let uri = repository.uri();
    root.write("weights.bin", vec![7; 3_000_000]);
    root.write("readme.md", "# A model\n");
    let pushed = root.json(&format!(
        "oras push {uri}:1 --artifact-type application/vnd.example.model --format json \
         weights.bin:application/octet-stream readme.md:text/markdown"
    ));
    let model = pushed["digest"].as_str().unwrap();
    let described = repository.describe("imageTag=1");
    assert_eq!(described["imageDigest"], model);
    assert_eq!(described["artifactMediaType"], "application/vnd.example.model");

    let attach = |file: &str, kind: &str, to: &str| {
        root.write(file, format!("{kind} of {to}\n"));
        let answer = root.json(&format!(
            "oras attach {uri}@{to} --artifact-type application/vnd.example.{kind} --format json {file}:text/plain"
        ));
        answer["digest"].as_str().unwrap().to_owned()
    };
    let report = attach("report.txt", "report", model);
    let bill = attach("bill.txt", "bill", model);
    let signature = attach("signature.txt", "signature", &bill);
    assert_eq!(repository.tags(), ["1"], "attaching needs no tag");

    let found = root.json(&format!("oras discover {uri}:1 --format json"));
    let mut attached: Vec<&str> =
        found["referrers"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap()).collect();
    attached.sort_unstable();
    let mut expected = [report.as_str(), bill.as_str()];
    expected.sort_unstable();
    assert_eq!(attached, expected);
    let tree = root.run(&format!("oras discover {uri}:1 --format tree"));
    assert!(tree.contains(&signature), "what is attached to the attached: {tree}");
    let only = root
        .json(&format!("oras discover {uri}:1 --artifact-type application/vnd.example.bill --format json"));
    assert_eq!(only["referrers"].as_array().unwrap().len(), 1);
    assert_eq!(only["referrers"][0]["digest"], bill.as_str());

    root.run(&format!("oras pull {uri}:1 --output pulled"));
    assert_eq!(digest_of_file(&root.home().join("pulled/weights.bin")).0, digest(&vec![7; 3_000_000]));
    root.run(&format!("oras pull {uri}@{report} --output pulled"));
    assert_eq!(
        std::fs::read_to_string(root.home().join("pulled/report.txt")).unwrap(),
        format!("report of {model}\n")
    );

    // The whole graph travels: into another repository and from there onto disk.
    root.run(&format!("oras copy --recursive {uri}:1 {}:1", other.uri()));
    root.run(&format!("oras copy --recursive {}:1 --to-oci-layout disk:1", other.uri()));
    let disk = Layout::open(root.home().join("disk"));
    for member in [model, &report, &bill, &signature] {
        assert!(disk.reachable(member).contains(member));
    }
    assert_eq!(root.run(&format!("oras repo ls {}", repository.host())), "mirror/small\nmodels/small");
    assert_eq!(root.run(&format!("oras repo tags {}", other.uri())), "1");

    root.run(&format!("oras manifest delete --force {uri}@{report}"));
    let left = root.json(&format!("oras discover {uri}:1 --format json"));
    assert_eq!(left["referrers"].as_array().unwrap().len(), 1);
}
