//! Numbered, forward-only migrations: one SQL text for both engines, each in one transaction.
//!
//! A catalog of any earlier version opens; one of a later version is refused.

#[cfg(test)]
mod tests;

use std::time::Instant;

use super::{Database, Engine, Error, Location};
use crate::params;

/// One step of the schema. `sql` holds statements that end in `;` at the end of a line.
#[derive(Debug)]
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "catalog", sql: include_str!("../../../migrations/0001_catalog.sql") },
    Migration { version: 2, name: "identity", sql: include_str!("../../../migrations/0002_identity.sql") },
    Migration {
        version: 3,
        name: "creation_template",
        sql: include_str!("../../../migrations/0003_creation_template.sql"),
    },
    Migration {
        version: 4,
        name: "orphaned_referrer",
        sql: include_str!("../../../migrations/0004_orphaned_referrer.sql"),
    },
    Migration { version: 5, name: "scrub", sql: include_str!("../../../migrations/0005_scrub.sql") },
    Migration {
        version: 6,
        name: "blob_content",
        sql: include_str!("../../../migrations/0006_blob_content.sql"),
    },
    Migration {
        version: 7,
        name: "upload_indexes",
        sql: include_str!("../../../migrations/0007_upload_indexes.sql"),
    },
    Migration {
        version: 8,
        name: "numbered_blob",
        sql: include_str!("../../../migrations/0008_numbered_blob.sql"),
    },
    Migration {
        version: 9,
        name: "image_blob",
        sql: include_str!("../../../migrations/0009_image_blob.sql"),
    },
];

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration \
     (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)";

/// Applies what is missing. Two processes that start at once do not collide: the version row is the lock.
pub(super) async fn run(database: &Database) -> Result<(), Error> {
    let known = MIGRATIONS.last().map_or(0, |last| last.version);
    run_to(database, known, known).await
}

/// Applies what is missing of the migrations up to `last`.
async fn run_to(database: &Database, last: i64, known: i64) -> Result<(), Error> {
    crate::transaction!(database, transaction => {
        transaction.execute(CREATE_TABLE, params![]).await?;
        Ok::<_, Error>(())
    })?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= last) {
        apply(database, migration, known).await?;
    }
    Ok(())
}

/// Refuses a database that lacks a migration or has one more.
pub(super) async fn require_newest(database: &Database) -> Result<(), Error> {
    let known = MIGRATIONS.last().map_or(0, |last| last.version);
    let newest = match database.row("SELECT MAX(version) FROM schema_migration", params![]).await {
        Ok(row) => row.map_or(Ok(None), |row| row.get::<Option<i64>>(0))?,
        // Never set up, or not to the end.
        Err(error) if error.is_missing_table() => None,
        Err(error) => return Err(error),
    };
    match newest.unwrap_or(0) {
        found if found > known => Err(Error::Newer { found, known }),
        found if found < known => Err(Error::Older { found, known }),
        _ => Ok(()),
    }
}

async fn apply(database: &Database, migration: &'static Migration, known: i64) -> Result<(), Error> {
    let checksum = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(migration.sql.as_bytes()));
    crate::transaction!(database, transaction => {
        let newest = transaction.row("SELECT MAX(version) FROM schema_migration", params![]).await?;
        let newest: Option<i64> = newest.map_or(Ok(None), |row| row.get(0))?;
        if let Some(found) = newest.filter(|found| *found > known) {
            return Err(Error::Newer { found, known });
        }
        let applied = transaction
            .row("SELECT checksum FROM schema_migration WHERE version = $1", params![migration.version])
            .await?;
        if let Some(row) = applied {
            if row.get::<String>(0)? != checksum {
                return Err(Error::Migration { version: migration.version });
            }
            return Ok(());
        }
        transaction
            .execute(
                "INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)",
                params![migration.version, migration.name, checksum.as_str()],
            )
            .await?;
        let began = Instant::now();
        if newest.is_some() {
            // Some rewrite tables, which takes minutes for millions of rows.
            tracing::info!(migration.version, migration.name, "the database is being brought up to date");
        }
        for statement in statements(migration.sql) {
            let statement = dialect(&database.engine, statement);
            transaction.execute_long(statement, params![]).await?;
            let what = statement.lines().next().unwrap_or_default();
            tracing::debug!(migration.version, statement = what, "a step of the migration is done");
        }
        if newest.is_some() {
            let seconds = began.elapsed().as_secs_f64();
            tracing::info!(migration.version, seconds, "the database is up to date once this is on the disk");
        }
        Ok::<_, Error>(())
    })
}

/// The statements of a migration, without comments.
fn statements(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split(";\n").map(str::trim).filter(|statement| {
        statement.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"))
    })
}

/// The differences between the engines in the schema.
///
/// PostgreSQL sorts text by the database's locale unless told otherwise; SQLite always by bytes, and it does not know
/// the collation's name. A number that the engine gives is an identity to one and the number of the row to the
/// other, as is any whole number that is the key of a table. Only SQLite has tables that are their key's index.
fn dialect(engine: &Engine, statement: &'static str) -> &'static str {
    let own = match engine {
        Engine::Postgres(_) => statement.replace(") WITHOUT ROWID", ")"),
        Engine::Sqlite(_) | Engine::SqliteToRead(_) => statement
            .replace(" COLLATE \"C\"", "")
            .replace("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY")
            .replace(" BIGINT PRIMARY KEY", " INTEGER PRIMARY KEY"),
    };
    // Leaked once per migration that is applied, that is, at most a few kilobytes in a database's life.
    if own == statement { statement } else { Box::leak(own.into_boxed_str()) }
}

impl Location {
    /// The location without its password, for logs.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let host = url.rsplit_once('@').map_or("", |(_, host)| host);
                format!("postgres://…@{host}")
            }
        }
    }
}
