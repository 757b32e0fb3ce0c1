//! The one writing connection and its commit groups.
//!
//! Every durable transaction is a member of one outer transaction, the *group*: the first one simply its
//! beginning, each further one a savepoint in it. A member that is done does not commit when others are on their
//! way to the writer; it leaves the group open for them and waits. The last one commits, so that many
//! transactions share one sync, and all learn the outcome. Readers never see a group before its commit, and
//! nobody is answered before it.
//!
//! A relaxed transaction that finds no open group commits by itself without a sync. SQLite writes its log in
//! order and reads it back up to the first frame that is not whole, so a later synced commit makes every earlier
//! one durable too, and after a power cut no commit is there without those before it.
//!
//! INVARIANT: a group with a durable member is committed with a sync: the level is set when a group begins, a
//! group of a relaxed member is committed by that member at once, and so no durable one can enter it.
//! INVARIANT: an open group has somebody who will commit it: whoever leaves the writer, or leaves the queue before
//! it, with members in the group and nobody waiting, commits or has it committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedMutexGuard, watch};

use super::checkpoint::Log;
use super::{STATEMENTS, Shared, statement, volume};
use crate::store::db::epoch::{Epochs, Scope, Touched};
use crate::store::db::neighbours::Neighbours;
use crate::store::db::{Durability, Error, Row, Value};

/// Transactions that share one sync at most, which bounds how long the first of them waits.
const MAX_GROUP: usize = 256;

/// How long a transaction waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

type Outcome = Result<(), Failure>;

/// Why a group was not kept, for all its members.
#[derive(Debug, Clone)]
struct Failure {
    reason: String,
    is_full: bool,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { reason: error.to_string(), is_full: matches!(error, Error::Full(_)) }
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    group: Option<Group>,
    /// The level at which the connection commits now.
    level: Durability,
    path: PathBuf,
    log: Arc<Log>,
    /// Whether the open group met a full volume, after which SQLite may have undone it by itself.
    is_full: bool,
    epochs: Epochs,
    neighbours: Neighbours,
}

#[derive(Debug)]
struct Group {
    members: usize,
    /// What its members may have changed.
    touched: Touched,
    outcome: watch::Sender<Option<Outcome>>,
}

/// One transaction inside the current group; it holds the writer until it is committed or undone.
#[derive(Debug)]
pub struct Member {
    guard: Option<OwnedMutexGuard<Writer>>,
    shared: Arc<Shared>,
    durability: Durability,
    touched: Touched,
}

impl Writer {
    pub(super) fn open(
        path: &Path,
        log: &Arc<Log>,
        epochs: Epochs,
        neighbours: Neighbours,
    ) -> Result<Self, Error> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA cache_size = -4096; PRAGMA journal_size_limit = 67108864",
        )?;
        super::keep_plans(&connection)?;
        log.watch(&mut connection)?;
        // A request's thread never waits for another process; see `wait_for_other_process`.
        connection.busy_timeout(Duration::ZERO)?;
        let (path, log) = (path.to_owned(), Arc::clone(log));
        let (group, level) = (None, Durability::Durable);
        Ok(Self { connection, group, level, path, log, is_full: false, epochs, neighbours })
    }

    /// Opens a group whose commit will be synced or not. True when another process is writing.
    fn begin_group(&mut self, durability: Durability) -> Result<bool, Error> {
        if self.level != durability {
            // Not from the cache of prepared statements: SQLite obeys while it reads the text.
            self.connection.execute_batch(match durability {
                Durability::Durable | Durability::Freeing => "PRAGMA synchronous = FULL",
                Durability::Relaxed => "PRAGMA synchronous = NORMAL",
            })?;
            self.level = durability;
        }
        let begun = statement::run(&self.connection, "BEGIN IMMEDIATE");
        match self.judged(begun) {
            Ok(()) => {
                self.is_full = false;
                let outcome = watch::channel(None).0;
                self.group = Some(Group { members: 0, touched: Touched::nothing(), outcome });
                Ok(false)
            }
            Err(error) if is_busy(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Folds the log in and begins it anew, after a sync of it has failed: frames of relaxed commits before the
    /// failure may be lost, a later sync would succeed without them, and after a power cut nothing behind them is read.
    fn begin_log_anew(&mut self) -> Result<(), Error> {
        self.undo();
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        let folded =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.connection.busy_timeout(Duration::ZERO)?;
        if self.judged(folded.map_err(Error::from))? != 0 {
            return Err(Error::Group("the log could not be synced, and somebody reads it".to_owned()));
        }
        self.log.trust();
        tracing::warn!("the write-ahead log was begun anew after a failure to write it");
        Ok(())
    }

    /// Undoes the member that is at work, and nothing of those before it.
    fn undo(&mut self) {
        let Some(group) = &self.group else { return };
        // After some failures (disk full, I/O) SQLite has undone the whole group by itself.
        let result = if self.connection.is_autocommit() {
            let reason = "the database gave the transaction up".to_owned();
            self.end_group(Err(Failure { reason, is_full: self.is_full }));
            return;
        } else if group.members == 0 {
            self.group = None;
            statement::run(&self.connection, "ROLLBACK")
        } else {
            statement::run(&self.connection, "ROLLBACK TO member")
                .and_then(|()| statement::run(&self.connection, "RELEASE member"))
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a transaction could not be undone; its group is given up");
            if let Err(error) = statement::run(&self.connection, "ROLLBACK") {
                tracing::error!(%error, "a group of transactions could not be undone");
            }
            self.end_group(Err(Failure::from(&error)));
        }
    }

    /// Commits the group for all its members and tells them.
    fn commit_group(&mut self) -> Result<(), Error> {
        let Some(group) = self.group.as_mut() else { return Ok(()) };
        // While the commit is under way what it touches has no stamp, so nothing old is given out from memory.
        let new_epoch = self.epochs.commit(std::mem::take(&mut group.touched));
        let committed = if self.log.is_distrusted() {
            Err(Error::Group("the log could not be synced meanwhile".to_owned()))
        } else {
            statement::run(&self.connection, "COMMIT")
        };
        if committed.as_ref().is_err_and(is_io) {
            self.log.distrust();
        }
        let mut result = self.judged(committed);
        drop(new_epoch);
        if result.is_ok()
            && let Err(error) = self.neighbours.tell()
        {
            let told = format!("committed, but a running server does not know of it: {error}");
            result = Err(Error::Group(told));
        }
        if result.is_err() && !self.connection.is_autocommit() {
            // SQLite keeps the transaction open after most failed commits.
            if let Err(error) = statement::run(&self.connection, "ROLLBACK") {
                tracing::error!(%error, "a failed commit could not be undone");
            }
        }
        self.end_group(match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(Failure::from(error)),
        });
        result
    }

    fn end_group(&mut self, outcome: Outcome) {
        if let Some(group) = self.group.take() {
            group.outcome.send_replace(Some(outcome));
        }
    }

    /// Tells a full volume or quota apart from other failures: SQLite knows only ENOSPC from a write of its own.
    fn judged<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        let result = match result {
            Err(error) if is_io(&error) && volume::is_full(&self.path) => Err(Error::Full(error.to_string())),
            other => other,
        };
        self.is_full |= matches!(result, Err(Error::Full(_)));
        result
    }

    fn has_members(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.members > 0)
    }
}

