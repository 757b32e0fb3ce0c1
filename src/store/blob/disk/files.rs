//! Every system call that changes the folder, so that faults can be put before each of them in one place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags};

use super::layout::{ALGORITHMS, Layout};
use crate::store::blob::Error;

/// Creates all folders and makes their names durable, so that no later step needs to create one: a file whose
/// folder was not yet durable would vanish with it in a power cut.
pub(super) fn create_folders(layout: &Layout) -> Result<(), Error> {
    let failed = || Error::io("create the folders for blobs");
    let is_new = !layout.root().is_dir();
    create_folder(layout.root()).map_err(failed())?;
    create_folder(&layout.uploads()).map_err(failed())?;
    create_folder(&layout.blobs()).map_err(failed())?;
    for algorithm in ALGORITHMS {
        create_folder(&layout.algorithm(algorithm)).map_err(failed())?;
        for shard in 0..=u8::MAX {
            create_folder(&layout.shard(algorithm, shard)).map_err(failed())?;
        }
        sync_folder(&layout.algorithm(algorithm)).map_err(failed())?;
    }
    sync_folder(&layout.blobs()).map_err(failed())?;
    sync_folder(layout.root()).map_err(failed())?;
    let parent = layout.root().parent().filter(|parent| is_new && !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), sync_folder).map_err(failed())
}

fn create_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().mode(0o700).recursive(true).create(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Takes the folder for this process; waits a moment for one that is just going away.
pub(super) fn lock(path: PathBuf, patience: Duration) -> Result<File, Error> {
    let file = open_for_writing(&path).map_err(Error::io("open the lock file"))?;
    let pause = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if waited < patience => {
                std::thread::sleep(pause);
                waited += pause;
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::InUse(path)),
            Err(error) => return Err(Error::io("lock the folder for blobs")(error.into())),
        }
    }
}

/// Opens a file for reading and writing, creating it empty when it is missing.
pub(super) fn open_for_writing(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Opens a file that may be missing, for reading and writing.
pub(super) fn open_existing(path: &Path) -> io::Result<Option<File>> {
    found(OpenOptions::new().read(true).write(true).open(path))
}

/// Opens a file for writing past the page cache; `None` where the file system does not do that.
pub(super) fn open_direct(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().write(true).custom_flags(direct_flag()).open(path) {
        Err(error) if is_refusal(&error) => Ok(None),
        other => other.map(Some),
    }
}

/// The flag of `open` that asks for it.
pub(super) fn direct_flag() -> i32 {
    i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0)
}

/// Opens a file that may be missing, for reading.
pub(super) fn open_to_read(path: &Path) -> io::Result<Option<File>> {
    found(File::open(path))
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Writes bytes at an offset.
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Writes aligned bytes at an aligned offset past the page cache; out: how many were written. Those that are missing
/// were refused for the way in which they were written: larger blocks than ours, or a file system that takes the flag
/// and nothing more. What is written is with the disk, which may keep it in memory until it is told to sync.
pub(super) fn write_direct(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write_at(rest, offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_refusal(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Makes the bytes and the length of a file durable, not its name.
pub(super) fn sync(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Cuts a file.
pub(super) fn truncate(file: &File, length: u64) -> io::Result<()> {
    file.set_len(length)
}

/// Gives a file a second name; on file systems without such links, a new name instead of its old one.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied | io::ErrorKind::TooManyLinks
            ) =>
        {
            fs::rename(from, to)
        }
        other => other,
    }
}

/// Removes a file; one that is missing counts as removed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    found(fs::remove_file(path)).map(|_| ())
}

/// Writes a small file, makes it durable, removes it.
pub(super) fn probe(path: &Path) -> io::Result<()> {
    let file = open_for_writing(path)?;
    write_all_at(&file, b"probe", 0)?;
    sync(&file)?;
    remove(path)
}
