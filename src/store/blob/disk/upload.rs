//! One upload in the hands of one request.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use oci::{Algorithm, Digest, Hasher, UploadId};
use tokio::sync::OwnedMutexGuard;

use super::state::{self, Record};
use super::{Inner, blocking, files};
use crate::store::blob::{Error, Generation};

/// Bytes read at once where stored bytes are hashed again.
const READ_BYTES: usize = 1024 * 1024;

/// The right to change one upload, with its files open.
#[derive(Debug)]
pub struct Held {
    pub(super) inner: Arc<Inner>,
    pub(super) upload: UploadId,
    pub(super) files: Option<Files>,
    pub(super) progress: Progress,
    _guard: OwnedMutexGuard<()>,
}

/// The files of an upload; there are none before its first byte.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) data: File,
    pub(super) state: File,
    /// Whether the folder still has to be told to keep their names.
    pub(super) are_new: bool,
}

/// How far an upload has come.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) sequence: u64,
    pub(super) length: u64,
    pub(super) note: u64,
    pub(super) hasher: Hasher,
}

/// The proof that an upload holds exactly the bytes of a digest.
#[derive(Debug, Clone)]
pub struct Verified {
    upload: UploadId,
    digest: Digest,
    size_bytes: u64,
}

impl Verified {
    /// The digest that the bytes have.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How many bytes there are.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl Progress {
    fn nothing(sequence: u64) -> Self {
        Self { sequence, length: 0, note: 0, hasher: Hasher::new(Algorithm::Sha256) }
    }

    pub(super) fn record(&self) -> Record {
        Record {
            sequence: self.sequence,
            length: self.length,
            note: self.note,
            hasher: Some(self.hasher.clone()),
        }
    }
}

impl Held {
    /// Opens the files and forgets every byte that was not acknowledged.
    pub(super) fn load(
        inner: Arc<Inner>,
        upload: UploadId,
        guard: OwnedMutexGuard<()>,
    ) -> Result<Self, Error> {
        let mut held = Self { inner, upload, files: None, progress: Progress::nothing(0), _guard: guard };
        let failed = || Error::io("open an upload");
        let state_path = held.inner.layout.state(&held.upload);
        let Some(state) = files::open_existing(&state_path).map_err(failed())? else { return Ok(held) };
        let Some(record) = state::read(&state).map_err(failed())? else { return Ok(held) };
        let data_path = held.inner.layout.data(&held.upload);
        let data = files::open_for_writing(&data_path).map_err(failed())?;
        let found = data.metadata().map_err(failed())?.len();
        if found < record.length {
            // Only a disk that lies about fsync, or a hand in the folder, does this. What is left cannot be
            // what the hash stands for, so the upload begins anew.
            tracing::error!(
                upload.id = %held.upload, expected_bytes = record.length, found_bytes = found,
                "an upload lost bytes that were durable; it starts again at 0"
            );
            files::truncate(&data, 0).map_err(failed())?;
            held.progress = Progress::nothing(record.sequence);
            held.files = Some(Files { data, state, are_new: true });
            return Ok(held);
        }
        if found > record.length {
            files::truncate(&data, record.length).map_err(failed())?;
        }
        let hasher = match record.hasher {
            Some(hasher) => hasher,
            None => hash(&data, record.length, Algorithm::Sha256)?,
        };
        held.progress =
            Progress { sequence: record.sequence, length: record.length, note: record.note, hasher };
        held.files = Some(Files { data, state, are_new: false });
        Ok(held)
    }

