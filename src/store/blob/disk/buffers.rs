//! Memory for the bytes of large uploads: one fixed number of buffers for the whole server.
//!
//! Whatever the number of uploads, their bytes lie in these buffers, in the connections, and in at most
//! [`super::collect`]'s small batches. Buffers are handed out in the order of asking, for the time in which a fast
//! client fills one, and are written from where they were filled: their memory is aligned as the disk wants it.
//!
//! With an upload for each processor, bytes are hashed while they are copied into a buffer, when they lie in the nearest
//! cache: another thread would have to wait for a processor and to fetch them. With fewer uploads another thread
//! hashes full buffers, so that one upload has more than one processor.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use oci::Hasher;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one buffer. Smaller writes past the page cache cost rate (256 KiB: a fifth less), larger ones memory.
pub(super) const BUFFER_BYTES: usize = 1024 * 1024;

/// What writing past the page cache wants positions, lengths and addresses to be multiples of: the largest block of
/// common disks.
pub(super) const ALIGNMENT: usize = 4096;

/// Buffers at most, made when they are first needed and then kept: given back and made anew, in turns, they tear holes
/// into the heaps of the threads, which cost more than they do. Two uploads at full rate use six, and hashing keeps two
/// cores busy then.
const BUFFERS: usize = 6;

/// Bytes that are copied by one call. Above 8 KiB glibc copies with `rep movsb`, which costs up to three times as much
/// on processors of AMD, depending on how the two addresses lie.
const COPY_BYTES: usize = 4096;

/// How long an upload waits for a buffer. After that it goes on with small batches.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 1_000 });

/// All buffers of a server.
#[derive(Debug)]
pub(super) struct Buffers {
    places: Arc<Semaphore>,
    free: Mutex<Vec<Vec<u8>>>,
    /// Uploads that are received now.
    uploads: AtomicUsize,
    processors: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(BUFFERS)),
            free: Mutex::default(),
            uploads: AtomicUsize::new(0),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// One large upload that is being received; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Receiving {
    buffers: Arc<Buffers>,
    is_crowded: bool,
}

impl Receiving {
    /// Whether every processor had an upload to receive when this one began, itself included.
    pub(super) fn is_crowded(&self) -> bool {
        self.is_crowded
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.buffers.uploads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to one buffer, with the bytes in it; dropping it gives the memory back.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Longer than a buffer, so that an aligned part of it has a buffer's length.
    memory: Vec<u8>,
    /// Where the aligned part begins.
    aligned: usize,
    /// The part that has been filled.
    start: usize,
    end: usize,
    /// The hash of the upload up to the end of these bytes, when they are hashed here.
    hasher: Option<Box<Hasher>>,
    owner: Arc<Buffers>,
    _place: OwnedSemaphorePermit,
}

impl Buffers {
    /// Counts one more upload that is being received.
    pub(super) fn receive(self: &Arc<Self>) -> Receiving {
        let before = self.uploads.fetch_add(1, Ordering::Relaxed);
        Receiving { buffers: Arc::clone(self), is_crowded: before + 1 >= self.processors }
    }

    /// An empty buffer for the bytes of a file from `position` on; `None` when there is none for too long. With a
    /// `hasher` of all bytes before, what it is filled with is hashed.
    pub(super) async fn take(self: &Arc<Self>, position: u64, hasher: Option<Box<Hasher>>) -> Option<Buffer> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(PATIENCE, place).await.ok()?.ok()?;
        let kept = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = kept.unwrap_or_else(|| vec![0; BUFFER_BYTES + ALIGNMENT]);
        let aligned = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        // A byte lies as far from an aligned address as it lies from an aligned position in the file.
        let start = aligned + usize::try_from(position % ALIGNMENT as u64).unwrap_or_default();
        let owner = Arc::clone(self);
        Some(Buffer { memory, aligned, start, end: start, hasher, owner, _place: place })
    }
}

