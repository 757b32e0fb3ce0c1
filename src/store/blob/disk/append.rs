//! Receiving bytes: staged, hashed while they are written, then counted.
//!
//! What is acknowledged is with the kernel, so it survives the end of the process; nothing is synced per chunk. A
//! power cut takes an upload back to its last durable record, and the client hears that offset.
//!
//! A body of up to 64 KiB is collected and then written by the request's own task: handing it to a thread costs as
//! much as writing it. For a longer one the request's task collects batches and a task of its own writes them, one
//! job of the blocking pool per batch. When a request is given up half-way (its client is gone) what came is
//! still written and counted, and the hold is released after that and not before.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::sync::mpsc::{self, Receiver};

use super::upload::{Content, Held, Progress, SMALL_BYTES, Staged};
use super::{blocking, files};
use crate::store::blob::{Chunks, Error};

/// Bytes that are written by one job. With one batch being written, one waiting and one being collected, an
/// upload holds about three times this in memory, whatever its size.
const BATCH_BYTES: usize = 256 * 1024;

/// Pieces in one batch at most, for clients that send a byte at a time.
const BATCH_PIECES: usize = 256;

/// After so many bytes the progress is made durable in the middle of a request, so that a crash costs a large
/// layer little, and the pages waiting for the disk stay few.
const CHECKPOINT_BYTES: u64 = if cfg!(test) { 4 } else { 64 } * 1024 * 1024;

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

/// What came of it; everything counted here survives the end of the process.
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
    /// Appends the bytes of one request to the upload and returns when they survive the end of the process.
    ///
    /// Dropping the future is the same as an interruption. The bytes of an interrupted request are kept when
    /// `rules` say so, and then [`Appended::is_complete`] is false.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::WrongLength`], [`Error::Full`], [`Error::Io`]: the upload is as long as
    /// before then. [`Error::Lost`]: it is gone.
    pub async fn append(self, mut chunks: impl Chunks, rules: Append) -> Result<(Self, Appended), Error> {
        self.inner.require_room()?;
        let mut short = Short { held: Some(self), pieces: Pieces::default(), rules };
        loop {
            match chunks.next().await {
                Some(Ok(bytes)) => {
                    short.pieces.push(bytes);
                    if short.pieces.length() > SMALL_BYTES {
                        break;
                    }
                }
                Some(Err(_)) => return short.end(false),
                None => return short.end(true),
            }
        }
        let (held, first) = short.into_parts()?;
        held.append_long(first, chunks, rules).await
    }

    async fn append_long(
        self,
        first: Bytes,
        mut chunks: impl Chunks,
        rules: Append,
    ) -> Result<(Self, Appended), Error> {
        let (sender, receiver) = mpsc::channel(1);
        let writer = tokio::spawn(write(self, receiver, rules));
        let mut size = first.len();
        let mut batch = vec![first];
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

/// The bytes of a request that may yet end within [`SMALL_BYTES`]. Dropping it is an interruption.
struct Short {
    held: Option<Held>,
    pieces: Pieces,
    rules: Append,
}

impl Short {
    fn into_parts(mut self) -> Result<(Held, Bytes), Error> {
        let held = self.held.take().ok_or_else(gone)?;
        Ok((held, std::mem::take(&mut self.pieces).joined()))
    }

    fn end(self, is_complete: bool) -> Result<(Held, Appended), Error> {
        let rules = self.rules;
        let (mut held, bytes) = self.into_parts()?;
        let appended = held.append_short(&bytes, is_complete, rules)?;
        Ok((held, appended))
    }
}

impl Drop for Short {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        let bytes = std::mem::take(&mut self.pieces).joined();
        if let Err(error) = held.append_short(&bytes, false, self.rules) {
            tracing::debug!(%error, upload.id = %held.upload, "the bytes of an interrupted request were not kept");
        }
    }
}

fn gone() -> Error {
    Error::Io { action: "write an upload", source: std::io::Error::other("the upload is not held") }
}