    /// How many bytes it has received.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.progress.length
    }

    /// The number that the last complete [`Self::append`] left; 0 at first. The room chooses its meaning.
    #[must_use]
    pub fn note(&self) -> u64 {
        self.progress.note
    }

    /// Finds the first of `digests` that the received bytes have.
    ///
    /// SHA-256 is known from receiving; SHA-512 costs one reading of all bytes.
    ///
    /// # Errors
    /// [`Error::Io`]; `None` is not an error.
    pub async fn verify(&self, digests: &[Digest]) -> Result<Option<Verified>, Error> {
        let sha256 = self.progress.hasher.clone().finish();
        let mut sha512 = None;
        for digest in digests {
            let real = match digest.algorithm() {
                Algorithm::Sha256 => &sha256,
                Algorithm::Sha512 => match &mut sha512 {
                    Some(known) => known,
                    unknown => unknown.insert(self.hash_again(Algorithm::Sha512).await?),
                },
            };
            if digest == real {
                return Ok(Some(Verified {
                    upload: self.upload.clone(),
                    digest: digest.clone(),
                    size_bytes: self.progress.length,
                }));
            }
        }
        Ok(None)
    }

    async fn hash_again(&self, algorithm: Algorithm) -> Result<Digest, Error> {
        let Some(files) = &self.files else { return Ok(Hasher::new(algorithm).finish()) };
        let data = files.data.try_clone().map_err(Error::io("read an upload"))?;
        let length = self.progress.length;
        blocking("read an upload", move || Ok(hash(&data, length, algorithm)?.finish())).await
    }

    /// Gives the bytes the name of their digest and a generation, durably. The upload stays as it is, so that a
    /// failure of what comes next costs the client nothing (file systems without hard links excepted: there the
    /// bytes move); nobody reads an object that no row names.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`]: no such name then, or one that no row will ever name.
    pub async fn publish(self, verified: &Verified, generation: &Generation) -> Result<Self, Error> {
        let (digest, size_bytes) = (verified.digest.clone(), verified.size_bytes);
        let is_ours = verified.upload == self.upload && size_bytes == self.progress.length;
        let generation = generation.clone();
        blocking("publish a blob", move || {
            let failed = || Error::io("publish a blob");
            if !is_ours {
                return Err(failed()(std::io::Error::other("verified for another upload")));
            }
            let mut held = self;
            // An empty blob has received nothing, so its file may not exist yet.
            let data = &held.open_files()?.data;
            let metadata = data.metadata().map_err(failed())?;
            if metadata.len() != size_bytes {
                return Err(failed()(std::io::Error::other("the staged file has another length")));
            }
            if size_bytes == 0 {
                files::sync(data).map_err(failed())?;
            }
            let from = held.inner.layout.data(&held.upload);
            let to = held.inner.layout.object(&digest, &generation);
            files::link(&from, &to).map_err(failed())?;
            files::sync_folder(&held.inner.layout.folder_of(&digest)).map_err(failed())?;
            held.inner.known.insert(&generation, super::known::modified(&metadata));
            Ok(held)
        })
        .await
    }

    /// Forgets the upload and its bytes. Failures are logged: the collector finds leftovers.
    pub async fn discard(self) {
        let upload = self.upload.clone();
        let result = blocking("remove an upload", move || self.remove()).await;
        if let Err(error) = result {
            tracing::warn!(%error, upload.id = %upload, "the files of an upload stay behind for the collector");
        }
    }

    pub(super) fn remove(mut self) -> Result<(), Error> {
        self.files = None;
        // The state first: data without a state is nothing, a state without data would be reported as a loss.
        files::remove(&self.inner.layout.state(&self.upload)).map_err(Error::io("remove an upload"))?;
        files::remove(&self.inner.layout.data(&self.upload)).map_err(Error::io("remove an upload"))
    }

    /// The files, created when there are none.
    pub(super) fn open_files(&mut self) -> Result<&mut Files, Error> {
        let failed = || Error::io("create the files of an upload");
        let files = match self.files.take() {
            Some(files) => files,
            None => {
                let data = files::open_for_writing(&self.inner.layout.data(&self.upload)).map_err(failed())?;
                let state =
                    files::open_for_writing(&self.inner.layout.state(&self.upload)).map_err(failed())?;
                // Left by a crash before anything counted, or not there at all.
                files::truncate(&data, 0).map_err(failed())?;
                files::truncate(&state, 0).map_err(failed())?;
                Files { data, state, are_new: true }
            }
        };
        Ok(self.files.insert(files))
    }
}

/// Hashes the first `length` bytes of a file.
fn hash(data: &File, length: u64, algorithm: Algorithm) -> Result<Hasher, Error> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; READ_BYTES];
    while hasher.length() < length {
        let wanted = usize::try_from(length - hasher.length()).unwrap_or(READ_BYTES).min(READ_BYTES);
        let slice = buffer.get_mut(..wanted).unwrap_or_default();
        data.read_exact_at(slice, hasher.length()).map_err(Error::io("read an upload"))?;
        hasher.update(slice);
    }
    Ok(hasher)
}
