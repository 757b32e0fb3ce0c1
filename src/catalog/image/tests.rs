//! The contract of images, tags and referrers, on every engine.

mod delete;
mod listings;
mod orphans;
mod pulls;
mod put;
mod sequences;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oci::{Digest, Manifest, Reference, Tag, media_type};
use serde_json::{Value, json};

use super::{ImageId, NewImage, Pushed};
use crate::access::testing::{allow, repository};
use crate::access::{Allowed, action};
use crate::catalog::repository::NewRepository;
use crate::catalog::{Catalog, Error, Limits, TagMutability};
use crate::environment::{Environment, ManualClock, NoRandomness, Random, SECOND};
use crate::store::blob::Blobs;
use crate::store::db::testing::{TestDatabase, databases};
use crate::{params, transaction};

/// When every test begins.
const NOW: i64 = 1_700_000_000 * SECOND;
const APP: &str = "team/app";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[derive(Debug)]
struct KernelRandom;

impl Random for KernelRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(buffer).map_err(|_| NoRandomness)
    }
}

/// A catalog with the repository `team/app`, on one engine.
struct Fixture {
    catalog: Catalog,
    clock: Arc<ManualClock>,
    /// Keeps the database alive; its `engine` is for messages.
    test: TestDatabase,
}

/// One fixture per engine.
async fn fixtures(limits: Limits) -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for test in databases().await {
        let clock = Arc::new(ManualClock::at(NOW));
        let environment = Environment::new(Arc::<ManualClock>::clone(&clock), Arc::new(KernelRandom));
        let location = format!("file:{}", test.folder.path().join("blobs").display()).parse().unwrap();
        let blobs = Blobs::open(&location).await.unwrap();
        let catalog = Catalog::new(test.database.clone(), Arc::new(blobs), environment, limits);
        let fixture = Fixture { catalog, clock, test };
        fixture.create(APP).await;
        fixtures.push(fixture);
    }
    fixtures
}

/// What the config of a test image holds: any word.
fn config_of(word: &str) -> Digest {
    Digest::sha256_of(format!("config of {word}").as_bytes())
}

/// The manifest of a test image: one config of 7 bytes, one layer of 100 that all share.
fn image_json(word: &str) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": {"mediaType": media_type::OCI_CONFIG, "digest": config_of(word), "size": 7},
        "layers": [{"mediaType": LAYER, "digest": config_of("shared layer"), "size": 100}],
    })
}

fn new_image(manifest: &Value, tag: Option<&str>) -> NewImage {
    let bytes = manifest.to_string().into_bytes();
    let manifest = Manifest::parse(&bytes, None).unwrap();
    let tags = tag.into_iter().map(|tag| Tag::parse(tag).unwrap()).collect();
    NewImage { bytes, manifest, tags, expected_digest: None }
}

fn digest_of(manifest: &Value) -> Digest {
    Digest::sha256_of(manifest.to_string().as_bytes())
}

fn image_digest(word: &str) -> Digest {
    digest_of(&image_json(word))
}

/// An index of test images.
fn index_json(words: &[&str]) -> Value {
    let entry = |word: &&str| {
        let bytes = image_json(word).to_string();
        json!({"mediaType": media_type::OCI_MANIFEST, "digest": image_digest(word), "size": bytes.len()})
    };
    let manifests: Vec<Value> = words.iter().map(entry).collect();
    json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests})
}

fn by_digest(digest: &Digest) -> ImageId {
    ImageId { digest: Some(digest.to_string()), tag: None }
}

fn by_tag(tag: &str) -> ImageId {
    ImageId { digest: None, tag: Some(tag.to_owned()) }
}

fn by_both(digest: &Digest, tag: &str) -> ImageId {
    ImageId { digest: Some(digest.to_string()), tag: Some(tag.to_owned()) }
}

impl Fixture {
    async fn create(&self, name: &str) {
        self.catalog.create_repository(&allow(repository(name)), NewRepository::default()).await.unwrap();
    }

    async fn repository_id(&self, name: &str) -> String {
        self.catalog.require_repository(&repository(name)).await.unwrap()
    }

