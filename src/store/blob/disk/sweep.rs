//! Listing what lies in the folder, for the collector and fsck.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use oci::UploadId;

use super::layout::{self, ALGORITHMS};
use super::{Disk, Inner, blocking, files, state};
use crate::store::blob::{Error, Object, Stored};

impl Disk {
    pub(in crate::store::blob) async fn uploads(&self) -> Result<Vec<UploadId>, Error> {
        let inner = Arc::clone(&self.inner);
        blocking("list uploads", move || {
            let mut found = HashSet::new();
            each_entry(&inner.layout.uploads(), |entry| {
                found.extend(entry.file_name().to_str().and_then(layout::parse_upload));
                Ok(())
            })
            .map_err(Error::io("list uploads"))?;
            // After the listing: one that is settled has its row by then.
            found.retain(|upload| inner.young.get(upload).is_none());
            Ok(found.into_iter().collect())
        })
        .await
    }

    pub(in crate::store::blob) async fn objects(&self, shard: u16) -> Result<Vec<Stored>, Error> {
        let Ok(shard) = u8::try_from(shard) else { return Ok(Vec::new()) };
        let inner = Arc::clone(&self.inner);
        blocking("list objects", move || {
            let mut found = Vec::new();
            for algorithm in ALGORITHMS {
                each_entry(&inner.layout.shard(algorithm, shard), |entry| {
                    let name = entry.file_name();
                    let Some((digest, generation)) =
                        name.to_str().and_then(|name| layout::parse_object(algorithm, name))
                    else {
                        return Ok(());
                    };
                    let metadata = entry.metadata()?;
                    let object = Object { digest, generation, size_bytes: metadata.len() };
                    // ctime, not mtime: it moves when a staged file gets its name, however old its bytes are.
                    let changed_at = metadata.ctime() * 1_000_000 + metadata.ctime_nsec() / 1_000;
                    found.push(Stored { object, changed_at });
                    Ok(())
                })
                .map_err(Error::io("list objects"))?;
            }
            Ok(found)
        })
        .await
    }
}

impl Inner {
    /// Removes the uploads of which nothing was made durable, when the folder was last used in another boot: a
    /// power cut may have left any bytes in their files. Then notes the boot.
    pub(super) fn forget_what_another_boot_left(&self) -> Result<(), Error> {
        let failed = || Error::io("look for uploads of another boot");
        let note = self.layout.boot();
        if self.boot.is_in(&note).map_err(failed())? {
            return Ok(());
        }
        let mut found = HashSet::new();
        each_entry(&self.layout.uploads(), |entry| {
            found.extend(entry.file_name().to_str().and_then(layout::parse_upload));
            Ok(())
        })
        .map_err(failed())?;
        for upload in found {
            let state = self.layout.state(&upload);
            if state::load(&state, &self.boot)?.is_some_and(|found| found.current.is_some()) {
                continue;
            }
            let removed = files::remove(&self.layout.data(&upload)).and_then(|()| files::remove(&state));
            removed.map_err(failed())?;
        }
        if let Err(error) = self.boot.note_in(&note) {
            // The next start forgets once more what only a kill could have left; that is safe.
            tracing::warn!(%error, "the boot of this machine could not be noted in the folder for blobs");
        }
        Ok(())
    }
}

/// Calls `take` for every entry; files that vanish meanwhile are skipped.
fn each_entry(folder: &Path, mut take: impl FnMut(DirEntry) -> io::Result<()>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        // A shard that somebody has removed: what lay in it is missed by those who look for it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        match take(entry?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}
