//! Damage: bytes that do not have their digest are never given away as good (docs/explanation/durability.md).
//!
//! ```text
//! blob      found damaged        → state 'damaged': not there for anybody, until a push brings the bytes again
//!           whole after all      → state 'ready' (a disk that came back)
//! manifest  checked at each read → not there, until the same image is pushed again
//! ```
//!
//! Where the whole digest is compared: by the scrub (`scrub.rs`), and before this process gives a blob away for the
//! first time ([`Catalog::first_check`]). A small blob is compared before the answer begins. A large one is being
//! sent meanwhile, but its last bytes wait for the verdict, so that nobody receives a damaged one completely.
//!
//! INVARIANT: only the generation that was looked at is marked, so a push that replaces it is never undone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use metrics::counter;
use oci::Digest;
use tokio::sync::{Semaphore, watch};

use super::content::{Placed, has_digest};
use super::{Catalog, Error};
use crate::store::blob::{self, Generation, Object, Reader, Through, Verdict};
use crate::{params, transaction};

/// A blob up to this size is compared before the answer begins: at most a millisecond.
const SMALL_BYTES: u64 = 1024 * 1024;

/// Blobs that are read at the same time to be compared; each keeps a core busy.
const PLACES: usize = 2;

/// EIO: the disk cannot give the bytes back, which for their readers is the same as rot.
const UNREADABLE: i32 = 5;

/// Repositories that the log names for a damaged blob.
const NAMED: i64 = 5;

const MARK: &str =
    "UPDATE blob SET state = 'damaged' WHERE digest = $1 AND generation = $2 AND state = 'ready'";

const UNMARK: &str =
    "UPDATE blob SET state = 'ready' WHERE digest = $1 AND generation = $2 AND state = 'damaged'";

const REPOSITORIES: &str = "SELECT r.account, r.region, r.name FROM blob_link l \
    JOIN repository r ON r.id = l.repository_id WHERE l.blob = (SELECT number FROM blob WHERE digest = $1) \
    ORDER BY l.linked_at DESC LIMIT $2";

/// The first checks that are under way: many readers of one blob share one.
#[derive(Debug)]
pub(super) struct FirstChecks {
    running: Mutex<HashMap<Generation, watch::Receiver<Option<Verdict>>>>,
    places: Semaphore,
}

#[cfg(test)]
impl FirstChecks {
    /// How many are under way.
    pub(super) fn count(&self) -> usize {
        self.running.lock().unwrap().len()
    }
}

impl Default for FirstChecks {
    fn default() -> Self {
        Self { running: Mutex::default(), places: Semaphore::new(PLACES) }
    }
}

impl Catalog {
    /// Makes sure that a reader does not give a damaged blob away completely; `None` when it is known already that
    /// the blob is damaged.
    ///
    /// # Errors
    /// [`Error::Busy`] when a small blob could not be compared.
    pub(super) async fn first_check(&self, placed: &Placed, reader: Reader) -> Result<Option<Reader>, Error> {
        if reader.is_known_whole() {
            return Ok(Some(reader));
        }
        let mut verdict = self.begin_check(placed);
        if reader.length() > SMALL_BYTES {
            return Ok(Some(reader.withholding(verdict)));
        }
        let found = verdict.wait_for(Option::is_some).await.ok().and_then(|verdict| *verdict);
        match found.unwrap_or(Verdict::Unknown) {
            Verdict::Whole => Ok(Some(reader)),
            Verdict::Rotten => Ok(None),
            Verdict::Unknown => Err(Error::Busy),
        }
    }

    /// Compares an object, or joins those who wait for the same.
    fn begin_check(&self, placed: &Placed) -> watch::Receiver<Option<Verdict>> {
        let mut running = self.first_checks.running.lock().unwrap_or_else(PoisonError::into_inner);
        // A check that panicked has left a receiver without a sender; it must not be joined.
        let generation = &placed.object.generation;
        if let Some(verdict) = running.get(generation).filter(|verdict| verdict.has_changed().is_ok()) {
            return verdict.clone();
        }
        let (sender, verdict) = watch::channel(None);
        running.insert(generation.clone(), verdict.clone());
        drop(running);
        let (room, placed) = (self.clone(), placed.clone());
        tokio::spawn(async move {
            let place = room.first_checks.places.acquire().await;
            let found = room.inspect(&placed, Through::Cache).await;
            drop(place);
            let mut running = room.first_checks.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.remove(&placed.object.generation);
            drop(running);
            sender.send_replace(Some(found));
        });
        verdict
    }

