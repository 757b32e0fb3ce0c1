//! HTTP/2: a client that takes too little of an answer loses its stream; the other streams of its connection go on.
//!
//! There the connection says nothing about a single answer: it is always busy, or idle because the client opens no
//! window. What is seen of an answer is when its next piece is asked for, and that is when the client has made room
//! for the pieces before. So the time from giving a piece to being asked for the next is the client's, and the time
//! from being asked to giving is ours (a disk, a comparison of digests) and does not count.
//!
//! hyper asks no body anything while it waits for room, so a body cannot end its own stream. [`Streams`] is the
//! executor that runs hyper's streams: it drops one that is too slow, and the library below resets it with `CANCEL`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::observe::Observed;
use crate::api::Pace;
use crate::api::body::Failure;

/// Pieces are no larger than the frames that HTTP/2 sends by default (RFC 9113 §4.2): larger ones would hide how
/// much of them is taken.
const MOST_BYTES: u64 = 16 * 1024;
/// A pace of few bytes is measured in smaller pieces, but in no smaller ones than these.
const FEWEST_BYTES: u64 = 1024;

tokio::task_local! {
    /// The taking of the answer that this stream sends.
    static TAKING: Arc<Taking>;
}

/// How one answer is taken.
#[derive(Debug)]
struct Taking {
    pace: Pace,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since when it is the client's turn.
    since: Option<Instant>,
    /// How long it was the client's turn before that, and how much it was given, since the measurement began.
    waited: Duration,
    given: u64,
}

impl Taking {
    fn new(pace: Pace) -> Self {
        Self { pace, state: Mutex::default() }
    }

    /// The next piece is asked for.
    fn asked(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = state.since.take() {
            state.waited = state.waited.saturating_add(since.elapsed());
        }
    }

    /// A piece of this many bytes is given.
    fn gave(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.given = state.given.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if state.given >= self.pace.bytes_per_stall {
            state.given = 0;
            state.waited = Duration::ZERO;
        }
        state.since = Some(Instant::now());
    }

    /// When the client will have had long enough; `None` while it is not its turn. Never earlier than it was before.
    fn deadline(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.since.map(|since| since + self.pace.stall.saturating_sub(state.waited))
    }
}

/// An answer in pieces that are small enough to see how it is taken.
#[derive(Debug)]
pub(super) struct Sliced {
    inner: Observed,
    rest: Bytes,
    taking: Option<Arc<Taking>>,
    _in_use: Arc<()>,
}

impl Sliced {
    /// The answer of a stream that [`Streams`] runs; holds `in_use` until the last piece is given.
    pub(super) fn new(inner: Observed, in_use: Arc<()>) -> Self {
        Self { inner, rest: Bytes::new(), taking: TAKING.try_with(Arc::clone).ok(), _in_use: in_use }
    }
}

fn piece_bytes(pace: Pace) -> usize {
    let bytes = match pace.bytes_per_stall {
        0 => MOST_BYTES,
        bytes => (bytes / 2).clamp(FEWEST_BYTES, MOST_BYTES),
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl Body for Sliced {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = self.get_mut();
        let Some(taking) = &this.taking else { return Pin::new(&mut this.inner).poll_frame(context) };
        taking.asked();
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(piece_bytes(taking.pace)));
        taking.gave(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let left = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(left));
        }
        hint.set_lower(inner.lower().saturating_add(left));
        hint
    }
}

/// Runs the streams of one HTTP/2 connection, each until its client is too slow.
#[derive(Debug, Clone)]
pub(super) struct Streams(pub(super) Pace);

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let taking = Arc::new(Taking::new(self.0));
        tokio::spawn(watched(taking, stream));
    }
}

async fn watched(taking: Arc<Taking>, stream: impl Future) {
    let mut stream = pin!(TAKING.scope(Arc::clone(&taking), stream));
    // Set when the client is first waited for, and moved only when it fires: that is rare.
    let mut alarm: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        while let Some(deadline) = taking.deadline() {
            let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            ready!(alarm.as_mut().poll(context));
            if deadline <= Instant::now() {
                tracing::debug!("a client took nothing or too little of an answer for too long");
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::server::observe::testing::observed;
    use http_body_util::BodyExt as _;

    const PACE: Pace = Pace { stall: Duration::from_millis(400), bytes_per_stall: 40_000 };

    /// Takes an answer of 200 kB with this pause before each piece; out: how many bytes came.
    async fn taken(pause: Duration, source_pause: Duration) -> usize {
        let came = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&came);
        let taking = async move {
            let source = futures_util::stream::unfold(0, move |number| async move {
                tokio::time::sleep(source_pause).await;
                (number < 4).then(|| (Ok(Frame::data(Bytes::from(vec![0; 50_000]))), number + 1))
            });
            let body = crate::api::Body::stream(http_body_util::StreamBody::new(source));
            let mut body = Sliced::new(observed(body), Arc::default());
            while let Some(frame) = body.frame().await {
                let length = frame.unwrap().into_data().unwrap().len();
                assert!(length <= 16 * 1024, "{length}");
                tokio::time::sleep(pause).await;
                counted.fetch_add(length, Ordering::Relaxed);
            }
        };
        watched(Arc::new(Taking::new(PACE)), taking).await;
        came.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn who_keeps_the_pace_gets_everything_and_the_source_may_take_its_time() {
        assert_eq!(taken(Duration::ZERO, Duration::ZERO).await, 200_000);
        assert_eq!(taken(Duration::from_millis(40), Duration::ZERO).await, 200_000);
        assert_eq!(taken(Duration::ZERO, PACE.stall * 2).await, 200_000);
    }

    #[tokio::test]
    async fn who_stops_or_is_too_slow_gets_no_more() {
        assert_eq!(taken(PACE.stall * 2, Duration::ZERO).await, 0);
        let slow = taken(PACE.stall * 3 / 4, Duration::ZERO).await;
        assert!(slow < 50_000, "no pause is too long, but {slow} bytes took too long");
    }
}
