//! SQLite: one writing connection whose commits are grouped, and a few reading connections.
//!
//! Statements run on the thread of whoever asks: most take a few microseconds, less than it costs to wake another
//! thread (docs/decisions/0010). What waits for the disk (a commit) and what is long (see [`readers`]) goes to the
//! blocking pool.
//!
//! Sixteen connections that each write for themselves reach the same rate with single writes of 600 ms
//! (busy-handler back-off), therefore there is exactly one writer and a fair queue before it.

mod checkpoint;
mod commit;
mod frames;
#[cfg(test)]
pub(super) mod noted;
mod readers;
mod statement;
mod volume;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::Mutex;

use self::checkpoint::Log;
use self::commit::Committer;
use self::readers::{Lent, Readers};
use self::writer::Writer;
use super::epoch::{Epochs, Scope, Stamp};
use super::neighbours::{Look, Neighbours};
use super::{Durability, Error, Row, Value};

pub(super) use self::writer::Member;

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 512;

/// SQLite versions before this one may damage a WAL database that several connections of one process use
/// (the "WAL-reset" race, fixed in 3.51.3).
const OLDEST_SAFE_VERSION: i32 = 3_051_003;

/// An open SQLite database. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    epochs: Epochs,
    neighbours: Neighbours,
}

#[derive(Debug)]
struct Shared {
    writer: Arc<Mutex<Writer>>,
    committer: Committer,
    log: Arc<Log>,
}

/// A database that is only read, and that no server uses meanwhile.
#[derive(Debug, Clone)]
pub(super) struct ReadOnly(Arc<Readers>);

/// A read-only view: all its statements see the same moment.
#[derive(Debug)]
pub struct View {
    lent: Lent,
    /// The log whose commits it may see; nobody commits to a database that is only read.
    log: Option<Arc<Log>>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Self::open_now(&path)).await.map_err(Error::task)?
    }

    fn open_now(path: &Path) -> Result<Self, Error> {
        if rusqlite::version_number() < OLDEST_SAFE_VERSION {
            let version = rusqlite::version();
            return Err(Error::Corrupt(format!(
                "SQLite {version} can damage its log; 3.51.3 is the oldest safe one"
            )));
        }
        let log = Arc::new(Log::new(path));
        let neighbours = Neighbours::open(path).map_err(|error| Error::Engine(error.into()))?;
        let epochs = Epochs::default();
        let writer = Writer::open(path, &log, epochs.clone(), neighbours.clone())?;
        let writer = Arc::new(Mutex::new(writer));
        let readers = Arc::new(Readers::open(path)?);
        let committer = Committer::start(Arc::clone(&writer), Arc::clone(&log))?;
        let shared = Arc::new(Shared { writer, committer, log });
        Ok(Self { shared, readers, epochs, neighbours })
    }

    pub(super) fn stamp(&self, first: Scope, second: Option<Scope>) -> Option<Stamp> {
        match self.neighbours.look() {
            Look::Unchanged => {}
            Look::Changed => self.neighbours.settle(|| self.epochs.forget_everything()),
            Look::Guest => return None,
        }
        self.epochs.stamp(first, second)
    }

    pub(super) async fn begin(&self, durability: Durability) -> Result<Member, Error> {
        self.shared.begin(durability).await
    }

    pub(super) async fn snapshot(&self) -> Result<View, Error> {
        let mut lent = self.readers.lend().await?;
        lent.begin_view()?;
        Ok(View { lent, log: Some(Arc::clone(&self.shared.log)) })
    }

    pub(super) async fn rows(&self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        let rows = self.readers.lend().await?.rows(sql, parameters).await;
        self.shared.log.progress.settled().await;
        rows
    }

    pub(super) async fn close(&self) {
        self.readers.close();
        self.shared.close().await;
    }
}

impl ReadOnly {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self(Arc::new(Readers::open(path)?)))
    }

    pub(super) async fn snapshot(&self) -> Result<View, Error> {
        let mut lent = self.0.lend().await?;
        lent.begin_view()?;
        Ok(View { lent, log: None })
    }

    pub(super) async fn rows(&self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.0.lend().await?.rows(sql, parameters).await
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// Makes a prepared statement stay prepared. Without this SQLite plans those with a range or a limit anew whenever
/// other values are bound, which takes longer than to run them; the indexes here fit every value.
fn keep_plans(connection: &Connection) -> Result<(), Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

impl View {
    pub(super) async fn rows(
        &mut self,
        sql: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        let rows = self.lent.rows(sql, parameters).await;
        if let Some(log) = &self.log {
            log.progress.settled().await;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// How often a statement gets a new plan when it is used ten times.
    fn plans(is_settled: bool) -> i32 {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE word (name TEXT PRIMARY KEY)").unwrap();
        if is_settled {
            keep_plans(&connection).unwrap();
        }
        let sql = "SELECT name FROM word WHERE name > $1 ORDER BY name LIMIT $2";
        for number in 10..20 {
            let parameters = [Value::Text(format!("t{number}")), Value::Integer(number)];
            statement::rows(&connection, sql, &parameters).unwrap();
        }
        connection.prepare_cached(sql).unwrap().get_status(StatementStatus::RePrepare)
    }

    #[test]
    fn a_statement_keeps_its_plan() {
        assert_eq!(plans(true), 0);
        assert!(plans(false) > 0, "SQLite keeps plans by itself now: keep_plans can go");
    }
}
