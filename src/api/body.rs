//! Bodies of answers.

mod blob;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

pub use blob::BlobBody;

use crate::store::blob::{Reader, Window};

/// What can end an answer half-way: a read error of a blob. The connection is then cut.
pub type Failure = std::io::Error;

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// Bytes in memory.
    Full(Full<Bytes>),
    /// Bytes that are read while they are sent, with a known length.
    Stream(UnsyncBoxBody<Bytes, Failure>),
    /// Bytes of a blob.
    Blob(BlobBody),
}

/// A piece of a body: bytes, or a part of a blob that the kernel can send from its file.
#[derive(Debug)]
pub enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes in a file.
    Window(Window),
}

impl Part {
    /// How many bytes it stands for.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Window(window) => usize::try_from(window.length()).unwrap_or(usize::MAX),
        }
    }
}

impl Body {
    /// No bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::Full(Full::new(Bytes::new()))
    }

    /// Bytes in memory.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Full::new(bytes.into()))
    }

    /// A body that is produced while it is sent.
    #[must_use]
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = Failure> + Send + 'static,
    {
        Self::Stream(body.boxed_unsync())
    }

    /// Bytes `range` of a blob, which must lie in it.
    #[must_use]
    pub fn blob(reader: Reader, range: std::ops::Range<u64>) -> Self {
        match reader.bytes(&range) {
            Some(bytes) => Self::full(bytes),
            None => Self::Blob(BlobBody::new(reader, range)),
        }
    }

    /// As `poll_frame`, for a connection that can send from files. A body is asked either way, not both.
    pub fn poll_part(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, Failure>>> {
        match self.get_mut() {
            Self::Blob(blob) => blob.poll_part(context).map(|part| Some(part?.map(Frame::data))),
            other => http_body::Body::poll_frame(Pin::new(other), context)
                .map_ok(|frame| frame.map_data(Part::Bytes)),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self.get_mut() {
            Self::Full(full) => {
                Pin::new(full).poll_frame(context).map_err(|never: Infallible| match never {})
            }
            Self::Stream(stream) => Pin::new(stream).poll_frame(context),
            Self::Blob(blob) => blob.poll_bytes(context).map(|bytes| Some(bytes?.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(full) => full.is_end_stream(),
            Self::Stream(stream) => stream.is_end_stream(),
            Self::Blob(blob) => blob.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(full) => full.size_hint(),
            Self::Stream(stream) => stream.size_hint(),
            Self::Blob(blob) => SizeHint::with_exact(blob.left()),
        }
    }
}
