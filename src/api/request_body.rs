//! Bodies of requests: bounded in the time that they may take, counted for the log.
//!
//! The size is bounded by the door, because only it knows what is expected. A client that sends nothing, or less
//! than the [`Pace`] asks for, ends its body with [`std::io::ErrorKind::TimedOut`], so that no slow client holds an
//! upload, a task or a share of the memory for ever; one that goes away ends it with `UnexpectedEof`.

mod leftover;

use std::convert::Infallible;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, Sleep};

pub use leftover::Leftover;

/// How fast a body must come, or an answer be taken.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest pause.
    pub stall: Duration,
    /// The fewest bytes that must move in a time as long as the longest pause. Without them a client that moves a
    /// byte before every deadline would never meet one.
    pub bytes_per_stall: u64,
}

/// The body of a request, not yet read. Dropping it reads what is left of it beside the answer, within bounds.
#[derive(Debug)]
pub struct RequestBody {
    wire: Wire,
    pace: Pace,
    /// Bytes that have come since the deadline was set.
    came: u64,
    deadline: Option<Pin<Box<Sleep>>>,
    received: Arc<AtomicU64>,
    leftover: Leftover,
}

#[derive(Debug)]
enum Wire {
    Streaming(hyper::body::Incoming),
    Buffered(Full<Bytes>),
}

impl RequestBody {
    /// A body that was read already, because its content says which door it is for.
    #[must_use]
    pub fn buffered(bytes: Bytes, received: Arc<AtomicU64>) -> Self {
        let pace = Pace { stall: Duration::MAX, bytes_per_stall: 0 };
        let leftover = Leftover::new(Arc::clone(&received), None, false);
        leftover.end();
        Self { wire: Wire::Buffered(Full::new(bytes)), pace, came: 0, deadline: None, received, leftover }
    }

    /// A body as hyper hands it over, which must come at this pace. `waits` says that the client sends it only when
    /// it is asked to.
    #[must_use]
    pub fn new(wire: hyper::body::Incoming, pace: Pace, waits: bool) -> Self {
        let received = Arc::default();
        let leftover = Leftover::new(Arc::clone(&received), wire.size_hint().exact(), waits);
        if wire.is_end_stream() {
            leftover.end();
        }
        Self { wire: Wire::Streaming(wire), pace, came: 0, deadline: None, received, leftover }
    }

    /// Tells what its door leaves of it.
    #[must_use]
    pub fn leftover(&self) -> Leftover {
        self.leftover.clone()
    }

    /// The number of bytes read so far; goes on counting after the body has been given away.
    #[must_use]
    pub fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let wire = match &mut this.wire {
            Wire::Streaming(wire) => wire,
            Wire::Buffered(full) => {
                return Pin::new(full).poll_frame(context).map_err(|never: Infallible| match never {});
            }
        };
        this.leftover.begin();
        match Pin::new(&mut *wire).poll_frame(context) {
            Poll::Ready(frame) => {
                match &frame {
                    Some(Ok(_)) if !wire.is_end_stream() => {}
                    Some(Err(_)) => this.leftover.fail(),
                    _ => this.leftover.end(),
                }
                if let Some(Ok(frame)) = &frame {
                    let length = u64::try_from(frame.data_ref().map_or(0, Bytes::len)).unwrap_or(0);
                    this.received.fetch_add(length, Ordering::Relaxed);
                    this.came = this.came.saturating_add(length);
                }
                if this.came >= this.pace.bytes_per_stall {
                    this.deadline = None;
                    this.came = 0;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(interruption)))
            }
            Poll::Pending => {
                let stall = this.pace.stall;
                let deadline = this
                    .deadline
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + stall)));
                ready!(deadline.as_mut().poll(context));
                this.leftover.fail();
                let message = "the client sent nothing or too little for too long";
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, message))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.wire {
            Wire::Streaming(wire) => wire.is_end_stream(),
            Wire::Buffered(full) => full.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.wire {
            Wire::Streaming(wire) => wire.size_hint(),
            Wire::Buffered(full) => full.size_hint(),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.leftover.is_there() {
            return;
        }
        let wire = std::mem::replace(&mut self.wire, Wire::Buffered(Full::default()));
        if let (Wire::Streaming(wire), Ok(runtime)) = (wire, tokio::runtime::Handle::try_current()) {
            runtime.spawn(self.leftover.clone().drain(wire));
        }
    }
}

fn interruption(error: hyper::Error) -> io::Error {
    let kind = if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        io::ErrorKind::UnexpectedEof
    } else {
        io::ErrorKind::InvalidData
    };
    io::Error::new(kind, error)
}