impl Shared {
    pub(super) async fn begin(self: &Arc<Self>, durability: Durability) -> Result<Member, Error> {
        let waiting = Waiting::new(self);
        let guard = Arc::clone(&self.writer).lock_owned().await;
        waiting.arrive();
        // From here on dropping the member undoes it and hands the writer on.
        let mut member =
            Member { guard: Some(guard), shared: Arc::clone(self), durability, touched: Touched::default() };
        let writer = member.writer()?;
        if writer.has_members() {
            statement::run(&writer.connection, "SAVEPOINT member")?;
            return Ok(member);
        }
        // Of one who was given up while it waited for another process.
        writer.undo();
        if writer.log.is_distrusted() {
            member.begin_log_anew().await?;
        }
        if member.writer()?.begin_group(durability)? {
            member.wait_for_other_process().await?;
        }
        Ok(member)
    }

    /// Commits what is open when nobody else will.
    async fn settle(self: Arc<Self>) {
        let guard = Arc::clone(&self.writer).lock_owned().await;
        if guard.has_members() && self.waiting.load(Ordering::SeqCst) == 0 {
            // The members are told; nobody else is there to hear of a failure.
            let _ = self.commit(guard).await;
        }
    }

    /// Commits the group of `guard`: on the blocking pool, for it waits for the disk.
    async fn commit(self: &Arc<Self>, mut guard: OwnedMutexGuard<Writer>) -> Result<(), Error> {
        let result = match guard.level {
            Durability::Relaxed => guard.commit_group(),
            Durability::Durable | Durability::Freeing => {
                let work = move || guard.commit_group();
                tokio::task::spawn_blocking(work).await.map_err(Error::task)?
            }
        };
        self.fold_if_long();
        result
    }

    pub(super) async fn close(&self) {
        let mut writer = self.writer.lock().await;
        if let Err(error) = writer.commit_group() {
            tracing::warn!(%error, "the last transactions were not kept");
        }
        // Fold the log into the database, so that a plain copy of the file after a clean stop is complete.
        let folded = writer.connection.busy_timeout(BUSY_TIMEOUT);
        let folded = folded
            .and_then(|()| writer.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = folded {
            tracing::debug!(%error, "the write-ahead log was not folded in");
        }
    }
}

impl Member {
    fn writer(&mut self) -> Result<&mut Writer, Error> {
        self.guard.as_deref_mut().ok_or_else(|| Error::Group("the transaction was given up".to_owned()))
    }

    /// Says what the transaction changes, instead of everything.
    pub(in crate::store::db) fn touches(&mut self, scopes: &[Scope]) {
        self.touched.name(scopes);
    }

    pub(in crate::store::db) fn execute(
        &mut self,
        sql: &'static str,
        parameters: &[Value],
    ) -> Result<u64, Error> {
        let writer = self.writer()?;
        let result = statement::execute(&writer.connection, sql, parameters);
        writer.judged(result)
    }

