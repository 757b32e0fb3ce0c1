//! Who may do what: seven principals × eight operations, each cell through `aws` and through the registry's face.
//!
//! `permission_matrix.txt` holds the expected cells and is reviewed as text. It follows from the policies' actions
//! alone ([`PRINCIPALS`] and [`OPERATIONS`] below, from ecr.md §2, §2.1 and §8.4), which a test checks without any
//! server. The other tests try every cell of one principal and compare AWS's whole denial sentence.

use crate::harness::{People, Server, Terminal, build, denied, repository_arn, user_arn};
use sha2::{Digest, Sha256};

const CELLS: &str = include_str!("permission_matrix.txt");

const OWN: &str = "randserver";
const OTHER: &str = "other";

const READ_ONLY: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
];
const PUSH: &[&str] =
    &["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"];
const PULL_ONLY: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchImportUpstreamImage",
];

/// The resources that a grant covers.
#[derive(Clone, Copy, PartialEq)]
enum On {
    Everything,
    /// The one repository of the tutorial's policy; `*` is not it.
    OwnRepository,
}

/// A principal and the actions that its policies allow; `*` stands for all.
const PRINCIPALS: &[(&str, &[&[&str]], On)] = &[
    ("root", &[&["*"]], On::Everything),
    ("FullAccess", &[&["*"]], On::Everything),
    ("PowerUser", &[READ_ONLY, PUSH], On::Everything),
    ("ReadOnly", &[READ_ONLY], On::Everything),
    ("PullOnly", &[PULL_ONLY], On::Everything),
    ("tutorial-group", &[READ_ONLY, PUSH], On::OwnRepository),
    ("no-policy", &[], On::Everything),
];

/// An operation and the actions that it takes, in this order, with the resource of each.
const OPERATIONS: &[(&str, &[(&str, &str)])] = &[
    ("login", &[("ecr:GetAuthorizationToken", "*")]),
    ("create", &[("ecr:CreateRepository", "new")]),
    (
        "push",
        &[
            ("ecr:InitiateLayerUpload", OWN),
            ("ecr:UploadLayerPart", OWN),
            ("ecr:CompleteLayerUpload", OWN),
            ("ecr:PutImage", OWN),
        ],
    ),
    ("pull", &[("ecr:BatchGetImage", OWN), ("ecr:GetDownloadUrlForLayer", OWN)]),
    ("delete", &[("ecr:BatchDeleteImage", OWN)]),
    ("lifecycle", &[("ecr:PutLifecyclePolicy", OWN)]),
    (
        "push-other",
        &[
            ("ecr:InitiateLayerUpload", OTHER),
            ("ecr:UploadLayerPart", OTHER),
            ("ecr:CompleteLayerUpload", OTHER),
            ("ecr:PutImage", OTHER),
        ],
    ),
    ("pull-other", &[("ecr:BatchGetImage", OTHER), ("ecr:GetDownloadUrlForLayer", OTHER)]),
];

#[test]
fn the_cells_follow_from_the_policies() {
    let mut derived =
        String::from("# principal     operation   cell; derived and tried by permission_matrix.rs\n");
    for (principal, grants, on) in PRINCIPALS {
        for (operation, steps) in OPERATIONS {
            let allows = |action: &str, resource: &str| {
                let named = grants.iter().any(|actions| actions.contains(&"*") || actions.contains(&action));
                named && (*on == On::Everything || resource == OWN)
            };
            let refused = steps.iter().find(|(action, resource)| !allows(action, resource));
            let cell = refused.map_or("allowed".to_owned(), |(action, _)| format!("denied {action}"));
            derived += &format!("{principal:<15} {operation:<11} {cell}\n");
        }
    }
    assert_eq!(CELLS, derived, "permission_matrix.txt should be:\n{derived}");
}

/// The action that refuses this cell, or `None` when it is allowed.
fn cell(principal: &str, operation: &str) -> Option<&'static str> {
    let line = CELLS.lines().find(|line| line.split_whitespace().take(2).eq([principal, operation]));
    match line
        .unwrap_or_else(|| panic!("no cell {principal} {operation}"))
        .split_whitespace()
        .skip(2)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["allowed"] => None,
        ["denied", action] => Some(action),
        other => panic!("{principal} {operation}: {other:?}"),
    }
}

