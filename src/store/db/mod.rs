//! The database: one hand-written SQL text for SQLite and PostgreSQL.
//!
//! Statements are `&'static str` with `$1` parameters and use only what both engines share: `BIGINT`,
//! `TEXT`, `BYTEA`, `ON CONFLICT`, `RETURNING`, partial indexes, row values. Integers are always 64 bit, so a
//! `SUM` is written `CAST(SUM(x) AS BIGINT)`. Rows and parameters pass through [`Value`], which keeps the
//! rooms free of either driver.
//!
//! INVARIANT: what the commit of a durable transaction has acknowledged survives power loss, and so does what a
//! statement has read of it. SQLite runs with WAL, synced after each commit; PostgreSQL with its own defaults. A relaxed one survives the death of the process, and
//! power loss when a durable one was acknowledged after it.
//!
//! ```ignore
//! let name: String = transaction!(self.database, transaction => {
//!     transaction.execute("INSERT INTO t (id, name) VALUES ($1, $2)", params![id, name]).await?;
//!     let row = transaction.required("SELECT name FROM t WHERE id = $1", params![id]).await?;
//!     Ok::<_, Error>(row.get(0)?)
//! })?;
//! ```

mod cache;
mod epoch;
mod error;
mod migrate;
mod neighbours;
mod postgres;
mod sqlite;
mod transaction;
mod value;

pub use cache::Cache;
pub use epoch::{Scope, Stamp};
pub use error::{Cause, Error};
pub use transaction::{Snapshot, Transaction};
pub use value::{FromValue, Kind, Row, Value};

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::reserve::Reserve;

/// Where the database is: `sqlite:PATH` or `postgres://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, created when missing.
    Sqlite(PathBuf),
    /// A server that speaks the PostgreSQL protocol; the URL may hold a password.
    Postgres(String),
}

/// A `--database` value of another form.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a database is `sqlite:PATH` or `postgres://USER@HOST/NAME`")]
pub struct LocationError;

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err(LocationError);
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(LocationError)
    }
}

/// What the commit of a transaction promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives power loss: the answer comes after the sync.
    Durable,
    /// It survives the death of the process. Power loss may take the last moments of such commits, newest first;
    /// never one on which a later durable commit builds.
    Relaxed,
    /// As [`Self::Durable`], of a transaction that takes things away: it may use what is kept back for that when the
    /// volume is full.
    Freeing,
}

/// An open database with its schema brought up to date.
#[derive(Debug, Clone)]
pub struct Database {
    engine: Engine,
    reserve: Arc<Reserve>,
}

#[derive(Debug, Clone)]
enum Engine {
    Sqlite(sqlite::Sqlite),
    SqliteToRead(sqlite::ReadOnly),
    Postgres(postgres::Postgres),
}

impl Database {
    /// Opens the database and applies the migrations that it lacks.
    ///
    /// # Errors
    /// [`Error::Newer`] when a later version of Longshore wrote it; otherwise what the engine reports.
    pub async fn open(location: &Location) -> Result<Self, Error> {
        let database = Self::connect(location).await?;
        migrate::run(&database).await?;
        Ok(database)
    }

    /// Opens the database as it is.
    async fn connect(location: &Location) -> Result<Self, Error> {
        let engine = match location {
            Location::Sqlite(path) => Engine::Sqlite(sqlite::Sqlite::open(path).await?),
            Location::Postgres(url) => Engine::Postgres(postgres::Postgres::open(url).await?),
        };
        Ok(Self { engine, reserve: Arc::default() })
    }

    /// Opens the database of a server that does not run, to read it; nothing is created or migrated.
    ///
    /// # Errors
    /// [`Error::Older`] or [`Error::Newer`] when another version has written it last; otherwise what the engine
    /// reports.
    pub async fn open_to_read(location: &Location) -> Result<Self, Error> {
        let engine = match location {
            Location::Sqlite(path) => Engine::SqliteToRead(sqlite::ReadOnly::open(path)?),
            Location::Postgres(url) => Engine::Postgres(postgres::Postgres::open(url).await?),
        };
        let database = Self { engine, reserve: Arc::default() };
        migrate::require_newest(&database).await?;
        Ok(database)
    }

    /// What the engine finds wrong with its own structures and with rows that name others, in words. PostgreSQL keeps
    /// references right by itself and has its own tools for the rest, so there is nothing to say there.
    ///
    /// # Errors
    /// As [`Self::rows`]; [`Error::is_damage`] when too little of the file is left to look.
    pub async fn integrity(&self) -> Result<Vec<String>, Error> {
        if matches!(self.engine, Engine::Postgres(_)) {
            return Ok(Vec::new());
        }
        let mut complaints = Vec::new();
        for row in self.rows("PRAGMA integrity_check", Vec::new()).await? {
            let text: String = row.get(0)?;
            if text != "ok" {
                complaints.push(text);
            }
        }
        for row in self.rows("PRAGMA foreign_key_check", Vec::new()).await? {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            complaints.push(format!("a row of {table} names a row of {parent} that is not there"));
        }
        Ok(complaints)
    }

