//! A young upload in the hands of one request, and how it settles.

use bytes::Bytes;

use crate::store::blob::Error;
use crate::store::blob::disk::files;
use crate::store::blob::disk::upload::{Content, Held, SMALL_BYTES};

/// Whether the room has a row for an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none: the store alone knows that it exists.
    Young,
    /// There may be one; the store knows that it exists all the same.
    Settling,
    /// The row says that it exists.
    Settled,
}

impl Held {
    /// Whether the room has a row for it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.content {
            Content::Young(known) if known.is_settling => Standing::Settling,
            Content::Young(_) => Standing::Young,
            Content::Small { .. } | Content::Staged(_) => Standing::Settled,
        }
    }

    /// Says that its row is going to be written; out: what was said when it [began](crate::store::blob::Blobs::begin),
    /// `None` when it is settled.
    pub fn begin_to_settle(&mut self) -> Option<Bytes> {
        let Content::Young(known) = &mut self.content else { return None };
        known.is_settling = true;
        let owner = known.owner.clone();
        self.inner.young.begin_to_settle(&self.upload);
        Some(owner)
    }

    /// Gives the upload files of its own, after its row was written; a settled one stays as it is.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]: it is as before.
    pub fn give_files(&mut self) -> Result<(), Error> {
        let Content::Young(known) = &self.content else { return Ok(()) };
        let known = known.clone();
        let result = self.write_files(&known.bytes);
        let failed = Error::io("settle an upload");
        let result = result.and_then(|()| self.inner.young.end(&self.upload).map_err(failed));
        if result.is_err() {
            self.content = Content::Young(known);
        }
        result
    }

    /// A killed process, or an attempt that failed, may have left files: what they hold is replaced.
    fn write_files(&mut self, bytes: &Bytes) -> Result<(), Error> {
        let failed = || Error::io("settle an upload");
        files::remove(&self.inner.layout.state(&self.upload)).map_err(failed())?;
        let path = self.inner.layout.data(&self.upload);
        let data = if bytes.is_empty() {
            files::remove(&path).map_err(failed())?;
            None
        } else {
            let data = files::open_for_writing(&path).map_err(failed())?;
            files::truncate(&data, 0).map_err(failed())?;
            files::write_all_at(&data, bytes, 0).map_err(failed())?;
            Some(data)
        };
        self.content = Content::Small { bytes: bytes.clone(), data };
        if bytes.len() > SMALL_BYTES {
            self.staged()?;
        }
        Ok(())
    }
}
