//! The data folder: everything of an installation that has no other place, readable for its owner only.
//!
//! ```text
//! <data-dir>/
//! ├── catalog.db*      the database, when it is SQLite, with its log, the note of other processes' changes and the
//! │                    reserve for deletions on a full volume
//! ├── blobs/           the blob store, when it is a disk
//! ├── keys             the sealing keys
//! ├── audit/           the audit trail
//! ├── tls/             the authority and certificate of `--tls self-signed`
//! ├── endpoint         the last AWS_ENDPOINT_URL, for commands beside the running server
//! └── longshore.toml   the configuration, when the operator has put it there
//! ```

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Error;
use crate::config::Config;
use crate::store::db::Location;

/// Creates the data folder and the parents of the key file and the database file.
///
/// # Errors
/// [`Error::Folder`]
pub(super) fn prepare(config: &Config) -> Result<(), Error> {
    let mut folders = vec![config.data_dir.clone(), config.audit.folder.clone()];
    folders.extend(config.key_file.parent().map(Path::to_owned));
    if let Location::Sqlite(path) = &config.database {
        folders.extend(path.parent().map(Path::to_owned));
    }
    // A bare file name has the empty path as its parent: the working directory.
    for path in folders.into_iter().filter(|path| !path.as_os_str().is_empty()) {
        create(&path).map_err(|source| Error::Folder { path, source })?;
    }
    if let Location::Sqlite(path) = &config.database {
        // SQLite would make it readable for everybody, and gives its other files the mode of this one.
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        file.map_err(|source| Error::Folder { path: path.clone(), source })?;
    }
    Ok(())
}

/// Only what is created here gets the mode: the rights of an existing folder are its owner's choice.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), create)?;
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    // Files that are synced are lost all the same when the name of their folder is.
    std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Remembers where the server is reached.
///
/// # Errors
/// What the file system reports; without the note commands only guess worse.
pub fn note_endpoint(config: &Config, endpoint: &str) -> io::Result<()> {
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
    options.open(note(config))?.write_all(endpoint.as_bytes())
}

/// Where the server was last reached, if it ever was.
#[must_use]
pub fn noted_endpoint(config: &Config) -> Option<String> {
    std::fs::read_to_string(note(config)).ok()
}

fn note(config: &Config) -> PathBuf {
    config.data_dir.join("endpoint")
}
