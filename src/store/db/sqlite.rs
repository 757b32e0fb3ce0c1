//! SQLite: one writing connection whose commits are grouped, and a pool of reading connections.
//!
//! Every write transaction is a savepoint inside one outer transaction, the *group*. A member that is done
//! does not commit when others are already waiting for the writer; it leaves the group open for them and
//! waits. The last one commits, so that many transactions share one fsync, and all learn the outcome.
//! Readers never see a group before its commit, and nobody is answered before it.
//!
//! Sixteen connections that each write for themselves reach the same rate with single writes of 600 ms
//! (busy-handler back-off), therefore there is exactly one writer and a fair queue before it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Row as _, TypeInfo as _, ValueRef as _};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::epoch::{Epochs, Scope, Stamp, Touched};
use super::neighbours::{Look, Neighbours};
use super::{Error, Kind, Row, Snapshot, Value};

/// Reading connections: readers never block each other, and more than this wait for the two-core default.
const READERS: u32 = 8;

/// Transactions that share one fsync at most, which bounds how long the first of them waits.
const MAX_GROUP: usize = 256;

/// SQLite versions before this one may damage a WAL database that several connections of one process use
/// (the "WAL-reset" race, fixed in 3.51.3).
const OLDEST_SAFE_VERSION: i64 = 3_051_003;

#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    writer: Arc<Mutex<Writer>>,
    waiting: Arc<AtomicUsize>,
    readers: SqlitePool,
    epochs: Epochs,
    neighbours: Neighbours,
}

#[derive(Debug)]
struct Writer {
    connection: SqliteConnection,
    group: Option<Group>,
    next_group: u64,
    /// A member was dropped half-way: its savepoint must be undone before anything else happens.
    abandoned: bool,
    epochs: Epochs,
    neighbours: Neighbours,
}

#[derive(Debug)]
struct Group {
    id: u64,
    members: usize,
    /// What its members may have changed, also those that were dropped on their way into it.
    touched: Touched,
    outcome: watch::Sender<Option<Result<(), Failure>>>,
}

/// Why the commit of a group failed, for all its members.
#[derive(Debug, Clone)]
struct Failure {
    reason: String,
    is_full: bool,
}

/// One transaction inside the current group; it holds the writer until it is committed or undone.
#[derive(Debug)]
pub struct Member {
    guard: Option<OwnedMutexGuard<Writer>>,
    engine: Sqlite,
    touched: Touched,
}

/// Counts one waiting writer for as long as it lives, also when its future is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true)
            .pragma("cache_size", "-16384")
            .statement_cache_capacity(512);
        let mut connection = options.clone().connect().await?;
        let neighbours = Neighbours::open(path).map_err(|error| Error::Engine(error.into()))?;
        refuse_unsafe_version(&mut connection).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(1)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        let epochs = Epochs::default();
        let writer = Writer {
            connection,
            group: None,
            next_group: 1,
            abandoned: false,
            epochs: epochs.clone(),
            neighbours: neighbours.clone(),
        };
        let (writer, waiting) = (Arc::new(Mutex::new(writer)), Arc::new(AtomicUsize::new(0)));
        Ok(Self { writer, waiting, readers, epochs, neighbours })
    }

    pub(super) fn stamp(&self, first: Scope, second: Option<Scope>) -> Option<Stamp> {
        match self.neighbours.look() {
            Look::Unchanged => {}
            Look::Changed => self.neighbours.settle(|| self.epochs.forget_everything()),
            Look::Guest => return None,
        }
        self.epochs.stamp(first, second)
    }

    pub(super) async fn begin(&self) -> Result<Member, Error> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(Arc::clone(&self.waiting));
        let mut guard = Arc::clone(&self.writer).lock_owned().await;
        drop(waiting);
        guard.clean().await?;
        if guard.group.is_none() {
            run(&mut guard.connection, "BEGIN IMMEDIATE").await?;
            guard.open_group();
        }
        // From here on a dropped future leaves a savepoint behind, which the flag undoes.
        guard.abandoned = true;
        let mut member = Member { guard: Some(guard), engine: self.clone(), touched: Touched::default() };
        run(member.connection(), "SAVEPOINT member").await?;
        Ok(member)
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot::Sqlite(self.readers.begin().await?))
    }

    pub(super) async fn rows(&self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        let mut connection = self.readers.acquire().await?;
        rows(&mut connection, sql, parameters).await
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        let mut writer = self.writer.lock().await;
        if let Err(error) = writer.clean().await {
            tracing::warn!(%error, "the last transaction could not be undone");
        }
        // Fold the log into the database, so that a plain copy of the file after a clean stop is complete.
        if let Err(error) = run(&mut writer.connection, "PRAGMA wal_checkpoint(TRUNCATE)").await {
            tracing::debug!(%error, "the write-ahead log was not folded in");
        }
    }
}

