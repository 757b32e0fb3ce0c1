//! The request's side of a long append: what comes is put into batches, and these are handed to the writer.
//!
//! A fast client fills a buffer of the server's common ones. A slow one would only keep it from others, so it has
//! [`HOLD_LIMIT`] to fill it, and goes on with small batches in memory of its own until one of them is filled as
//! fast as a buffer would be.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use oci::Hasher;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::buffers::{BUFFER_BYTES, Buffer, Buffers};

/// Batches of one upload at most: one being collected, one waiting, one being written.
const SLOTS: usize = 3;

/// The longest time in which a buffer is filled: four megabytes in a second.
const HOLD_LIMIT: Duration = Duration::from_millis(250);

/// Bytes of a small batch.
const SMALL_BATCH_BYTES: usize = 64 * 1024;

/// The time in which a small batch is filled at the same rate.
const SMALL_BATCH_LIMIT: Duration = Duration::from_millis(16);

/// What one job writes.
#[derive(Debug)]
pub(super) enum Batch {
    /// Bytes in memory of their own.
    Bytes(Bytes),
    /// Bytes in one of the common buffers.
    Buffer(Buffer),
}

/// What the writer is told.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) batch: Batch,
    /// Set in the last message: whether the request is complete.
    pub(super) end: Option<bool>,
    /// Given back when the batch is written.
    pub(super) slot: Option<OwnedSemaphorePermit>,
}

impl Message {
    /// The end of a request of which no more is known.
    pub(super) fn interruption() -> Self {
        Self { batch: Batch::Bytes(Bytes::new()), end: Some(false), slot: None }
    }
}

/// Collects the bytes of one request. Dropping it before [`Self::end`] is an interruption: what came is handed over.
#[derive(Debug)]
pub(super) struct Collector {
    writer: UnboundedSender<Message>,
    buffers: Arc<Buffers>,
    slots: Arc<Semaphore>,
    /// Where the next byte that is put into a batch belongs in the upload.
    position: u64,
    /// What has come and lies in no batch yet.
    rest: Bytes,
    open: Option<Open>,
    /// The hash up to `position`, between two buffers that are hashed as they are filled. A batch of another kind is
    /// hashed by the writer, and so is all that comes after it.
    hasher: Option<Box<Hasher>>,
    is_fast: bool,
    is_ended: bool,
}

/// The batch that is being collected.
#[derive(Debug)]
struct Open {
    store: Store,
    since: Instant,
    slot: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Store {
    Small(BytesMut),
    Buffer(Buffer),
}

/// The writer has ended; its result tells why.
#[derive(Debug)]
pub(super) struct Gone;

impl Collector {
    /// For the bytes of an upload from `position` on. With a `hasher` of those before, they are hashed here.
    pub(super) fn new(
        writer: UnboundedSender<Message>,
        buffers: Arc<Buffers>,
        position: u64,
        hasher: Option<Box<Hasher>>,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(SLOTS));
        Self {
            writer,
            buffers,
            slots,
            position,
            rest: Bytes::new(),
            open: None,
            hasher,
            is_fast: true,
            is_ended: false,
        }
    }

