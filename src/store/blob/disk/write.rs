//! The writer's side of a long append: batches are written and hashed in the order in which they came, and counted at
//! the end.
//!
//! A task of its own does it, so that what came is written and counted also when the request is given up. Each step
//! is a job of the blocking pool; a full buffer that was not hashed while it was filled is written by one and hashed by
//! another at the same time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use oci::Hasher;
use tokio::sync::mpsc::UnboundedReceiver;

use super::append::{Append, Appended};
use super::buffers::Buffer;
use super::collect::{Batch, Message};
use super::upload::{Content, Held, Progress, Staged};
use super::{Inner, blocking, files};
use crate::store::blob::Error;

/// After so many bytes the progress is made durable in the middle of a request, so that a crash costs a large
/// layer little, and the pages waiting for the disk stay few.
const CHECKPOINT_BYTES: u64 = if cfg!(test) { 4 } else { 64 } * 1024 * 1024;

/// Fewer aligned bytes than this go through the page cache: writing past it waits for the disk.
const DIRECT_BYTES: usize = 64 * 1024;

/// An upload that is shorter goes through the page cache: it is likely to be read soon, and a sync of it is short.
const DIRECT_FROM: u64 = 1024 * 1024;

/// Writes what it is told until the end of the request; out: the upload, and what of the request was kept.
pub(super) async fn write(
    mut held: Held,
    mut messages: UnboundedReceiver<Message>,
    rules: Append,
) -> Result<(Held, Appended), Error> {
    let begin = move || {
        let start = held.staged()?.progress.clone();
        Ok(Writing { held, start, rules })
    };
    let mut writing = blocking("write an upload", begin).await?;
    loop {
        let Message { batch, end, slot } = messages.recv().await.unwrap_or_else(Message::interruption);
        let appended;
        (writing, appended) = match batch {
            Batch::Bytes(bytes) => writing.step(move |this| this.take_bytes(&bytes, end)).await?,
            Batch::Buffer(buffer) => writing.take_buffer(Arc::new(buffer), end).await?,
        };
        drop(slot);
        if let Some(appended) = appended {
            return Ok((writing.held, appended));
        }
    }
}

/// An upload while the bytes of one request are written to it.
struct Writing {
    held: Held,
    /// How far it had come before.
    start: Progress,
    rules: Append,
}

impl Writing {
    /// Does something that may fail on the blocking pool. When it fails, the upload is as before the request.
    async fn step<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<(Self, T), Error> {
        let step = move || match work(&mut self) {
            Ok(done) => Ok((self, done)),
            Err(error) => {
                self.held.undo(self.start);
                Err(error)
            }
        };
        blocking("write an upload", step).await
    }

    fn take_bytes(&mut self, bytes: &Bytes, end: Option<bool>) -> Result<Option<Appended>, Error> {
        self.held.take_batch(&self.start, bytes, end, self.rules)
    }

    /// Writes a buffer and, unless that was done, hashes it at the same time.
    async fn take_buffer(
        self,
        buffer: Arc<Buffer>,
        end: Option<bool>,
    ) -> Result<(Self, Option<Appended>), Error> {
        let size = buffer.bytes().len() as u64;
        let hashed = buffer.hasher().cloned();
        let hashing = self.held.progress().filter(|_| hashed.is_none()).map(|progress| {
            let (buffer, mut hasher) = (Arc::clone(&buffer), progress.hasher.clone());
            tokio::task::spawn_blocking(move || {
                hasher.update(buffer.bytes());
                hasher
            })
        });
        let write = move |this: &mut Self| {
            this.held.check(&this.start, size, end, this.rules)?;
            this.held.write_buffer(&buffer)
        };
        let (mut this, ()) = self.step(write).await?;
        let hasher = match hashing {
            Some(hashing) => hashing.await.ok(),
            None => hashed,
        };
        let is_hashed = hasher.is_some_and(|hasher| this.held.advance(hasher));
        if is_hashed && end.is_none() && !is_due(this.held.received(&this.start), size) {
            return Ok((this, None));
        }
        let settle = move |this: &mut Self| {
            if !is_hashed {
                return Err(unfinished("hash an upload"));
            }
            this.held.settle(&this.start, size, end, this.rules)
        };
        this.step(settle).await
    }
}

