//! Work beside the requests: the collector, the scrub, the stamps of pulls and of used keys, the upkeep of metrics.
//!
//! Each kind of work is a loop of its own, so that a slow collector never delays the stamps. A round that fails is
//! logged and tried again at its next time.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, ScrubPace};
use crate::environment::SECOND;
use crate::identity::IdentityRoom;
use crate::server::Measures;

/// How often uploads that are no longer young get their rows.
const SETTLE: Duration = Duration::from_secs(10);
/// How often stored objects are compared with the rows; reads a row per object.
const COMPARE: Duration = Duration::from_secs(24 * 3600);
/// How often the scrub looks whether its next round is due.
const SCRUB: Duration = Duration::from_secs(60);
/// How long a stamp may wait in memory.
const STAMPS: Duration = Duration::from_secs(10);
/// How often finished samples are folded into their buckets. Until then each of them takes 24 bytes: in five seconds of
/// small requests that was 6 MB.
const UPKEEP: Duration = Duration::from_millis(250);

/// The running background work.
#[derive(Debug)]
pub(super) struct Background {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Background {
    pub(super) fn start(
        catalog: &Catalog,
        identity: &IdentityRoom,
        measures: &Measures,
        collect_interval: Duration,
        scrub: ScrubPace,
    ) -> Self {
        let background = Self { stop: CancellationToken::new(), tasks: TaskTracker::new() };
        let room = catalog.clone();
        background.every(collect_interval, move || collect(room.clone()));
        let room = catalog.clone();
        background.every(SETTLE, move || settle(room.clone()));
        let room = catalog.clone();
        background.every(COMPARE, move || compare(room.clone()));
        background.tasks.spawn(scrub_on(catalog.clone(), scrub, background.stop.clone()));
        let rooms = (catalog.clone(), identity.clone());
        background.every(STAMPS, move || {
            let (catalog, identity) = rooms.clone();
            async move { stamp(&catalog, &identity).await }
        });
        let measures = measures.clone();
        background.every(UPKEEP, move || {
            let measures = measures.clone();
            async move { measures.tidy_up() }
        });
        background.tasks.close();
        background
    }

    /// Runs `work` again and again; a round that has begun is always finished.
    fn every<F>(&self, period: Duration, work: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut times = interval(period);
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first time comes at once; a start shall be quick.
            times.tick().await;
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = times.tick() => work().await,
                }
            }
        });
    }

    /// Waits for the rounds that are under way and writes the stamps that are left.
    pub(super) async fn stop(self, catalog: &Catalog, identity: &IdentityRoom) {
        self.stop.cancel();
        self.tasks.wait().await;
        stamp(catalog, identity).await;
    }
}

async fn collect(catalog: Catalog) {
    match catalog.collect().await {
        Ok(collected) if collected == Default::default() => {}
        Ok(collected) => tracing::info!(?collected, "collected"),
        Err(error) => tracing::warn!(%error, "the collector stopped half-way"),
    }
}

async fn settle(catalog: Catalog) {
    if let Err(error) = catalog.settle_uploads().await {
        tracing::warn!(%error, "uploads that are no longer young could not be given rows");
    }
}

async fn compare(catalog: Catalog) {
    match catalog.collect_stray_objects().await {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "objects without a row were removed"),
        Err(error) => tracing::warn!(%error, "stored objects could not be compared"),
    }
}

/// The scrub stops in the middle of a round, because one may take days; it has noted where it was.
async fn scrub_on(catalog: Catalog, pace: ScrubPace, stop: CancellationToken) {
    if pace.period == 0 {
        tracing::warn!("stored bytes are not compared with their digests: scrub-period-seconds is 0");
    }
    match catalog.examine_damaged(pace, &stop).await {
        Ok(0) => {}
        Ok(restored) => tracing::info!(restored, "blobs that were marked as damaged are in use again"),
        Err(error) => tracing::warn!(%error, "damaged blobs could not be examined"),
    }
    let period = Duration::from_secs(u64::try_from(pace.period / SECOND).unwrap_or(0));
    let pause = if period.is_zero() { SCRUB } else { SCRUB.min(period) };
    while !stop.is_cancelled() {
        if let Err(error) = catalog.scrub(pace, &stop).await {
            tracing::warn!(%error, "the scrub stopped half-way");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn stamp(catalog: &Catalog, identity: &IdentityRoom) {
    if let Err(error) = catalog.flush_pull_stamps().await {
        tracing::warn!(%error, "the times of pulls were not written");
    }
    if let Err(error) = identity.flush_last_used().await {
        tracing::warn!(%error, "the times of key uses were not written");
    }
}
