//! Blobs in a folder of this machine.
//!
//! All system calls that change something go through [`files`], in an order that a power cut at any moment
//! leaves readable: data before the state that counts it, the state before the answer, the object's name before
//! the row. Blocking calls run on tokio's blocking pool, each for at most one batch of bytes, so that slow
//! clients never hold a thread.

mod append;
mod boot;
mod buffers;
mod collect;
mod files;
mod inspect;
mod known;
mod layout;
mod lost;
mod read;
mod state;
mod survey;
mod sweep;
mod upload;
mod window;
mod write;
mod young;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use oci::{Digest, UploadId};

use super::{Error, Generation, Object, YoungUpload};
use crate::store::reserve::Reserve;
use layout::Layout;
use tokio::sync::OwnedMutexGuard;

pub use append::{Append, Appended, Outgrown, Received};
pub(super) use boot::Boot;
pub use inspect::{Inspection, Step, Through};
pub use read::{Reader, Verdict};
pub use upload::{Held, Verified};
pub use window::{WINDOW_BYTES, Window, read_now};
pub use young::Standing;

/// How long one request waits for another that holds the same upload: long enough for the end of a broken
/// connection to be noticed, short enough for a client to hear of it. Tests have less time.
const HOLD_PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 1_500 } else { 10_000 });

/// How long a start waits for the server before it to let go of the folder.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// A folder of blobs.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    layout: Layout,
    boot: Boot,
    holds: Mutex<HashMap<UploadId, Weak<tokio::sync::Mutex<()>>>>,
    known: known::Known,
    lost: lost::Lost,
    young: young::Young,
    /// Set once, when there is one; see [`Reserve`].
    reserve: OnceLock<Arc<Reserve>>,
    buffers: Arc<buffers::Buffers>,
    /// Whether the file system has refused to write past the page cache.
    refuses_direct: AtomicBool,
    /// Keeps the folder ours for as long as anything uses it.
    _lock: Option<File>,
}

