//! One PostgreSQL schema for one test. Also included by `tests/it`, so it names nothing of the house.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The environment variable with the server's URL.
pub const VARIABLE: &str = "LONGSHORE_TEST_POSTGRES_URL";

/// A schema that is dropped, with everything in it, together with this value.
#[derive(Debug)]
pub struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// Creates a schema with a name of its own on the server.
    pub fn create(server: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{now:x}_{number}", std::process::id());
        run(server, &[format!("CREATE SCHEMA {name}")]);
        Self { server: server.to_owned(), name }
    }

    /// The URL under which everything happens in the schema.
    pub fn url(&self) -> String {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        let name = &self.name;
        format!("{}{separator}application_name={name}&options[search_path]={name}", self.server)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let name = &self.name;
        // Connections of a pool that nobody closed may hold locks, and their runtime waits for this drop.
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'"
        );
        run(&self.server, &[end, format!("DROP SCHEMA {name} CASCADE")]);
    }
}

/// Runs statements on a thread of their own: a test's runtime cannot be entered twice, and `drop` is not async.
fn run(server: &str, statements: &[String]) {
    let (server, statements) = (server.to_owned(), statements.to_vec());
    let work = async move {
        let mut connection = PgConnection::connect(&server).await.unwrap();
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    };
    let thread = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    });
    thread.join().unwrap();
}