/// One principal before a server with two repositories, each with an image `1.0` and images to be deleted.
struct Trial {
    _server: Server,
    root: Terminal,
    user: Terminal,
    principal: &'static str,
    user_name: String,
    /// `host:port` of the registry.
    host: String,
}

impl Trial {
    fn of(principal: &'static str) -> Trial {
        let server = Server::start();
        let root = server.root();
        let mut host = String::new();
        for repository in [OWN, OTHER] {
            let answer = root.json(&format!("aws ecr create-repository --repository-name {repository}"));
            let uri = answer["repository"]["repositoryUri"].as_str().unwrap().to_owned();
            host = uri.split('/').next().unwrap().to_owned();
            root.run(&format!(
                "aws ecr get-login-password | docker login --username AWS --password-stdin {host}"
            ));
            build(&root, &format!("{uri}:1.0"));
            for tag in ["victim-aws", "victim-registry"] {
                root.run(&format!("docker tag {uri}:1.0 {uri}:{tag}"));
            }
            root.run(&format!("docker push --all-tags {uri}"));
            root.run(&format!("docker rmi {uri}:1.0 {uri}:victim-aws {uri}:victim-registry"));
        }
        let user_name = principal.to_lowercase();
        let people = People::of(&root);
        let user = match principal {
            "root" => root.clone(),
            "no-policy" => people.user(&user_name),
            "tutorial-group" => {
                let user = people.user(&user_name);
                people.join_tutorial_group(&user_name);
                user
            }
            managed => people.user_with(&user_name, &format!("AmazonEC2ContainerRegistry{managed}")),
        };
        Trial { _server: server, root, user, principal, user_name, host }
    }

    /// Runs a command whose outcome the cell decides; a refusal must contain AWS's sentence word for word.
    fn try_cell(&self, operation: &str, resource: &str, command: &str) {
        let answer = self.user.try_run(command);
        let said = format!("{}{}", answer.stdout, answer.stderr);
        match cell(self.principal, operation) {
            None => {
                assert!(answer.succeeded, "{} should be allowed to {operation}: {answer}", self.principal)
            }
            Some(action) => {
                assert!(
                    !answer.succeeded,
                    "{} should not be allowed to {operation}: {answer}",
                    self.principal
                );
                let sentence = denied(&user_arn(&self.user_name), action, resource);
                assert!(said.contains(&sentence), "{operation} should be refused with\n{sentence}\n{answer}");
                // The sentence ends there: docker ends its line, `aws` too, JSON its string.
                let after = said.split_once(&sentence).unwrap().1;
                assert!(after.is_empty() || after.starts_with(['\n', '"']), "{after}");
            }
        }
    }

    fn through_aws(&self) {
        let aws =
            |operation: &str, resource: &str, command: &str| self.try_cell(operation, resource, command);
        aws("login", "*", "aws ecr get-login-password");
        aws("create", &repository_arn("new"), "aws ecr create-repository --repository-name new");
        aws("push", &repository_arn(OWN), &self.push_through_aws(OWN));
        aws("pull", &repository_arn(OWN), &self.pull_through_aws(OWN));
        aws("push-other", &repository_arn(OTHER), &self.push_through_aws(OTHER));
        aws("pull-other", &repository_arn(OTHER), &self.pull_through_aws(OTHER));
        aws(
            "delete",
            &repository_arn(OWN),
            &format!("aws ecr batch-delete-image --repository-name {OWN} --image-ids imageTag=victim-aws"),
        );
        let policy = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":800},"action":{"type":"expire"}}]}"#;
        aws(
            "lifecycle",
            &repository_arn(OWN),
            &format!(
                "aws ecr put-lifecycle-policy --repository-name {OWN} --lifecycle-policy-text '{policy}'"
            ),
        );
        self.assert_deleted("victim-aws");
    }

