//! Mixed load for a long time: memory and file descriptors stay flat, and every answer is right.
//!
//! Three minutes by default; `LONGSHORE_SOAK_SECONDS=3600` is the nightly form. Four clients push, pull and compare,
//! move tags, list, delete, and change users and policies, as fast as they are answered. What is compared is the
//! second quarter of the time with the last one, so the judgement does not depend on the speed of the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sha2::Digest as _;

use crate::faults::{Client, KEY_ID, SECRET};
use crate::harness::layout::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest};
use crate::harness::{Server, Settings};

const CLIENTS: u64 = 4;
const TAGS: u64 = 8;
const SMALL_BYTES: usize = 32 * 1024;
const LARGE_BYTES: usize = 4 * 1024 * 1024;

/// What may be more in the last quarter than in the second: noise of the allocator, connections that are just open.
const MEMORY_SLACK: u64 = 16 * 1024 * 1024;
const FILES_SLACK: u64 = 32;

/// The process at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    memory_bytes: u64,
    files: u64,
}

impl Sample {
    fn take(process: u32) -> Sample {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
        Sample { memory_bytes: kibibytes * 1024, files: files as u64 }
    }
}

/// What grew, or `None` when both are flat.
fn growth(samples: &[Sample]) -> Option<String> {
    let quarter = samples.len() / 4;
    let most = |samples: &[Sample], what: fn(&Sample) -> u64| samples.iter().map(what).max().unwrap_or(0);
    let (early, late) = (&samples[quarter..2 * quarter], &samples[3 * quarter..]);
    let memory: fn(&Sample) -> u64 = |sample| sample.memory_bytes;
    let files: fn(&Sample) -> u64 = |sample| sample.files;
    let (before, after) = (most(early, memory), most(late, memory));
    if after > before + before / 4 + MEMORY_SLACK {
        return Some(format!("memory grew from {before} to {after} bytes"));
    }
    let (before, after) = (most(early, files), most(late, files));
    (after > before + FILES_SLACK).then(|| format!("open files grew from {before} to {after}"))
}

#[test]
fn a_leak_would_be_noticed() {
    let flat = Sample { memory_bytes: 40 << 20, files: 60 };
    let leaking_memory = |second: u64| Sample { memory_bytes: (40 << 20) + second * (400 << 10), ..flat };
    let leaking_files = |second: u64| Sample { files: 60 + second, ..flat };
    assert_eq!(growth(&[flat; 180]), None);
    assert!(growth(&(0..180).map(leaking_memory).collect::<Vec<_>>()).unwrap().contains("memory"));
    assert!(growth(&(0..180).map(leaking_files).collect::<Vec<_>>()).unwrap().contains("files"));
}

/// Bytes that no other round of any client has.
fn content(client: u64, round: u64, length: usize) -> Vec<u8> {
    let seed = sha2::Sha256::digest(format!("{client} {round}"));
    seed.iter().copied().cycle().take(length).collect()
}

/// Pushes a blob in one request after the start of its upload.
fn push_blob(client: &Client, repository: &str, bytes: &[u8]) -> String {
    let digest = digest(bytes);
    let started = client.registry("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], b"").unwrap();
    assert_eq!(started.status, 202, "{}", started.text());
    let location = started.header("location").unwrap().to_owned();
    let answer = client.registry("PUT", &format!("{location}?digest={digest}"), &[], bytes).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    digest
}

/// One round of one client: everything that people do with a registry, each answer checked.
fn round(client: &Client, number: u64, round: u64) {
    let repository = format!("soak-{number}");
    let length = if round.is_multiple_of(16) { LARGE_BYTES } else { SMALL_BYTES };
    let layer = content(number, round, length);
    let layer_digest = push_blob(client, &repository, &layer);
    let config_digest = push_blob(client, &repository, b"{}");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": config_digest, "size": 2},
        "layers": [{"mediaType": OCI_LAYER, "digest": layer_digest, "size": length}],
    })
    .to_string();
    // Each tag moves to another image all the time; what it leaves is deleted below.
    let path = format!("/v2/{repository}/manifests/t{}", round % TAGS);
    let before = client.registry("HEAD", &path, &[("accept", OCI_MANIFEST)], b"").unwrap();
    let answer =
        client.registry("PUT", &path, &[("content-type", OCI_MANIFEST)], manifest.as_bytes()).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer = client.registry("GET", &path, &[("accept", OCI_MANIFEST)], b"").unwrap();
    assert_eq!((answer.status, answer.text()), (200, manifest));
    let answer = client.registry("GET", &format!("/v2/{repository}/blobs/{layer_digest}"), &[], b"").unwrap();
    assert!(answer.status == 200 && answer.body == layer, "{}", answer.status);
    let answer = client.registry("GET", &format!("/v2/{repository}/tags/list"), &[], b"").unwrap();
    assert_eq!(answer.status, 200);
    if let Some(old) = before.header("docker-content-digest").filter(|_| before.status == 200) {
        let ids = json!({"repositoryName": repository, "imageIds": [{"imageDigest": old}]});
        let answer = client.ecr("BatchDeleteImage", &ids).unwrap();
        assert_eq!(answer.json()["failures"], json!([]), "{}", answer.text());
    }
    let user = format!("soak-{number}-{round}");
    let policy = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    for (action, parameters) in [
        ("CreateUser", vec![("UserName", user.as_str())]),
        ("AttachUserPolicy", vec![("UserName", user.as_str()), ("PolicyArn", policy)]),
        ("ListAttachedUserPolicies", vec![("UserName", user.as_str())]),
        ("DetachUserPolicy", vec![("UserName", user.as_str()), ("PolicyArn", policy)]),
        ("DeleteUser", vec![("UserName", user.as_str())]),
    ] {
        let answer = client.iam(action, &parameters).unwrap();
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
    }
}

#[test]
fn memory_and_descriptors_stay_flat_under_mixed_load() {
    let seconds = std::env::var("LONGSHORE_SOAK_SECONDS").map_or(180, |text| text.parse().expect("seconds"));
    let environment =
        [("LONGSHORE_ROOT_ACCESS_KEY_ID", KEY_ID), ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", SECRET)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let settings = Settings { environment, ..Settings::default() };
    // What is deleted leaves soon, so that the collector takes part and the disk does not fill.
    let server =
        Server::start_with(settings.with_flags(&["--blob-grace-seconds", "60", "--log-level", "warn"]));
    let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (stop, rounds, address) = (stop.clone(), rounds.clone(), server.address().to_owned());
            std::thread::spawn(move || {
                let client = Client::of(&address);
                let name = json!({"repositoryName": format!("soak-{number}")});
                assert_eq!(client.ecr("CreateRepository", &name).unwrap().status, 200);
                for count in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    round(&client, number, count);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let begin = Instant::now();
    let mut samples = Vec::new();
    while begin.elapsed() < Duration::from_secs(seconds) && clients.iter().all(|client| !client.is_finished())
    {
        std::thread::sleep(Duration::from_millis(500));
        samples.push(Sample::take(server.process_id()));
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("every answer is right");
    }
    let last = samples.last().unwrap();
    let rounds = rounds.load(Ordering::Relaxed);
    println!("{rounds} rounds in {seconds} seconds, at the end {last:?}");
    assert!(rounds > seconds, "only {rounds} rounds");
    assert_eq!(growth(&samples), None, "{rounds} rounds, at the end {last:?}");
}
