//! Any sequence of pushes, moves and deletions keeps the invariants and does what a simple model does.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const WORDS: [&str; 3] = ["a", "b", "c"];
const TAGS: [&str; 3] = ["t0", "t1", "t2"];

#[derive(Debug, Clone)]
enum Step {
    /// Image or, for the number 3, the index of the first two images; with a tag or without.
    Push(usize, Option<usize>),
    DeleteTag(usize),
    DeleteImage(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4usize, prop::option::weighted(0.8, 0..3usize)).prop_map(|(image, tag)| Step::Push(image, tag)),
        1 => (0..3usize).prop_map(Step::DeleteTag),
        1 => (0..4usize).prop_map(Step::DeleteImage),
    ]
}

/// What the tables should hold.
#[derive(Debug, Default, PartialEq)]
struct Model {
    images: BTreeSet<String>,
    tags: BTreeMap<String, String>,
}

impl Model {
    fn push(&mut self, digest: &str, children: &[String], tag: Option<&str>) {
        if children.iter().all(|child| self.images.contains(child)) {
            self.images.insert(digest.to_owned());
            if let Some(tag) = tag {
                self.tags.insert(tag.to_owned(), digest.to_owned());
            }
        }
    }

    fn delete_image(&mut self, digest: &str, index: &str, children: &[String]) {
        let is_held = self.images.contains(index) && children.iter().any(|child| child == digest);
        if !is_held {
            self.images.remove(digest);
            self.tags.retain(|_, target| target != digest);
        }
    }

    fn delete_tag(&mut self, tag: &str, index: &str, children: &[String]) {
        let Some(digest) = self.tags.get(tag).cloned() else { return };
        if self.tags.values().filter(|target| **target == digest).count() > 1 {
            self.tags.remove(tag);
        } else {
            self.delete_image(&digest, index, children);
        }
    }
}

#[test]
fn any_sequence_keeps_the_invariants() {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for fixture in runtime.block_on(fixtures(Limits::default())) {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(40) });
        let steps = prop::collection::vec(step(), 1..25);
        let result = runner.run(&steps, |steps| {
            // A repository of its own for each case: a new database would take longer than the case.
            let name = format!("case/{}", NEXT.fetch_add(1, Ordering::Relaxed));
            runtime.block_on(run(&fixture, &name, &steps));
            Ok(())
        });
        if let Err(error) = result {
            panic!("{}: {error}", fixture.test.engine);
        }
    }
}

async fn run(fixture: &Fixture, name: &str, steps: &[Step]) {
    fixture.create(name).await;
    let blobs = ["a", "b", "c", "shared layer"].map(config_of);
    fixture.link_in(name, &blobs).await;
    let manifests: Vec<Value> =
        WORDS.iter().map(|word| image_json(word)).chain([index_json(&["a", "b"])]).collect();
    let digests: Vec<String> = manifests.iter().map(|manifest| digest_of(manifest).to_string()).collect();
    let (index, children) = (digests[3].as_str(), &digests[..2]);
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Push(image, tag) => {
                let tag = tag.map(|tag| TAGS[tag]);
                let allowed = allow(repository(name));
                let answer = fixture.catalog.put_image(&allowed, &new_image(&manifests[*image], tag)).await;
                let is_expected = matches!(
                    answer,
                    Ok(_) | Err(Error::ImageAlreadyExists { .. } | Error::ReferencedImagesNotFound { .. })
                );
                assert!(is_expected, "{answer:?}");
                model.push(&digests[*image], if *image == 3 { children } else { &[] }, tag);
            }
            Step::DeleteTag(tag) => {
                fixture.catalog.delete_images(&allow(repository(name)), &[by_tag(TAGS[*tag])]).await.unwrap();
                model.delete_tag(TAGS[*tag], index, children);
            }
            Step::DeleteImage(image) => {
                let id = by_digest(&digest_of(&manifests[*image]));
                fixture.catalog.delete_images(&allow(repository(name)), &[id]).await.unwrap();
                model.delete_image(&digests[*image], index, children);
            }
        }
    }
    let found = Model { images: fixture.images(name).await, tags: fixture.tags(name).await };
    assert_eq!(found, model, "{steps:?}");
    fixture.assert_sound(&format!("{steps:?}")).await;
}
