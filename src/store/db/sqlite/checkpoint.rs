//! Folding the write-ahead log into the database, beside the commits.
//!
//! SQLite by itself does it inside the commit that makes the log long, which then takes two more syncs. Here a
//! task of the blocking pool copies what it can while others write, then holds the writer for the short rest, so
//! that the log is folded in completely and the next commit begins it anew. The file keeps its length: syncing a
//! commit that overwrites old frames needs no change of the inode.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::Shared;
use super::commit::Progress;
use crate::store::db::Error;

/// Pages of 4 KiB in the log that start a fold: pages that change often are then written once per 48 MiB. A start after
/// a crash reads and compares the log.
const LONG: i64 = 12288;

/// How long a fold waits for another process that folds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of the log.
#[derive(Debug)]
pub(super) struct Log {
    /// The database that it belongs to.
    pub(super) path: PathBuf,
    pub(super) progress: Progress,
    /// Pages in it after the last commit.
    pages: AtomicI64,
    /// Pages from which on the next fold begins.
    due: AtomicI64,
    is_folding: AtomicBool,
    is_distrusted: AtomicBool,
}

impl Log {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            progress: Progress::default(),
            pages: AtomicI64::new(0),
            due: AtomicI64::new(LONG),
            is_folding: AtomicBool::new(false),
            is_distrusted: AtomicBool::new(false),
        }
    }

    /// Notes the length of the log at every commit of the connection, instead of folding it in.
    pub(super) fn watch(self: &Arc<Self>, connection: &mut Connection) -> Result<(), Error> {
        let log = Arc::clone(self);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            let pages = i64::from(pages);
            if pages < log.pages.swap(pages, Ordering::Relaxed) {
                // It was begun anew.
                log.due.store(LONG, Ordering::Relaxed);
            }
            Ok(())
        }))?;
        Ok(())
    }

    /// Something of the log may never reach the disk: nothing is committed until it was begun anew.
    pub(super) fn distrust(&self) {
        self.is_distrusted.store(true, Ordering::Release);
    }

    pub(super) fn trust(&self) {
        self.is_distrusted.store(false, Ordering::Release);
    }

    pub(super) fn is_distrusted(&self) -> bool {
        self.is_distrusted.load(Ordering::Acquire)
    }

    /// Frames in the log after the last commit of the writing connection.
    pub(super) fn pages(&self) -> u64 {
        u64::try_from(self.pages.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn is_long(&self) -> bool {
        self.pages.load(Ordering::Relaxed) >= self.due.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Begins a fold when the log is long and none is running.
    pub(super) fn fold_if_long(self: &Arc<Self>) {
        if !self.log.is_long() || self.log.is_folding.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(self);
        let fold = move || {
            if let Err(error) = shared.fold() {
                // It syncs the log first, and that may be what failed.
                shared.log.distrust();
                tracing::warn!(%error, "the write-ahead log could not be folded in; it grows until it can");
            }
            // Not at every commit again, should the log not begin anew: the disk is full, or a long view needs it.
            let pages = shared.log.pages.load(Ordering::Relaxed);
            shared.log.due.store(pages.saturating_add(LONG), Ordering::Relaxed);
            shared.log.is_folding.store(false, Ordering::Release);
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(fold);
        } else {
            fold();
        }
    }

    pub(super) fn fold(&self) -> Result<(), Error> {
        if self.log.is_distrusted() {
            // The next commit looks at it first.
            return Ok(());
        }
        let connection = Connection::open(&self.log.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        passive(&connection)?;
        // SQLite syncs the database only when nothing was committed meanwhile: all of it would be left for the second
        // pass, during which nobody can write.
        self.log.sync_database().map_err(|error| Error::Engine(error.into()))?;
        // What came meanwhile is little; without this, a log under steady load would never be empty. The open group is
        // committed before, because SQLite begins the log anew only when nobody has begun to write behind its end.
        let mut writer = self.writer.blocking_lock();
        let committed = writer.commit_group();
        let folded = passive(&connection);
        drop(writer);
        if let Some(committed) = committed {
            self.log.finish(committed);
        }
        folded
    }
}

/// Copies frames that no reader needs any more, and syncs them; waits for nobody.
fn passive(connection: &Connection) -> Result<(), Error> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}
