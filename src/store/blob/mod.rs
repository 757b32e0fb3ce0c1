//! Blobs: content-addressed bytes. Cannot express a repository's name.
//!
//! Owns every byte of a layer or config, from the first one of an upload to the last one of a download. The
//! room says *which* object a digest means; this module says what is really there. A stored object is named by
//! digest *and* generation: two pushes of one digest are two objects, so deleting one never touches the other.
//!
//! ```text
//! <root>/                                       `--blobs file:<root>`
//! ├── lock                                      held by the one server that uses the folder
//! ├── boot                                      the boot of the machine in which it was last opened
//! ├── blobs/sha256/ab/<64 hex>.<generation>     one stored object, immutable once it has this name
//! ├── blobs/sha512/ab/<128 hex>.<generation>
//! ├── uploads/<id>.{data,state}                 bytes being received; their length and hash state, above 64 KiB
//! └── young-0, young-1                          journals of young uploads, which have neither files nor rows
//! ```
//!
//! INVARIANT: bytes that [`Held::append`] has acknowledged survive kill -9. After a power cut an upload has what it
//! had at its last checkpoint, or nothing; never bytes of which only the length reached the disk.
//! INVARIANT: bytes that [`Held::publish`] has acknowledged survive power loss.
//! INVARIANT: an object has the digest in its name: only [`Held::verify`] makes what [`Held::publish`] wants.
//!
//! ```ignore
//! let held = blobs.hold(&upload).await?;                                   // nobody else writes to it now
//! let (held, appended) = held.append(chunks, rules).await?;     // survives kill -9
//! let verified = held.verify(&[digest]).await?;                            // or None: other bytes
//! held.publish(&verified, &generation).await?;                             // durable, still nameless to clients
//! // … the row that names digest and generation is committed …
//! held.discard().await;
//! ```

#[cfg(test)]
mod contract;
mod disk;
mod error;
mod object;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use oci::{Digest, UploadId};

use super::reserve::Reserve;

pub use disk::{
    Append, Appended, Held, Inspection, Outgrown, Reader, Received, Standing, Step, Through, Verdict,
    Verified, WINDOW_BYTES, Window, read_now,
};
pub use error::Error;
pub use object::{Generation, Object, Shortfall, Stored, YoungUpload};

/// What can end a body half-way: the client went away, or sent something that is no HTTP.
pub type Interruption = std::io::Error;

/// The bytes of a request, in pieces of any size.
pub trait Chunks: Stream<Item = Result<Bytes, Interruption>> + Send + Unpin {}

impl<S: Stream<Item = Result<Bytes, Interruption>> + Send + Unpin> Chunks for S {}

/// Number of parts that [`Blobs::objects`] lists one at a time.
pub const SHARDS: u16 = 256;

/// Where blobs are: `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine, created when missing.
    Disk(PathBuf),
}

/// A `--blobs` value of another form.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("blobs lie in `file:PATH`")]
pub struct LocationError;

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(Self::Disk(PathBuf::from(path))),
            _ => Err(LocationError),
        }
    }
}

/// The blob store of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    backend: Backend,
}

/// The closed set of backends.
#[derive(Debug, Clone)]
enum Backend {
    Disk(disk::Disk),
}

impl Blobs {
    /// Opens the store and creates what it needs; leftovers of uploads stay for those who go on with them.
    ///
    /// # Errors
    /// [`Error::InUse`] when another server uses the folder; otherwise what the file system reports.
    pub async fn open(location: &Location) -> Result<Self, Error> {
        match location {
            Location::Disk(root) => {
                let disk = disk::Disk::open(root, disk::Boot::current()).await?;
                Ok(Self { backend: Backend::Disk(disk) })
            }
        }
    }

    /// The same store, which takes no bytes of uploads while the reserve is short.
    #[must_use]
    pub fn with_reserve(self, reserve: Arc<Reserve>) -> Self {
        match &self.backend {
            Backend::Disk(disk) => disk.heed(reserve),
        }
        self
    }

    /// Opens the store of a server that does not run, to look at it: nothing is created or removed. No server can
    /// use it for as long as the value lives.
    ///
    /// # Errors
    /// [`Error::InUse`] when a server uses it; [`Error::Io`] when it is not there.
    pub async fn open_to_read(location: &Location) -> Result<Self, Error> {
        match location {
            Location::Disk(root) => {
                let disk = disk::Disk::open_to_read(root, disk::Boot::current()).await?;
                Ok(Self { backend: Backend::Disk(disk) })
            }
        }
    }

