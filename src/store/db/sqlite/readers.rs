//! Reading connections: lent for one statement or for one view, on the thread of whoever asks.
//!
//! A point query takes a few microseconds, less than handing it to another thread. One that turns out to be long
//! (a count, a listing of thousands) is interrupted and repeated on the blocking pool, so that it holds up nobody
//! else's requests.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::statement;
use crate::store::db::{Error, Row, Value};

/// Reading connections: readers never block each other; more than this wait for each other.
const READERS: usize = 8;

/// How often SQLite looks at the clock of [`Budget`], in steps of its virtual machine.
const STEPS: i32 = 1000;

/// Steps, in units of [`STEPS`], that a statement may take on the thread of a request: about a millisecond.
const BRIEF: i64 = 40;

/// How long a reader waits for somebody who recovers the log.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The reading connections of one database.
#[derive(Debug)]
pub(super) struct Readers {
    path: std::path::PathBuf,
    /// The one used last is lent first: its cache is warm.
    idle: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Reader {
    connection: Connection,
    /// What is left of the running statement's steps.
    budget: Arc<AtomicI64>,
}

/// A connection in somebody's hands; it goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Lent {
    reader: Option<Reader>,
    readers: Arc<Readers>,
    is_view: bool,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let first = Reader::open(path)?;
        let permits = Arc::new(Semaphore::new(READERS));
        Ok(Self { path: path.to_owned(), idle: Mutex::new(vec![first]), permits })
    }

    /// Lends a connection, opening one when all that are open are in use.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Group("the database is closed".to_owned()))?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = idle.map_or_else(|| Reader::open(&self.path), Ok)?;
        Ok(Lent { reader: Some(reader), readers: Arc::clone(self), is_view: false, _permit: permit })
    }

    /// Lends nothing from now on; what is lent is closed when it comes back.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(super::STATEMENTS);
        // Small, because the file system caches the same pages and there may be eight of these.
        connection.execute_batch("PRAGMA cache_size = -1024")?;
        super::keep_plans(&connection)?;
        let budget = Arc::new(AtomicI64::new(i64::MAX));
        let left = Arc::clone(&budget);
        connection.progress_handler(STEPS, Some(move || left.fetch_sub(1, Ordering::Relaxed) <= 0))?;
        Ok(Self { connection, budget })
    }

    fn rows(&self, budget: i64, sql: &'static str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
        self.budget.store(budget, Ordering::Relaxed);
        statement::rows(&self.connection, sql, parameters)
    }
}

impl Lent {
    /// Makes all statements from now on see the same moment.
    pub(super) fn begin_view(&mut self) -> Result<(), Error> {
        let Some(reader) = &self.reader else { return Err(lost()) };
        statement::run(&reader.connection, "BEGIN")?;
        self.is_view = true;
        Ok(())
    }

    /// Runs one reading statement.
    pub(super) async fn rows(
        &mut self,
        sql: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        let Some(reader) = &self.reader else { return Err(lost()) };
        match reader.rows(BRIEF, sql, &parameters) {
            Err(error) if is_interrupted(&error) => {}
            other => return other,
        }
        // Dropped half-way, the connection is lost to this value, and closed when the statement ends.
        let Some(reader) = self.reader.take() else { return Err(lost()) };
        let work = move || (reader.rows(i64::MAX, sql, &parameters), reader);
        let (result, reader) = tokio::task::spawn_blocking(work).await.map_err(Error::task)?;
        self.reader = Some(reader);
        result
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(reader) = self.reader.take() else { return };
        if self.is_view && statement::run(&reader.connection, "ROLLBACK").is_err() {
            // A connection that may still be in a view would show its next user the past.
            return;
        }
        if !self.readers.permits.is_closed() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        }
    }
}

fn is_interrupted(error: &Error) -> bool {
    let Error::Engine(cause) = error else { return false };
    let cause = cause.downcast_ref::<rusqlite::Error>();
    cause.is_some_and(|cause| cause.sqlite_error_code() == Some(ErrorCode::OperationInterrupted))
}

fn lost() -> Error {
    Error::Group("the view was given up".to_owned())
}
