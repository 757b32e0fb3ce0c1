//! Looking at a folder that no server uses, for fsck: nothing is created, removed or cut.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use oci::UploadId;
use rustix::fs::FlockOperation;

use super::layout::{self, ALGORITHMS, Layout};
use super::{Boot, Disk, Inner, blocking, files, known, lost, state, young};
use crate::store::blob::{Error, Shortfall};

impl Disk {
    /// Opens a folder to look at it, and keeps servers out for as long as the value lives.
    pub(in crate::store::blob) async fn open_to_read(root: &Path, boot: Boot) -> Result<Self, Error> {
        let layout = Layout::new(root);
        blocking("open the blob folder", move || {
            fs::metadata(layout.blobs()).map_err(Error::io("open the blob folder"))?;
            // A restored copy may have no lock file; then nobody can hold it.
            let lock = files::open_to_read(&layout.lock()).map_err(Error::io("open the lock file"))?;
            if let Some(lock) = &lock {
                match rustix::fs::flock(lock, FlockOperation::NonBlockingLockShared) {
                    Ok(()) => {}
                    Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::InUse(layout.root().to_owned())),
                    Err(error) => return Err(Error::io("lock the folder for blobs")(error.into())),
                }
            }
            let (known, lost) = (known::Known::default(), lost::Lost::default());
            let (holds, reserve) = (Mutex::default(), OnceLock::new());
            let (buffers, refuses_direct) = (Arc::default(), AtomicBool::new(false));
            let young = boot.is_in(&layout.boot()).and_then(|is_same| young::Young::read(&layout, is_same));
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
                _lock: lock,
            };
            Ok(Self { inner: Arc::new(inner) })
        })
        .await
    }

    /// What an upload lacks of the bytes that its state counts.
    pub(in crate::store::blob) async fn shortfall(
        &self,
        upload: &UploadId,
    ) -> Result<Option<Shortfall>, Error> {
        let (inner, upload) = (Arc::clone(&self.inner), upload.clone());
        blocking("look at an upload", move || {
            let found = state::load(&inner.layout.state(&upload), &inner.boot)?;
            let expected = found.and_then(|found| found.current).map_or(0, |record| record.length);
            let data = files::open_to_read(&inner.layout.data(&upload));
            let data = data.map_err(Error::io("look at an upload"))?;
            let found = data.map_or(Ok(0), |data| data.metadata().map(|found| found.len()));
            let found = found.map_err(Error::io("look at an upload"))?;
            Ok((found < expected).then_some(Shortfall { expected, found }))
        })
        .await
    }

    /// Files and folders that this program has not written, below the root, in order.
    pub(in crate::store::blob) async fn strangers(&self) -> Result<Vec<String>, Error> {
        let inner = Arc::clone(&self.inner);
        blocking("list the blob folder", move || {
            inner.list_strangers().map_err(Error::io("list the blob folder"))
        })
        .await
    }
}

impl Inner {
    fn list_strangers(&self) -> io::Result<Vec<String>> {
        let layout = &self.layout;
        let mut found = Vec::new();
        let mut look = |folder: &Path, is_known: &dyn Fn(&str) -> bool| -> io::Result<()> {
            let entries = match fs::read_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            for entry in entries {
                let path = entry?.path();
                if !path.file_name().and_then(|name| name.to_str()).is_some_and(is_known) {
                    let below = path.strip_prefix(layout.root()).unwrap_or(&path);
                    found.push(below.display().to_string());
                }
            }
            Ok(())
        };
        look(layout.root(), &|name| {
            matches!(name, "lock" | "boot" | "blobs" | "uploads" | "young-0" | "young-1")
        })?;
        look(&layout.uploads(), &|name| name == "probe" || layout::parse_upload(name).is_some())?;
        look(&layout.blobs(), &|name| ALGORITHMS.iter().any(|known| known.as_str() == name))?;
        for algorithm in ALGORITHMS {
            let is_shard = |name: &str| (0..=u8::MAX).any(|shard| format!("{shard:02x}") == name);
            look(&layout.algorithm(algorithm), &is_shard)?;
            for shard in 0..=u8::MAX {
                look(&layout.shard(algorithm, shard), &|name| {
                    layout::parse_object(algorithm, name).is_some()
                })?;
            }
        }
        found.sort();
        Ok(found)
    }
}
