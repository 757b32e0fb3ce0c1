//! The scrub: compares every blob and every manifest with its digest, again and again, slowly.
//!
//! It walks in the order of the keys and notes where it is, so that a restart goes on; what is pushed behind its
//! back was hashed while it came and has its turn in the next round. Reading is spread evenly by a rate, so that
//! clients do not notice. What it finds is told by `damage.rs`.
//!
//! A blob counts for the rate as at least [`LEAST_BYTES`], because finding a file costs the disk too.

#[cfg(test)]
mod tests;

use std::time::Duration;

use metrics::{counter, gauge};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::content::Placed;
use super::damage::is_whole_manifest;
use super::{Catalog, Error, stored_digest};
use crate::environment::{Micros, SECOND};
use crate::store::blob::{self, Object, Step, Through, Verdict};
use crate::{params, transaction};

/// Blobs whose rows are read at once.
const BLOBS: i64 = 100;

/// Manifests that are read at once; each may have 4 MiB.
const MANIFESTS: i64 = 4;

/// What one blob counts for at least.
const LEAST_BYTES: u64 = 64 * 1024;

/// How often the position is written down. A crash costs the checks since then, a second time.
const NOTE: Duration = Duration::from_secs(30);

const BLOB_PAGE: &str = "SELECT b.generation, b.size_bytes, CAST(LENGTH(c.content) AS BIGINT), b.digest \
    FROM blob b LEFT JOIN blob_content c ON c.blob = b.number \
    WHERE b.digest > $1 AND b.state = 'ready' ORDER BY b.digest LIMIT $2";

const DAMAGED_PAGE: &str = "SELECT b.generation, b.size_bytes, CAST(LENGTH(c.content) AS BIGINT), b.digest \
    FROM blob b LEFT JOIN blob_content c ON c.blob = b.number \
    WHERE b.digest > $1 AND b.state = 'damaged' ORDER BY b.digest LIMIT $2";

const DAMAGED_COUNT: &str = "SELECT COUNT(*) FROM blob WHERE state = 'damaged'";

const MANIFEST_PAGE: &str = "SELECT repository_id, digest, manifest FROM image \
    WHERE (repository_id, digest) > ($1, $2) ORDER BY repository_id, digest LIMIT $3";

const PROGRESS: &str = "SELECT position, started_at, ended_at, checked, damaged FROM scrub WHERE kind = $1";

const NOTE_PROGRESS: &str = "INSERT INTO scrub (kind, position, started_at, ended_at, checked, damaged) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (kind) DO UPDATE SET position = EXCLUDED.position, started_at = EXCLUDED.started_at, \
     ended_at = EXCLUDED.ended_at, checked = EXCLUDED.checked, damaged = EXCLUDED.damaged";

/// How fast the scrub walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubPace {
    /// From the start of one round to that of the next, in microseconds; 0 turns the scrub off.
    pub period: Micros,
    /// Bytes that are read in a second, at most.
    pub bytes_per_second: u64,
}

/// What one call has looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Blobs and manifests compared.
    pub checked: u64,
    /// Those found damaged.
    pub damaged: u64,
    /// Blobs that were marked as damaged and are whole after all.
    pub restored: u64,
}

/// What is walked.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Blob,
    Manifest,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Manifest => "manifest",
        }
    }
}

/// Where a round is.
#[derive(Debug, Clone)]
struct Progress {
    kind: Kind,
    position: String,
    started_at: Micros,
    ended_at: Option<Micros>,
    checked: i64,
    damaged: i64,
}

impl Progress {
    fn begin(kind: Kind, now: Micros) -> Self {
        Self { kind, position: String::new(), started_at: now, ended_at: None, checked: 0, damaged: 0 }
    }

    fn count(&mut self, is_whole: bool) {
        self.checked += 1;
        self.damaged += i64::from(!is_whole);
        counter!("longshore_scrub_checked_total", "kind" => self.kind.name()).increment(1);
    }
}

/// Spreads reading over time.
struct Throttle<'stop> {
    bytes_per_second: u64,
    since: Instant,
    spent: u64,
    stop: &'stop CancellationToken,
}

