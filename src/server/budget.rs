//! How much memory the bodies of API calls may take together.
//!
//! A signature covers the whole body, so an API call is held in memory before anybody knows who sends it. Without a
//! common bound, many connections with large bodies would take all memory without a single good key. Small bodies
//! pass freely, because the number of connections bounds them; docker's uploads are streamed and never come here.

use std::sync::Arc;
use std::time::Duration;

use http_body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::RequestBody;

/// Bodies up to this size are not counted.
const FREE: u64 = 64 * 1024;
/// No door reads more than this; a body of unknown length is counted as if it were so long.
const LARGEST: u64 = 30 * 1024 * 1024;
/// A body is held as bytes, as text of its JSON, and as what the text means.
const COPIES: u64 = 3;
/// How long a call waits for its share.
const PATIENCE: Duration = Duration::from_secs(10);
/// What one permit stands for.
const UNIT: u64 = 1024;

/// The common bound.
#[derive(Debug)]
pub(super) struct Budget {
    shares: Arc<Semaphore>,
    units: u32,
}

/// A share of the memory, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A bound of `bytes` for all bodies together.
    pub(super) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        // Above this tokio's semaphore panics.
        let units = units.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self { shares: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// The share that a body needs; `None` when there is none left for too long.
    pub(super) async fn share(&self, body: &RequestBody) -> Option<Share> {
        self.share_of(body.size_hint().exact()).await
    }

    async fn share_of(&self, length: Option<u64>) -> Option<Share> {
        let length = length.unwrap_or(LARGEST);
        if length <= FREE {
            return Some(Share { _permit: None });
        }
        let units = u32::try_from(length.min(LARGEST) * COPIES / UNIT).unwrap_or(u32::MAX);
        // One body alone must always fit, however small the operator made the bound.
        let wanted = Arc::clone(&self.shares).acquire_many_owned(units.min(self.units));
        let permit = tokio::time::timeout(PATIENCE, wanted).await.ok()?.ok()?;
        Some(Share { _permit: Some(permit) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_bodies_share_and_small_ones_pass() {
        let budget = Budget::new(2 * COPIES * LARGEST);
        let first = budget.share_of(Some(LARGEST)).await.unwrap();
        let _second = budget.share_of(None).await.unwrap();
        let mut third = std::pin::pin!(budget.share_of(Some(FREE + 1)));
        let soon = tokio::time::timeout(Duration::from_millis(50), third.as_mut()).await;
        assert!(soon.is_err(), "nothing is left");
        assert!(budget.share_of(Some(FREE)).await.is_some());
        drop(first);
        assert!(third.await.is_some());
    }

    #[tokio::test]
    async fn one_body_always_fits() {
        for bytes in [1024, u64::MAX] {
            assert!(Budget::new(bytes).share_of(None).await.is_some(), "{bytes}");
        }
    }
}