    pub(in crate::store::db) fn rows(
        &mut self,
        sql: &'static str,
        parameters: &[Value],
    ) -> Result<Vec<Row>, Error> {
        let writer = self.writer()?;
        let result = statement::rows(&writer.connection, sql, parameters);
        writer.judged(result)
    }

    /// As [`Self::execute`], on the blocking pool.
    pub(in crate::store::db) async fn execute_long(
        &mut self,
        sql: &'static str,
        parameters: Vec<Value>,
    ) -> Result<u64, Error> {
        self.writer()?;
        // Dropped meanwhile, this member has no writer to undo; the other one, made here, has.
        let other = Self {
            guard: self.guard.take(),
            shared: Arc::clone(&self.shared),
            durability: self.durability,
            touched: Touched::nothing(),
        };
        let work = move || {
            let mut other = other;
            let result = other.execute(sql, &parameters);
            (other, result)
        };
        let (mut other, result) = tokio::task::spawn_blocking(work).await.map_err(Error::task)?;
        self.guard = other.guard.take();
        result
    }

    pub(in crate::store::db) async fn commit(mut self) -> Result<(), Error> {
        let is_relaxed = self.durability == Durability::Relaxed;
        let shared = Arc::clone(&self.shared);
        let touched = std::mem::take(&mut self.touched);
        let writer = self.writer()?;
        if writer.connection.is_autocommit() {
            return Err(Error::Group("the database gave the transaction up".to_owned()));
        }
        let Some(group) = writer.group.as_mut() else {
            return Err(Error::Group("the group ended before its member".to_owned()));
        };
        if group.members > 0 {
            statement::run(&writer.connection, "RELEASE member")?;
        }
        group.touched.add(touched);
        group.members += 1;
        let is_alone = is_relaxed && group.members == 1;
        let is_full = group.members >= MAX_GROUP;
        let outcome = group.outcome.subscribe();
        let Some(guard) = self.guard.take() else { return Ok(()) };
        if is_alone || is_full || shared.waiting.load(Ordering::SeqCst) == 0 {
            return shared.commit(guard).await;
        }
        drop(guard);
        wait(outcome).await
    }

    async fn begin_log_anew(&mut self) -> Result<(), Error> {
        let Some(mut guard) = self.guard.take() else { return Ok(()) };
        let work = move || {
            let result = guard.begin_log_anew();
            (guard, result)
        };
        let (guard, result) = tokio::task::spawn_blocking(work).await.map_err(Error::task)?;
        self.guard = Some(guard);
        result
    }

    /// Begins the group behind another process that writes to the same file, with patience.
    async fn wait_for_other_process(&mut self) -> Result<(), Error> {
        let Some(mut guard) = self.guard.take() else { return Ok(()) };
        let durability = self.durability;
        let work = move || {
            guard.connection.busy_timeout(BUSY_TIMEOUT)?;
            let result = guard.begin_group(durability);
            guard.connection.busy_timeout(Duration::ZERO)?;
            Ok::<_, Error>((guard, result?))
        };
        let (guard, is_busy) = tokio::task::spawn_blocking(work).await.map_err(Error::task)??;
        self.guard = Some(guard);
        if is_busy { Err(Error::Group("another process holds the database".to_owned())) } else { Ok(()) }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        guard.undo();
        let others_wait = guard.has_members();
        drop(guard);
        if others_wait {
            settle_later(&self.shared);
        }
    }
}

/// Counts one waiting writer for as long as it lives.
struct Waiting(Option<Arc<Shared>>);

impl Waiting {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        Self(Some(Arc::clone(shared)))
    }

    /// The writer is ours.
    fn arrive(mut self) {
        if let Some(shared) = self.0.take() {
            shared.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        // Given up in the queue. A group may have been left open for us alone.
        if shared.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            settle_later(&shared);
        }
    }
}

/// Without a runtime nobody waits for an outcome any more either.
fn settle_later(shared: &Arc<Shared>) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(Arc::clone(shared).settle());
    }
}

async fn wait(mut outcome: watch::Receiver<Option<Outcome>>) -> Result<(), Error> {
    let told = outcome.wait_for(Option::is_some).await;
    match told.ok().and_then(|told| told.clone()) {
        Some(Ok(())) => Ok(()),
        Some(Err(Failure { reason, is_full: true })) => Err(Error::Full(reason)),
        Some(Err(Failure { reason, is_full: false })) => Err(Error::Group(reason)),
        None => Err(Error::Group("the writer went away".to_owned())),
    }
}

fn is_io(error: &Error) -> bool {
    let Error::Engine(cause) = error else { return false };
    let cause = cause.downcast_ref::<rusqlite::Error>();
    cause.is_some_and(|cause| cause.sqlite_error_code() == Some(ErrorCode::SystemIoFailure))
}

fn is_busy(error: &Error) -> bool {
    let Error::Engine(cause) = error else { return false };
    let cause = cause.downcast_ref::<rusqlite::Error>();
    cause.is_some_and(|cause| cause.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
}
