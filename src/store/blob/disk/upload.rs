//! One upload in the hands of one request.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use oci::{Algorithm, Digest, Hasher, UploadId};
use tokio::sync::OwnedMutexGuard;

use super::state::{self, Found, Record};
use super::young::Known;
use super::{Inner, blocking, files};
use crate::store::blob::{Error, Generation};

/// Bytes read at once where stored bytes are hashed again.
const READ_BYTES: usize = 1024 * 1024;

/// An upload of at most this many bytes has no state file: the length of its data counts, and its hash is computed
/// when it is asked for.
pub(super) const SMALL_BYTES: usize = 64 * 1024;

/// The right to change one upload, with its files open.
#[derive(Debug)]
pub struct Held {
    pub(super) inner: Arc<Inner>,
    pub(super) upload: UploadId,
    pub(super) content: Content,
    _guard: OwnedMutexGuard<()>,
}

/// What an upload has received.
#[expect(
    clippy::large_enum_variant,
    reason = "one value per request in hand lives on its task; a box would be one more allocation for each chunk"
)]
#[derive(Debug)]
pub(super) enum Content {
    /// A young upload: all of it is in memory and in the journal.
    Young(Known),
    /// At most [`SMALL_BYTES`] and no note; there is no file before the first byte.
    Small { bytes: Bytes, data: Option<File> },
    /// Anything else.
    Staged(Staged),
}

