//! The names of all files. Nobody else puts a path together.

use std::path::{Path, PathBuf};

use oci::{Algorithm, Digest, UploadId};

use crate::store::blob::Generation;

/// The folders of a store; see the drawing in [`crate::store::blob`].
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

/// Both hash functions, each with a folder of its own.
pub(super) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Which boot of the machine last used the folder.
    pub(super) fn boot(&self) -> PathBuf {
        self.root.join("boot")
    }

    /// One of the two journals of young uploads.
    pub(super) fn journal(&self, number: u8) -> PathBuf {
        self.root.join(format!("young-{number}"))
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn algorithm(&self, algorithm: Algorithm) -> PathBuf {
        self.blobs().join(algorithm.as_str())
    }

    /// The folder of one shard: objects whose digest begins with this byte.
    pub(super) fn shard(&self, algorithm: Algorithm, shard: u8) -> PathBuf {
        self.algorithm(algorithm).join(format!("{shard:02x}"))
    }

    pub(super) fn object(&self, digest: &Digest, generation: &Generation) -> PathBuf {
        self.folder_of(digest).join(format!("{}.{}", digest.hex(), generation.as_str()))
    }

    pub(super) fn folder_of(&self, digest: &Digest) -> PathBuf {
        self.algorithm(digest.algorithm()).join(digest.hex().get(..2).unwrap_or("00"))
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub(super) fn data(&self, upload: &UploadId) -> PathBuf {
        self.uploads().join(format!("{upload}.data"))
    }

    pub(super) fn state(&self, upload: &UploadId) -> PathBuf {
        self.uploads().join(format!("{upload}.state"))
    }

    pub(super) fn probe(&self) -> PathBuf {
        self.uploads().join("probe")
    }
}

/// Reads the name of an object's file back; `None` for any other file.
pub(super) fn parse_object(algorithm: Algorithm, name: &str) -> Option<(Digest, Generation)> {
    let (hash, generation) = name.split_once('.')?;
    let digest = Digest::parse(&format!("{}:{hash}", algorithm.as_str())).ok()?;
    Some((digest, Generation::parse(generation)?))
}

/// Reads the name of an upload's file back; `None` for any other file.
pub(super) fn parse_upload(name: &str) -> Option<UploadId> {
    let (id, ending) = name.split_once('.')?;
    if ending == "data" || ending == "state" { UploadId::parse(id).ok() } else { None }
}
