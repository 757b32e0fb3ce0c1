//! PostgreSQL, or what speaks its protocol: a pool, SERIALIZABLE for writing, REPEATABLE READ for views.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::{Durability, Error, Kind, Row, Snapshot, Value};

/// Connections in the pool: enough to keep a server busy, well below PostgreSQL's default limit of 100.
const CONNECTIONS: u32 = 24;

/// How long a request waits for a free connection before it fails as busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(super) struct Postgres {
    pool: PgPool,
}

/// An open SERIALIZABLE transaction.
#[derive(Debug)]
pub struct Open {
    transaction: sqlx::Transaction<'static, sqlx::Postgres>,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect(url)
            .await?;
        Ok(Self { pool })
    }

    pub(super) async fn begin(&self, durability: Durability) -> Result<Open, Error> {
        // SERIALIZABLE makes every check-then-write in the rooms safe without engine-specific row locks; the
        // price is error 40001, which the transaction! macro repeats.
        let begin = match durability {
            Durability::Durable | Durability::Freeing => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            // One message with both. The log is written in order here too: a later synchronous commit waits for
            // everything before it (PostgreSQL manual, "Asynchronous Commit").
            Durability::Relaxed => "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL synchronous_commit = off",
        };
        let transaction = self.pool.begin_with(begin).await?;
        Ok(Open { transaction })
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, Error> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(Snapshot::Postgres(self.pool.begin_with(begin).await?))
    }

    pub(super) async fn rows(&self, sql: &'static str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
        let mut connection = self.pool.acquire().await?;
        rows(&mut connection, sql, parameters).await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Open {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        Ok(&mut self.transaction)
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        Ok(self.transaction.commit().await?)
    }

    pub(super) async fn rollback(self) {
        if let Err(error) = self.transaction.rollback().await {
            tracing::debug!(%error, "rollback failed; the connection is dropped");
        }
    }
}

pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: &'static str,
    parameters: Vec<Value>,
) -> Result<u64, Error> {
    Ok(bind(sql, parameters).execute(connection).await?.rows_affected())
}

pub(super) async fn rows(
    connection: &mut PgConnection,
    sql: &'static str,
    parameters: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    bind(sql, parameters).fetch_all(connection).await?.iter().map(read).collect()
}

fn bind(
    sql: &'static str,
    parameters: Vec<Value>,
) -> sqlx::query::Query<'static, sqlx::Postgres, PgArguments> {
    parameters.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Null(Kind::Integer) => query.bind(None::<i64>),
        Value::Null(Kind::Text) => query.bind(None::<String>),
        Value::Null(Kind::Bytes) => query.bind(None::<Vec<u8>>),
        Value::Integer(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

fn read(row: &PgRow) -> Result<Row, Error> {
    let column = |index: usize| -> Result<Value, Error> {
        let raw = row.try_get_raw(index)?;
        let kind = match row.column(index).type_info().name() {
            "INT8" => Kind::Integer,
            "TEXT" | "VARCHAR" => Kind::Text,
            "BYTEA" => Kind::Bytes,
            other => return Err(Error::Corrupt(format!("column type {other} is not in use"))),
        };
        if raw.is_null() {
            return Ok(Value::Null(kind));
        }
        Ok(match kind {
            Kind::Integer => Value::Integer(row.try_get(index)?),
            Kind::Text => Value::Text(row.try_get(index)?),
            Kind::Bytes => Value::Bytes(row.try_get(index)?),
        })
    };
    (0..row.len()).map(column).collect::<Result<Vec<_>, _>>().map(Row)
}
