//! Other processes on the same SQLite database: the command line beside a running server.
//!
//! A file beside the database says two things. Whoever holds its lock is the one process that may keep rows in
//! memory; everybody else adds a byte to it after each commit and before saying that it is done. The holder
//! compares the file's length when it relies on its memory and its last look is older than [`FRESH`]. A process
//! that has added a byte waits for longer than that before it says that it is done: so what another process has
//! acknowledged is seen by every request that begins afterwards, and a request pays for no look of its own.

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

/// How long a look of the holder counts.
const FRESH: Duration = Duration::from_micros(500);

/// How long a process that is not the holder waits after its byte: a look that the byte missed has become old, with
/// room for clocks that two cores read a little apart.
const SETTLING: Duration = Duration::from_millis(2);

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
    /// When the process began to look.
    opened_at: Instant,
    /// Until when the last look counts, in nanoseconds since `opened_at`; only looks that found nothing count.
    fresh_until: AtomicU64,
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
            opened_at: Instant::now(),
            fresh_until: AtomicU64::new(0),
        };
        let neighbours = Self(Arc::new(inner));
        neighbours.look();
        Ok(neighbours)
    }

    /// Compares with the last look.
    pub(super) fn look(&self) -> Look {
        let inner = &self.0;
        // Before the file is looked at: the look counts from its beginning.
        let now = inner.opened_at.elapsed();
        if nanoseconds(now) < inner.fresh_until.load(Ordering::SeqCst) {
            return Look::Unchanged;
        }
        if !inner.is_holder.load(Ordering::SeqCst) && !self.take_lock() {
            return Look::Guest;
        }
        let Ok(length) = inner.file.metadata().map(|found| found.size()) else { return Look::Guest };
        if inner.seen.load(Ordering::SeqCst) != length {
            return Look::Changed;
        }
        inner.fresh_until.store(nanoseconds(now + FRESH), Ordering::SeqCst);
        Look::Unchanged
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

    /// Tells the holder of a commit, unless this process is the holder, and waits until it has surely heard.
    ///
    /// # Errors
    /// When the byte cannot be written: the commit is kept, but the holder may not know of it yet.
    pub(super) fn tell(&self) -> io::Result<()> {
        if self.0.is_holder.load(Ordering::SeqCst) {
            return Ok(());
        }
        (&self.0.file).write_all(b".")?;
        std::thread::sleep(SETTLING);
        Ok(())
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

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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
        // However often the holder has just looked, it knows when the other one says that it is done.
        for _ in 0..20 {
            assert_eq!(holder.look(), Look::Unchanged);
            guest.tell().unwrap();
            assert_eq!(holder.look(), Look::Changed);
            holder.settle(|| {});
        }

        drop(holder);
        *guest.0.tried_at.lock().unwrap() = None;
        assert_eq!(guest.look(), Look::Changed, "the lock is free again");
    }
}
