//! The one writing connection and its commit groups.
//!
//! Every durable transaction is a member of one outer transaction, the *group*: the first one simply its
//! beginning, each further one a savepoint in it. A member that is done leaves the group open, orders its commit
//! and waits; [the thread that commits](super::commit) takes the group when the one before it is synced, so that
//! many transactions share one sync, and all learn the outcome.
//!
//! A relaxed transaction that finds no open group commits by itself without a sync. SQLite writes its log in
//! order and reads it back up to the first frame that is not whole, so a later synced commit makes every earlier
//! one durable too, and after a power cut no commit is there without those before it.
//!
//! INVARIANT: an open group with members has an order to commit it, given before its first member lets the writer go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedMutexGuard, watch};

use super::checkpoint::Log;
use super::commit::{Committed, Failure, Outcome, wait};
use super::{STATEMENTS, Shared, statement, volume};
use crate::store::db::epoch::{Epochs, Scope, Touched};
use crate::store::db::neighbours::Neighbours;
use crate::store::db::{Durability, Error, Row, Value};

/// How long a transaction waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    group: Option<Group>,
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
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
             PRAGMA cache_size = -4096; PRAGMA journal_size_limit = 67108864",
        )?;
        super::keep_plans(&connection)?;
        log.watch(&mut connection)?;
        // The log is there from the first statement that reads on.
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
        log.attach().map_err(|error| Error::Engine(error.into()))?;
        // A request's thread never waits for another process; see `wait_for_other_process`.
        connection.busy_timeout(Duration::ZERO)?;
        let (path, log) = (path.to_owned(), Arc::clone(log));
        Ok(Self { connection, group: None, path, log, is_full: false, epochs, neighbours })
    }

    /// Opens a group. True when another process is writing.
    fn begin_group(&mut self) -> Result<bool, Error> {
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

    /// Folds the log in and begins it anew, after a sync of it has failed: frames before the failure may not be on the
    /// disk, a later sync would succeed without them, and after a power cut nothing behind them is read.
    fn begin_log_anew(&mut self) -> Result<(), Error> {
        self.undo();
        if !self.log.is_whole().map_err(|error| Error::Engine(error.into()))? {
            let reason = "the disk has lost a part of the log that it could not write; a restart goes back to what \
                 was acknowledged";
            return Err(Error::Corrupt(reason.to_owned()));
        }
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
            self.give_group_up(&error);
        }
    }

    fn give_group_up(&mut self, reason: &Error) {
        if let Err(error) = statement::run(&self.connection, "ROLLBACK") {
            tracing::error!(%error, "a group of transactions could not be undone");
        }
        self.end_group(Err(Failure::from(reason)));
    }

    /// Commits the open group into the log. Out: what [`Log::finish`] makes durable once the writer is let go;
    /// nothing when no group is open or it was not kept, which its members have heard then.
    pub(super) fn commit_group(&mut self) -> Option<Committed> {
        if !self.has_members() {
            return None;
        }
        let number = self.log.progress.begin();
        match self.write_group() {
            Ok(()) => self.group.take().map(|group| Committed { number, members: group.outcome }),
            Err(error) => {
                self.log.progress.give_up(number);
                self.end_group(Err(Failure::from(&error)));
                None
            }
        }
    }

    /// Commits a group that promises no more than to survive the process, and tells its member.
    fn commit_relaxed(&mut self) -> Result<(), Error> {
        let result = self.write_group();
        self.end_group(match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(Failure::from(error)),
        });
        result
    }

    /// Writes what the group has changed into the log and shows it to readers.
    fn write_group(&mut self) -> Result<(), Error> {
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
        self.members() > 0
    }

    /// How many wait for the open group.
    pub(super) fn members(&self) -> usize {
        self.group.as_ref().map_or(0, |group| group.members)
    }
}

impl Shared {
    pub(super) async fn begin(self: &Arc<Self>, durability: Durability) -> Result<Member, Error> {
        let guard = Arc::clone(&self.writer).lock_owned().await;
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
        if member.writer()?.begin_group()? {
            member.wait_for_other_process().await?;
        }
        Ok(member)
    }

    pub(super) async fn close(&self) {
        let mut writer = self.writer.lock().await;
        if let Some(committed) = writer.commit_group() {
            self.log.finish(committed);
        }
        if self.log.is_distrusted() {
            // The next start reads it from the disk, frame by frame with their checksums, as after a crash.
            if let Err(error) =
                writer.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            {
                tracing::warn!(%error, "a log that may be damaged is folded in by the end of its connection");
            }
            return;
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
        let is_alone = group.members == 1;
        let outcome = group.outcome.subscribe();
        let Some(mut guard) = self.guard.take() else { return Ok(()) };
        let result = if is_relaxed && is_alone {
            let result = guard.commit_relaxed();
            drop(guard);
            result
        } else {
            if is_alone && let Err(error) = shared.committer.order() {
                guard.give_group_up(&error);
            }
            drop(guard);
            wait(outcome).await
        };
        shared.fold_if_long();
        result
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
        let work = move || {
            guard.connection.busy_timeout(BUSY_TIMEOUT)?;
            let result = guard.begin_group();
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
        if let Some(mut guard) = self.guard.take() {
            guard.undo();
        }
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