impl Throttle<'_> {
    /// Waits until so many more bytes may be read; false when the server stops.
    async fn spend(&mut self, bytes: u64) -> bool {
        counter!("longshore_scrub_bytes_total").increment(bytes);
        self.spent = self.spent.saturating_add(bytes);
        let nanoseconds = u128::from(self.spent) * 1_000_000_000 / u128::from(self.bytes_per_second.max(1));
        let due = self.since + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX / 4));
        let now = Instant::now();
        if due + Duration::from_secs(1) < now {
            // The disk is slower than the rate; what it owes is not made up for in a burst later.
            (self.since, self.spent) = (now, 0);
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep_until(due) => true,
        }
    }
}

impl Catalog {
    /// Goes on with the round that is under way, or begins one when its time has come; returns at the end of the
    /// round, when none is due, or soon after `stop`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails; the next call goes on.
    pub async fn scrub(&self, pace: ScrubPace, stop: &CancellationToken) -> Result<Scrubbed, Error> {
        let mut scrubbed = Scrubbed::default();
        if pace.period > 0 {
            for kind in [Kind::Blob, Kind::Manifest] {
                self.walk(kind, pace, stop, &mut scrubbed).await?;
            }
        }
        let row = self.database.row(DAMAGED_COUNT, params![]).await?;
        let damaged: i64 = row.map_or(Ok(0), |row| row.get(0))?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        gauge!("longshore_damaged_blobs").set(damaged as f64);
        Ok(scrubbed)
    }

    /// Looks again at the blobs that are marked as damaged: a disk may have come back. Out: how many are in use
    /// again.
    ///
    /// # Errors
    /// As [`Self::scrub`].
    pub async fn examine_damaged(&self, pace: ScrubPace, stop: &CancellationToken) -> Result<u64, Error> {
        let mut throttle = throttle(pace, stop);
        let (mut after, mut restored) = (String::new(), 0);
        loop {
            let rows = self.database.rows(DAMAGED_PAGE, params![after.as_str(), BLOBS]).await?;
            let Some(last) = rows.last() else { return Ok(restored) };
            after = last.get(3)?;
            for row in &rows {
                let placed = Placed::read_with_digest(row)?;
                let Some(read) = self.read_slowly(&placed, &mut throttle).await? else { return Ok(restored) };
                if matches!(read, Ok(true)) && self.unmark_damaged(&placed.object).await? {
                    restored += 1;
                }
            }
        }
    }

    async fn walk(
        &self,
        kind: Kind,
        pace: ScrubPace,
        stop: &CancellationToken,
        scrubbed: &mut Scrubbed,
    ) -> Result<(), Error> {
        let Some(mut progress) = self.due(kind, pace).await? else { return Ok(()) };
        if progress.position.is_empty() && matches!(kind, Kind::Blob) {
            scrubbed.restored += self.examine_damaged(pace, stop).await?;
        }
        let before = (progress.checked, progress.damaged);
        let mut throttle = throttle(pace, stop);
        let mut noted = Instant::now();
        while !stop.is_cancelled() {
            let has_more = match kind {
                Kind::Blob => self.walk_blobs(&mut progress, &mut throttle).await?,
                Kind::Manifest => self.walk_manifests(&mut progress, &mut throttle).await?,
            };
            if !has_more {
                let now = self.environment.now();
                progress.ended_at = Some(now);
                self.tell_end(&progress, pace, now);
                break;
            }
            if noted.elapsed() > NOTE {
                noted = Instant::now();
                self.note(&progress).await?;
            }
        }
        self.note(&progress).await?;
        scrubbed.checked += u64::try_from(progress.checked - before.0).unwrap_or(0);
        scrubbed.damaged += u64::try_from(progress.damaged - before.1).unwrap_or(0);
        Ok(())
    }

    /// One page of blobs; false when there are no more.
    async fn walk_blobs(&self, progress: &mut Progress, throttle: &mut Throttle<'_>) -> Result<bool, Error> {
        let rows = self.database.rows(BLOB_PAGE, params![progress.position.as_str(), BLOBS]).await?;
        for row in &rows {
            let placed = Placed::read_with_digest(row)?;
            let Some(read) = self.read_slowly(&placed, throttle).await? else { return Ok(true) };
            let verdict = self.judge(&placed.object, read).await;
            progress.count(verdict != Verdict::Rotten);
            progress.position = placed.object.digest.to_string();
        }
        Ok(!rows.is_empty())
    }

