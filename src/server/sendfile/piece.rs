//! Pieces of answers that stand for parts of files.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use crate::api::body::{Failure, Part};
use crate::server::observe::Observed;
use crate::store::blob::{WINDOW_BYTES, Window, read_now};

/// Pieces of one connection that may be under way together; hyper queues at most 16.
const PLACES: usize = 64;

/// Bytes read at once for somebody who wants to see them.
const COPY_BYTES: usize = 64 * 1024;

/// The stand-in: only its addresses mean something. A slice that begins at byte n stands for the piece in place n.
/// Nobody reads it, so it takes no memory.
static STAND_IN: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; PLACES + WINDOW_BYTES].into_boxed_slice());

/// The place whose piece a slice stands for; `None` for ordinary bytes.
pub(super) fn place_of(slice: &[u8]) -> Option<usize> {
    let distance = (slice.as_ptr() as usize).checked_sub(STAND_IN.as_ptr() as usize)?;
    (distance < PLACES && !slice.is_empty()).then_some(distance)
}

/// What the bodies and the socket of one connection share.
#[derive(Debug, Default)]
pub(in crate::server) struct Line {
    flights: Mutex<Vec<Option<Arc<Flight>>>>,
    /// Whether stand-in bytes were taken for real ones.
    pub(super) is_broken: AtomicBool,
}

impl Line {
    /// The piece in a place.
    pub(super) fn flight(&self, place: usize) -> io::Result<Arc<Flight>> {
        let flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let flight = flights.get(place).cloned().flatten();
        flight.ok_or_else(|| io::Error::other("a piece that is gone was to be sent"))
    }

    fn enter(&self, flight: &Arc<Flight>) -> Option<usize> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let free = flights.iter().position(Option::is_none).unwrap_or(flights.len());
        if free >= PLACES {
            return None;
        }
        if free == flights.len() {
            flights.push(None);
        }
        *flights.get_mut(free)? = Some(Arc::clone(flight));
        Some(free)
    }

    fn leave(&self, place: usize) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get_mut(place) {
            *flight = None;
        }
    }
}

/// A part of a file on its way.
#[derive(Debug)]
pub(super) struct Flight {
    file: Arc<File>,
    position: AtomicU64,
    end: u64,
    /// Bytes that the kernel has sent and that nobody has been told of yet.
    credit: AtomicU64,
}

impl Flight {
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The offset of the next byte in the file, and how many there are from it on.
    pub(super) fn next(&self) -> (u64, usize) {
        let position = self.position.load(Ordering::Relaxed);
        (position, usize::try_from(self.end.saturating_sub(position)).unwrap_or(0))
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.credit.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// What hyper queues.
#[derive(Debug)]
pub(in crate::server) enum Piece {
    /// Ordinary bytes.
    Bytes(Bytes),
    /// A part of a file.
    File(Standing),
}

/// A piece in its place.
#[derive(Debug)]
pub(in crate::server) struct Standing {
    flight: Arc<Flight>,
    line: Arc<Line>,
    place: usize,
    /// The real bytes, for somebody who asked.
    copy: OnceLock<Bytes>,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.line.leave(self.place);
    }
}

impl Piece {
    fn new(line: &Arc<Line>, window: Window) -> Result<Self, Failure> {
        let (file, range) = window.into_parts();
        let flight = Arc::new(Flight {
            file,
            position: AtomicU64::new(range.start),
            end: range.end,
            credit: AtomicU64::new(0),
        });
        let place = line.enter(&flight).ok_or_else(|| Failure::other("too many pieces are under way"))?;
        Ok(Self::File(Standing { flight, line: Arc::clone(line), place, copy: OnceLock::new() }))
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.remaining(),
            Self::File(standing) => standing.flight.next().1,
        }
    }

    /// The real bytes, also of a file; nobody on the way to [`super::Sending`] asks for them.
    fn chunk(&self) -> &[u8] {
        let standing = match self {
            Self::Bytes(bytes) => return bytes.chunk(),
            Self::File(standing) => standing,
        };
        standing.copy.get_or_init(|| {
            let (position, left) = standing.flight.next();
            let read = read_now(standing.flight.file(), position, left.min(COPY_BYTES));
            read.unwrap_or_else(|error| {
                tracing::error!(%error, "a blob could not be read; its connection is cut");
                standing.line.is_broken.store(true, Ordering::Relaxed);
                Bytes::new()
            })
        })
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(slice) = slices.first_mut() else { return 0 };
        let bytes = match self {
            Self::Bytes(bytes) => bytes.chunk(),
            Self::File(standing) => {
                let left = standing.flight.next().1;
                STAND_IN.get(standing.place..standing.place + left).unwrap_or_default()
            }
        };
        if bytes.is_empty() {
            return 0;
        }
        *slice = IoSlice::new(bytes);
        1
    }

    fn advance(&mut self, count: usize) {
        let standing = match self {
            Self::Bytes(bytes) => return bytes.advance(count),
            Self::File(standing) => standing,
        };
        let flight = &standing.flight;
        let was_read = standing.copy.take().is_some_and(|copy| count <= copy.len());
        let credit = flight.credit.load(Ordering::Relaxed);
        if let Some(rest) = credit.checked_sub(count as u64) {
            flight.credit.store(rest, Ordering::Relaxed);
        } else if !was_read {
            tracing::error!("the bytes that stand for a part of a file were copied; the connection is cut");
            standing.line.is_broken.store(true, Ordering::Relaxed);
        }
        let position = flight.position.load(Ordering::Relaxed).saturating_add(count as u64);
        flight.position.store(position.min(flight.end), Ordering::Relaxed);
    }
}

/// An answer on a connection that can send from files.
#[derive(Debug)]
pub(in crate::server) struct Plain {
    inner: Observed,
    line: Arc<Line>,
}

impl Plain {
    /// `line` must be the one of the [`super::Sending`] that sends it.
    pub(in crate::server) fn new(inner: Observed, line: Arc<Line>) -> Self {
        Self { inner, line }
    }
}

impl Body for Plain {
    type Data = Piece;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Failure>>> {
        let this = self.get_mut();
        this.inner.poll_part(context).map(|polled| {
            let frame = match polled? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error)),
            };
            let piece = match frame.into_data() {
                Ok(Part::Bytes(bytes)) => Ok(Piece::Bytes(bytes)),
                Ok(Part::Window(window)) => Piece::new(&this.line, window),
                Err(frame) => {
                    return frame.into_trailers().ok().map(|trailers| Ok(Frame::trailers(trailers)));
                }
            };
            Some(piece.map(Frame::data))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