    /// Takes what came, as fast as it is written.
    pub(super) async fn take(&mut self, bytes: Bytes) -> Result<(), Gone> {
        self.rest = bytes;
        while !self.rest.is_empty() {
            let Some(open) = &mut self.open else {
                self.begin_batch().await?;
                continue;
            };
            let before = self.rest.len();
            let is_full = match &mut open.store {
                Store::Small(small) => {
                    let count = self.rest.len().min(SMALL_BATCH_BYTES - small.len());
                    small.extend_from_slice(&self.rest.split_to(count));
                    small.len() >= SMALL_BATCH_BYTES
                }
                Store::Buffer(buffer) => {
                    buffer.fill(&mut self.rest);
                    buffer.is_full()
                }
            };
            self.position += (before - self.rest.len()) as u64;
            if is_full {
                self.hand_over(None)?;
                if self.hasher.is_some() {
                    // Hashing took half a millisecond of this thread, on which others wait.
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(())
    }

    /// Until when the batch that is being collected may be waited for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let open = self.open.as_ref()?;
        matches!(open.store, Store::Buffer(_)).then(|| open.since + HOLD_LIMIT)
    }

    /// Hands over what there is of the batch, because nothing more came in time.
    pub(super) fn give_up_waiting(&mut self) -> Result<(), Gone> {
        self.is_fast = false;
        self.hand_over(None)
    }

    /// The request has ended.
    pub(super) fn end(mut self, is_complete: bool) -> Result<(), Gone> {
        self.is_ended = true;
        self.hand_over(Some(is_complete))
    }

    async fn begin_batch(&mut self) -> Result<(), Gone> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Gone)?;
        let hasher = self.hasher.take();
        let buffer = if self.is_fast { self.buffers.take(self.position, hasher).await } else { None };
        let store = match buffer {
            Some(buffer) => Store::Buffer(buffer),
            None if self.rest.len() >= SMALL_BATCH_BYTES => {
                // It lies in memory already, perhaps with very much more.
                let bytes = self.rest.split_to(self.rest.len().min(BUFFER_BYTES));
                self.position += bytes.len() as u64;
                return self.send(Batch::Bytes(bytes), None, Some(slot));
            }
            None => Store::Small(BytesMut::with_capacity(SMALL_BATCH_BYTES)),
        };
        self.open = Some(Open { store, since: Instant::now(), slot });
        Ok(())
    }

    fn hand_over(&mut self, end: Option<bool>) -> Result<(), Gone> {
        match self.open.take() {
            Some(Open { store: Store::Small(bytes), since, slot }) => {
                self.is_fast = since.elapsed() <= SMALL_BATCH_LIMIT;
                self.send(Batch::Bytes(bytes.freeze()), end, Some(slot))
            }
            Some(Open { store: Store::Buffer(buffer), slot, .. }) => {
                self.hasher = buffer.hasher().cloned().map(Box::new);
                self.send(Batch::Buffer(buffer), end, Some(slot))
            }
            None if end.is_some() => self.send(Batch::Bytes(Bytes::new()), end, None),
            None => Ok(()),
        }
    }