impl Buffer {
    /// Copies as many bytes as there is room for and takes them off `bytes`.
    pub(super) fn fill(&mut self, bytes: &mut Bytes) {
        let room = self.memory.get_mut(self.end..self.aligned + BUFFER_BYTES).unwrap_or_default();
        let count = room.len().min(bytes.len());
        if let (Some(room), Some(taken)) = (room.get_mut(..count), bytes.get(..count)) {
            for (to, from) in room.chunks_mut(COPY_BYTES).zip(taken.chunks(COPY_BYTES)) {
                to.copy_from_slice(from);
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(from);
                }
            }
            self.end += count;
            bytes.advance(count);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.end >= self.aligned + BUFFER_BYTES
    }

    /// The hash of the upload up to the end of what it holds, when it was hashed here.
    pub(super) fn hasher(&self) -> Option<&Hasher> {
        self.hasher.as_deref()
    }

    /// What it holds.
    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    /// The part of [`Self::bytes`] that is aligned at both ends, as a range; it may be empty.
    pub(super) fn aligned(&self) -> std::ops::Range<usize> {
        let from = (self.start - self.aligned).next_multiple_of(ALIGNMENT) + self.aligned;
        let to = (self.end - self.aligned) / ALIGNMENT * ALIGNMENT + self.aligned;
        from - self.start..to.max(from) - self.start
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.owner.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
impl Buffers {
    /// How many could be taken now.
    pub(super) fn left(&self) -> usize {
        self.places.available_permits()
    }

    /// With another number of processors than this machine has.
    pub(super) fn of_processors(processors: usize) -> Arc<Self> {
        Arc::new(Self { processors, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_lie_as_in_the_file() {
        let buffers = Arc::new(Buffers::default());
        for (position, length, aligned) in [
            (0, 10, 0..0),
            (0, 4096, 0..4096),
            (5, 4096, 4091..4091),
            (4095, 4097, 1..4097),
            (8191, 9000, 1..8193),
            (1 << 40, 2 << 20, 0..1 << 20),
            ((1 << 40) + 1, 2 << 20, 4095..(1 << 20) - 1),
        ] {
            let mut buffer = buffers.take(position, None).await.unwrap();
            let source =
                Bytes::from((0..length).map(|index: usize| index.to_le_bytes()[0]).collect::<Vec<_>>());
            let mut rest = source.clone();
            buffer.fill(&mut rest);
            assert_eq!(buffer.bytes(), &source[..source.len() - rest.len()]);
            assert_eq!(buffer.is_full(), !rest.is_empty());
            assert_eq!(buffer.aligned(), aligned, "{position} {length}");
            let address = buffer.bytes()[aligned.clone()].as_ptr().addr();
            assert!(aligned.is_empty() || address.is_multiple_of(ALIGNMENT));
        }
    }

    #[tokio::test]
    async fn there_is_one_number_of_buffers_for_all() {
        let buffers = Arc::new(Buffers::default());
        let mut taken = Vec::new();
        for _ in 0..BUFFERS {
            taken.push(buffers.take(0, None).await.unwrap());
        }
        assert_eq!(buffers.left(), 0);
        assert!(buffers.take(0, None).await.is_none(), "too many");
        let (next, ()) = tokio::join!(buffers.take(0, None), async { drop(taken.pop()) });
        assert!(next.is_some());
        drop((taken, next));
        assert_eq!(buffers.free.lock().unwrap().len(), BUFFERS);
    }

    #[test]
    fn uploads_are_crowded_when_each_processor_has_one() {
        let buffers = Buffers::of_processors(2);
        let first = buffers.receive();
        let second = buffers.receive();
        assert_eq!((first.is_crowded(), second.is_crowded()), (false, true));
        drop(first);
        assert!(buffers.receive().is_crowded());
        drop(second);
        assert!(!buffers.receive().is_crowded());
    }

    #[tokio::test]
    async fn a_buffer_goes_on_with_a_hash() {
        let mut before = Hasher::new(oci::Algorithm::Sha256);
        before.update(b"before");
        let mut buffer = Arc::new(Buffers::default()).take(6, Some(Box::new(before))).await.unwrap();
        let mut all = b"before".to_vec();
        for length in [1, 4095, 4097, 70_000] {
            let part = vec![7; length];
            all.extend(&part);
            buffer.fill(&mut part.into());
            let hasher = buffer.hasher().unwrap().clone();
            assert_eq!((hasher.length(), hasher.finish()), (all.len() as u64, oci::Digest::sha256_of(&all)));
        }
    }
}
