//! One write transaction, or one read-only view, on either engine.

use super::{Error, Row, Scope, Value, postgres, sqlite};

/// An open write transaction. Dropping it undoes it.
#[derive(Debug)]
pub enum Transaction {
    /// A member of SQLite's current commit group.
    Sqlite(sqlite::Member),
    /// A SERIALIZABLE transaction on a connection of its own.
    Postgres(postgres::Open),
}

impl Transaction {
    /// Says which of the rows that are kept in memory the transaction may change. Without this it is all of them,
    /// so only a transaction that knows better says so; it may say so more than once, each time adding scopes.
    pub fn touches(&mut self, scopes: &[Scope]) {
        match self {
            Self::Sqlite(open) => open.touches(scopes),
            // Nothing is kept in memory: other nodes write too.
            Self::Postgres(_) => {}
        }
    }

    /// Runs a statement; returns how many rows it changed.
    ///
    /// # Errors
    /// [`Error::Conflict`] or [`Error::Engine`]; the transaction must then be given up.
    pub async fn execute(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<u64, Error> {
        match self {
            Self::Sqlite(open) => open.execute(sql, &parameters),
            Self::Postgres(open) => Box::pin(postgres::execute(open.connection()?, sql, parameters)).await,
        }
    }

    /// As [`Self::execute`], for a statement whose work grows with what is stored, such as a deletion that takes
    /// a hundred thousand rows with it: it runs where it holds up no other request's thread.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn execute_long(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<u64, Error> {
        match self {
            Self::Sqlite(open) => open.execute_long(sql, parameters).await,
            Self::Postgres(open) => Box::pin(postgres::execute(open.connection()?, sql, parameters)).await,
        }
    }

    /// Runs a statement and returns all its rows.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn rows(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Self::Sqlite(open) => open.rows(sql, &parameters),
            Self::Postgres(open) => Box::pin(postgres::rows(open.connection()?, sql, parameters)).await,
        }
    }

    /// Runs a statement that gives one row or none.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn row(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// Runs a statement that must give a row, such as `SELECT COUNT(*)` or `INSERT … RETURNING`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when there is none; otherwise as [`Self::execute`].
    pub async fn required(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Row, Error> {
        self.row(sql, parameters).await?.ok_or_else(|| Error::Corrupt("a row is missing".to_owned()))
    }

    /// Makes everything visible and, unless the transaction is relaxed, durable: returns after the fsync then.
    ///
    /// # Errors
    /// [`Error::Conflict`], [`Error::Engine`] or [`Error::Group`]; nothing of the transaction is kept then.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(open) => open.commit().await,
            Self::Postgres(open) => Box::pin(open.commit()).await,
        }
    }

    /// Undoes everything at once. A failure here needs no report: an open transaction is never kept.
    pub async fn rollback(self) {
        match self {
            Self::Sqlite(open) => drop(open),
            Self::Postgres(open) => Box::pin(open.rollback()).await,
        }
    }
}

/// A read-only view: all its statements see the same moment. Dropping it ends it.
#[derive(Debug)]
pub enum Snapshot {
    /// A deferred transaction on a reading connection.
    Sqlite(sqlite::View),
    /// A REPEATABLE READ, READ ONLY transaction.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Snapshot {
    /// Runs a reading statement and returns all its rows.
    ///
    /// # Errors
    /// [`Error::Engine`] when the statement fails.
    pub async fn rows(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Self::Sqlite(open) => open.rows(sql, parameters).await,
            Self::Postgres(open) => Box::pin(postgres::rows(open, sql, parameters)).await,
        }
    }

    /// Like [`Self::rows`], for one row or none.
    ///
    /// # Errors
    /// [`Error::Engine`] when the statement fails.
    pub async fn row(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }
}
