//! Other processes on the same SQLite database: the command line beside a running server.
//!
//! A file beside the database says two things. Whoever holds its lock is the one process that may keep rows in
//! memory; everybody else adds a byte to it after each commit and before saying that it is done. The holder
//! compares the file's length, which costs a fraction of a microsecond, whenever it relies on its memory: so what
//! another process has acknowledged is seen by every request that begins afterwards.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// The ending of the file's name, behind that of the database.
const ENDING: &str = "-changes";

/// How often a process without the lock tries to get it: the holder may have gone.
const RETRY: Duration = Duration::from_secs(1);

/// What one process knows of the others.
#[derive(Debug, Clone)]
pub(super) struct Neighbours(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    is_holder: AtomicBool,
    tried_at: Mutex<Option<Instant>>,
    /// The length of the file at the last look.
    seen: AtomicU64,
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// This process holds the lock and nobody else has committed since the last look.
    Unchanged,
    /// It holds the lock, and what it keeps in memory may be old.
    Changed,
    /// It may keep nothing in memory.
    Guest,
}

impl Neighbours {
    /// Opens the file beside a database and takes the lock if it is free.
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push(ENDING);
        let file = OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(path)?;
        let inner = Inner {
            file,
            is_holder: AtomicBool::new(false),
            tried_at: Mutex::new(None),
            seen: AtomicU64::new(u64::MAX),
        };
        let neighbours = Self(Arc::new(inner));
        neighbours.look();
        Ok(neighbours)
    }

    /// Compares with the last look.
    pub(super) fn look(&self) -> Look {
        let inner = &self.0;
        if !inner.is_holder.load(Ordering::SeqCst) && !self.take_lock() {
            return Look::Guest;
        }
        let Ok(length) = inner.file.metadata().map(|found| found.size()) else { return Look::Guest };
        if inner.seen.load(Ordering::SeqCst) == length { Look::Unchanged } else { Look::Changed }
    }

    /// Says that everything in memory is given up for the length that was found.
    ///
    /// In: what gives it up. It runs before the length counts as seen, so that nobody relies on the memory in
    /// between.
    pub(super) fn settle(&self, give_up: impl FnOnce()) {
        // The length is read first: a byte that comes while memory is given up is found by the next look.
        let Ok(length) = self.0.file.metadata().map(|found| found.size()) else { return };
        give_up();
        self.0.seen.store(length, Ordering::SeqCst);
    }

    /// Tells the holder of a commit, unless this process is the holder.
    ///
    /// # Errors
    /// When the byte cannot be written: the commit is kept, but the holder may not know of it yet.
    pub(super) fn tell(&self) -> io::Result<()> {
        if self.0.is_holder.load(Ordering::SeqCst) {
            return Ok(());
        }
        (&self.0.file).write_all(b".")
    }

    fn take_lock(&self) -> bool {
        let inner = &self.0;
        let mut tried_at = inner.tried_at.lock().unwrap_or_else(PoisonError::into_inner);
        if tried_at.is_some_and(|at| at.elapsed() < RETRY) {
            return inner.is_holder.load(Ordering::SeqCst);
        }
        *tried_at = Some(Instant::now());
        let taken = flock(&inner.file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if taken {
            inner.is_holder.store(true, Ordering::SeqCst);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_the_lock_and_hears_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let holder = Neighbours::open(&path).unwrap();
        assert_eq!(holder.look(), Look::Changed, "nothing was seen yet");
        let mut given_up = 0;
        holder.settle(|| given_up += 1);
        assert_eq!((holder.look(), given_up), (Look::Unchanged, 1));
        holder.tell().unwrap();
        assert_eq!(holder.look(), Look::Unchanged);

        let guest = Neighbours::open(&path).unwrap();
        assert_eq!(guest.look(), Look::Guest);
        guest.tell().unwrap();
        assert_eq!(holder.look(), Look::Changed);
        holder.settle(|| {
            // What comes in this moment is not lost.
            guest.tell().unwrap();
        });
        assert_eq!(holder.look(), Look::Changed);
        holder.settle(|| {});
        assert_eq!(holder.look(), Look::Unchanged);

        drop(holder);
        *guest.0.tried_at.lock().unwrap() = None;
        assert_eq!(guest.look(), Look::Changed, "the lock is free again");
    }
}