    /// The four calls of a push, for an image whose only blob is its configuration.
    fn push_through_aws(&self, repository: &str) -> String {
        let configuration = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Labels":{{"of":"{}"}}}},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#,
            self.principal
        );
        let (length, digest) = (configuration.len(), hex::encode(Sha256::digest(&configuration)));
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{{"mediaType":"application/vnd.docker.container.image.v1+json","size":{length},"digest":"sha256:{digest}"}},"layers":[]}}"#
        );
        self.user.write("configuration.json", &configuration);
        self.user.write("manifest.json", &manifest);
        format!(
            "set -e; aws='aws ecr'; of='--repository-name {repository}'
             id=$($aws initiate-layer-upload $of --query uploadId --output text)
             $aws upload-layer-part $of --upload-id $id --part-first-byte 0 --part-last-byte {} --layer-part-blob fileb://configuration.json
             $aws complete-layer-upload $of --upload-id $id --layer-digests sha256:{digest}
             $aws put-image $of --image-tag through-aws --image-manifest file://manifest.json",
            length - 1
        )
    }

    /// The two calls of a pull, and the layer's bytes from the URL that the second one gives.
    fn pull_through_aws(&self, repository: &str) -> String {
        format!(
            "set -e; aws='aws ecr'; of='--repository-name {repository}'
             manifest=$($aws batch-get-image $of --image-ids imageTag=1.0 --query 'images[0].imageManifest' --output text)
             layer=$(printf '%s' \"$manifest\" | grep -o 'sha256:[0-9a-f]*' | tail -n 1)
             url=$($aws get-download-url-for-layer $of --layer-digest $layer --query downloadUrl --output text)
             test \"sha256:$(curl --silent --fail --location \"$url\" | sha256sum | cut -d' ' -f1)\" = $layer"
        )
    }

    fn through_docker(&self) {
        if cell(self.principal, "login").is_some() {
            // `aws` has just proved the refusal; the token alone changes no other cell.
            People::of(&self.root).grant_token(&self.user_name);
        }
        let host = &self.host;
        self.user.run(&format!(
            "aws ecr get-login-password | docker login --username AWS --password-stdin {host}"
        ));
        for (repository, push, pull) in [(OWN, "push", "pull"), (OTHER, "push-other", "pull-other")] {
            let image = format!("{host}/{repository}");
            build(&self.user, &format!("{image}:through-docker"));
            self.try_cell(push, &repository_arn(repository), &format!("docker push {image}:through-docker"));
            self.user.run(&format!("docker rmi {image}:through-docker"));
            self.try_cell(pull, &repository_arn(repository), &format!("docker pull {image}:1.0"));
            if cell(self.principal, pull).is_none() {
                self.user.run(&format!("docker rmi {image}:1.0"));
            }
        }
        // docker has no command that deletes at a registry; its protocol has.
        let delete = format!(
            "curl --silent --show-error --fail-with-body --user AWS:$(aws ecr get-login-password) --request DELETE http://{host}/v2/{OWN}/manifests/victim-registry"
        );
        self.try_cell("delete", &repository_arn(OWN), &delete);
        self.assert_deleted("victim-registry");
    }

    /// What was allowed has happened, and what was refused has not.
    fn assert_deleted(&self, tag: &str) {
        let listed = self.root.run(&format!(
            "aws ecr list-images --repository-name {OWN} --query 'imageIds[].imageTag' --output text"
        ));
        let is_gone = !listed.split_whitespace().any(|listed| listed == tag);
        assert_eq!(is_gone, cell(self.principal, "delete").is_none(), "{tag} in {listed}");
    }
}

fn try_every_cell(principal: &'static str) {
    let trial = Trial::of(principal);
    trial.through_aws();
    trial.through_docker();
}

macro_rules! one_test_per_principal {
    ($($name:ident: $principal:literal,)*) => {
        $(#[test] fn $name() { try_every_cell($principal); })*

        #[test]
        fn every_principal_is_tried() {
            let tried = [$($principal),*];
            let all: Vec<&str> = PRINCIPALS.iter().map(|(principal, ..)| *principal).collect();
            assert_eq!(all, tried);
        }
    };
}

one_test_per_principal! {
    root: "root",
    full_access: "FullAccess",
    power_user: "PowerUser",
    read_only: "ReadOnly",
    pull_only: "PullOnly",
    the_tutorials_group: "tutorial-group",
    no_policy: "no-policy",
}
