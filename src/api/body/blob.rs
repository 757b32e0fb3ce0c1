//! The bytes of a blob, as bytes or as parts of its file: the connection that sends them knows which it can use.

use std::fmt;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::{Failure, Part};
use crate::store::blob::{Reader, Window};

/// Fewer bytes than this are read: a system call of its own for them costs as much as copying them.
const WINDOWS_FROM: u64 = 32 * 1024;

/// Part of a blob, read while it is sent.
pub struct BlobBody {
    source: Source,
    left: u64,
}

enum Source {
    /// Nobody has asked yet.
    Reader(Option<Reader>, Range<u64>),
    Bytes(BoxStream<'static, Result<Bytes, Failure>>),
    Windows(BoxStream<'static, Result<Window, Failure>>),
}

impl fmt::Debug for BlobBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BlobBody").field("left", &self.left).finish_non_exhaustive()
    }
}

impl BlobBody {
    pub(super) fn new(reader: Reader, range: Range<u64>) -> Self {
        let left = range.end.saturating_sub(range.start);
        Self { source: Source::Reader(Some(reader), range), left }
    }

    /// Bytes that nobody has taken yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if let Source::Reader(reader, range) = &mut self.source
            && let Some(reader) = reader.take()
        {
            self.source = Source::Bytes(reader.stream(range.clone()).boxed());
        }
        let Source::Bytes(stream) = &mut self.source else { return Poll::Ready(Some(Err(mixed()))) };
        let bytes = ready!(stream.poll_next_unpin(context));
        if let Some(Ok(bytes)) = &bytes {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(bytes)
    }

    pub(super) fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Part, Failure>>> {
        if let Source::Reader(reader, range) = &mut self.source
            && self.left >= WINDOWS_FROM
            && let Some(reader) = reader.take()
        {
            self.source = Source::Windows(reader.windows(range.clone()).boxed());
        }
        let Source::Windows(stream) = &mut self.source else {
            return self.poll_bytes(context).map(|bytes| Some(bytes?.map(Part::Bytes)));
        };
        let window = ready!(stream.poll_next_unpin(context));
        if let Some(Ok(window)) = &window {
            self.left = self.left.saturating_sub(window.length());
        }
        Poll::Ready(window.map(|window| window.map(Part::Window)))
    }
}

fn mixed() -> Failure {
    Failure::other("a blob is sent either as bytes or from its file")
}
