//! Room that is kept back on the volume of the database, so that deletions go on when it is full.
//!
//! A deletion writes a few pages before anything becomes free. The reserve is a file of that much, allocated while
//! there was room. A deletion that meets a full volume gives it back to the file system, a quarter at a time, and
//! is repeated. From then on everything else that takes room is refused, or a push would take what a deletion
//! needs, until the reserve could be allocated anew: that is tried at most once a second, by whoever asks, so a
//! server recovers as soon as there is room.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A release gives back one part in so many: what a push under way takes of the first is missing in the first only.
const PARTS: u64 = 4;

/// How often it is tried to allocate what was given back.
const PAUSE: Duration = Duration::from_secs(1);

/// The reserve of one installation.
#[derive(Debug, Default)]
pub struct Reserve {
    place: Option<(PathBuf, u64)>,
    is_short: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    held: u64,
    tried: Option<Instant>,
}

impl Reserve {
    /// A reserve of `bytes` in a file of its own; 0 keeps nothing back. Nothing is refused before [`Self::fill`].
    #[must_use]
    pub fn new(path: &Path, bytes: u64) -> Self {
        Self { place: Some((path.to_owned(), bytes)), ..Self::default() }
    }

    /// Gives a part back to a start, which needs some room itself, on a volume that may be full. [`Self::fill`] takes
    /// it again.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn lend(&self) -> io::Result<()> {
        let Some((path, bytes)) = &self.place else { return Ok(()) };
        match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(file) => {
                let found = file.metadata()?.len();
                file.set_len(found.saturating_sub(bytes.div_ceil(PARTS)))
            }
        }
    }

    /// Allocates what is missing. Without room for it everything that takes room is refused, and deletions go on.
    ///
    /// # Errors
    /// What the file system reports other than that it is full; there is no reserve then.
    pub fn fill(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.try_to_fill(&mut state)
    }

    /// Whether there is less room than deletions need, so that nothing else may take any.
    #[must_use]
    pub fn is_short(&self) -> bool {
        if !self.is_short.load(Ordering::Acquire) {
            return false;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.tried.is_none_or(|tried| tried.elapsed() >= PAUSE)
            && let Err(error) = self.try_to_fill(&mut state)
        {
            tracing::warn!(%error, "the reserve for deletions cannot be written; there is none from now on");
        }
        self.is_short.load(Ordering::Acquire)
    }

    /// Gives a part back for a deletion that found the volume full; false when nothing is left to give.
    pub fn release(&self) -> bool {
        let Some((_, bytes)) = &self.place else { return false };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let less = state.held.saturating_sub(bytes.div_ceil(PARTS));
        let Some(file) = state.file.as_ref().filter(|_| state.held > 0) else { return false };
        // From here on nobody else takes what becomes free.
        let was_short = self.is_short.swap(true, Ordering::AcqRel);
        if let Err(error) = file.set_len(less) {
            tracing::warn!(%error, "the reserve for deletions could not be given back");
            return false;
        }
        state.held = less;
        state.tried = Some(Instant::now());
        if !was_short {
            tracing::error!(
                reserve.left_bytes = less,
                "the volume of the database is full: deletions use the reserve, and everything that takes room is \
                 refused until the reserve can be allocated again"
            );
        }
        true
    }

    fn try_to_fill(&self, state: &mut State) -> io::Result<()> {
        let Some((path, bytes)) = &self.place else { return Ok(()) };
        state.tried = Some(Instant::now());
        let filled = fill(path, *bytes, state);
        let is_full = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        };
        let was_short = match &filled {
            Ok(()) => self.is_short.swap(false, Ordering::AcqRel),
            Err(error) if is_full(error) => {
                if !self.is_short.swap(true, Ordering::AcqRel) {
                    tracing::error!(
                        reserve.bytes = bytes,
                        "the volume of the database has no room for the reserve: everything that takes room is refused"
                    );
                }
                return Ok(());
            }
            Err(_) => {
                *state = State { tried: state.tried, ..State::default() };
                self.is_short.swap(false, Ordering::AcqRel)
            }
        };
        if was_short && filled.is_ok() {
            tracing::info!("there is room again: the reserve is allocated and pushes are taken");
        }
        filled
    }
}

fn fill(path: &Path, bytes: u64, state: &mut State) -> io::Result<()> {
    if bytes == 0 {
        state.file = None;
        state.held = 0;
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
    }
    let file = match state.file.take() {
        Some(file) => file,
        None => {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?
        }
    };
    let result = write(&file, bytes);
    // Also after a failure: what is there can be given back.
    state.held = file.metadata()?.len().min(bytes);
    state.file = Some(file);
    result
}

/// Gives the file its length in zeros: unlike an allocation, writing works on every file system.
fn write(file: &File, bytes: u64) -> io::Result<()> {
    let metadata = file.metadata()?;
    let found = metadata.len();
    if found > bytes {
        file.set_len(bytes)?;
    }
    // A copy from a backup may have holes.
    let is_sparse = metadata.blocks().saturating_mul(512) < found;
    let mut at = if is_sparse { 0 } else { found.min(bytes) };
    let zeros = [0; 64 * 1024];
    while at < bytes {
        let size = usize::try_from(bytes - at).unwrap_or(zeros.len()).min(zeros.len());
        file.write_all_at(zeros.get(..size).unwrap_or_default(), at)?;
        at += size as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_back_in_parts_and_allocated_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reserve");
        let length = || std::fs::metadata(&path).map(|found| found.len()).unwrap_or(0);
        let reserve = Reserve::new(&path, 1_000_000);
        assert!(!reserve.release(), "nothing is held before it is filled");
        reserve.fill().unwrap();
        assert!(!reserve.is_short());
        for left in [750_000, 500_000, 250_000, 0] {
            assert!(reserve.release());
            assert_eq!(length(), left);
        }
        assert!(!reserve.release());
        assert!(reserve.is_short(), "not before the pause is over");
        std::thread::sleep(PAUSE);
        assert!(!reserve.is_short());
        assert_eq!(length(), 1_000_000);
        // Another start, with another size; and one without.
        reserve.lend().unwrap();
        assert_eq!(length(), 750_000);
        drop(reserve);
        Reserve::new(&path, 400_000).fill().unwrap();
        assert_eq!(length(), 400_000);
        let none = Reserve::new(&path, 0);
        none.fill().unwrap();
        assert!(!path.exists() && !none.release() && !none.is_short());
        assert!(!Reserve::default().release() && !Reserve::default().is_short());
    }

    #[test]
    fn a_file_with_holes_is_written() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(150_000).unwrap();
        write(&file, 150_000).unwrap();
        assert!(file.metadata().unwrap().blocks() * 512 >= 150_000);
    }
}