/// Pieces of one body, copied only when there are several.
#[derive(Default)]
enum Pieces {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Pieces {
    fn length(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(bytes) => bytes.len(),
            Self::Many(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, next: Bytes) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(next),
            Self::One(first) => {
                let mut joined = BytesMut::with_capacity(first.len() + next.len());
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&next);
                Self::Many(joined)
            }
            Self::Many(mut joined) => {
                joined.extend_from_slice(&next);
                Self::Many(joined)
            }
        }
    }

    fn joined(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

async fn write(
    mut held: Held,
    mut messages: Receiver<Message>,
    rules: Append,
) -> Result<(Held, Appended), Error> {
    let mut begun = None;
    loop {
        let (batch, end) = match messages.recv().await {
            Some(Message::Batch(batch)) => (batch, None),
            Some(Message::End { last, is_complete }) => (last, Some(is_complete)),
            None => (Vec::new(), Some(false)),
        };
        let (returned, start, done) = blocking("write an upload", move || {
            let staged = held.staged()?;
            let start = begun.unwrap_or_else(|| staged.progress.clone());
            let result = held.take_batch(&start, &batch, end, rules);
            if result.is_err() {
                held.undo(start.clone());
            }
            result.map(|done| (held, start, done))
        })
        .await?;
        (held, begun) = (returned, Some(start));
        if let Some(appended) = done {
            return Ok((held, appended));
        }
    }
}

impl Append {
    /// Refuses a request that has brought too much, or at its end too little.
    fn check(&self, before: u64, received: u64, is_complete: bool) -> Result<(), Error> {
        if let Some(expected) = self.exactly
            && (received > expected || (is_complete && received != expected))
        {
            return Err(Error::WrongLength { received, expected });
        }
        if before.saturating_add(received) > self.maximum_length {
            return Err(Error::TooLong { limit: self.maximum_length });
        }
        Ok(())
    }
}

impl Held {
    /// Takes a whole request of at most [`SMALL_BYTES`].
    fn append_short(&mut self, bytes: &Bytes, is_complete: bool, rules: Append) -> Result<Appended, Error> {
        let failed = || Error::io("write an upload");
        let before = self.length();
        let received = bytes.len() as u64;
        rules.check(before, received, is_complete)?;
        if !is_complete && !rules.keeps_interrupted {
            return Ok(Appended { received: 0, is_complete });
        }
        if bytes.is_empty() {
            return Ok(Appended { received, is_complete });
        }
        let is_small = rules.note == 0 && before + received <= SMALL_BYTES as u64;
        if is_small && matches!(self.content, Content::Small { .. }) {
            let result = files::write_all_at(self.data_file()?, bytes, before).map_err(failed());
            if let (Err(_), Content::Small { data: Some(data), .. }) = (&result, &self.content)
                && let Err(error) = files::truncate(data, before)
            {
                tracing::warn!(%error, upload.id = %self.upload, "an upload could not be taken back");
            }
            result?;
            if let Content::Small { bytes: known, .. } = &mut self.content {
                *known = if known.is_empty() { bytes.clone() } else { [&known[..], bytes].concat().into() };
            }
            return Ok(Appended { received, is_complete });
        }
        let start = self.staged()?.progress.clone();
        let result = self.take_batch(&start, std::slice::from_ref(bytes), Some(is_complete), rules);
        if result.is_err() {
            self.undo(start);
        }
        Ok(result?.unwrap_or(Appended { received, is_complete }))
    }

    /// Writes one batch and, at the end, makes everything count. `end` tells whether the request is complete.
    fn take_batch(
        &mut self,
        start: &Progress,
        batch: &[Bytes],
        end: Option<bool>,
        rules: Append,
    ) -> Result<Option<Appended>, Error> {
        let inner = Arc::clone(&self.inner);
        inner.require_room()?;
        let staged = self.staged()?;
        let size: u64 = batch.iter().map(|piece| piece.len() as u64).sum();
        let received = staged.progress.length.saturating_add(size) - start.length;
        rules.check(start.length, received, end == Some(true))?;
        if size > 0 {
            staged.write_batch(batch)?;
        }
        let Some(is_complete) = end else {
            // A checkpoint makes bytes count; where an interrupted request keeps nothing there must be none.
            if rules.keeps_interrupted && received % CHECKPOINT_BYTES < size {
                let upload = self.upload.clone();
                self.staged()?.make_durable(&inner, &upload)?;
            }
            return Ok(None);
        };
        if !is_complete && !rules.keeps_interrupted {
            self.undo(start.clone());
            return Ok(Some(Appended { received: 0, is_complete }));
        }
        if is_complete {
            staged.progress.note = rules.note;
        }
        if received > 0 {
            staged.count(&inner).map_err(Error::io("count the bytes of an upload"))?;
        }
        Ok(Some(Appended { received, is_complete }))
    }

    /// Goes back to an earlier progress. When even that fails the next hold finds the last one that counts.
    fn undo(&mut self, start: Progress) {
        let inner = Arc::clone(&self.inner);
        let Content::Staged(staged) = &mut self.content else { return };
        let counted = staged.progress.sequence;
        staged.progress = start;
        let mut result = Ok(());
        if staged.progress.sequence != counted {
            // A record has counted bytes that must not count, perhaps a durable one; it is taken back, just as
            // durably, before the bytes.
            staged.progress.sequence = counted;
            result = staged.make_durable(&inner, &self.upload);
        }
        let cut =
            || files::truncate(&staged.data, staged.progress.length).map_err(Error::io("cut an upload"));
        let result = result.and_then(|()| cut());
        if let Err(error) = result {
            tracing::warn!(%error, upload.id = %self.upload, "an upload could not be taken back");
        }
    }
}

impl Staged {
    fn write_batch(&mut self, batch: &[Bytes]) -> Result<(), Error> {
        let written =
            files::write_at(&self.data, self.progress.length, batch).map_err(Error::io("write an upload"))?;
        for piece in batch {
            self.progress.hasher.update(piece);
        }
        self.progress.length += written;
        Ok(())
    }
}
