//! What machines ask that run the server: is it alive, can it serve, what has it done.

use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::Mutex;

use super::failure::answer;
use super::measure::Measures;
use crate::api::Outgoing;
use crate::params;
use crate::store::blob::Blobs;
use crate::store::db::Database;

const TEXT: &str = "text/plain; charset=utf-8";

/// How old an answer to "can it serve" may be: the question costs a file and a row, and anybody may ask it.
const FRESH: Duration = Duration::from_secs(1);

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the stores answer.
#[derive(Debug)]
pub struct Readiness {
    database: Database,
    blobs: Blobs,
    last: Mutex<Option<(Instant, Option<&'static str>)>>,
}

impl Readiness {
    /// Readiness of these two stores.
    #[must_use]
    pub fn new(database: Database, blobs: Blobs) -> Self {
        Self { database, blobs, last: Mutex::new(None) }
    }

    /// What is missing, or `None` when the server can serve.
    async fn missing(&self) -> Option<&'static str> {
        // Held over the question, so that many who ask at once cause one.
        let mut last = self.last.lock().await;
        if let Some((at, missing)) = *last
            && at.elapsed() < FRESH
        {
            return missing;
        }
        let missing = self.ask().await;
        *last = Some((Instant::now(), missing));
        missing
    }

    async fn ask(&self) -> Option<&'static str> {
        let row = self.database.row("SELECT COUNT(*) FROM schema_migration", params![]);
        match tokio::time::timeout(PATIENCE, row).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the database does not answer");
                return Some("the database does not answer");
            }
            Err(_) => return Some("the database does not answer in time"),
        }
        if let Err(error) = self.blobs.check_writable().await {
            tracing::warn!(%error, "not ready: blobs cannot be written");
            return Some("blobs cannot be written");
        }
        None
    }
}

/// `/healthz`: the process answers.
pub(super) fn health() -> Outgoing {
    answer(StatusCode::OK, TEXT, "ok\n")
}

/// `/readyz`: 200, or 503 with what is missing.
pub(super) async fn ready(readiness: &Readiness) -> Outgoing {
    match readiness.missing().await {
        None => answer(StatusCode::OK, TEXT, "ready\n"),
        Some(missing) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {missing}\n")),
    }
}

/// `/metrics`
pub(super) fn metrics(measures: &Measures) -> Outgoing {
    answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", measures.render())
}
