//! Whether the volume of the database is full, asked by writing to it.
//!
//! SQLite has a code of its own for ENOSPC from `write` alone. A quota that is exceeded (EDQUOT), and a full volume
//! met while the index of the log grows or by a sync, are I/O errors to it, and the errno is not to be had.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// What is written: more than file systems store within their own structures.
static PROBE: [u8; 64 * 1024] = [1; 64 * 1024];

/// Writes beside the database; true when there is no room. Other failures say nothing about room.
pub(super) fn is_full(database: &Path) -> bool {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push("-probe");
    let path = database.with_file_name(name);
    let create = || OpenOptions::new().write(true).create(true).truncate(true).open(&path);
    let written = create().and_then(|mut file: File| file.write_all(&PROBE).and_then(|()| file.sync_data()));
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%error, "the probe for room could not be removed");
    }
    written
        .is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_nothing_and_other_failures_are_not_fullness() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_full(&folder.path().join("catalog.db")));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(!is_full(&folder.path().join("missing/catalog.db")));
    }
}