    /// Opens the store as a machine would that was started again: what was not made durable may be gone.
    #[cfg(test)]
    async fn open_in_boot(location: &Location, boot: [u8; 16]) -> Result<Self, Error> {
        let Location::Disk(root) = location;
        Ok(Self { backend: Backend::Disk(disk::Disk::open(root, disk::Boot::new(boot)).await?) })
    }

    /// Begins an upload with a new id as a *young* one: it needs no row for as long as it has no note, is small, and
    /// its room does not [settle](Held::give_files) it. `owner` is what the room has to know of it, a few hundred bytes.
    /// False when there are too many: then it needs its row now.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]
    pub fn begin(&self, upload: &UploadId, owner: Bytes) -> Result<bool, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.begin(upload, owner),
        }
    }

    /// What was said when an upload [began](Self::begin); `None` for one that is not young.
    #[must_use]
    pub fn owner_of_young(&self, upload: &UploadId) -> Option<Bytes> {
        match &self.backend {
            Backend::Disk(disk) => disk.owner_of_young(upload),
        }
    }

    /// All young uploads, in no order.
    #[must_use]
    pub fn young_uploads(&self) -> Vec<YoungUpload> {
        match &self.backend {
            Backend::Disk(disk) => disk.young_uploads(),
        }
    }

    /// The journals of young uploads that were found damaged when the store was opened: name, and bytes that count.
    #[must_use]
    pub fn damaged_journals(&self) -> &[(String, u64)] {
        match &self.backend {
            Backend::Disk(disk) => disk.damaged_journals(),
        }
    }

    /// As [`Self::hold`], for who does not wait: `None` while somebody else holds it.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub async fn hold_now(&self, upload: &UploadId) -> Result<Option<Held>, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.hold_now(upload).await,
        }
    }

    /// Takes the one right to change an upload; it ends when the value is dropped. An upload that has received
    /// nothing needs no preparation: its files come with its first bytes.
    ///
    /// # Errors
    /// [`Error::Busy`] when somebody else holds it for longer than a few seconds.
    pub async fn hold(&self, upload: &UploadId) -> Result<Held, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.hold(upload).await,
        }
    }

    /// How many bytes of an upload count; 0 for one that nobody has begun. Waits for nobody.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub async fn length(&self, upload: &UploadId) -> Result<u64, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.length(upload).await,
        }
    }

    /// Opens an object for reading, after a look at its length.
    ///
    /// # Errors
    /// [`Error::Missing`] or [`Error::Damaged`] when the object is not what its row says.
    pub async fn get(&self, object: &Object) -> Result<Reader, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.get(object).await,
        }
    }

    /// Whether an object is there with its length, without opening it; out: whether it is [known to be
    /// whole](Reader::is_known_whole).
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn check(&self, object: &Object) -> Result<bool, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.check(object).await,
        }
    }

    /// Begins to read an object from its first to its last byte, to compare it with its digest.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn inspect(&self, object: &Object, through: Through) -> Result<Inspection, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.inspect(object, through).await,
        }
    }

    /// Removes exactly this generation of a digest; one that is not there counts as removed. Readers that have
    /// it open go on reading.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub async fn delete(&self, digest: &Digest, generation: &Generation) -> Result<(), Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.delete(digest, generation).await,
        }
    }

    /// All uploads that have files, in no order; young ones have none that count.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub async fn uploads(&self) -> Result<Vec<UploadId>, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.uploads().await,
        }
    }

    /// What an upload lacks of the bytes that were acknowledged; `None` when all are there.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub async fn shortfall(&self, upload: &UploadId) -> Result<Option<Shortfall>, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.shortfall(upload).await,
        }
    }

    /// The names of files that this program has not written, in order.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub async fn strangers(&self) -> Result<Vec<String>, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.strangers().await,
        }
    }

    /// The objects of one shard, in no order; shards are `0..SHARDS`, others are empty.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub async fn objects(&self, shard: u16) -> Result<Vec<Stored>, Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.objects(shard).await,
        }
    }

    /// Whether bytes can be written and made durable now; for `/readyz`.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`], with the reason.
    pub async fn check_writable(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Disk(disk) => disk.check_writable().await,
        }
    }
}
