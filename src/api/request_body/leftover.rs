//! What a door leaves of a body: read and thrown away beside the answer.
//!
//! Without it the connection is reset while the client still writes: docker prints "broken pipe" instead of the
//! sentence, and a client that sends many requests over one connection has to open another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;

/// The most that is read of a body that nobody wants, and for how long.
pub(super) const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(10);

const UNTOUCHED: u8 = 0;
const BEGUN: u8 = 1;
const FAILED: u8 = 2;
const OVER: u8 = 3;

/// How far a body has been read; goes on telling when its door has taken the body.
#[derive(Debug, Clone)]
pub struct Leftover {
    stage: Arc<AtomicU8>,
    received: Arc<AtomicU64>,
    length: Option<u64>,
    /// The client sends nothing before it is told to: `Expect: 100-continue`.
    waits: bool,
}

impl Leftover {
    pub(super) fn new(received: Arc<AtomicU64>, length: Option<u64>, waits: bool) -> Self {
        Self { stage: Arc::default(), received, length, waits }
    }

    pub(super) fn begin(&self) {
        // Anything later stays what it is.
        let _later = self.stage.compare_exchange(UNTOUCHED, BEGUN, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn fail(&self) {
        self.stage.store(FAILED, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.stage.store(OVER, Ordering::Relaxed);
    }

    /// Whether the connection ends with the answer, because nobody can wait for the place where the next request
    /// begins: the body has failed, too much of it is left, or its client waits to be told to send it.
    #[must_use]
    pub fn ends_connection(&self) -> bool {
        match self.stage.load(Ordering::Relaxed) {
            OVER => false,
            FAILED => true,
            stage => {
                let left =
                    self.length.map(|length| length.saturating_sub(self.received.load(Ordering::Relaxed)));
                self.is_withheld(stage) || left.is_some_and(|left| left > DRAIN_BYTES)
            }
        }
    }

    /// Whether there is anything to drain.
    pub(super) fn is_there(&self) -> bool {
        let stage = self.stage.load(Ordering::Relaxed);
        matches!(stage, UNTOUCHED | BEGUN) && !self.is_withheld(stage)
    }

    fn is_withheld(&self, stage: u8) -> bool {
        self.waits && stage == UNTOUCHED
    }

    /// Reads the rest, within bounds.
    pub(super) async fn drain(self, mut body: hyper::body::Incoming) {
        let mut left = DRAIN_BYTES;
        let read = async {
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, bytes::Bytes::len);
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                self.received.fetch_add(length, Ordering::Relaxed);
                left = left.saturating_sub(length);
                if left == 0 {
                    break;
                }
            }
        };
        if tokio::time::timeout(DRAIN_TIME, read).await.is_err() {
            tracing::debug!("a refused client did not finish its body");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_ends_only_when_its_next_request_cannot_be_found() {
        let leftover = |length, waits| Leftover::new(Arc::default(), length, waits);
        for (leftover, ends, is_there) in [
            (leftover(Some(10), false), false, true),
            (leftover(None, false), false, true),
            (leftover(Some(DRAIN_BYTES + 1), false), true, true),
            (leftover(Some(10), true), true, false),
        ] {
            assert_eq!((leftover.ends_connection(), leftover.is_there()), (ends, is_there), "{leftover:?}");
        }
        let read = leftover(Some(10), true);
        read.begin();
        assert_eq!((read.ends_connection(), read.is_there()), (false, true), "the client was told to send");
        read.end();
        read.begin();
        assert_eq!((read.ends_connection(), read.is_there()), (false, false));
        read.fail();
        assert_eq!((read.ends_connection(), read.is_there()), (true, false));
    }
}