/// Whether the last `size` of the bytes received went past the next checkpoint.
fn is_due(received: u64, size: u64) -> bool {
    received % CHECKPOINT_BYTES < size
}

fn unfinished(action: &'static str) -> Error {
    Error::Io { action, source: std::io::Error::other("it was not done to its end") }
}

impl Held {
    fn progress(&self) -> Option<&Progress> {
        match &self.content {
            Content::Staged(staged) => Some(&staged.progress),
            Content::Young(_) | Content::Small { .. } => None,
        }
    }

    fn received(&self, start: &Progress) -> u64 {
        self.length().saturating_sub(start.length)
    }

    /// Refuses `size` more bytes when they are too many, or at the end too few, or while the volume has no room.
    fn check(&self, start: &Progress, size: u64, end: Option<bool>, rules: Append) -> Result<(), Error> {
        self.inner.require_room()?;
        rules.check(start.length, self.received(start).saturating_add(size), end == Some(true))
    }

    /// Writes and hashes one batch and, at the end, makes everything count. `end` tells whether the request is
    /// complete.
    pub(super) fn take_batch(
        &mut self,
        start: &Progress,
        bytes: &Bytes,
        end: Option<bool>,
        rules: Append,
    ) -> Result<Option<Appended>, Error> {
        let size = bytes.len() as u64;
        self.check(start, size, end, rules)?;
        if size > 0 {
            let staged = self.staged()?;
            let written = files::write_all_at(&staged.data, bytes, staged.progress.length);
            written.map_err(Error::io("write an upload"))?;
            staged.progress.hasher.update(bytes);
            staged.progress.length += size;
        }
        self.settle(start, size, end, rules)
    }

