//! Reading objects.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use rustix::io::ReadWriteFlags;
use tokio::sync::watch;

use super::{Inner, files, known};
use crate::store::blob::{Error, Object};

/// Bytes that are read at once, and what a client that takes nothing holds of its answer: larger pieces gain little,
/// smaller ones cost a system call each.
const FRAME_BYTES: u64 = 64 * 1024;

/// An open object; it stays readable when it is deleted meanwhile.
#[derive(Debug, Clone)]
pub struct Reader {
    source: Source,
    length: u64,
    is_known_whole: bool,
    withheld: Option<watch::Receiver<Option<Verdict>>>,
}

#[derive(Debug, Clone)]
enum Source {
    File(Arc<File>),
    Memory(Bytes),
}

/// What an inspection of an object has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes have the digest.
    Whole,
    /// They have not, or the disk does not give them.
    Rotten,
    /// Nobody could tell.
    Unknown,
}

/// Looks at the length of an object; out: whether this process knows that it is whole.
pub(super) fn check(inner: &Inner, object: &Object) -> Result<bool, Error> {
    match std::fs::metadata(inner.layout.object(&object.digest, &object.generation)) {
        Ok(found) => {
            compare(object, found.len())?;
            Ok(inner.known.has(&object.generation, known::modified(&found)))
        }
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
    pub(super) fn open(inner: &Inner, object: &Object) -> Result<Self, Error> {
        let failed = || Error::io("open an object");
        let path = inner.layout.object(&object.digest, &object.generation);
        let file = files::open_to_read(&path).map_err(failed())?.ok_or(Error::Missing)?;
        let metadata = file.metadata().map_err(failed())?;
        compare(object, metadata.len())?;
        let is_known_whole = inner.known.has(&object.generation, known::modified(&metadata));
        let source = Source::File(Arc::new(file));
        Ok(Self { source, length: object.size_bytes, is_known_whole, withheld: None })
    }

    /// An object whose bytes are all in memory and have its digest.
    #[must_use]
    pub fn in_memory(bytes: Bytes) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { source: Source::Memory(bytes), length, is_known_whole: true, withheld: None }
    }

    /// Bytes `range`, when they are in memory.
    #[must_use]
    pub fn bytes(&self, range: &Range<u64>) -> Option<Bytes> {
        let Source::Memory(bytes) = &self.source else { return None };
        let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
        (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
    }

    /// Whether this process has hashed the object, and nobody has written to it since.
    #[must_use]
    pub fn is_known_whole(&self) -> bool {
        self.is_known_whole
    }

    /// The same, but the last bytes of the object are given away only when the verdict says that it is whole.
    #[must_use]
    pub fn withholding(self, verdict: watch::Receiver<Option<Verdict>>) -> Self {
        Self { withheld: Some(verdict), ..self }
    }

    /// Waits for the verdict that the last bytes depend upon.
    ///
    /// # Errors
    /// `InvalidData` when the object is not whole, or when that could not be found out.
    pub(super) async fn verdict(&mut self) -> io::Result<()> {
        let Some(verdict) = &mut self.withheld else { return Ok(()) };
        match verdict.wait_for(Option::is_some).await.ok().and_then(|verdict| *verdict) {
            Some(Verdict::Whole) => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the object does not have its digest")),
        }
    }

    /// The file that the bytes are in; none when they are in memory.
    pub(super) fn file(&self) -> Option<&Arc<File>> {
        match &self.source {
            Source::File(file) => Some(file),
            Source::Memory(_) => None,
        }
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
        let file = match &self.source {
            Source::File(file) => file,
            Source::Memory(_) => {
                return self.bytes(&range).ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
            }
        };
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut buffer = vec![0; length];
        // Bytes in the page cache are read here; only a wait for the disk is worth a thread.
        let cached = read_cached(file, range.start, &mut buffer);
        if cached == length {
            return Ok(buffer.into());
        }
        let file = Arc::clone(file);
        let read = move || {
            let rest = buffer.get_mut(cached..).unwrap_or_default();
            file.read_exact_at(rest, range.start + cached as u64).map(|()| buffer.into())
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// Reads bytes `range` piece by piece, as fast as the pieces are taken. The piece with the object's last byte
    /// waits for the verdict of [`Self::withholding`].
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::try_unfold(range.start, move |position| {
            let mut reader = self.clone();
            async move {
                if position >= range.end {
                    return Ok(None);
                }
                let end = range.end.min(position + FRAME_BYTES);
                let bytes = reader.read(position..end).await?;
                if end == reader.length {
                    reader.verdict().await?;
                }
                Ok(Some((bytes, end)))
            }
        })
    }
}

/// Reads what is in memory; 0 when nothing is or the file system cannot tell.
pub(super) fn read_cached(file: &File, offset: u64, buffer: &mut [u8]) -> usize {
    let mut slices = [IoSliceMut::new(buffer)];
    rustix::io::preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
}
