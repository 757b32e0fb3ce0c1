//! Receiving bytes: staged, hashed while they are written, then counted.
//!
//! What is acknowledged is with the kernel, so it survives the end of the process; nothing is synced per chunk. A
//! power cut takes an upload back to its last durable record, and the client hears that offset.
//!
//! A body of up to 64 KiB is collected and then written by the request's own task: handing it to a thread costs as
//! much as writing it. A young upload takes it into its journal, for as long as it is small; then it waits for its row.
//! For a longer one the request's task [collects](super::collect) batches and a task of its own
//! [writes](super::write) them. When a request is given up half-way (its client is gone) what came is still written
//! and counted, and the hold is released after that and not before.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::collect::{Collector, Gone};
use super::files;
use super::upload::{Content, Held, SMALL_BYTES};
use super::write::write;
use crate::store::blob::{Chunks, Error};

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

/// How far [`Held::receive`] went.
#[derive(Debug)]
pub enum Received<C> {
    /// To the end of the request.
    All(Held, Appended),
    /// To the moment at which a young upload has to be settled.
    Outgrown(Outgrown<C>),
}

/// A request whose bytes a young upload does not take. Its room writes the row and then [goes on](Self::go_on);
/// dropping it is the same as an interruption.
#[derive(Debug)]
pub struct Outgrown<C> {
    short: Short,
    chunks: C,
    /// Whether the request is complete, once it is over.
    end: Option<bool>,
}

impl Held {
    /// Receives the bytes of one request as [`Self::append`] does, unless a young upload has to be settled for them.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn receive<C: Chunks>(self, mut chunks: C, rules: Append) -> Result<Received<C>, Error> {
        self.inner.require_room()?;
        let mut short = Short { held: Some(self), pieces: Pieces::default(), rules };
        let mut end = None;
        while end.is_none() && short.pieces.length() <= SMALL_BYTES {
            match chunks.next().await {
                Some(Ok(bytes)) => short.pieces.push(bytes),
                Some(Err(_)) => end = Some(false),
                None => end = Some(true),
            }
        }
        if short.outgrows() {
            return Ok(Received::Outgrown(Outgrown { short, chunks, end }));
        }
        let (held, appended) = short.go_on(chunks, end).await?;
        Ok(Received::All(held, appended))
    }

    /// Appends the bytes of one request to the upload and returns when they survive the end of the process. A young
    /// upload that grows too large is settled, so its row must be there.
    ///
    /// Dropping the future is the same as an interruption. The bytes of an interrupted request are kept when
    /// `rules` say so, and then [`Appended::is_complete`] is false.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::WrongLength`], [`Error::Full`], [`Error::Io`]: the upload is as long as
    /// before then. [`Error::Lost`]: it is gone.
    pub async fn append(self, chunks: impl Chunks, rules: Append) -> Result<(Self, Appended), Error> {
        match self.receive(chunks, rules).await? {
            Received::All(held, appended) => Ok((held, appended)),
            Received::Outgrown(outgrown) => outgrown.go_on().await,
        }
    }

    async fn append_long(
        self,
        first: Bytes,
        mut chunks: impl Chunks,
        rules: Append,
    ) -> Result<(Self, Appended), Error> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let buffers = Arc::clone(&self.inner.buffers);
        let receiving = buffers.receive();
        let hasher = receiving.is_crowded().then(|| Box::new(self.hasher()));
        let mut collector = Collector::new(sender, buffers, self.length(), hasher);
        let writer = tokio::spawn(write(self, receiver, rules));
        // The writer hangs up early only when it has failed; its result tells why.
        let _gone =
            collect(&mut collector, first, &mut chunks).await.map(|is_complete| collector.end(is_complete));
        writer.await.unwrap_or_else(|error| {
            Err(Error::Io { action: "write an upload", source: std::io::Error::other(error) })
        })
    }
}

/// Hands what comes to the collector; out: whether the request came to its end.
async fn collect(collector: &mut Collector, first: Bytes, chunks: &mut impl Chunks) -> Result<bool, Gone> {
    collector.take(first).await?;
    loop {
        let next = match collector.deadline() {
            None => chunks.next().await,
            Some(deadline) => match tokio::time::timeout_at(deadline, chunks.next()).await {
                Ok(next) => next,
                Err(_) => {
                    collector.give_up_waiting()?;
                    continue;
                }
            },
        };
        match next {
            Some(Ok(bytes)) => collector.take(bytes).await?,
            Some(Err(_)) => return Ok(false),
            None => return Ok(true),
        }
    }
}

impl<C: Chunks> Outgrown<C> {
    /// As [`Held::begin_to_settle`].
    pub fn begin_to_settle(&mut self) -> Option<Bytes> {
        self.short.held.as_mut().and_then(Held::begin_to_settle)
    }

    /// Settles the upload, whose row is there now, and receives the rest.
    ///
    /// # Errors
    /// As [`Held::append`].
    pub async fn go_on(mut self) -> Result<(Held, Appended), Error> {
        if let Some(held) = &mut self.short.held
            && let Err(error) = held.give_files()
        {
            drop(self.give_up());
            return Err(error);
        }
        self.short.go_on(self.chunks, self.end).await
    }

    /// The upload as it was before the request, of which nothing is kept.
    pub fn give_up(mut self) -> Option<Held> {
        self.short.held.take()
    }
}

/// The bytes of a request that may yet end within [`SMALL_BYTES`]. Dropping it is an interruption.
#[derive(Debug)]
struct Short {
    held: Option<Held>,
    pieces: Pieces,
    rules: Append,
}

impl Short {
    /// Whether a young upload cannot take the bytes.
    fn outgrows(&self) -> bool {
        let Some(Held { inner, upload, content: Content::Young(known), .. }) = &self.held else {
            return false;
        };
        let more = self.pieces.length();
        self.rules.note != 0
            || known.bytes.len() + more > SMALL_BYTES
            || (more > 0 && !inner.young.has_room(upload, more))
    }

    /// Appends what has come and, when that is not all, the rest.
    async fn go_on(self, chunks: impl Chunks, end: Option<bool>) -> Result<(Held, Appended), Error> {
        if let Some(is_complete) = end {
            return self.end(is_complete);
        }
        let rules = self.rules;
        let (held, first) = self.into_parts()?;
        held.append_long(first, chunks, rules).await
    }

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
#[derive(Debug, Default)]
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

impl Append {
    /// Refuses a request that has brought too much, or at its end too little.
    pub(super) fn check(&self, before: u64, received: u64, is_complete: bool) -> Result<(), Error> {
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
        if let Content::Young(known) = &mut self.content {
            *known = self.inner.young.append(&self.upload, before, bytes).map_err(failed())?;
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
        let result = self.take_batch(&start, bytes, Some(is_complete), rules);
        if result.is_err() {
            self.undo(start);
        }
        Ok(result?.unwrap_or(Appended { received, is_complete }))
    }
}
