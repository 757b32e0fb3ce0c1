//! Indexes, their members and referrers, as ECR treats them: asked through `aws`, made with crane and oras.

use crate::harness::{
    Repository, Server, Terminal,
    layout::Layout,
    shapes::{Form, attested_index, image},
};
use serde_json::Value;

/// Pushes the index under the tag `all`; gives its digest and those of its members.
fn push_index(root: &Terminal, repository: &Repository<'_>) -> (String, Vec<String>) {
    repository.login(root, "crane auth login");
    let made = Layout::create(root.home().join("made"));
    let descriptor = attested_index(&made, "made");
    made.name("all", &descriptor);
    root.run(&format!("crane push made {}:all", repository.uri()));
    let digest = descriptor["digest"].as_str().unwrap().to_owned();
    let members = made.json(&digest)["manifests"].as_array().unwrap().clone();
    (digest, members.iter().map(|member| member["digest"].as_str().unwrap().to_owned()).collect())
}

fn delete(root: &Terminal, digests: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
    let ids: Vec<String> = digests.iter().map(|digest| format!("imageDigest={digest}")).collect();
    let answer =
        root.json(&format!("aws ecr batch-delete-image --repository-name app --image-ids {}", ids.join(" ")));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let deleted = answer["imageIds"].as_array().unwrap().iter().map(|id| text(&id["imageDigest"])).collect();
    let failures = answer["failures"].as_array().unwrap().iter();
    (deleted, failures.map(|one| (text(&one["imageId"]["imageDigest"]), text(&one["failureCode"]))).collect())
}

#[test]
fn an_index_protects_its_members_and_leaves_them_behind() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let (index, members) = push_index(&root, &repository);
    let sizes: Vec<u64> = members
        .iter()
        .map(|member| {
            repository.describe(&format!("imageDigest={member}"))["imageSizeInBytes"].as_u64().unwrap()
        })
        .collect();
    let described = repository.describe("imageTag=all");
    assert_eq!(described["imageSizeInBytes"].as_u64(), sizes.iter().copied().max(), "the largest member");
    assert_eq!(described.get("artifactMediaType"), None, "{described}");

    let code = "ImageReferencedByManifestList".to_owned();
    let refused: Vec<(String, String)> =
        members.iter().map(|member| (member.clone(), code.clone())).collect();
    let all: Vec<&str> = members.iter().map(String::as_str).collect();
    assert_eq!(delete(&root, &all), (Vec::new(), refused.clone()));
    // Clean-up tools send the index along and then come back.
    let with_index: Vec<&str> = [index.as_str()].into_iter().chain(all.iter().copied()).collect();
    assert_eq!(delete(&root, &with_index), (vec![index.clone()], refused));
    let left = root.json("aws ecr list-images --repository-name app --filter tagStatus=UNTAGGED");
    assert_eq!(left["imageIds"].as_array().unwrap().len(), 4);
    assert_eq!(delete(&root, &all), (members, Vec::new()));
}

#[test]
fn an_index_is_retagged_with_its_own_bytes() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    let (index, _) = push_index(&root, &repository);
    // The documented way to add a tag without docker.
    root.run(
        "aws ecr batch-get-image --repository-name app --image-ids imageTag=all \
         --query 'images[0].imageManifest' --output json > quoted.json",
    );
    let manifest: String =
        serde_json::from_slice(&std::fs::read(root.home().join("quoted.json")).unwrap()).unwrap();
    root.write("manifest.json", manifest);
    let put = root.json(
        "aws ecr put-image --repository-name app --image-tag stable --image-manifest file://manifest.json",
    );
    assert_eq!(put["image"]["imageId"]["imageDigest"], index.as_str());
    assert_eq!(repository.digest("stable"), index);
}

#[test]
fn referrers_are_images_that_name_their_subject() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    repository.login(&root, "oras login");
    let made = Layout::create(root.home().join("made"));
    let subject = image(&made, "made", Form::OciGzip, "amd64", 1);
    made.name("1", &subject);
    let subject = subject["digest"].as_str().unwrap();
    root.run(&format!("oras copy --from-oci-layout made:1 {}:1", repository.uri()));
    root.write("report.txt", "fine\n");
    let report = root.json(&format!(
        "oras attach {}:1 --artifact-type application/vnd.example.report --annotation result=fine --format json \
         report.txt:text/plain",
        repository.uri()
    ));
    let report = report["digest"].as_str().unwrap();
    let described = repository.describe(&format!("imageDigest={report}"));
    assert_eq!(described["subjectManifestDigest"], subject);
    assert_eq!(described["artifactMediaType"], "application/vnd.example.report");
    assert_eq!(described.get("imageTags"), None);

    let list =
        format!("aws ecr list-image-referrers --repository-name app --subject-id imageDigest={subject}");
    let referrers = root.json(&list)["referrers"].clone();
    assert_eq!(referrers.as_array().unwrap().len(), 1);
    assert_eq!(referrers[0]["digest"], report);
    assert_eq!(referrers[0]["artifactType"], "application/vnd.example.report");
    assert_eq!(referrers[0]["annotations"]["result"], "fine");
    let none = format!("{list} --filter artifactTypes=application/vnd.example.other");
    assert_eq!(root.json(&none)["referrers"].as_array().unwrap().len(), 0);

    // Without its subject it is there for a while, then the collector takes it; see `catalog/image/orphan.rs`.
    assert_eq!(delete(&root, &[subject]).0, [subject]);
    assert_eq!(root.json(&list)["referrers"][0]["digest"], report);
}