    /// A few manifests; false when there are no more.
    async fn walk_manifests(
        &self,
        progress: &mut Progress,
        throttle: &mut Throttle<'_>,
    ) -> Result<bool, Error> {
        let (repository, digest) = progress.position.split_once(' ').unwrap_or_default();
        let rows = self.database.rows(MANIFEST_PAGE, params![repository, digest, MANIFESTS]).await?;
        for row in &rows {
            let (repository, digest) = (row.get::<String>(0)?, row.get::<String>(1)?);
            let manifest: Vec<u8> = row.get(2)?;
            if !throttle.spend(manifest.len() as u64).await {
                return Ok(true);
            }
            progress.count(is_whole_manifest(&stored_digest(&digest)?, &manifest));
            progress.position = format!("{repository} {digest}");
        }
        Ok(!rows.is_empty())
    }

    /// Reads a blob whole at the pace of the scrub; `None` when the server stops.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    async fn read_slowly(
        &self,
        placed: &Placed,
        throttle: &mut Throttle<'_>,
    ) -> Result<Option<Result<bool, blob::Error>>, Error> {
        if !throttle.spend(LEAST_BYTES).await {
            return Ok(None);
        }
        if placed.is_row() {
            return Ok(Some(Ok(self.row_is_whole(&placed.object).await?)));
        }
        Ok(self.read_file_slowly(&placed.object, throttle).await)
    }

    /// The same for a file, whose first [`LEAST_BYTES`] are paid for.
    async fn read_file_slowly(
        &self,
        object: &Object,
        throttle: &mut Throttle<'_>,
    ) -> Option<Result<bool, blob::Error>> {
        let mut inspection = match self.blobs.inspect(object, Through::Disk).await {
            Ok(inspection) => inspection,
            Err(error) => return Some(Err(error)),
        };
        let mut paid = LEAST_BYTES;
        loop {
            match inspection.step().await {
                Ok(Step::More(next)) => inspection = *next,
                Ok(Step::Whole) => break,
                Ok(Step::Rotten) => return Some(Ok(false)),
                Err(error) => return Some(Err(error)),
            }
            let read = inspection.position();
            if !throttle.spend(read.saturating_sub(paid)).await {
                return None;
            }
            paid = read.max(paid);
        }
        throttle.spend(object.size_bytes.saturating_sub(paid)).await.then_some(Ok(true))
    }

    /// Where the walk is; `None` when its next round is not due.
    async fn due(&self, kind: Kind, pace: ScrubPace) -> Result<Option<Progress>, Error> {
        let now = self.environment.now();
        let Some(row) = self.database.row(PROGRESS, params![kind.name()]).await? else {
            return Ok(Some(Progress::begin(kind, now)));
        };
        let (started_at, ended_at): (Micros, Option<Micros>) = (row.get(1)?, row.get(2)?);
        if ended_at.is_none() {
            let position = row.get(0)?;
            return Ok(Some(Progress {
                kind,
                position,
                started_at,
                ended_at,
                checked: row.get(3)?,
                damaged: row.get(4)?,
            }));
        }
        let is_due = started_at.saturating_add(pace.period) <= now;
        Ok(is_due.then(|| Progress::begin(kind, now)))
    }

    async fn note(&self, progress: &Progress) -> Result<(), Error> {
        transaction!(self.database, open => {
            // Nothing that is kept in memory comes from these rows.
            open.touches(&[]);
            let mut parameters = params![progress.kind.name(), progress.position.as_str()];
            parameters.extend(params![progress.started_at, progress.ended_at]);
            parameters.extend(params![progress.checked, progress.damaged]);
            open.execute(NOTE_PROGRESS, parameters).await?;
            Ok::<_, Error>(())
        })
    }

    fn tell_end(&self, progress: &Progress, pace: ScrubPace, now: Micros) {
        let seconds = now.saturating_sub(progress.started_at) / SECOND;
        let (kind, checked, damaged) = (progress.kind.name(), progress.checked, progress.damaged);
        if checked > 0 {
            tracing::info!(kind, checked, damaged, seconds, "a round of the scrub has ended");
        }
        if now.saturating_sub(progress.started_at) > pace.period {
            tracing::warn!(
                kind,
                seconds,
                period_seconds = pace.period / SECOND,
                "the scrub needs longer than its period: raise scrub-bytes-per-second"
            );
        }
    }
}

fn throttle(pace: ScrubPace, stop: &CancellationToken) -> Throttle<'_> {
    Throttle { bytes_per_second: pace.bytes_per_second, since: Instant::now(), spent: 0, stop }
}
