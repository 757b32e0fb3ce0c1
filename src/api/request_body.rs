//! Bodies of requests: bounded in the time between two pieces, counted for the log.
//!
//! The size is bounded by the door, because only it knows what is expected. A client that sends nothing for
//! longer than the stall limit ends its body with [`std::io::ErrorKind::TimedOut`], so that no slow client
//! holds an upload or a task for ever; one that goes away ends it with `UnexpectedEof`.

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

/// The body of a request, not yet read.
#[derive(Debug)]
pub struct RequestBody {
    wire: Wire,
    stall: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    received: Arc<AtomicU64>,
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
        Self { wire: Wire::Buffered(Full::new(bytes)), stall: Duration::MAX, deadline: None, received }
    }

    /// A body as hyper hands it over, in which no pause may be longer than `stall`.
    #[must_use]
    pub fn new(wire: hyper::body::Incoming, stall: Duration) -> Self {
        Self { wire: Wire::Streaming(wire), stall, deadline: None, received: Arc::default() }
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
        match Pin::new(wire).poll_frame(context) {
            Poll::Ready(frame) => {
                this.deadline = None;
                if let Some(Ok(frame)) = &frame {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    this.received.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(interruption)))
            }
            Poll::Pending => {
                let stall = this.stall;
                let deadline = this
                    .deadline
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + stall)));
                ready!(deadline.as_mut().poll(context));
                let message = "the client sent nothing for too long";
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

fn interruption(error: hyper::Error) -> io::Error {
    let kind = if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        io::ErrorKind::UnexpectedEof
    } else {
        io::ErrorKind::InvalidData
    };
    io::Error::new(kind, error)
}
