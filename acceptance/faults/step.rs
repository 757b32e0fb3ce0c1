//! The requests of the driver, one after the other, each with what it changes.

use std::sync::Arc;

use serde_json::json;

use super::Random;
use crate::harness::layout::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest};

/// `policy/ReadOnly` and the like → what is there; a change to `None` removes it.
pub type Change = (String, Option<String>);

/// One request. `slot` names an upload between its requests.
#[derive(Debug, Clone)]
pub enum Request {
    Start {
        repository: String,
        slot: usize,
        /// By ECR's operations instead of docker's: the chunks are parts then.
        by_parts: bool,
    },
    Append {
        slot: usize,
        from: usize,
        to: usize,
    },
    Complete {
        slot: usize,
    },
    /// POST with all bytes.
    Whole {
        repository: String,
        layer: Arc<Vec<u8>>,
    },
    Mount {
        repository: String,
        from: String,
        digest: String,
    },
    Abort {
        slot: usize,
    },
    Manifest {
        repository: String,
        reference: String,
        bytes: Arc<Vec<u8>>,
    },
    Ecr {
        operation: &'static str,
        body: serde_json::Value,
        may_be_done: &'static str,
    },
    Iam {
        action: &'static str,
        parameters: Vec<(&'static str, String)>,
        may_be_done: &'static str,
    },
}

#[derive(Debug, Clone)]
pub struct Step {
    pub request: Request,
    pub changes: Vec<Change>,
    /// The bytes of the upload that the step is about.
    pub layer: Option<Arc<Vec<u8>>>,
}

/// Together more than the 48 MiB at which a fold begins; each is small enough to be a row.
const LONG_LAYERS: usize = 900;
const LONG_LAYER_BYTES: usize = 60_000;

struct Script {
    steps: Vec<Step>,
    random: Random,
    slots: usize,
}

/// The whole story: pushes small and large, moves tags, deletes, attaches and detaches; the same for the same seed.
pub fn script(seed: u64) -> Vec<Step> {
    let mut script = Script { steps: Vec::new(), random: Random::of(seed), slots: 0 };
    let (app, other) = (format!("app{seed}"), format!("other{seed}"));
    script.repository(&app);
    script.repository(&other);
    let small = [3_000, 16_384];
    let first = script.image(&app, &small, Some("v1"));
    script.user(seed, true);
    let large = script.image(&app, &[70_000, 2_500_000], Some("latest"));
    script.manifest(&app, &first.1, Some("latest"), &first.0);
    script.policies(&app, seed, true);
    script.abandoned(&app);
    script.parts(&app, 150_000);
    script.parts(&app, 20_000);
    let shared = script.whole(&app, 9_000);
    script.mount(&other, &app, &shared);
    let copy = script.image(&other, &[100_000], None);
    script.delete(&app, "v1", None);
    script.delete(&app, &large.0, Some(&large.0));
    script.policies(&app, seed, false);
    script.user(seed, false);
    script.image(&app, &[1_200_000], Some("latest"));
    script.delete(&other, &copy.0, Some(&copy.0));
    script.remove_repository(&other);
    script.steps
}

/// Pushes until SQLite's log is long enough to be folded into the database while requests are answered.
pub fn long_script(seed: u64) -> Vec<Step> {
    let mut script = Script { steps: Vec::new(), random: Random::of(seed), slots: 0 };
    let name = format!("long{seed}");
    script.repository(&name);
    for _ in 0..LONG_LAYERS {
        script.whole(&name, LONG_LAYER_BYTES);
    }
    script.image(&name, &[5_000], Some("v1"));
    script.steps
}

impl Script {
    fn push(&mut self, request: Request, changes: Vec<Change>) {
        self.steps.push(Step { request, changes, layer: None });
    }

    fn ecr(
        &mut self,
        operation: &'static str,
        body: serde_json::Value,
        done: &'static str,
        changes: Vec<Change>,
    ) {
        self.push(Request::Ecr { operation, body, may_be_done: done }, changes);
    }

    fn repository(&mut self, name: &str) {
        let change = (format!("repository/{name}"), Some("there".to_owned()));
        let done = "RepositoryAlreadyExistsException";
        self.ecr("CreateRepository", json!({ "repositoryName": name }), done, vec![change]);
    }

    fn remove_repository(&mut self, name: &str) {
        let mut changes = vec![(format!("repository/{name}"), None)];
        for step in &self.steps {
            let inside = |key: &str| key.split('/').nth(1) == Some(name);
            changes.extend(
                step.changes.iter().filter(|(key, _)| inside(key)).map(|(key, _)| (key.clone(), None)),
            );
        }
        let body = json!({ "repositoryName": name, "force": true });
        self.ecr("DeleteRepository", body, "RepositoryNotFoundException", changes);
    }

    /// Pushes a layer in two chunks.
    fn layer(&mut self, repository: &str, size: usize) -> Arc<Vec<u8>> {
        let layer = Arc::new(self.random.bytes(size));
        let slot = self.slots;
        self.slots += 1;
        let key = format!("layer/{repository}/{}", digest(&layer));
        let half = size / 2;
        for (request, changes) in [
            (Request::Start { repository: repository.to_owned(), slot, by_parts: false }, vec![]),
            (Request::Append { slot, from: 0, to: half }, vec![]),
            (Request::Append { slot, from: half, to: size }, vec![]),
            (Request::Complete { slot }, vec![(key, Some(digest(&layer)))]),
        ] {
            self.steps.push(Step { request, changes, layer: Some(layer.clone()) });
        }
        layer
    }

