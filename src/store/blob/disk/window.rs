//! Parts of an object that the kernel can send without this process ever holding their bytes.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_util::{Stream, stream};
use rustix::fs::Advice;
use rustix::io::Errno;

use super::read::{Reader, read_cached};

/// Bytes of one window: enough that what happens once per window costs nothing, and a log line of a broken
/// download is wrong by no more.
pub const WINDOW_BYTES: usize = 2 * 1024 * 1024;

/// Bytes that are copied at once where the kernel cannot fetch without copying.
const COPY_BYTES: usize = 64 * 1024;

/// Where bytes go that are only wanted in memory. A root without devices has none.
static NOWHERE: LazyLock<Option<File>> =
    LazyLock::new(|| OpenOptions::new().write(true).open("/dev/null").ok());

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
    ///
    /// `is_cold` becomes true when they are not, and then nothing is asked any more: asking for a byte that is not in
    /// memory begins to read it, alone, which breaks the run of reads that lets the kernel read far ahead.
    async fn prepare(self, is_cold: &mut bool) -> io::Result<Self> {
        let is_in_memory = |position| read_cached(&self.file, position, &mut [0]) == 1;
        let ends = [self.range.start, self.range.end.saturating_sub(1)];
        if !*is_cold && ends.into_iter().all(is_in_memory) {
            return Ok(self);
        }
        *is_cold = true;
        let wait = move || fetch(&self.file, self.range.clone()).map(|()| self);
        tokio::task::spawn_blocking(wait).await.map_err(io::Error::other)?
    }
}

/// Reads a part of a file into the page cache as a run of reads, and without copying it.
///
/// It is the way in which a file is read that decides how its pages lie in memory, and that decides what each later
/// send of them costs: a run is read ahead in groups of up to 2 MiB, while pages that are asked for by
/// `POSIX_FADV_WILLNEED` or one by one lie alone.
fn fetch(file: &File, range: Range<u64>) -> io::Result<()> {
    // Only a hint, which doubles what is read ahead: 128 KiB are the default of most disks.
    let _hint = rustix::fs::fadvise(file, 0, None, Advice::Sequential);
    let mut position = range.start;
    while position < range.end {
        let left = usize::try_from(range.end - position).map_err(io::Error::other)?;
        let passed = match NOWHERE.as_ref() {
            Some(nowhere) => rustix::fs::sendfile(nowhere, file, Some(&mut position), left),
            None => Err(Errno::NOSYS),
        };
        let passed = match passed {
            // A file system that cannot do it.
            Err(Errno::INVAL | Errno::NOSYS) => {
                let read = read_now(file, position, left.min(COPY_BYTES))?.len();
                position += read as u64;
                read
            }
            Err(Errno::INTR) => continue,
            other => other?,
        };
        if passed == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a blob was cut while it was read"));
        }
    }
    Ok(())
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
        stream::try_unfold((range.start, false), move |(position, mut is_cold)| {
            let mut reader = self.clone();
            async move {
                if position >= range.end {
                    return Ok(None);
                }
                let end = range.end.min(position + WINDOW_BYTES as u64);
                // What is in memory has no file to send from, and who has it sends it as it is.
                let file = reader.file().ok_or(io::ErrorKind::Unsupported)?;
                let window = Window { file: Arc::clone(file), range: position..end };
                let window = window.prepare(&mut is_cold).await?;
                if end == reader.length() {
                    reader.verdict().await?;
                }
                Ok(Some((window, (end, is_cold))))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_in_memory_and_a_cut_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![7; 3_000_001]).unwrap();
        let file = File::open(&path).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        fetch(&file, 1_000_000..3_000_001).unwrap();
        for position in [1_000_000, 2_000_000, 3_000_000] {
            assert_eq!(read_cached(&file, position, &mut [0]), 1, "{position}");
        }
        let error = fetch(&file, 2_000_000..3_000_002).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