    /// Whether a stored object may be relied upon by a push that has the same bytes in hand: it is known to be
    /// whole, or is found so now.
    ///
    /// # Errors
    /// [`Error::Internal`] when that cannot be found out.
    pub(super) async fn is_whole(&self, placed: &Placed) -> Result<bool, Error> {
        match self.look_at(placed).await {
            Ok(true) => Ok(true),
            Ok(false) => Ok(self.inspect(placed, Through::Cache).await == Verdict::Whole),
            Err(blob::Error::Missing | blob::Error::Damaged { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What the reading of an object means; marks it when it is damaged.
    pub(super) async fn judge(&self, object: &Object, read: Result<bool, blob::Error>) -> Verdict {
        let reason = match read {
            Ok(true) => return Verdict::Whole,
            Ok(false) => "its bytes have another digest".to_owned(),
            Err(error @ (blob::Error::Missing | blob::Error::Damaged { .. })) => error.to_string(),
            Err(blob::Error::Io { source, .. }) if source.raw_os_error() == Some(UNREADABLE) => {
                format!("the disk does not give its bytes: {source}")
            }
            Err(error) => {
                tracing::warn!(%error, blob.digest = %object.digest, "a stored blob could not be compared");
                return Verdict::Unknown;
            }
        };
        if let Err(error) = self.mark_damaged(object, &reason).await {
            tracing::error!(%error, blob.digest = %object.digest, "a damaged blob could not be marked");
        }
        Verdict::Rotten
    }

    /// Takes a damaged blob out of use until it is pushed again.
    async fn mark_damaged(&self, object: &Object, reason: &str) -> Result<(), Error> {
        let (digest, generation) = (&object.digest, &object.generation);
        let marked = transaction!(self.database, open => {
            Ok::<_, Error>(open.execute(MARK, params![digest.as_str(), generation.as_str()]).await?)
        })?;
        if marked == 0 {
            // Marked before, or replaced or collected meanwhile.
            return Ok(());
        }
        counter!("longshore_damage_found_total", "kind" => "blob").increment(1);
        let rows = self.database.rows(REPOSITORIES, params![digest.as_str(), NAMED]).await?;
        let name = |row: &crate::store::db::Row| -> Result<String, crate::store::db::Error> {
            Ok(format!("{}/{}/{}", row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?))
        };
        let repositories = rows.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        tracing::error!(
            blob.digest = %digest, blob.generation = generation.as_str(), reason,
            repositories = repositories.join(" "),
            "a stored blob is damaged and counts as missing until it is pushed again"
        );
        Ok(())
    }

    /// Puts a blob back into use that was marked and is whole after all; out: whether it was.
    pub(super) async fn unmark_damaged(&self, object: &Object) -> Result<bool, Error> {
        let (digest, generation) = (&object.digest, &object.generation);
        let restored = transaction!(self.database, open => {
            Ok::<_, Error>(open.execute(UNMARK, params![digest.as_str(), generation.as_str()]).await?)
        })?;
        if restored > 0 {
            tracing::warn!(blob.digest = %digest, "a blob that was marked as damaged is whole and in use again");
        }
        Ok(restored > 0)
    }
}

/// Whether a manifest is what its digest says; the operator learns of it when it is not.
pub(super) fn is_whole_manifest(digest: &Digest, bytes: &[u8]) -> bool {
    let is_whole = has_digest(bytes, digest);
    if !is_whole {
        counter!("longshore_damage_found_total", "kind" => "manifest").increment(1);
        tracing::error!(
            image.digest = %digest,
            "a stored manifest is damaged and counts as missing until the image is pushed again"
        );
    }
    is_whole
}
