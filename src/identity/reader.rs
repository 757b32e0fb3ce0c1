//! Reading inside a transaction, a snapshot or without either, with the same statements.

use crate::store::db::{Database, Error, Row, Snapshot, Transaction, Value};

/// What can run a reading statement.
pub(super) trait Reader: Send {
    /// All rows of the statement.
    fn rows(
        &mut self,
        sql: &'static str,
        parameters: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;

    /// The first row of the statement, if it gives one.
    fn row(
        &mut self,
        sql: &'static str,
        parameters: Vec<Value>,
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send {
        async move { Ok(self.rows(sql, parameters).await?.into_iter().next()) }
    }
}

impl Reader for Transaction {
    async fn rows(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        Transaction::rows(self, sql, parameters).await
    }
}

impl Reader for Snapshot {
    async fn rows(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        Snapshot::rows(self, sql, parameters).await
    }
}

/// Statements that need no common moment.
impl Reader for &Database {
    async fn rows(&mut self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        Database::rows(self, sql, parameters).await
    }
}
