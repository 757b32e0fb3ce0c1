//! Sends blobs from their files: the kernel copies from its page cache to the socket, this process never holds
//! the bytes. For plain HTTP/1.1 only; TLS and HTTP/2 have to see them.
//!
//! hyper knows no files, but it never looks at the bytes that it hands to a vectored writer. [`Plain`] gives it
//! pieces whose slices point into memory that stands for "the next bytes of piece n"; [`Sending`], which
//! is nothing but the socket, knows that memory by its address and calls sendfile(2) instead. Whoever asks a
//! piece for its bytes in any other way gets the real ones, read from the file.
//!
//! INVARIANT: stand-in memory never reaches the wire. A piece that is advanced past bytes that were neither sent from
//! its file nor read from it means that somebody copied a stand-in: then the connection sends nothing any more.
//! INVARIANT: files are only ever unlinked, not cut. One that was cut ends its connection; nothing is mapped, so no
//! page of it can be missing.

mod piece;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use metrics::counter;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::store::blob::read_now;
use piece::{Flight, place_of};
pub(super) use piece::{Line, Plain};

/// After so many bytes without a pause the other connections of this thread get their turn: a reader that keeps
/// up would never give it back.
const BURST_BYTES: usize = 8 * 1024 * 1024;

/// Bytes read at once where the file system cannot send by itself.
const COPY_BYTES: usize = 256 * 1024;

/// A socket that recognises what stands for parts of files.
#[derive(Debug)]
pub(super) struct Sending {
    stream: TcpStream,
    line: Arc<Line>,
    burst: usize,
}

impl Sending {
    /// `line` must be the one of the [`Plain`] bodies that are sent here.
    pub(super) fn new(stream: TcpStream, line: Arc<Line>) -> Self {
        Self { stream, line, burst: 0 }
    }

    fn poll_send_file(&mut self, context: &mut Context<'_>, place: usize) -> Poll<io::Result<usize>> {
        if self.burst >= BURST_BYTES {
            self.burst = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let flight = self.line.flight(place)?;
        loop {
            if self.stream.poll_write_ready(context)?.is_pending() {
                self.burst = 0;
                return Poll::Pending;
            }
            match self.stream.try_io(Interest::WRITABLE, || send_file(&self.stream, &flight)) {
                Ok(sent) => {
                    flight.sent(sent);
                    self.burst += sent;
                    counter!("longshore_sendfile_bytes_total").increment(sent as u64);
                    return Poll::Ready(Ok(sent));
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends bytes that more will follow at once, so that a head shares a packet with what it announces.
    fn poll_send_before(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let send = || {
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                rustix::net::send(self.stream.as_fd(), bytes, flags).map_err(io::Error::from)
            };
            match self.stream.try_io(Interest::WRITABLE, send) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

/// Sends what the socket takes now.
fn send_file(stream: &TcpStream, flight: &Flight) -> io::Result<usize> {
    let (mut position, left) = flight.next();
    match rustix::fs::sendfile(stream.as_fd(), flight.file(), Some(&mut position), left) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a blob was cut while it was sent")),
        Ok(sent) => Ok(sent),
        // A file system that cannot do it.
        Err(Errno::INVAL | Errno::NOSYS) => {
            let bytes = read_now(flight.file(), position, left.min(COPY_BYTES))?;
            Ok(rustix::net::send(stream.as_fd(), &bytes, SendFlags::NOSIGNAL)?)
        }
        Err(error) => Err(error.into()),
    }
}

impl AsyncRead for Sending {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Sending {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.line.is_broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::other("stand-in bytes were copied; nothing more is sent")));
        }
        let Some(first) = slices.iter().position(|slice| place_of(slice).is_some()) else {
            return Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        };
        // What comes before the file is sent first; what comes after it has to wait.
        if let Some(before) = slices.iter().take(first).find(|slice| !slice.is_empty()) {
            return self.poll_send_before(context, before);
        }
        match slices.get(first).and_then(|slice| place_of(slice)) {
            Some(place) => self.poll_send_file(context, place),
            None => Poll::Ready(Ok(0)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
