//! The contract of a blob store; the same suite for every backend.

mod crash;
mod objects;
mod power;
mod uploads;
mod young;

use bytes::Bytes;
use futures_util::stream;
use oci::{Digest, UploadId};

use super::{Append, Blobs, Chunks, Generation, Held, Location, Object};

pub(super) const UNLIMITED: Append =
    Append { maximum_length: u64::MAX, exactly: None, note: 0, keeps_interrupted: true };

/// A store in a folder of its own.
pub(super) struct Fixture {
    pub(super) folder: tempfile::TempDir,
    pub(super) blobs: Blobs,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&Location::Disk(folder.path().join("blobs"))).await.unwrap();
        Self { folder, blobs }
    }

    /// Opens the folder again, as the next start of the server does.
    pub(super) async fn restart(self) -> Self {
        let Self { folder, blobs } = self;
        drop(blobs);
        let blobs = Blobs::open(&Location::Disk(folder.path().join("blobs"))).await.unwrap();
        Self { folder, blobs }
    }

    /// Opens the folder after the machine was started again, once for each `boot`.
    pub(super) async fn restart_in_boot(self, boot: u8) -> Self {
        let Self { folder, blobs } = self;
        drop(blobs);
        let location = Location::Disk(folder.path().join("blobs"));
        let blobs = Blobs::open_in_boot(&location, [boot; 16]).await.unwrap();
        Self { folder, blobs }
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("blobs").join(name)
    }

    pub(super) fn data(&self, upload: &UploadId) -> std::path::PathBuf {
        self.path(&format!("uploads/{upload}.data"))
    }

    pub(super) fn state(&self, upload: &UploadId) -> std::path::PathBuf {
        self.path(&format!("uploads/{upload}.state"))
    }

    /// Appends complete bytes in one piece.
    pub(super) async fn append(&self, upload: &UploadId, bytes: &[u8]) -> Held {
        let held = self.blobs.hold(upload).await.unwrap();
        let (held, appended) = held.append(whole(bytes), UNLIMITED).await.unwrap();
        assert!(appended.is_complete);
        assert_eq!(appended.received, bytes.len() as u64);
        held
    }

    /// Uploads and publishes bytes.
    pub(super) async fn publish(&self, seed: u8, bytes: &[u8]) -> Object {
        let held = self.append(&upload(seed), bytes).await;
        let verified = held.verify(&[Digest::sha256_of(bytes)]).await.unwrap().unwrap();
        let generation = Generation::from_random([seed; 8]);
        held.publish(&verified, &generation).await.unwrap().discard().await;
        Object { digest: verified.digest().clone(), generation, size_bytes: verified.size_bytes() }
    }
}

pub(super) fn upload(seed: u8) -> UploadId {
    UploadId::from_bytes([seed; 16])
}

pub(super) fn whole(bytes: &[u8]) -> impl Chunks + use<> {
    pieces(vec![bytes.to_vec()])
}

pub(super) fn pieces(pieces: Vec<Vec<u8>>) -> impl Chunks + use<> {
    stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))))
}

/// Pieces, then a broken connection.
pub(super) fn broken(bytes: Vec<Vec<u8>>) -> impl Chunks + use<> {
    let end = std::iter::once(Err(std::io::ErrorKind::UnexpectedEof.into()));
    stream::iter(bytes.into_iter().map(|piece| Ok(Bytes::from(piece))).chain(end))
}

/// Bytes without a pattern that a mistake could repeat.
pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