impl Writer {
    fn open_group(&mut self) {
        let (outcome, _) = watch::channel(None);
        self.group = Some(Group { id: self.next_group, members: 0, touched: Touched::nothing(), outcome });
        self.next_group += 1;
    }

    /// Undoes what a dropped member left behind.
    async fn clean(&mut self) -> Result<(), Error> {
        if !self.abandoned {
            return Ok(());
        }
        // The savepoint may not exist yet when the future was dropped before SAVEPOINT ran.
        let undone = run(&mut self.connection, "ROLLBACK TO member").await;
        if undone.is_ok() {
            run(&mut self.connection, "RELEASE member").await?;
        }
        self.abandoned = false;
        self.end_empty_group().await
    }

    /// Ends a group that nobody is in, so that no transaction stays open without a reason.
    async fn end_empty_group(&mut self) -> Result<(), Error> {
        if self.group.as_ref().is_some_and(|group| group.members == 0) {
            self.group = None;
            run(&mut self.connection, "ROLLBACK").await?;
        }
        Ok(())
    }

    /// Commits the group for all its members and tells them.
    async fn commit_group(&mut self) -> Result<(), Error> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let new_epoch = self.epochs.commit(group.touched);
        let mut result = run(&mut self.connection, "COMMIT").await;
        drop(new_epoch);
        if result.is_ok()
            && let Err(error) = self.neighbours.tell()
        {
            let told = format!("committed, but a running server does not know of it: {error}");
            result = Err(Error::Group(told));
        }
        let told = result
            .as_ref()
            .map(|_| ())
            .map_err(|error| Failure { reason: error.to_string(), is_full: matches!(error, Error::Full(_)) });
        if result.is_err() {
            // SQLite keeps the transaction open after most failed commits (disk full, I/O error).
            if let Err(error) = run(&mut self.connection, "ROLLBACK").await {
                tracing::debug!(%error, "rollback after a failed commit: nothing was open");
            }
        }
        group.outcome.send_replace(Some(told));
        result
    }
}

/// Commits the group that the guard's writer has open.
///
/// On a task of its own: a commit whose client goes away must still run to its end here, because the engine runs it
/// in any case and only its end tells which rows in memory are old.
async fn commit_group(mut writer: OwnedMutexGuard<Writer>) -> Result<(), Error> {
    let commit = tokio::spawn(async move { writer.commit_group().await });
    commit.await.unwrap_or_else(|error| Err(Error::Group(error.to_string())))
}

