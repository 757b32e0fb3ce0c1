//! Fresh databases for contract tests: SQLite always, PostgreSQL when `LONGSHORE_TEST_POSTGRES_URL` names a
//! server whose role may create schemas.
//!
//! ```ignore
//! for test in databases().await {
//!     let room = Catalog::new(test.database.clone(), …);
//!     …
//! }
//! ```

pub mod schema;

use std::collections::BTreeSet;

use tempfile::TempDir;

use super::{Database, Kind, Location, Value};

/// One empty, migrated database; it is gone when this value is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    /// The open database.
    pub database: Database,
    /// `sqlite` or `postgres`, for assertion messages.
    pub engine: &'static str,
    /// A folder of its own, for blobs and keys of the same test.
    pub folder: TempDir,
    /// Where the database is, to open it once more.
    pub location: Location,
    _schema: Option<schema::Schema>,
}

/// A fresh SQLite database and, when the variable is set, a fresh PostgreSQL schema.
pub async fn databases() -> Vec<TestDatabase> {
    let mut databases = vec![sqlite().await];
    match std::env::var(schema::VARIABLE) {
        Ok(url) => databases.push(postgres(&url).await),
        Err(_) => eprintln!("{} is not set: PostgreSQL is NOT covered by this run", schema::VARIABLE),
    }
    databases
}

/// A fresh SQLite database, for what only that engine has.
pub async fn sqlite() -> TestDatabase {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("catalog.db"));
    let database = Database::open(&location).await.unwrap();
    TestDatabase { database, engine: "sqlite", folder, location, _schema: None }
}

async fn postgres(url: &str) -> TestDatabase {
    let schema = schema::Schema::create(url);
    let location = Location::Postgres(schema.url());
    let database = Database::open(&location).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    TestDatabase { database, engine: "postgres", folder, location, _schema: Some(schema) }
}

/// The statements that `work` runs on SQLite, each once.
pub async fn statements_of(work: impl Future<Output = ()>) -> BTreeSet<&'static str> {
    super::sqlite::noted::statements_of(work).await
}

/// The steps of a statement's plan, as SQLite tells them.
pub async fn plan(database: &Database, sql: &str) -> Vec<String> {
    // A test's own text, kept for as long as the test runs.
    let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let rows = database.rows(explain, vec![Value::Null(Kind::Text); 64]).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.get(3).unwrap()).collect()
}

/// What a statement reads from its first row to its last: tables, and indexes that are not searched for anything.
/// SQLite has no statistics here, so a plan is the same for an empty catalog and for a million images.
pub async fn scans(database: &Database, sql: &str) -> Vec<String> {
    let steps = plan(database, sql).await;
    // Rows that the statement itself gives: values, and what an inner statement has found.
    let is_own = |name: &str| {
        name == "CONSTANT"
            || name.ends_with("-ROW")
            || steps.iter().any(|step| {
                step.strip_prefix("CO-ROUTINE ").or(step.strip_prefix("MATERIALIZE ")) == Some(name)
            })
    };
    let scanned = |step: &&String| {
        let name = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
        name.is_some_and(|name| !is_own(name))
    };
    steps.iter().filter(scanned).cloned().collect()
}

#[test]
fn continuous_integration_covers_postgres() {
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci || std::env::var_os(schema::VARIABLE).is_some(), "CI must set {}", schema::VARIABLE);
}