/// An upload with a state file.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) data: File,
    pub(super) state: File,
    /// The data again, for writing past the page cache; opened when that is first done.
    pub(super) direct: Option<Arc<File>>,
    /// Whether the folder still has to be told to keep their names, should something be made durable.
    pub(super) are_new: bool,
    /// The slot of the last durable record.
    pub(super) durable_slot: usize,
    pub(super) progress: Progress,
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
    fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        Self { sequence: 0, length: bytes.len() as u64, note: 0, hasher }
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
    /// Opens an upload that has no state file yet; gives the guard back when it has one. A few cheap calls: no
    /// thread of its own is worth them.
    pub(super) fn load_small(
        inner: &Arc<Inner>,
        upload: &UploadId,
        guard: OwnedMutexGuard<()>,
    ) -> Result<Result<Self, OwnedMutexGuard<()>>, Error> {
        let failed = || Error::io("open an upload");
        let content = match inner.young.get(upload) {
            Some(known) => Content::Young(known),
            None if inner.layout.state(upload).try_exists().map_err(failed())? => return Ok(Err(guard)),
            None => small(&inner.layout.data(upload)).map_err(failed())?,
        };
        Ok(Ok(Self { inner: Arc::clone(inner), upload: upload.clone(), content, _guard: guard }))
    }

    /// Opens the files and forgets every byte that does not count.
    pub(super) fn load(
        inner: Arc<Inner>,
        upload: UploadId,
        guard: OwnedMutexGuard<()>,
    ) -> Result<Self, Error> {
        let failed = || Error::io("open an upload");
        let data_path = inner.layout.data(&upload);
        let state = files::open_existing(&inner.layout.state(&upload)).map_err(failed())?;
        let found = state.map(|state| state::read(&state, &inner.boot).map(|found| (state, found)));
        let content = match found.transpose().map_err(failed())? {
            Some((state, Found { current: Some(record), durable_slot })) => {
                let data = files::open_for_writing(&data_path).map_err(failed())?;
                let progress = Progress::of(b"");
                let mut staged = Staged { data, state, direct: None, are_new: false, durable_slot, progress };
                staged.go_back_to(record, &inner, &upload)?;
                Content::Staged(staged)
            }
            // The state was created and the first record in it was never written: nothing came after that.
            _ => small(&data_path).map_err(failed())?,
        };
        Ok(Self { inner, upload, content, _guard: guard })
    }

    /// The bytes of an upload of at most 64 KiB that came as a stream; `None` for any other. They are what
    /// [`Self::verify`] hashes, so a room may keep them itself instead of [`Self::publish`]ing a file.
    #[must_use]
    pub fn small_bytes(&self) -> Option<Bytes> {
        match &self.content {
            // An interrupted request may have left more.
            Content::Young(known) => (known.bytes.len() <= SMALL_BYTES).then(|| known.bytes.clone()),
            Content::Small { bytes, .. } => Some(bytes.clone()),
            Content::Staged(_) => None,
        }
    }

    /// How many bytes it has received.
    #[must_use]
    pub fn length(&self) -> u64 {
        match &self.content {
            Content::Young(Known { bytes, .. }) | Content::Small { bytes, .. } => bytes.len() as u64,
            Content::Staged(staged) => staged.progress.length,
        }
    }

    /// The hash of what it has received.
    pub(super) fn hasher(&self) -> Hasher {
        match &self.content {
            Content::Young(Known { bytes, .. }) | Content::Small { bytes, .. } => Progress::of(bytes).hasher,
            Content::Staged(staged) => staged.progress.hasher.clone(),
        }
    }

    /// The number that the last complete [`Self::append`] left; 0 at first. The room chooses its meaning.
    #[must_use]
    pub fn note(&self) -> u64 {
        match &self.content {
            Content::Young(_) | Content::Small { .. } => 0,
            Content::Staged(staged) => staged.progress.note,
        }
    }

    /// Finds the first of `digests` that the received bytes have.
    ///
    /// SHA-256 is known from receiving; SHA-512 costs one reading of all bytes.
    ///
    /// # Errors
    /// [`Error::Io`]; `None` is not an error.
    pub async fn verify(&self, digests: &[Digest]) -> Result<Option<Verified>, Error> {
        let sha256 = match &self.content {
            Content::Young(Known { sha256: Some(known), .. }) => known.clone(),
            Content::Young(Known { bytes, .. }) | Content::Small { bytes, .. } => Digest::sha256_of(bytes),
            Content::Staged(staged) => staged.progress.hasher.clone().finish(),
        };
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
                    size_bytes: self.length(),
                }));
            }
        }
        Ok(None)
    }

    async fn hash_again(&self, algorithm: Algorithm) -> Result<Digest, Error> {
        let staged = match &self.content {
            Content::Young(Known { bytes, .. }) | Content::Small { bytes, .. } => {
                return Ok(Digest::of(algorithm, bytes));
            }
            Content::Staged(staged) => staged,
        };
        let data = staged.data.try_clone().map_err(Error::io("read an upload"))?;
        let length = staged.progress.length;
        blocking("read an upload", move || Ok(hash(&data, length, algorithm)?.finish())).await
    }

    /// Gives the bytes the name of their digest and a generation, durably. The upload stays as it is, so that a
    /// failure of what comes next costs the client nothing (file systems without hard links excepted: there the
    /// bytes move); nobody reads an object that no row names.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`]: no such name then, or one that no row will ever name. [`Error::Lost`]: the
    /// bytes could not be synced, and the upload is gone.
    pub async fn publish(self, verified: &Verified, generation: &Generation) -> Result<Self, Error> {
        let (digest, size_bytes) = (verified.digest.clone(), verified.size_bytes);
        let is_ours = verified.upload == self.upload && size_bytes == self.length();
        let generation = generation.clone();
        blocking("publish a blob", move || {
            let failed = || Error::io("publish a blob");
            if !is_ours {
                return Err(failed()(std::io::Error::other("verified for another upload")));
            }
            let mut held = self;
            // An empty blob has received nothing, so its file may not exist yet.
            let data = held.data_file()?;
            let metadata = data.metadata().map_err(failed())?;
            if metadata.len() != size_bytes {
                return Err(failed()(std::io::Error::other("the staged file has another length")));
            }
            // The one sync of its bytes: no chunk before was worth one, because nobody was promised more.
            if let Err(error) = files::sync(data) {
                return Err(held.inner.give_up(&held.upload, error));
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
        let result = match &self.content {
            // One name, or none at all.
            Content::Young(_) | Content::Small { .. } => self.remove(),
            // Freeing the blocks of a large file takes the disk a while.
            Content::Staged(_) => blocking("remove an upload", move || self.remove()).await,
        };
        if let Err(error) = result {
            tracing::warn!(%error, upload.id = %upload, "the files of an upload stay behind for the collector");
        }
    }

    /// Forgets a young upload; the files of any other are removed, and [`Self::discard`] does that better.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]: then it may still be there.
    pub fn remove(self) -> Result<(), Error> {
        let failed = || Error::io("remove an upload");
        let Self { inner, upload, content, _guard } = self;
        let has_state = match &content {
            Content::Young(known) => {
                inner.young.end(&upload).map_err(failed())?;
                if !known.is_settling {
                    return Ok(());
                }
                true
            }
            Content::Small { data: None, .. } => return Ok(()),
            Content::Small { .. } => false,
            Content::Staged(_) => true,
        };
        drop(content);
        if has_state {
            // The state first: a state without data would be reported as a loss.
            files::remove(&inner.layout.state(&upload)).map_err(failed())?;
        }
        files::remove(&inner.layout.data(&upload)).map_err(failed())
    }

    /// The file with the bytes, created when there is none.
    pub(super) fn data_file(&mut self) -> Result<&File, Error> {
        match &mut self.content {
            Content::Young(_) => Err(not_settled()),
            Content::Staged(staged) => Ok(&staged.data),
            Content::Small { data, .. } => {
                let file = match data.take() {
                    Some(file) => file,
                    None => files::open_for_writing(&self.inner.layout.data(&self.upload))
                        .map_err(Error::io("create the files of an upload"))?,
                };
                Ok(data.insert(file))
            }
        }
    }

    /// The upload with a state file. A first record counts what was acknowledged before anything that the state
    /// is needed for is written.
    pub(super) fn staged(&mut self) -> Result<&mut Staged, Error> {
        let failed = || Error::io("create the files of an upload");
        let small = match &self.content {
            Content::Young(_) => return Err(not_settled()),
            Content::Staged(_) => None,
            Content::Small { bytes, .. } => Some(bytes.clone()),
        };
        if let Some(bytes) = small {
            let data = self.data_file()?.try_clone().map_err(failed())?;
            let state = files::open_for_writing(&self.inner.layout.state(&self.upload)).map_err(failed())?;
            let progress = Progress::of(&bytes);
            state::write_volatile(&state, &progress.record(), &self.inner.boot).map_err(failed())?;
            let staged = Staged { data, state, direct: None, are_new: true, durable_slot: 1, progress };
            self.content = Content::Staged(staged);
        }
        match &mut self.content {
            Content::Staged(staged) => Ok(staged),
            Content::Young(_) | Content::Small { .. } => {
                Err(failed()(std::io::Error::other("the state was not kept")))
            }
        }
    }
}

impl Staged {
    /// Goes on from a record that was read.
    fn go_back_to(&mut self, record: Record, inner: &Inner, upload: &UploadId) -> Result<(), Error> {
        let failed = || Error::io("open an upload");
        let found = self.data.metadata().map_err(failed())?.len();
        self.progress.sequence = record.sequence;
        if found < record.length {
            // Only a disk that lies about fsync, or a hand in the folder, does this. What is left cannot be
            // what the hash stands for, so the upload begins anew; durably, because the older record would count
            // again once there are as many other bytes.
            tracing::error!(
                upload.id = %upload, expected_bytes = record.length, found_bytes = found,
                "an upload lost bytes that were durable; it starts again at 0"
            );
            files::truncate(&self.data, 0).map_err(failed())?;
            self.are_new = true;
            return self.make_durable(inner, upload);
        }
        if found > record.length {
            files::truncate(&self.data, record.length).map_err(failed())?;
        }
        self.progress.hasher = match record.hasher {
            Some(hasher) => hasher,
            None => hash(&self.data, record.length, Algorithm::Sha256)?,
        };
        self.progress.length = record.length;
        self.progress.note = record.note;
        Ok(())
    }

    /// Makes the progress count until the machine stops.
    pub(super) fn count(&mut self, inner: &Inner) -> std::io::Result<()> {
        self.progress.sequence += 1;
        state::write_volatile(&self.state, &self.progress.record(), &inner.boot)
    }

    /// Makes the progress count for good: data, then the state that counts it, then both names. In another order
    /// a power cut could leave a state that counts bytes which never reached the disk.
    ///
    /// # Errors
    /// [`Error::Lost`] when the data cannot be synced: then the upload is gone.
    pub(super) fn make_durable(&mut self, inner: &Inner, upload: &UploadId) -> Result<(), Error> {
        let failed = || Error::io("make an upload durable");
        files::sync(&self.data).map_err(|error| inner.give_up(upload, error))?;
        self.progress.sequence += 1;
        let slot = 1 - self.durable_slot.min(1);
        state::write_durable(&self.state, &self.progress.record(), &inner.boot, slot).map_err(failed())?;
        self.durable_slot = slot;
        if self.are_new {
            files::sync_folder(&inner.layout.uploads()).map_err(failed())?;
            self.are_new = false;
        }
        Ok(())
    }
}

/// A defect of this program: a young upload has no files.
fn not_settled() -> Error {
    Error::io("open an upload")(std::io::Error::other("the upload is not settled"))
}

/// What a file without a state holds. One that is too long was left before anything counted.
fn small(path: &Path) -> std::io::Result<Content> {
    let Some(data) = files::open_existing(path)? else {
        return Ok(Content::Small { bytes: Bytes::new(), data: None });
    };
    let length = data.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(SMALL_BYTES + 1)];
    if bytes.len() > SMALL_BYTES {
        files::truncate(&data, 0)?;
        bytes.clear();
    }
    data.read_exact_at(&mut bytes, 0)?;
    Ok(Content::Small { bytes: bytes.into(), data: Some(data) })
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
