//! A catalog with a clock that stands still, for the contract tests of the room, on every engine.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use oci::{Digest, RepositoryName, UploadId};

use super::upload::{Chunk, Completed, Source};
use super::{Catalog, Error, Limits};
use crate::access::action::{
    BatchCheckLayerAvailability, CompleteLayerUpload, GetDownloadUrlForLayer, InitiateLayerUpload,
    UploadLayerPart,
};
use crate::access::testing::{ACCOUNT, REGION, allow, repository};
use crate::environment::{Environment, ManualClock, Micros, NoRandomness, Random, SECOND};
use crate::params;
use crate::store::blob::{Append, Blobs, Chunks, Generation, Location};
use crate::store::db::testing::{TestDatabase, databases};
use crate::store::db::{Durability, Row};

/// When every test begins: 2026-01-01T00:00:00Z.
pub(crate) const START: Micros = 1_767_225_600 * SECOND;

/// A catalog over one test database and blobs in the same folder.
pub(crate) struct Room {
    pub(crate) test: TestDatabase,
    pub(crate) catalog: Catalog,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) clock: Arc<ManualClock>,
}

/// The machine's random numbers: only the clock is a test's own.
#[derive(Debug)]
struct System;

impl Random for System {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        buffer.copy_from_slice(&Environment::system().random::<64>()?[..buffer.len()]);
        Ok(())
    }
}

/// One room per engine, each with the repositories `app` and `other`.
pub(crate) async fn rooms() -> Vec<Room> {
    rooms_with(Limits::default()).await
}

/// The same with other limits.
pub(crate) async fn rooms_with(limits: Limits) -> Vec<Room> {
    let mut rooms = Vec::new();
    for test in databases().await {
        let clock = Arc::new(ManualClock::at(START));
        let location = Location::Disk(test.folder.path().join("blobs"));
        let blobs = Arc::new(Blobs::open(&location).await.unwrap());
        let environment = Environment::new(clock.clone(), Arc::new(System));
        let catalog = Catalog::new(test.database.clone(), Arc::clone(&blobs), environment, limits);
        let room = Room { test, catalog, blobs, clock };
        room.add_repository("app").await;
        room.add_repository("other").await;
        rooms.push(room);
    }
    rooms
}

impl Room {
    pub(crate) async fn add_repository(&self, name: &str) {
        self.write(
            "INSERT INTO repository (id, account, region, name, created_at, tag_mutability, \
             tag_mutability_filters, scan_on_push, encryption_type, lifecycle_evaluated_at) \
             VALUES ($1, $2, $3, $1, 0, 'MUTABLE', '[]', 0, 'AES256', 0)",
            params![RepositoryName::parse(name).unwrap().as_str(), ACCOUNT, REGION],
        )
        .await;
    }

    /// Runs one statement in a transaction of its own.
    pub(crate) async fn write(&self, sql: &'static str, parameters: Vec<crate::store::db::Value>) {
        let mut open = self.test.database.begin(Durability::Durable).await.unwrap();
        open.execute(sql, parameters).await.unwrap();
        open.commit().await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        self.test.database.row(sql, params![]).await.unwrap().unwrap().get(0).unwrap()
    }

    /// An image of `name` that refers to these blobs.
    pub(crate) async fn add_image(&self, name: &str, image: &str, blobs: &[&Digest]) {
        self.write(
            "INSERT INTO image (repository_id, digest, media_type, manifest, annotations, size_bytes, \
             pushed_at, pushed_by) VALUES ($1, $2, 'type', $3, '{}', 0, 0, 'me')",
            params![name, image, b"{}".to_vec()],
        )
        .await;
        for blob in blobs {
            self.write(
                "INSERT INTO image_blob (repository_id, digest, blob) SELECT $1, $2, number FROM blob WHERE digest = $3",
                params![name, image, blob.as_str()],
            )
            .await;
        }
    }

    pub(crate) async fn start(&self, name: &str) -> Result<UploadId, Error> {
        self.catalog.start_upload(&allow::<InitiateLayerUpload>(repository(name))).await
    }

    pub(crate) async fn append(
        &self,
        name: &str,
        upload: &UploadId,
        chunk: Chunk,
        bytes: impl Chunks,
    ) -> Result<u64, Error> {
        self.catalog.append_chunk(&allow::<UploadLayerPart>(repository(name)), upload, chunk, bytes).await
    }

    pub(crate) async fn part(
        &self,
        upload: &UploadId,
        bounds: (u64, u64),
        bytes: Vec<u8>,
    ) -> Result<u64, Error> {
        let allowed = allow::<UploadLayerPart>(repository("app"));
        self.catalog.append_part(&allowed, upload, bounds, bytes.into()).await
    }

