//! Parts of an object that the kernel can send without this process ever holding their bytes.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use rustix::fs::Advice;

use super::read::{Reader, read_cached};

/// Bytes of one window: enough that what happens once per window costs nothing, and a log line of a broken
/// download is wrong by no more.
pub const WINDOW_BYTES: usize = 1024 * 1024;

/// How far the disk reads ahead of a download whose bytes are not in memory.
const READ_AHEAD: Option<NonZeroU64> = NonZeroU64::new(8 * 1024 * 1024);

/// Pages come in groups of about this size; one byte of each is looked at.
const STEP: usize = 128 * 1024;

/// A part of an open object that was in memory a moment ago.
#[derive(Debug, Clone)]
pub struct Window {
    file: Arc<File>,
    range: Range<u64>,
}

impl Window {
    /// The file and the part of it.
    #[must_use]
    pub fn into_parts(self) -> (Arc<File>, Range<u64>) {
        (self.file, self.range)
    }

    /// Its length in bytes, at most [`WINDOW_BYTES`].
    #[must_use]
    pub fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Waits for its bytes to be in memory, so that no thread that serves others waits for the disk later. Whether
    /// they are is asked of the first and the last one; what is in between nearly always shares their fate, and
    /// when it does not a send takes longer and no harm is done.
    async fn prepare(self) -> io::Result<Self> {
        let mut byte = [0];
        let ends = [self.range.start, self.range.end.saturating_sub(1)];
        if ends.iter().all(|end| read_cached(&self.file, *end, &mut byte) == 1) {
            return Ok(self);
        }
        let wait = move || {
            // Only a hint: a file system without it reads as well.
            let _hint = rustix::fs::fadvise(&self.file, self.range.start, READ_AHEAD, Advice::WillNeed);
            for position in self.range.clone().step_by(STEP).chain([self.range.end - 1]) {
                self.file.read_exact_at(&mut byte, position)?;
            }
            Ok(self)
        };
        tokio::task::spawn_blocking(wait).await.map_err(io::Error::other)?
    }
}

/// Reads a part of a file that should be in memory; fewer bytes than asked for only at its end.
///
/// # Errors
/// What the file system reports.
pub fn read_now(file: &File, position: u64, length: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; length];
    let read = file.read_at(&mut buffer, position)?;
    buffer.truncate(read);
    Ok(buffer.into())
}

impl Reader {
    /// Bytes `range`, which must lie in the object, window by window, as fast as they are taken. The window with the
    /// object's last byte waits for the verdict of [`Self::withholding`].
    pub fn windows(self, range: Range<u64>) -> impl Stream<Item = io::Result<Window>> + Send + 'static {
        stream::try_unfold(range.start, move |position| {
            let mut reader = self.clone();
            async move {
                if position >= range.end {
                    return Ok(None);
                }
                let end = range.end.min(position + WINDOW_BYTES as u64);
                // What is in memory has no file to send from, and who has it sends it as it is.
                let file = reader.file().ok_or(io::ErrorKind::Unsupported)?;
                let window = Window { file: Arc::clone(file), range: position..end }.prepare().await?;
                if end == reader.length() {
                    reader.verdict().await?;
                }
                Ok(Some((window, end)))
            }
        })
    }
}
