//! Reading objects.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use rustix::io::ReadWriteFlags;

use super::files;
use super::layout::Layout;
use crate::store::blob::{Error, Object};

/// Bytes that are read at once; larger pieces gain nothing, smaller ones cost a system call and a wake-up each.
const FRAME_BYTES: u64 = 256 * 1024;

/// An object up to this size is read at once and sent as one piece.
const SMALL_BYTES: u64 = 1024 * 1024;

/// An open object; it stays readable when it is deleted meanwhile.
#[derive(Debug, Clone)]
pub struct Reader {
    file: Arc<File>,
    length: u64,
}

/// Looks at the length of an object.
pub(super) fn check(layout: &Layout, object: &Object) -> Result<(), Error> {
    match std::fs::metadata(layout.object(&object.digest, &object.generation)) {
        Ok(found) => compare(object, found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing),
        Err(error) => Err(Error::io("look at an object")(error)),
    }
}

fn compare(object: &Object, found: u64) -> Result<(), Error> {
    if found == object.size_bytes {
        return Ok(());
    }
    Err(Error::Damaged { expected: object.size_bytes, found })
}

impl Reader {
    pub(super) fn open(layout: &Layout, object: &Object) -> Result<Self, Error> {
        let failed = || Error::io("open an object");
        let path = layout.object(&object.digest, &object.generation);
        let file = files::open_to_read(&path).map_err(failed())?.ok_or(Error::Missing)?;
        compare(object, file.metadata().map_err(failed())?.len())?;
        Ok(Self { file: Arc::new(file), length: object.size_bytes })
    }

    /// The length of the object in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads bytes `range`, which must lie in the object.
    ///
    /// # Errors
    /// `UnexpectedEof` when the object was cut while it was open; otherwise what the file system reports.
    pub async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut buffer = vec![0; length];
        // Bytes in the page cache are read here; only a wait for the disk is worth a thread.
        let cached = read_cached(&self.file, range.start, &mut buffer);
        if cached == length {
            return Ok(buffer.into());
        }
        let file = Arc::clone(&self.file);
        let read = move || {
            let rest = buffer.get_mut(cached..).unwrap_or_default();
            file.read_exact_at(rest, range.start + cached as u64).map(|()| buffer.into())
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// Reads bytes `range` piece by piece, as fast as the pieces are taken.
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let frame =
            if range.end.saturating_sub(range.start) <= SMALL_BYTES { SMALL_BYTES } else { FRAME_BYTES };
        stream::try_unfold(range.start, move |position| {
            let reader = self.clone();
            async move {
                if position >= range.end {
                    return Ok(None);
                }
                let end = range.end.min(position + frame);
                Ok(Some((reader.read(position..end).await?, end)))
            }
        })
    }
}

/// Reads what is in memory; 0 when nothing is or the file system cannot tell.
fn read_cached(file: &File, offset: u64, buffer: &mut [u8]) -> usize {
    let mut slices = [IoSliceMut::new(buffer)];
    rustix::io::preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
}
