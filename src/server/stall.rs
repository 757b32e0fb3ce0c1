//! A stream that fails when the other end takes nothing, or next to nothing, for too long: without it, a client that
//! stops reading holds its answer, and what the answer holds, for ever.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::api::Pace;

/// A stream whose reader must keep a pace. What is written is what counts as taken: the system's buffers take a few
/// megabytes ahead, so a reader is judged by what it takes once they are full. Reads are bounded elsewhere: by the
/// header timeout and in [`RequestBody`](crate::api::RequestBody).
#[derive(Debug)]
pub(super) struct Impatient<S> {
    stream: S,
    pace: Pace,
    /// Bytes taken since the deadline was set.
    taken: u64,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace, taken: 0, deadline: None }
    }

    /// Passes on what `poll` says, unless it has been pending, or has moved too little, for too long.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> u64,
    ) -> Poll<io::Result<T>> {
        match poll(&mut self.stream, context) {
            Poll::Ready(result) => {
                self.taken = self.taken.saturating_add(result.as_ref().map_or(0, taken));
                if self.taken >= self.pace.bytes_per_stall {
                    self.taken = 0;
                    self.deadline = None;
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                let stall = self.pace.stall;
                let deadline = self
                    .deadline
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + stall)));
                ready!(deadline.as_mut().poll(context));
                let message = "the client took nothing or too little for too long";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
            }
        }
    }
}

/// Nothing is left to take: a flush starts the next measurement, or an idle connection would count as a slow one.
fn everything<T>(_done: &T) -> u64 {
    u64::MAX
}

fn length(written: &usize) -> u64 {
    u64::try_from(*written).unwrap_or(u64::MAX)
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| Pin::new(stream).poll_write(context, bytes), length)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| Pin::new(stream).poll_write_vectored(context, slices), length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bounded(context, |stream, context| Pin::new(stream).poll_flush(context), everything)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bounded(context, |stream, context| Pin::new(stream).poll_shutdown(context), everything)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    /// A stream that holds eight bytes, and its other end, read eight bytes at a time with these pauses.
    fn read_slowly(
        pace: Pace,
        pauses: usize,
    ) -> (Impatient<DuplexStream>, tokio::task::JoinHandle<DuplexStream>) {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let reader = tokio::spawn(async move {
            for _ in 0..pauses {
                tokio::time::sleep(Duration::from_millis(100)).await;
                theirs.read_exact(&mut [0; 8]).await.unwrap();
            }
            theirs
        });
        (Impatient::new(ours, pace), reader)
    }

    #[tokio::test]
    async fn a_reader_that_stops_ends_the_stream_and_a_slow_one_does_not() {
        let pace = Pace { stall: Duration::from_millis(500), bytes_per_stall: 0 };
        let (mut stream, slow) = read_slowly(pace, 8);
        stream.write_all(&[0; 64]).await.unwrap();
        let _still_open = slow.await.unwrap();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_reader_below_the_pace_ends_the_stream_and_one_above_it_does_not() {
        // Eight bytes every 100 ms are 40 in half a second.
        for (bytes_per_stall, ends) in [(16, false), (80, true)] {
            let pace = Pace { stall: Duration::from_millis(500), bytes_per_stall };
            let (mut stream, _reader) = read_slowly(pace, 40);
            let result = stream.write_all(&[0; 240]).await;
            assert_eq!(result.is_err(), ends, "{bytes_per_stall}: {result:?}");
        }
    }

    #[tokio::test]
    async fn the_time_between_two_answers_does_not_count() {
        let pace = Pace { stall: Duration::from_millis(500), bytes_per_stall: 1000 };
        let (mut stream, _reader) = read_slowly(pace, 40);
        for _ in 0..3 {
            stream.write_all(&[0; 16]).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(pace.stall).await;
        }
    }
}