    /// Writes a buffer; its bytes belong to the progress only after [`Self::advance`].
    fn write_buffer(&mut self, buffer: &Buffer) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let path = inner.layout.data(&self.upload);
        let (bytes, aligned) = (buffer.bytes(), buffer.aligned());
        let staged = self.staged()?;
        let position = staged.progress.length;
        let mut written = 0;
        let is_long = position + bytes.len() as u64 >= DIRECT_FROM && aligned.len() >= DIRECT_BYTES;
        if is_long
            && let Some(direct) = staged.direct(&inner, &path)?
            && let Some((head, rest)) = bytes.split_at_checked(aligned.start)
            && let Some(middle) = rest.get(..aligned.len())
        {
            let failed = || Error::io("write an upload");
            files::write_all_at(&staged.data, head, position).map_err(failed())?;
            written = files::write_direct(&direct, middle, position + head.len() as u64).map_err(failed())?;
            if written < middle.len() {
                inner.refuses_direct.store(true, Ordering::Relaxed);
            }
            written += head.len();
        }
        let rest = bytes.get(written..).unwrap_or_default();
        files::write_all_at(&staged.data, rest, position + written as u64)
            .map_err(Error::io("write an upload"))
    }

    /// Counts what was written and what this is the hash of, both from the first byte on; whether it could.
    fn advance(&mut self, hasher: Hasher) -> bool {
        let Content::Staged(staged) = &mut self.content else { return false };
        staged.progress.length = hasher.length();
        staged.progress.hasher = hasher;
        true
    }

    /// After a batch of `size` bytes: a checkpoint when it is time for one and, at the end, makes everything count.
    fn settle(
        &mut self,
        start: &Progress,
        size: u64,
        end: Option<bool>,
        rules: Append,
    ) -> Result<Option<Appended>, Error> {
        let inner = Arc::clone(&self.inner);
        let received = self.received(start);
        let staged = self.staged()?;
        let Some(is_complete) = end else {
            // A checkpoint makes bytes count; where an interrupted request keeps nothing there must be none.
            if rules.keeps_interrupted && is_due(received, size) {
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
    pub(super) fn undo(&mut self, start: Progress) {
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
    /// The data, opened for writing past the page cache; `None` where the file system does not do that.
    fn direct(&mut self, inner: &Inner, path: &Path) -> Result<Option<Arc<File>>, Error> {
        if inner.refuses_direct.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if self.direct.is_none() {
            self.direct = files::open_direct(path).map_err(Error::io("open an upload"))?.map(Arc::new);
            inner.refuses_direct.store(self.direct.is_none(), Ordering::Relaxed);
        }
        Ok(self.direct.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt as _, stream};
    use oci::{Digest, UploadId};

    use super::*;
    use crate::store::blob::disk::buffers::Receiving;
    use crate::store::blob::disk::{Boot, Disk};

    const RULES: Append =
        Append { maximum_length: u64::MAX, exactly: None, note: 0, keeps_interrupted: true };

    async fn held(folder: &Path) -> (Disk, Held) {
        let disk = Disk::open(folder, Boot::new([1; 16])).await.unwrap();
        let upload = UploadId::parse("01a21342-69a4-784a-b51b-f73ca17deed7").unwrap();
        let held = disk.hold(&upload).await.unwrap();
        (disk, held)
    }

    fn bytes(length: usize) -> Bytes {
        (0..length).map(|index| ((index * 31) >> 3).to_le_bytes()[0]).collect::<Vec<_>>().into()
    }

    #[tokio::test]
    async fn large_uploads_go_past_the_page_cache_where_the_file_system_can() {
        for (refuses, is_crowded) in [(false, false), (true, false), (false, true), (true, true)] {
            let folder = tempfile::tempdir().unwrap();
            let (disk, mut held) = held(folder.path()).await;
            disk.inner.refuses_direct.store(refuses, Ordering::Relaxed);
            let mut others = Vec::new();
            while is_crowded && !others.last().is_some_and(Receiving::is_crowded) {
                others.push(disk.inner.buffers.receive());
            }
            let all = bytes(5_000_003);
            let mut rest = all.clone();
            for length in [100, 3_000_000, 1_999_903] {
                let part = stream::iter([Ok(rest.split_to(length))]);
                held = held.append(part, RULES).await.unwrap().0;
            }
            assert!(held.verify(&[Digest::sha256_of(&all)]).await.unwrap().is_some());
            let path = disk.inner.layout.data(&held.upload);
            assert_eq!(std::fs::read(&path).unwrap(), all);
            let can = !refuses && files::open_direct(&path).unwrap().is_some();
            let Content::Staged(staged) = &held.content else { panic!() };
            assert_eq!(staged.direct.is_some(), can);
        }
    }

    #[tokio::test]
    async fn what_is_refused_past_the_page_cache_goes_through_it() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, held) = held(folder.path()).await;
        let all = bytes(3_000_000);
        // Five bytes that the collector does not know of: everything lies wrong in its buffers.
        let (mut held, _) = held.append(stream::iter([Ok(all.slice(..5))]), RULES).await.unwrap();
        let mut buffer = disk.inner.buffers.take(0, None).await.unwrap();
        buffer.fill(&mut all.slice(5..));
        held.staged().unwrap();
        held.write_buffer(&buffer).unwrap();
        let found = std::fs::read(disk.inner.layout.data(&held.upload)).unwrap();
        assert_eq!(found, all.slice(..found.len()));
        assert_eq!(found.len(), 5 + buffer.bytes().len());
    }

    #[tokio::test]
    async fn a_pause_gives_the_buffer_back() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, held) = held(folder.path()).await;
        let all = disk.inner.buffers.left();
        let mut first = stream::iter([Ok(bytes(100_000))]);
        let seen = disk.clone();
        let mut second = Box::pin(stream::once(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(seen.inner.buffers.left(), all - 1);
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(seen.inner.buffers.left(), all);
            Ok(bytes(50))
        }));
        let both = first.by_ref().chain(second.by_ref());
        let (held, appended) = held.append(both, RULES).await.unwrap();
        assert_eq!((appended.received, held.length()), (100_050, 100_050));
    }
}