    /// Makes blobs readable in a repository without storing bytes, which images never look at.
    async fn link_in(&self, name: &str, digests: &[Digest]) {
        let id = self.repository_id(name).await;
        transaction!(self.test.database, open => {
            for digest in digests {
                open.execute(
                    "INSERT INTO blob (digest, generation, size_bytes, state, created_at) \
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest) DO NOTHING",
                    params![digest.as_str(), "00", 1_i64, "ready", NOW],
                )
                .await?;
                open.execute(
                    "INSERT INTO blob_link (repository_id, blob, linked_at, review_after) \
                     SELECT $1, number, CAST($3 AS BIGINT), CAST($3 AS BIGINT) FROM blob WHERE digest = $2 \
                     ON CONFLICT (repository_id, blob) DO NOTHING",
                    params![id.as_str(), digest.as_str(), NOW],
                )
                .await?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    }

    /// Makes the blobs of test images readable.
    async fn link(&self, words: &[&str]) {
        let mut digests: Vec<Digest> = words.iter().map(|word| config_of(word)).collect();
        digests.push(config_of("shared layer"));
        self.link_in(APP, &digests).await;
    }

    async fn put(&self, image: &NewImage) -> Result<Pushed, Error> {
        self.catalog.put_image(&allow(repository(APP)), image).await
    }

    /// Pushes a test image with its blobs; it must work.
    async fn push(&self, word: &str, tag: Option<&str>) -> Digest {
        self.link(&[word]).await;
        self.put(&new_image(&image_json(word), tag)).await.unwrap().digest
    }

    async fn push_index(&self, words: &[&str], tag: Option<&str>) -> Digest {
        self.put(&new_image(&index_json(words), tag)).await.unwrap().digest
    }

    async fn set_mutability(&self, setting: &TagMutability) {
        let allowed: Allowed<action::PutImageTagMutability> = allow(repository(APP));
        self.catalog.put_tag_mutability(&allowed, setting).await.unwrap();
    }

    async fn get(&self, reference: &str) -> Result<Vec<u8>, Error> {
        let reference = Reference::parse(reference).unwrap();
        let image = self.catalog.get_image(&allow(repository(APP)), &reference).await?;
        Ok(image.manifest.to_vec())
    }

    /// Current tags with their digests, straight from the table.
    async fn tags(&self, name: &str) -> BTreeMap<String, String> {
        let id = self.repository_id(name).await;
        let rows = self
            .test
            .database
            .rows("SELECT name, digest FROM tag WHERE repository_id = $1 AND ended_at IS NULL", params![id])
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect()
    }

    /// The digests of all images, straight from the table.
    async fn images(&self, name: &str) -> BTreeSet<String> {
        let id = self.repository_id(name).await;
        let sql = "SELECT digest FROM image WHERE repository_id = $1";
        let rows = self.test.database.rows(sql, params![id]).await.unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// One number from a statement about `team/app`, whose id is `$1`.
    async fn count(&self, sql: &'static str) -> i64 {
        let id = self.repository_id(APP).await;
        self.test.database.row(sql, params![id]).await.unwrap().unwrap().get(0).unwrap()
    }

    /// What must hold after any sequence of operations.
    async fn assert_sound(&self, context: &str) {
        let engine = self.test.engine;
        for (promise, sql) in [
            (
                "every current tag points at an image",
                "SELECT COUNT(*) FROM tag t WHERE t.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM image i \
                 WHERE i.repository_id = t.repository_id AND i.digest = t.digest)",
            ),
            (
                "every reference to a blob belongs to an image",
                "SELECT COUNT(*) FROM image_blob r WHERE NOT EXISTS (SELECT 1 FROM image i \
                 WHERE i.repository_id = r.repository_id AND i.digest = r.digest)",
            ),
            (
                "every child belongs to an index",
                "SELECT COUNT(*) FROM image_child r WHERE NOT EXISTS (SELECT 1 FROM image i \
                 WHERE i.repository_id = r.repository_id AND i.digest = r.digest)",
            ),
            (
                "every child of an index is an image of the same repository",
                "SELECT COUNT(*) FROM image_child r WHERE NOT EXISTS \
                 (SELECT 1 FROM image i WHERE i.repository_id = r.repository_id AND i.digest = r.child)",
            ),
            (
                "every blob of an image is linked",
                "SELECT COUNT(*) FROM image_blob r WHERE NOT EXISTS \
                 (SELECT 1 FROM blob_link l WHERE l.repository_id = r.repository_id AND l.blob = r.blob)",
            ),
            (
                "every blob that no image needs waits for the collector",
                "SELECT COUNT(*) FROM blob_link l WHERE l.review_after IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM image_blob r WHERE r.repository_id = l.repository_id AND r.blob = l.blob)",
            ),
        ] {
            let row = self.test.database.row(sql, params![]).await.unwrap().unwrap();
            assert_eq!(row.get::<i64>(0).unwrap(), 0, "{engine}, {context}: {promise}");
        }
    }
}