    /// Pushes a layer by `UploadLayerPart`, in one part.
    fn parts(&mut self, repository: &str, size: usize) {
        let layer = Arc::new(self.random.bytes(size));
        let slot = self.slots;
        self.slots += 1;
        let key = format!("layer/{repository}/{}", digest(&layer));
        for (request, changes) in [
            (Request::Start { repository: repository.to_owned(), slot, by_parts: true }, vec![]),
            (Request::Append { slot, from: 0, to: size }, vec![]),
            (Request::Complete { slot }, vec![(key, Some(digest(&layer)))]),
        ] {
            self.steps.push(Step { request, changes, layer: Some(layer.clone()) });
        }
    }

    /// An upload that is given up.
    fn abandoned(&mut self, repository: &str) {
        self.layer(repository, 40_000);
        self.steps.pop();
        let slot = self.slots - 1;
        self.push(Request::Abort { slot }, vec![]);
    }

    fn whole(&mut self, repository: &str, size: usize) -> String {
        let layer = Arc::new(self.random.bytes(size));
        let digest = digest(&layer);
        let change = (format!("layer/{repository}/{digest}"), Some(digest.clone()));
        self.push(Request::Whole { repository: repository.to_owned(), layer }, vec![change]);
        digest
    }

    fn mount(&mut self, repository: &str, from: &str, digest: &str) {
        let change = (format!("layer/{repository}/{digest}"), Some(digest.to_owned()));
        let (repository, from, digest) = (repository.to_owned(), from.to_owned(), digest.to_owned());
        self.push(Request::Mount { repository, from, digest }, vec![change]);
    }

    /// Pushes an image; gives its digest and manifest.
    fn image(&mut self, repository: &str, sizes: &[usize], tag: Option<&str>) -> (String, Arc<Vec<u8>>) {
        let config = self.layer(repository, 700);
        let layers: Vec<_> = sizes.iter().map(|size| self.layer(repository, *size)).collect();
        let named = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": digest(bytes), "size": bytes.len() });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": named(OCI_CONFIG, &config),
            "layers": layers.iter().map(|layer| named(OCI_LAYER, layer)).collect::<Vec<_>>(),
        });
        let bytes = Arc::new(manifest.to_string().into_bytes());
        let name = digest(&bytes);
        self.manifest(repository, &bytes, tag, &name);
        (name, bytes)
    }

    fn manifest(&mut self, repository: &str, bytes: &Arc<Vec<u8>>, tag: Option<&str>, name: &str) {
        let mut changes = vec![(format!("image/{repository}/{name}"), Some(name.to_owned()))];
        changes.extend(tag.map(|tag| (format!("tag/{repository}/{tag}"), Some(name.to_owned()))));
        let reference = tag.unwrap_or(name).to_owned();
        let request =
            Request::Manifest { repository: repository.to_owned(), reference, bytes: bytes.clone() };
        self.push(request, changes);
    }

    /// Deletes a tag, or an image that has no tags any more.
    fn delete(&mut self, repository: &str, reference: &str, image: Option<&str>) {
        let (id, key) = match image {
            Some(image) => (json!({ "imageDigest": image }), format!("image/{repository}/{image}")),
            None => (json!({ "imageTag": reference }), format!("tag/{repository}/{reference}")),
        };
        let body = json!({ "repositoryName": repository, "imageIds": [id] });
        self.ecr("BatchDeleteImage", body, "ImageNotFoundException", vec![(key, None)]);
    }

    /// Makes a user with a policy, or takes both away.
    fn user(&mut self, seed: u64, is_new: bool) {
        let name = format!("user{seed}");
        let arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly".to_owned();
        let there = is_new.then(|| "there".to_owned());
        let (user, policy) = ((format!("user/{name}"), there.clone()), (format!("policy/{name}"), there));
        let alone = vec![("UserName", name.clone())];
        let both = vec![("UserName", name), ("PolicyArn", arn)];
        let mut iam = |action, parameters, may_be_done, change| {
            self.push(Request::Iam { action, parameters, may_be_done }, vec![change]);
        };
        if is_new {
            iam("CreateUser", alone, "EntityAlreadyExists", user);
            iam("AttachUserPolicy", both, "-", policy);
        } else {
            iam("DetachUserPolicy", both, "NoSuchEntity", policy);
            iam("DeleteUser", alone, "NoSuchEntity", user);
        }
    }

    /// Gives the user of the seed an inline policy and the repository a policy, or takes both away.
    fn policies(&mut self, repository: &str, seed: u64, is_new: bool) {
        let user = format!("user{seed}");
        let there = is_new.then(|| "there".to_owned());
        let inline = (format!("inline/{user}"), there.clone());
        let change = (format!("access/{repository}"), there);
        let mut parameters = vec![("UserName", user), ("PolicyName", "inline".to_owned())];
        let statement = json!({ "Effect": "Allow", "Action": "ecr:DescribeRepositories", "Resource": "*" });
        let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let (action, done) =
            if is_new { ("PutUserPolicy", "-") } else { ("DeleteUserPolicy", "NoSuchEntity") };
        if is_new {
            parameters.push(("PolicyDocument", document));
        }
        self.push(Request::Iam { action, parameters, may_be_done: done }, vec![inline]);
        if is_new {
            let statement =
                json!({ "Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "ecr:DescribeImages" });
            let text = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
            let body = json!({ "repositoryName": repository, "policyText": text });
            self.ecr("SetRepositoryPolicy", body, "-", vec![change]);
        } else {
            let body = json!({ "repositoryName": repository });
            self.ecr("DeleteRepositoryPolicy", body, "RepositoryPolicyNotFoundException", vec![change]);
        }
    }
}