    /// What proves values exact that were computed from the rows of a scope or two: taken before the rows are
    /// read, it stays equal until somebody commits a change of them. `None` when nothing may be kept in memory:
    /// while such a commit is under way, beside another process that holds the database, and on PostgreSQL, which
    /// other nodes write to.
    #[must_use]
    pub fn stamp(&self, first: Scope, second: Option<Scope>) -> Option<Stamp> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.stamp(first, second),
            Engine::SqliteToRead(_) | Engine::Postgres(_) => None,
        }
    }

    /// The same database with room kept back for [`Durability::Freeing`].
    #[must_use]
    pub fn with_reserve(self, reserve: Arc<Reserve>) -> Self {
        Self { reserve, ..self }
    }

    /// Makes room for a deletion that found the volume full; false when no more can be made.
    #[must_use]
    pub fn make_room(&self) -> bool {
        self.reserve.release()
    }

    /// Starts a write transaction; dropping it without [`Transaction::commit`] undoes it.
    ///
    /// Prefer [`transaction!`](crate::transaction), which repeats the body when PostgreSQL asks for that.
    ///
    /// # Errors
    /// [`Error::Engine`] when the engine cannot start one; [`Error::Full`] when only deletions have room left.
    pub async fn begin(&self, durability: Durability) -> Result<Transaction, Error> {
        let durability = match durability {
            Durability::Freeing => Durability::Durable,
            _ if self.reserve.is_short() => {
                return Err(Error::Full("what is left is kept back for deletions".to_owned()));
            }
            other => other,
        };
        match &self.engine {
            Engine::Sqlite(engine) => Ok(Transaction::Sqlite(engine.begin(durability).await?)),
            Engine::SqliteToRead(_) => Err(Error::Engine("the database is open to be read only".into())),
            Engine::Postgres(engine) => Ok(Transaction::Postgres(Box::pin(engine.begin(durability)).await?)),
        }
    }

    /// Starts a read-only view in which all statements see the same moment.
    ///
    /// # Errors
    /// [`Error::Engine`] when the engine cannot start one.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        match &self.engine {
            Engine::Sqlite(engine) => Ok(Snapshot::Sqlite(engine.snapshot().await?)),
            Engine::SqliteToRead(engine) => Ok(Snapshot::Sqlite(engine.snapshot().await?)),
            Engine::Postgres(engine) => Box::pin(engine.snapshot()).await,
        }
    }

    /// Runs one reading statement outside any transaction and returns all rows.
    ///
    /// What waits for PostgreSQL is boxed, here and in [`Transaction`]: it has kilobytes, and every function that may
    /// ask the database would carry them and be copied with them, also when the answer lies in memory.
    ///
    /// # Errors
    /// [`Error::Engine`] when the statement fails.
    pub async fn rows(&self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.rows(sql, parameters).await,
            Engine::SqliteToRead(engine) => engine.rows(sql, parameters).await,
            Engine::Postgres(engine) => Box::pin(engine.rows(sql, parameters)).await,
        }
    }

    /// Like [`Self::rows`], for statements that give one row or none.
    ///
    /// # Errors
    /// [`Error::Engine`] when the statement fails.
    pub async fn row(&self, sql: &'static str, parameters: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// Closes all connections; running transactions are undone.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::SqliteToRead(engine) => engine.close(),
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}

/// The parameters of a statement: `params![text, number, None::<String>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::db::Value::from($value)),*] };
}

/// Runs a body in one write transaction, commits it, and repeats it when the engine asks for a retry.
///
/// The body sees `$name: &mut Transaction`, must end in a `Result` whose error type implements
/// `From<db::Error>` and has `fn is_retryable(&self) -> bool`, and may run several times: it must not consume
/// what it captures. Nothing of it is visible to others before the commit, and nothing at all after an error.
///
/// `transaction!(database, relaxed open => …)` promises less; see [`Durability::Relaxed`](crate::store::db::Durability).
/// `transaction!(database, freeing open => …)` takes things away and is repeated with the room that is kept back when
/// the volume is full; its error type also has `fn is_full(&self) -> bool`.
#[macro_export]
macro_rules! transaction {
    ($database:expr, relaxed $name:ident => $body:block) => {
        $crate::transaction!(@ $database, Relaxed, [], $name, $body)
    };
    ($database:expr, freeing $name:ident => $body:block) => {
        $crate::transaction!(@ $database, Freeing, [is_full], $name, $body)
    };
    ($database:expr, $name:ident => $body:block) => {
        $crate::transaction!(@ $database, Durable, [], $name, $body)
    };
    (@ $database:expr, $durability:ident, [$($is_full:ident)?], $name:ident, $body:block) => {{
        let mut attempt = 0_u32;
        loop {
            let result = async {
                let mut open = $database.begin($crate::store::db::Durability::$durability).await?;
                let value = {
                    let $name = &mut open;
                    async { $body }.await
                };
                match value {
                    Ok(value) => {
                        open.commit().await?;
                        Ok(value)
                    }
                    Err(error) => {
                        open.rollback().await;
                        Err(error)
                    }
                }
            }
            .await;
            match result {
                Err(error) if attempt < $crate::store::db::MAX_RETRIES && error.is_retryable() => {
                    attempt += 1;
                    $crate::store::db::pause(attempt).await;
                }
                $( Err(error) if error.$is_full() && $database.make_room() => {} )?
                other => break other,
            }
        }
    }};
}

/// How often a transaction is repeated after a serialisation failure before its error is reported.
pub const MAX_RETRIES: u32 = 30;

/// Waits a little longer with each attempt, so that transactions in conflict come apart.
pub async fn pause(attempt: u32) {
    let milliseconds = u64::from(attempt.min(10)) * 3;
    tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
}

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
