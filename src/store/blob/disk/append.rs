//! Receiving bytes: staged, hashed while they are written, made durable, then counted.
//!
//! The request's task collects batches; a task of its own writes them, one job of the blocking pool per batch.
//! When the request is given up half-way (its client is gone) the writing task still ends properly: what came
//! is made durable and counted, and the hold is released after that and not before.

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc::{self, Receiver};

use super::state;
use super::upload::{Held, Progress};
use super::{blocking, files};
use crate::store::blob::{Chunks, Error};

/// Bytes that are written by one job. With one batch being written, one waiting and one being collected, an
/// upload holds about three times this in memory, whatever its size.
const BATCH_BYTES: usize = 256 * 1024;

/// Pieces in one batch at most, for clients that send a byte at a time.
const BATCH_PIECES: usize = 256;

/// After so many bytes the progress is made durable in the middle of a request, so that a crash costs a large
/// layer little, and the pages waiting for the disk stay few.
const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;

/// The rules of one [`Held::append`].
#[derive(Debug, Clone, Copy)]
pub struct Append {
    /// Length that the upload may have afterwards, in bytes.
    pub maximum_length: u64,
    /// Bytes that must come, when they were announced; another number keeps none of them.
    pub exactly: Option<u64>,
    /// The note that the upload has after complete bytes; see [`Held::note`].
    pub note: u64,
    /// Whether the bytes of an interrupted request are kept.
    pub keeps_interrupted: bool,
}

/// What came of it; everything counted here is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Bytes kept of this request.
    pub received: u64,
    /// Whether the request came to its end.
    pub is_complete: bool,
}

enum Message {
    Batch(Vec<Bytes>),
    End { last: Vec<Bytes>, is_complete: bool },
}

impl Held {
    /// Appends the bytes of one request to the upload and returns when they are durable.
    ///
    /// Dropping the future is the same as an interruption. The bytes of an interrupted request are kept when
    /// `rules` say so, and then [`Appended::is_complete`] is false.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::WrongLength`], [`Error::Full`], [`Error::Io`]: the upload is as long as
    /// before then.
    pub async fn append(self, mut chunks: impl Chunks, rules: Append) -> Result<(Self, Appended), Error> {
        let (sender, receiver) = mpsc::channel(1);
        let writer = tokio::spawn(write(self, receiver, rules));
        let mut batch = Vec::new();
        let mut size = 0;
        loop {
            let message = match chunks.next().await {
                Some(Ok(bytes)) => {
                    size += bytes.len();
                    batch.push(bytes);
                    if size < BATCH_BYTES && batch.len() < BATCH_PIECES {
                        continue;
                    }
                    size = 0;
                    Message::Batch(std::mem::take(&mut batch))
                }
                Some(Err(_)) => Message::End { last: std::mem::take(&mut batch), is_complete: false },
                None => Message::End { last: std::mem::take(&mut batch), is_complete: true },
            };
            let is_end = matches!(message, Message::End { .. });
            // The writer hangs up early only when it has failed; its result tells why.
            if sender.send(message).await.is_err() || is_end {
                break;
            }
        }
        drop(sender);
        writer.await.unwrap_or_else(|error| {
            Err(Error::Io { action: "write an upload", source: std::io::Error::other(error) })
        })
    }
}

async fn write(
    mut held: Held,
    mut messages: Receiver<Message>,
    rules: Append,
) -> Result<(Held, Appended), Error> {
    let start = held.progress.clone();
    loop {
        let (batch, end) = match messages.recv().await {
            Some(Message::Batch(batch)) => (batch, None),
            Some(Message::End { last, is_complete }) => (last, Some(is_complete)),
            None => (Vec::new(), Some(false)),
        };
        let before = start.clone();
        let (returned, done) = blocking("write an upload", move || {
            let result = held.take_batch(&before, &batch, end, rules);
            if result.is_err() {
                held.undo(before);
            }
            result.map(|done| (held, done))
        })
        .await?;
        held = returned;
        if let Some(appended) = done {
            return Ok((held, appended));
        }
    }
}

impl Held {
    /// Writes one batch and, at the end, makes everything count. `end` tells whether the request is complete.
    fn take_batch(
        &mut self,
        start: &Progress,
        batch: &[Bytes],
        end: Option<bool>,
        rules: Append,
    ) -> Result<Option<Appended>, Error> {
        let size: u64 = batch.iter().map(|piece| piece.len() as u64).sum();
        let received = self.progress.length.saturating_add(size) - start.length;
        if let Some(expected) = rules.exactly.filter(|expected| received > *expected) {
            return Err(Error::WrongLength { received, expected });
        }
        if self.progress.length.saturating_add(size) > rules.maximum_length {
            return Err(Error::TooLong { limit: rules.maximum_length });
        }
        if size > 0 {
            self.write_batch(batch)?;
        }
        let Some(is_complete) = end else {
            // A checkpoint makes bytes count; where an interrupted request keeps nothing there must be none.
            if rules.keeps_interrupted && received % CHECKPOINT_BYTES < size {
                self.make_durable()?;
            }
            return Ok(None);
        };
        if let Some(expected) = rules.exactly.filter(|expected| is_complete && received != *expected) {
            return Err(Error::WrongLength { received, expected });
        }
        if !is_complete && !rules.keeps_interrupted {
            self.undo(start.clone());
            return Ok(Some(Appended { received: 0, is_complete }));
        }
        if is_complete {
            self.progress.note = rules.note;
        }
        if received > 0 {
            self.make_durable()?;
        }
        Ok(Some(Appended { received, is_complete }))
    }

    fn write_batch(&mut self, batch: &[Bytes]) -> Result<(), Error> {
        let offset = self.progress.length;
        let files = self.open_files()?;
        let written = files::write_at(&files.data, offset, batch).map_err(Error::io("write an upload"))?;
        for piece in batch {
            self.progress.hasher.update(piece);
        }
        self.progress.length += written;
        Ok(())
    }

    /// Data, then the state that counts it, then both names. In another order a power cut could leave a state
    /// that counts bytes which never reached the disk.
    fn make_durable(&mut self) -> Result<(), Error> {
        let failed = || Error::io("make an upload durable");
        self.progress.sequence += 1;
        let record = self.progress.record();
        let folder = self.inner.layout.uploads();
        let files = self.open_files()?;
        files::sync(&files.data).map_err(failed())?;
        state::write(&files.state, &record).map_err(failed())?;
        if files.are_new {
            files::sync_folder(&folder).map_err(failed())?;
            files.are_new = false;
        }
        Ok(())
    }

    /// Goes back to an earlier progress. When even that fails the next hold finds the last durable one.
    fn undo(&mut self, start: Progress) {
        let counted = self.progress.sequence;
        self.progress = start;
        let Some(files) = &self.files else { return };
        let mut result = Ok(());
        if self.progress.sequence != counted {
            // A checkpoint has counted bytes that must not count; the state is taken back before the bytes.
            self.progress.sequence = counted + 1;
            result = state::write(&files.state, &self.progress.record());
        }
        let result = result.and_then(|()| files::truncate(&files.data, self.progress.length));
        if let Err(error) = result {
            tracing::warn!(%error, upload.id = %self.upload, "an upload could not be taken back");
        }
    }
}