    fn send(&self, batch: Batch, end: Option<bool>, slot: Option<OwnedSemaphorePermit>) -> Result<(), Gone> {
        self.writer.send(Message { batch, end, slot }).map_err(|_| Gone)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        // When the writer is gone there is nobody to tell.
        let _gone = self.hand_over(None);
        let rest = std::mem::take(&mut self.rest);
        let _gone = self.send(Batch::Bytes(rest), Some(false), None);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{self, UnboundedReceiver};

    use super::*;

    fn collector(buffers: &Arc<Buffers>) -> (Collector, UnboundedReceiver<Message>) {
        let (writer, messages) = mpsc::unbounded_channel();
        (Collector::new(writer, Arc::clone(buffers), 7, None), messages)
    }

    fn zeroes(length: usize) -> Bytes {
        vec![0; length].into()
    }

    /// The length of the next batch, whether it lies in a buffer, and the end.
    fn next(messages: &mut UnboundedReceiver<Message>) -> Option<(usize, bool, Option<bool>)> {
        let message = messages.try_recv().ok()?;
        Some(match message.batch {
            Batch::Bytes(bytes) => (bytes.len(), false, message.end),
            Batch::Buffer(buffer) => (buffer.bytes().len(), true, message.end),
        })
    }

    #[tokio::test]
    async fn a_slow_client_gives_its_buffer_back_and_gets_one_when_it_is_fast() {
        let buffers = Arc::default();
        let (mut collector, mut messages) = collector(&buffers);
        let all = buffers.left();
        collector.take(zeroes(100_000)).await.unwrap();
        assert_eq!(buffers.left(), all - 1);
        assert!(collector.deadline().unwrap() <= Instant::now() + HOLD_LIMIT);
        collector.give_up_waiting().unwrap();
        assert_eq!(next(&mut messages), Some((100_000, true, None)));
        assert_eq!(buffers.left(), all);

        collector.take(zeroes(10)).await.unwrap();
        assert!(collector.deadline().is_none(), "its own memory is nobody's loss");
        tokio::time::sleep(2 * SMALL_BATCH_LIMIT).await;
        collector.take(zeroes(SMALL_BATCH_BYTES - 10)).await.unwrap();
        assert_eq!(next(&mut messages), Some((SMALL_BATCH_BYTES, false, None)));
        collector.take(zeroes(10)).await.unwrap();
        assert!(collector.deadline().is_none(), "it was slow");
        collector.take(zeroes(SMALL_BATCH_BYTES)).await.unwrap();
        assert!(collector.deadline().is_some(), "it was fast");
        assert_eq!(next(&mut messages), Some((SMALL_BATCH_BYTES, false, None)));
        collector.end(true).unwrap();
        assert_eq!(next(&mut messages), Some((10, true, Some(true))));
    }

    #[tokio::test]
    async fn without_a_buffer_it_goes_on() {
        let buffers = Arc::default();
        let (mut collector, mut messages) = collector(&buffers);
        let mut taken = Vec::new();
        while buffers.left() > 0 {
            taken.push(buffers.take(0, None).await);
        }
        collector.take(zeroes(BUFFER_BYTES + 200_000)).await.unwrap();
        assert_eq!(next(&mut messages), Some((BUFFER_BYTES, false, None)));
        assert_eq!(next(&mut messages), Some((200_000, false, None)));
        collector.take(zeroes(5)).await.unwrap();
        collector.end(false).unwrap();
        assert_eq!(next(&mut messages), Some((5, false, Some(false))));
    }

    #[tokio::test]
    async fn it_waits_for_the_writer_and_hands_everything_over_when_it_is_given_up() {
        let buffers = Arc::default();
        let (mut collector, mut messages) = collector(&buffers);
        let much = collector.take(zeroes(10 * BUFFER_BYTES));
        assert!(tokio::time::timeout(Duration::from_millis(50), much).await.is_err());
        drop(collector);
        // The first one begins at byte 7 of the file.
        assert_eq!(next(&mut messages), Some((BUFFER_BYTES - 7, true, None)));
        for _ in 1..SLOTS {
            assert_eq!(next(&mut messages), Some((BUFFER_BYTES, true, None)));
        }
        assert_eq!(next(&mut messages), Some(((10 - SLOTS) * BUFFER_BYTES + 7, false, Some(false))));
        assert_eq!(next(&mut messages), None);
    }

    #[tokio::test]
    async fn bytes_are_hashed_until_a_batch_lies_in_no_buffer() {
        let buffers = Arc::default();
        let (writer, mut messages) = mpsc::unbounded_channel();
        let hasher = Some(Box::new(Hasher::new(oci::Algorithm::Sha256)));
        let mut collector = Collector::new(writer, Arc::clone(&buffers), 0, hasher);
        let mut hashed = |expected: Option<usize>| {
            let Ok(Message { batch: Batch::Buffer(buffer), .. }) = messages.try_recv() else { return false };
            let digest = buffer.hasher().map(|hasher| hasher.clone().finish());
            digest == expected.map(|length| oci::Digest::sha256_of(&zeroes(length)))
        };
        collector.take(zeroes(2 * BUFFER_BYTES + 100)).await.unwrap();
        assert!(hashed(Some(BUFFER_BYTES)) && hashed(Some(2 * BUFFER_BYTES)));
        collector.give_up_waiting().unwrap();
        assert!(hashed(Some(2 * BUFFER_BYTES + 100)));
        // The client is slow, and then fast again.
        collector.take(zeroes(10)).await.unwrap();
        collector.take(zeroes(SMALL_BATCH_BYTES - 10)).await.unwrap();
        assert!(!hashed(None), "in memory of its own");
        collector.take(zeroes(BUFFER_BYTES)).await.unwrap();
        assert!(hashed(None));
    }

    #[tokio::test]
    async fn it_stops_when_the_writer_has_failed() {
        let buffers = Arc::default();
        let (mut collector, messages) = collector(&buffers);
        drop(messages);
        assert!(collector.take(zeroes(10 * BUFFER_BYTES)).await.is_err());
    }
}
