//! Commits: a thread of its own commits the open group and syncs the log, while the next group gathers.
//!
//! ```text
//! members of group 1   COMMIT ── fdatasync ── told
//!                              members of group 2   COMMIT ── fdatasync ── told
//! writer:  held ··············│ free for group 2 ··│ free for group 3
//! ```
//!
//! With `synchronous=FULL` SQLite syncs inside `COMMIT`, so that nobody can write until the disk has answered. Here
//! the connection commits with `NORMAL`: `COMMIT` writes the frames of the group in order into the log, and then the
//! log is synced as SQLite would have done it, but with the writer let go (docs/decisions/0018).
//!
//! INVARIANT: nobody is answered from a durable commit before it is synced. Its members wait for their [`Outcome`],
//! and whoever reads rows waits for [`Progress::settled`], because SQLite shows a group to readers from its `COMMIT`
//! on, a sync too early.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::checkpoint::Log;
use super::writer::Writer;
use super::{frames, volume};
use crate::store::db::Error;

/// What became of a group, for all its members.
pub(super) type Outcome = Result<(), Failure>;

/// Why a group was not kept.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) is_full: bool,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { reason: error.to_string(), is_full: matches!(error, Error::Full(_)) }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        if failure.is_full { Self::Full(failure.reason) } else { Self::Group(failure.reason) }
    }
}

/// A group that SQLite has committed and that is not synced yet. Its members hear of it from [`Log::finish`].
#[derive(Debug)]
#[must_use]
pub(super) struct Committed {
    pub(super) number: u64,
    pub(super) members: watch::Sender<Option<Outcome>>,
}

/// How far the log is on the disk. Groups have numbers in the order of their commits.
#[derive(Debug)]
pub(super) struct Progress {
    files: OnceLock<Files>,
    /// The last group whose commit has begun.
    begun: AtomicU64,
    /// Every group up to this one is synced, or its members hear that it failed.
    settled: AtomicU64,
    told: watch::Sender<u64>,
}

/// Descriptors of our own, because SQLite's cannot be had.
#[derive(Debug)]
struct Files {
    /// The log. One descriptor for all syncs: the kernel tells of a failed write once per descriptor.
    log: Mutex<File>,
    /// The database. Closing it would take SQLite's locks of the whole process away (fcntl(2), "Record locking"), so
    /// it stays open as long as the connections.
    database: File,
}

impl Default for Progress {
    fn default() -> Self {
        let (begun, settled) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { files: OnceLock::new(), begun, settled, told: watch::channel(0).0 }
    }
}

impl Progress {
    fn files(&self) -> io::Result<&Files> {
        self.files.get().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A number for a group whose commit begins now: from before readers may see it, they wait for its sync.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The group is synced or failed, and with it every earlier one.
    pub(super) fn settle(&self, number: u64) {
        self.settled.fetch_max(number, Ordering::SeqCst);
        self.told.send_if_modified(|told| {
            let is_later = number > *told;
            *told = number.max(*told);
            is_later
        });
    }

    /// The group was not kept. Earlier ones may still be under way: their sync is waited for.
    pub(super) fn give_up(&self, number: u64) {
        if let Ok(files) = self.files() {
            drop(files.log.lock());
        }
        self.settle(number);
    }

    /// Waits until everything that the caller may have read is synced: for one sync at most, and for none when no
    /// commit is under way. What a sync did not bring to the disk may still be read afterwards, as it was written.
    pub(super) async fn settled(&self) {
        let read = self.begun.load(Ordering::SeqCst);
        if self.settled.load(Ordering::SeqCst) < read {
            // The sender lives in `self`, so it cannot go away meanwhile.
            let _ = self.told.subscribe().wait_for(|told| *told >= read).await;
        }
    }
}

impl Log {
    /// Opens the log, which SQLite has created, and makes its name durable. SQLite does that with its own first sync
    /// of the log, which may come after the first commit that is acknowledged here.
    pub(super) fn attach(&self) -> io::Result<()> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let (log, database) = (Mutex::new(File::open(log)?), File::open(&self.path)?);
        self.progress.files.get_or_init(|| Files { log, database });
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Whether the file still holds every frame that was committed. After a failed write the kernel may drop the page,
    /// and reads what the disk had before from then on.
    pub(super) fn is_whole(&self) -> io::Result<bool> {
        let files = self.progress.files()?;
        let log = files.log.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(frames::whole(&log)? >= self.pages())
    }

    /// Syncs what a fold has written into the database so far.
    pub(super) fn sync_database(&self) -> io::Result<()> {
        self.progress.files()?.database.sync_data()
    }

    /// Syncs the log and tells the members of a group that it is durable. Called without the writer.
    pub(super) fn finish(&self, committed: Committed) {
        let result = self.sync();
        self.progress.settle(committed.number);
        committed.members.send_replace(Some(result));
    }

    fn sync(&self) -> Outcome {
        let synced = self.progress.files().and_then(|files| {
            // One after the other: of two at once only one would hear of a failure.
            let file = files.log.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_distrusted() { Err(io::Error::other("it failed meanwhile")) } else { file.sync_data() }
        });
        synced.map_err(|error| {
            self.distrust();
            tracing::error!(%error, "the write-ahead log could not be synced");
            Failure { reason: format!("sync the log: {error}"), is_full: volume::is_full(&self.path) }
        })
    }
}

/// The thread. Dropping this ends it, after what it is doing.
#[derive(Debug)]
pub(super) struct Committer {
    orders: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(writer: Arc<tokio::sync::Mutex<Writer>>, log: Arc<Log>) -> Result<Self, Error> {
        // One order that waits is enough: whoever comes later is in the group that it will find.
        let (orders, received) = sync_channel(1);
        let work = move || run(&writer, &log, &received);
        let thread = std::thread::Builder::new().name("commits".to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::Engine(error.into()))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Has the open group committed: now, or when the group before it is synced. Called with the writer.
    pub(super) fn order(&self) -> Result<(), Error> {
        match self.orders.as_ref().map(|orders| orders.try_send(())) {
            Some(Ok(()) | Err(TrySendError::Full(()))) => Ok(()),
            Some(Err(TrySendError::Disconnected(()))) | None => {
                Err(Error::Group("the thread that commits has ended".to_owned()))
            }
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.orders.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that commits has panicked");
        }
    }
}

fn run(writer: &tokio::sync::Mutex<Writer>, log: &Log, orders: &Receiver<()>) {
    while orders.recv().is_ok() {
        // The queue is fair: whoever waits for the writer already joins the group before it is committed.
        let committed = writer.blocking_lock().commit_group();
        if let Some(committed) = committed {
            log.finish(committed);
        }
    }
}

pub(super) async fn wait(mut outcome: watch::Receiver<Option<Outcome>>) -> Result<(), Error> {
    let told = outcome.wait_for(Option::is_some).await;
    match told.ok().and_then(|told| told.clone()) {
        Some(outcome) => outcome.map_err(Error::from),
        None => Err(Error::Group("the writer went away".to_owned())),
    }
}

#[cfg(test)]
mod tests;