impl Disk {
    pub(super) async fn open(root: &Path, boot: Boot) -> Result<Self, Error> {
        let layout = Layout::new(root);
        let inner = blocking("open the blob folder", move || {
            files::create_folders(&layout)?;
            let lock = files::lock(layout.lock(), LOCK_PATIENCE)?;
            let (known, lost, buffers) = (known::Known::default(), lost::Lost::default(), Arc::default());
            let (holds, reserve) = (Mutex::default(), OnceLock::new());
            let refuses_direct = AtomicBool::new(false);
            let young = boot.is_in(&layout.boot()).and_then(|is_same| young::Young::open(&layout, is_same));
            let young = young.map_err(Error::io("read the journal of young uploads"))?;
            let inner = Inner {
                layout,
                boot,
                holds,
                known,
                lost,
                young,
                reserve,
                buffers,
                refuses_direct,
                _lock: Some(lock),
            };
            inner.forget_what_another_boot_left()?;
            Ok(inner)
        })
        .await?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Refuses bytes of uploads while the reserve is short.
    pub(super) fn heed(&self, reserve: Arc<Reserve>) {
        // A second one would be a mistake of the caller; the first stays.
        let _ = self.inner.reserve.set(reserve);
    }

    pub(super) fn begin(&self, upload: &UploadId, owner: Bytes) -> Result<bool, Error> {
        self.inner.require_room()?;
        self.inner.young.begin(upload, owner).map_err(Error::io("begin an upload"))
    }

    pub(super) fn owner_of_young(&self, upload: &UploadId) -> Option<Bytes> {
        self.inner.young.get(upload).map(|known| known.owner)
    }

    pub(super) fn young_uploads(&self) -> Vec<YoungUpload> {
        let all = self.inner.young.list().into_iter();
        all.map(|(id, known)| YoungUpload { id, owner: known.owner, length: known.bytes.len() as u64 })
            .collect()
    }

    pub(super) fn damaged_journals(&self) -> &[(String, u64)] {
        self.inner.young.damage()
    }

    /// As [`Self::hold`], for who does not wait: `None` while somebody else holds it.
    pub(super) async fn hold_now(&self, upload: &UploadId) -> Result<Option<Held>, Error> {
        match self.inner.hold_of(upload).try_lock_owned() {
            Ok(guard) => self.load(upload, guard).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn hold(&self, upload: &UploadId) -> Result<Held, Error> {
        let mutex = self.inner.hold_of(upload);
        let guard = tokio::time::timeout(HOLD_PATIENCE, mutex.lock_owned()).await.map_err(|_| Error::Busy)?;
        self.load(upload, guard).await
    }

    async fn load(&self, upload: &UploadId, guard: OwnedMutexGuard<()>) -> Result<Held, Error> {
        self.inner.bury(upload)?;
        match Held::load_small(&self.inner, upload, guard)? {
            Ok(held) => Ok(held),
            Err(guard) => {
                let (inner, upload) = (Arc::clone(&self.inner), upload.clone());
                blocking("open an upload", move || Held::load(inner, upload, guard)).await
            }
        }
    }

    pub(super) async fn length(&self, upload: &UploadId) -> Result<u64, Error> {
        if let Some(known) = self.inner.young.get(upload) {
            return Ok(known.bytes.len() as u64);
        }
        let (inner, upload) = (Arc::clone(&self.inner), upload.clone());
        blocking("read the state of an upload", move || {
            if inner.is_lost(&upload) {
                return Ok(0);
            }
            let found = state::load(&inner.layout.state(&upload), &inner.boot)?;
            if let Some(record) = found.and_then(|found| found.current) {
                return Ok(record.length);
            }
            let data = files::open_to_read(&inner.layout.data(&upload));
            let data = data.map_err(Error::io("look at an upload"))?;
            let length = data.map_or(Ok(0), |data| data.metadata().map(|found| found.len()));
            let length = length.map_err(Error::io("look at an upload"))?;
            Ok(if length > upload::SMALL_BYTES as u64 { 0 } else { length })
        })
        .await
    }

    pub(super) async fn get(&self, object: &Object) -> Result<Reader, Error> {
        let (inner, object) = (Arc::clone(&self.inner), object.clone());
        blocking("open an object", move || Reader::open(&inner, &object)).await
    }

    pub(super) async fn check(&self, object: &Object) -> Result<bool, Error> {
        let (inner, object) = (Arc::clone(&self.inner), object.clone());
        blocking("look at an object", move || read::check(&inner, &object)).await
    }

    pub(super) async fn inspect(&self, object: &Object, through: Through) -> Result<Inspection, Error> {
        let (inner, object) = (Arc::clone(&self.inner), object.clone());
        blocking("open an object", move || Inspection::open(inner, object, through)).await
    }

    pub(super) async fn delete(&self, digest: &Digest, generation: &Generation) -> Result<(), Error> {
        let path = self.inner.layout.object(digest, generation);
        blocking("delete an object", move || files::remove(&path).map_err(Error::io("delete an object")))
            .await
    }

    pub(super) async fn check_writable(&self) -> Result<(), Error> {
        let path = self.inner.layout.probe();
        blocking("write a probe", move || files::probe(&path).map_err(Error::io("write a probe"))).await
    }
}

impl Inner {
    /// Refuses to take room that deletions need.
    fn require_room(&self) -> Result<(), Error> {
        if self.reserve.get().is_some_and(|reserve| reserve.is_short()) {
            return Err(Error::Full(std::io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }

    /// The mutex of an upload: everybody who asks while somebody holds or awaits it gets the same one.
    fn hold_of(&self, upload: &UploadId) -> Arc<tokio::sync::Mutex<()>> {
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mutex) = holds.get(upload).and_then(Weak::upgrade) {
            return mutex;
        }
        // Entries of those who are gone are dropped now and then, so the map stays as small as what is in use.
        if holds.len() >= 64 && holds.len().is_power_of_two() {
            holds.retain(|_, mutex| mutex.strong_count() > 0);
        }
        let mutex = Arc::new(tokio::sync::Mutex::new(()));
        holds.insert(upload.clone(), Arc::downgrade(&mutex));
        mutex
    }
}

/// Runs file system calls on the blocking pool. Once begun they run to their end, also when the caller is gone.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Io { action, source: std::io::Error::other(error) }))
}