impl Member {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        #[expect(clippy::expect_used, reason = "the guard is taken only by methods that consume the member")]
        let guard = self.guard.as_mut().expect("an open member holds the writer");
        &mut guard.connection
    }

    /// Says what the transaction changes, instead of everything.
    pub(super) fn touches(&mut self, scopes: &[Scope]) {
        self.touched.name(scopes);
    }

    pub(super) async fn commit(mut self) -> Result<(), Error> {
        let touched = std::mem::take(&mut self.touched);
        if let Some(group) = self.guard.as_mut().and_then(|guard| guard.group.as_mut()) {
            // Before the savepoint is released: if the client goes away in between, its changes may stay.
            group.touched.add(touched);
        }
        run(self.connection(), "RELEASE member").await?;
        let Some(mut guard) = self.guard.take() else { return Ok(()) };
        guard.abandoned = false;
        let Some(group) = guard.group.as_mut() else {
            return Err(Error::Group("the group ended before its member".to_owned()));
        };
        group.members += 1;
        if self.engine.waiting.load(Ordering::SeqCst) == 0 || group.members >= MAX_GROUP {
            return commit_group(guard).await;
        }
        let (id, outcome) = (group.id, group.outcome.subscribe());
        drop(guard);
        self.engine.clone().wait_for_group(id, outcome).await
    }

    pub(super) async fn rollback(mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        if let Err(error) = guard.clean().await {
            tracing::warn!(%error, "a transaction could not be undone; the next one tries again");
        }
    }
}

impl Sqlite {
    /// Waits until the group is committed, and commits it itself when the writer becomes free first: those
    /// who were waiting may have gone away.
    async fn wait_for_group(
        self,
        id: u64,
        mut outcome: watch::Receiver<Option<Result<(), Failure>>>,
    ) -> Result<(), Error> {
        let mut guard = tokio::select! {
            biased;
            told = outcome.wait_for(Option::is_some) => return told_outcome(told.ok().and_then(|told| told.clone())),
            guard = Arc::clone(&self.writer).lock_owned() => guard,
        };
        if let Some(told) = outcome.borrow().clone() {
            return told_outcome(Some(told));
        }
        if guard.group.as_ref().is_some_and(|group| group.id == id) {
            guard.clean().await?;
            return commit_group(guard).await;
        }
        Err(Error::Group("the group ended without an outcome".to_owned()))
    }
}

fn told_outcome(told: Option<Result<(), Failure>>) -> Result<(), Error> {
    match told {
        Some(Ok(())) => Ok(()),
        Some(Err(Failure { reason, is_full: true })) => Err(Error::Full(reason)),
        Some(Err(Failure { reason, is_full: false })) => Err(Error::Group(reason)),
        None => Err(Error::Group("the writer went away".to_owned())),
    }
}

async fn refuse_unsafe_version(connection: &mut SqliteConnection) -> Result<(), Error> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    let mut parts = version.split('.').map(|part| part.parse::<i64>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let number = next() * 1_000_000 + next() * 1_000 + next();
    if number < OLDEST_SAFE_VERSION {
        return Err(Error::Corrupt(format!(
            "SQLite {version} can damage its log; 3.51.3 is the oldest safe one"
        )));
    }
    Ok(())
}

async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), Error> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

pub(super) async fn execute(
    connection: &mut SqliteConnection,
    sql: &'static str,
    parameters: Vec<Value>,
) -> Result<u64, Error> {
    Ok(bind(sql, parameters).execute(connection).await?.rows_affected())
}

pub(super) async fn rows(
    connection: &mut SqliteConnection,
    sql: &'static str,
    parameters: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    bind(sql, parameters).fetch_all(connection).await?.iter().map(read).collect()
}

fn bind(
    sql: &'static str,
    parameters: Vec<Value>,
) -> sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments> {
    parameters.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Null(_) => query.bind(None::<i64>),
        Value::Integer(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

fn read(row: &SqliteRow) -> Result<Row, Error> {
    let column = |index: usize| -> Result<Value, Error> {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            // SQLite's NULL has no type; the reader of the column does not ask for one.
            return Ok(Value::Null(Kind::Text));
        }
        let kind = raw.type_info();
        Ok(match kind.name() {
            "INTEGER" => Value::Integer(row.try_get_unchecked(index)?),
            "TEXT" => Value::Text(row.try_get_unchecked(index)?),
            "BLOB" => Value::Bytes(row.try_get_unchecked(index)?),
            other => return Err(Error::Corrupt(format!("column type {other} is not in use"))),
        })
    };
    (0..row.len()).map(column).collect::<Result<Vec<_>, _>>().map(Row)
}
