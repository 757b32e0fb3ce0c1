//! Does the steps, remembers what was acknowledged, compares it with what is there, and goes on after an end.

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use serde_json::json;

use super::client::{Answer, Client};
use super::step::{Request, Step};
use crate::harness::layout::{OCI_MANIFEST, digest};

/// What is there: `tag/app/v1` → digest.
pub type World = BTreeMap<String, String>;

/// One upload, as its client knows it.
#[derive(Debug, Clone)]
struct Upload {
    location: String,
    /// Bytes that were acknowledged.
    acknowledged: usize,
    /// The repository and the id, when it goes by ECR's operations.
    parts: Option<(String, String)>,
}

/// The client's side: what it knows from answers alone.
#[derive(Debug, Clone, Default)]
pub struct Driver {
    pub steps: Vec<Step>,
    /// Steps that were acknowledged.
    pub done: usize,
    pub world: World,
    uploads: BTreeMap<usize, Upload>,
}

impl Driver {
    pub fn of(steps: Vec<Step>) -> Driver {
        Driver { steps, ..Driver::default() }
    }

    /// Does the next step. Errors: no answer. An answer that is a failure changes nothing here.
    pub fn advance(&mut self, client: &Client) -> io::Result<Answer> {
        let step = self.steps[self.done].clone();
        let answer = self.perform(client, &step)?;
        if answer.is_success() || is_done(&step.request, &answer) {
            self.acknowledge(&step);
        }
        Ok(answer)
    }

    /// Does steps until the end or until no answer comes; any other answer than a success is a failure of the test.
    pub fn run(&mut self, client: &Client) -> io::Result<()> {
        while self.done < self.steps.len() {
            let before = self.done;
            let answer = self.advance(client)?;
            assert!(
                self.done > before,
                "{:?}: {} {}",
                self.steps[before].request,
                answer.status,
                answer.text()
            );
        }
        Ok(())
    }

    fn acknowledge(&mut self, step: &Step) {
        apply(&mut self.world, step);
        match &step.request {
            Request::Append { slot, to, .. } => self.uploads.get_mut(slot).unwrap().acknowledged = *to,
            Request::Complete { slot } | Request::Abort { slot } => drop(self.uploads.remove(slot)),
            _ => {}
        }
        self.done += 1;
    }