    pub(crate) async fn complete(
        &self,
        name: &str,
        upload: &UploadId,
        digests: &[Digest],
        source: Source,
    ) -> Result<Completed, Error> {
        let allowed = allow::<CompleteLayerUpload>(repository(name));
        self.catalog.complete_upload(&allowed, upload, digests, source).await
    }

    /// Pushes a layer as docker does.
    pub(crate) async fn push(&self, name: &str, bytes: &[u8]) -> Result<Completed, Error> {
        let upload = self.start(name).await?;
        self.append(name, &upload, Chunk::default(), whole(bytes)).await?;
        self.complete(name, &upload, &[Digest::sha256_of(bytes)], Source::Stream).await
    }

    pub(crate) async fn length(&self, name: &str, digest: &Digest) -> Option<u64> {
        let allowed = allow::<BatchCheckLayerAvailability>(repository(name));
        self.catalog.layer_lengths(&allowed, std::slice::from_ref(digest)).await.unwrap()[0]
    }

    /// All bytes of a layer, as a pull reads them.
    pub(crate) async fn pull(&self, name: &str, digest: &Digest) -> Option<Vec<u8>> {
        let allowed = allow::<GetDownloadUrlForLayer>(repository(name));
        let reader = self.catalog.open_layer(&allowed, digest).await.unwrap()?;
        Some(reader.read(0..reader.length()).await.unwrap().to_vec())
    }

    /// The files of all stored objects of a digest.
    pub(crate) fn objects(&self, digest: &Digest) -> Vec<std::path::PathBuf> {
        let folder = self.test.folder.path().join("blobs/blobs/sha256").join(digest.hex().split_at(2).0);
        let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_str().unwrap().contains(digest.hex())).collect()
    }

    /// How many times the bytes of a digest are stored, in rows and in files.
    pub(crate) async fn stored(&self, digest: &Digest) -> usize {
        let rows = self.rows_of(digest).await.len();
        rows + self.objects(digest).len()
    }

    async fn rows_of(&self, digest: &Digest) -> Vec<Row> {
        let sql = "SELECT b.generation, c.content FROM blob b JOIN blob_content c ON c.blob = b.number \
            WHERE b.digest = $1";
        self.test.database.rows(sql, params![digest.as_str()]).await.unwrap()
    }

    /// The bytes in the row of a blob.
    pub(crate) async fn content(&self, digest: &Digest) -> Vec<u8> {
        self.rows_of(digest).await[0].get(1).unwrap()
    }

    /// Replaces the bytes of a blob in its row.
    pub(crate) async fn overwrite_row(&self, digest: &Digest, content: &[u8]) {
        let sql =
            "UPDATE blob_content SET content = $2 WHERE blob = (SELECT number FROM blob WHERE digest = $1)";
        self.write(sql, params![digest.as_str(), content]).await;
    }

    /// Makes a row a file under the same generation: what earlier versions have stored.
    pub(crate) async fn make_file(&self, digest: &Digest) -> std::path::PathBuf {
        let rows = self.rows_of(digest).await;
        let [row] = rows.as_slice() else { panic!("one row: {rows:?}") };
        let generation = Generation::parse(&row.get::<String>(0).unwrap()).unwrap();
        let held = self
            .blobs
            .hold(&UploadId::from_bytes(generation.as_str().as_bytes().try_into().unwrap()))
            .await
            .unwrap();
        let rules = Append { maximum_length: u64::MAX, exactly: None, note: 0, keeps_interrupted: false };
        let (held, _) = held.append(whole(&row.get::<Vec<u8>>(1).unwrap()), rules).await.unwrap();
        let verified = held.verify(std::slice::from_ref(digest)).await.unwrap().unwrap();
        held.publish(&verified, &generation).await.unwrap().discard().await;
        self.write(
            "DELETE FROM blob_content WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
            params![digest.as_str()],
        )
        .await;
        self.objects(digest).remove(0)
    }

    /// How many staged files there are.
    pub(crate) fn staged(&self) -> usize {
        std::fs::read_dir(self.test.folder.path().join("blobs/uploads")).unwrap().count()
    }
}

/// One piece.
pub(crate) fn whole(bytes: &[u8]) -> impl Chunks + use<> {
    stream::iter([Ok(Bytes::copy_from_slice(bytes))])
}

/// One piece, then a broken connection.
pub(crate) fn broken(bytes: &[u8]) -> impl Chunks + use<> {
    stream::iter([Ok(Bytes::copy_from_slice(bytes)), Err(std::io::ErrorKind::UnexpectedEof.into())])
}