    fn perform(&mut self, client: &Client, step: &Step) -> io::Result<Answer> {
        match &step.request {
            Request::Start { repository, slot, by_parts } => {
                let (answer, upload) = start(client, repository, *by_parts)?;
                upload.map(|upload| self.uploads.insert(*slot, upload));
                Ok(answer)
            }
            Request::Append { slot, from, to } => {
                let bytes = &step.layer.as_ref().unwrap()[*from..*to];
                self.uploads[slot].append(client, *from, bytes)
            }
            Request::Complete { slot } => {
                let digest = digest(step.layer.as_ref().unwrap());
                self.uploads[slot].complete(client, &digest)
            }
            Request::Abort { slot } => client.registry("DELETE", &self.uploads[slot].location, &[], &[]),
            Request::Whole { repository, layer } => {
                let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(layer));
                client.registry("POST", &path, &[], layer)
            }
            Request::Mount { repository, from, digest } => {
                let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
                client.registry("POST", &path, &[], &[])
            }
            Request::Manifest { repository, reference, bytes } => {
                let path = format!("/v2/{repository}/manifests/{reference}");
                client.registry("PUT", &path, &[("content-type", OCI_MANIFEST)], bytes)
            }
            Request::Ecr { operation, body, .. } => client.ecr(operation, body),
            Request::Iam { action, parameters, .. } => {
                let parameters: Vec<_> =
                    parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
                client.iam(action, &parameters)
            }
        }
    }

    /// What must be there: everything acknowledged, and the step under way wholly or not at all.
    pub fn verify(&self, client: &Client) {
        let found = self.observe(client);
        let mut after = self.world.clone();
        if let Some(step) = self.steps.get(self.done) {
            apply(&mut after, step);
        }
        if found != self.world && found != after {
            let wrong: Vec<_> = self
                .keys()
                .into_iter()
                .filter(|key| found.get(key) != self.world.get(key))
                .map(|key| format!("{key}: {:?} instead of {:?}", found.get(&key), self.world.get(&key)))
                .collect();
            panic!("after {} steps, during {:?}: {wrong:#?}", self.done, self.steps.get(self.done));
        }
    }

    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> =
            self.steps.iter().flat_map(|step| step.changes.iter().map(|(key, _)| key.clone())).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Asks for everything that the steps ever touch; bytes are hashed here.
    pub fn observe(&self, client: &Client) -> World {
        let mut world = World::new();
        for key in self.keys() {
            if let Some(value) = look(client, &key) {
                world.insert(key, value);
            }
        }
        world
    }

    /// What a client does that was interrupted: it asks how far its uploads came, sends what is missing, and begins
    /// those anew that are gone. `is_power_lost`: progress may be less than was acknowledged; it is never more than
    /// was sent.
    pub fn take_up(&mut self, client: &Client, is_power_lost: bool) {
        for slot in self.uploads.keys().copied().collect::<Vec<_>>() {
            let Upload { location, acknowledged, .. } = self.uploads[&slot].clone();
            let sent = match self.steps.get(self.done).map(|step| &step.request) {
                Some(Request::Append { slot: under_way, to, .. }) if *under_way == slot => *to,
                _ => acknowledged,
            };
            let of_slot =
                |step: &&Step| matches!(step.request, Request::Start { slot: it, .. } if it == slot);
            let start = self.steps.iter().find(of_slot).unwrap().clone();
            let answer = client.registry("GET", &location, &[], &[]).unwrap();
            let is_ended = self.steps.get(self.done).is_some_and(|step| {
                matches!(step.request, Request::Complete { slot: it } | Request::Abort { slot: it } if it == slot)
            });
            if answer.status == 404 {
                // It may be over already; a power cut may also take one that was only begun.
                assert!(is_ended || is_power_lost, "upload {slot} is gone");
                if matches!(self.steps[self.done].request, Request::Abort { slot: it } if it == slot) {
                    continue;
                }
                assert!(self.perform(client, &start).unwrap().is_success());
            }
            let range = answer.header("range").unwrap_or("0-0").to_owned();
            let last: usize = range.split_once('-').unwrap().1.parse().unwrap();
            let mut length = if last == 0 || answer.status == 404 { 0 } else { last + 1 };
            assert!(length <= sent, "upload {slot} has {length} bytes of {sent} that were sent");
            assert!(
                is_power_lost || answer.status == 404 || length >= acknowledged,
                "upload {slot}: {length}"
            );
            if length > acknowledged {
                // The chunk under way came in part: it is sent from there.
                if let Request::Append { from, .. } = &mut self.steps[self.done].request {
                    *from = length;
                }
                self.uploads.get_mut(&slot).unwrap().acknowledged = length;
                if length == sent {
                    let step = self.steps[self.done].clone();
                    self.acknowledge(&step);
                }
            } else if length < acknowledged {
                let step =
                    Step { request: Request::Append { slot, from: length, to: acknowledged }, ..start };
                let answer = self.perform(client, &step).unwrap();
                assert!(answer.is_success(), "{} {}", answer.status, answer.text());
                length = acknowledged;
                self.uploads.get_mut(&slot).unwrap().acknowledged = length;
            }
        }
    }
}

/// Begins an upload; out: the upload too, when it was begun.
fn start(client: &Client, repository: &str, by_parts: bool) -> io::Result<(Answer, Option<Upload>)> {
    let path = format!("/v2/{repository}/blobs/uploads/");
    if !by_parts {
        let answer = client.registry("POST", &path, &[], &[])?;
        let location = answer.header("location").map(str::to_owned);
        let upload = location.map(|location| Upload { location, acknowledged: 0, parts: None });
        return Ok((answer, upload));
    }
    let answer = client.ecr("InitiateLayerUpload", &json!({ "repositoryName": repository }))?;
    let upload = answer.is_success().then(|| {
        let id = answer.json()["uploadId"].as_str().unwrap().to_owned();
        // Both doors know the same uploads; docker's can say how far one has come.
        let location = format!("{path}{id}");
        Upload { location, acknowledged: 0, parts: Some((repository.to_owned(), id)) }
    });
    Ok((answer, upload))
}

impl Upload {
    fn append(&self, client: &Client, from: usize, bytes: &[u8]) -> io::Result<Answer> {
        let last = from + bytes.len() - 1;
        let Some((repository, id)) = &self.parts else {
            let range = format!("{from}-{last}");
            return client.registry("PATCH", &self.location, &[("content-range", &range)], bytes);
        };
        let part = base64::engine::general_purpose::STANDARD.encode(bytes);
        let body = json!({
            "repositoryName": repository, "uploadId": id, "partFirstByte": from, "partLastByte": last,
            "layerPartBlob": part,
        });
        client.ecr("UploadLayerPart", &body)
    }

    fn complete(&self, client: &Client, digest: &str) -> io::Result<Answer> {
        let Some((repository, id)) = &self.parts else {
            return client.registry("PUT", &format!("{}?digest={digest}", self.location), &[], &[]);
        };
        let body = json!({ "repositoryName": repository, "uploadId": id, "layerDigests": [digest] });
        client.ecr("CompleteLayerUpload", &body)
    }
}

fn apply(world: &mut World, step: &Step) {
    for (key, value) in &step.changes {
        match value {
            Some(value) => world.insert(key.clone(), value.clone()),
            None => world.remove(key),
        };
    }
}

/// Whether an answer to a repeated request says that it was done before.
fn is_done(request: &Request, answer: &Answer) -> bool {
    match request {
        Request::Ecr { may_be_done, .. } | Request::Iam { may_be_done, .. } => {
            answer.status < 500 && answer.text().contains(may_be_done)
        }
        Request::Abort { .. } => answer.status == 404,
        // To a repeated completion by parts; docker's says 201 again.
        Request::Complete { .. } => answer.text().contains("LayerAlreadyExistsException"),
        _ => false,
    }
}

fn look(client: &Client, key: &str) -> Option<String> {
    let parts: Vec<&str> = key.split('/').collect();
    let found = |answer: Answer| match answer.status {
        200 => Some(answer),
        400 | 404 => None,
        _ => panic!("{key}: {} {}", answer.status, answer.text()),
    };
    let whole = |path: &str| {
        let answer = found(client.registry("GET", path, &[("accept", OCI_MANIFEST)], &[]).unwrap())?;
        let real = digest(&answer.body);
        assert_eq!(answer.header("docker-content-digest"), Some(real.as_str()), "{key}: other bytes");
        Some(real)
    };
    let there = |answer: Answer| found(answer).map(|_| "there".to_owned());
    match parts[..] {
        ["repository", name] => {
            let body = json!({ "repositoryNames": [name] });
            there(client.ecr("DescribeRepositories", &body).unwrap())
        }
        ["tag" | "image", name, reference] => whole(&format!("/v2/{name}/manifests/{reference}")),
        ["layer", name, digest] => whole(&format!("/v2/{name}/blobs/{digest}")),
        ["user", name] => there(client.iam("GetUser", &[("UserName", name)]).unwrap()),
        ["inline", name] => {
            there(client.iam("GetUserPolicy", &[("UserName", name), ("PolicyName", "inline")]).unwrap())
        }
        ["access", name] => {
            there(client.ecr("GetRepositoryPolicy", &json!({ "repositoryName": name })).unwrap())
        }
        ["policy", name] => {
            let answer = found(client.iam("ListAttachedUserPolicies", &[("UserName", name)]).unwrap())?;
            answer.text().contains("AmazonEC2ContainerRegistryReadOnly").then(|| "there".to_owned())
        }
        _ => panic!("{key}"),
    }
}
