//! Uploads whose bytes could not be synced.
//!
//! After a failed sync the kernel counts the pages as written: the next sync succeeds without them, and a power cut
//! then takes bytes that were promised. So what was not synced by then has to come again from its client. The upload
//! is removed; for as long as even that fails, nobody gets hold of it.

use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use oci::UploadId;

use super::{Inner, files};
use crate::store::blob::Error;

/// The uploads that are lost and whose files are still there.
#[derive(Debug, Default)]
pub(super) struct Lost(Mutex<HashSet<UploadId>>);

impl Inner {
    /// Gives up an upload after a sync of its bytes has failed with `source`; out: the error for whoever waits.
    pub(super) fn give_up(&self, upload: &UploadId, source: io::Error) -> Error {
        tracing::error!(error = %source, upload.id = %upload, "an upload could not be synced and is given up");
        self.lost.0.lock().unwrap_or_else(PoisonError::into_inner).insert(upload.clone());
        if let Err(error) = self.bury(upload) {
            tracing::warn!(%error, upload.id = %upload, "a lost upload could not be removed yet");
        }
        Error::Lost(source)
    }

    pub(super) fn is_lost(&self, upload: &UploadId) -> bool {
        self.lost.0.lock().unwrap_or_else(PoisonError::into_inner).contains(upload)
    }

    /// Removes what a lost upload has left behind; nothing for any other.
    pub(super) fn bury(&self, upload: &UploadId) -> Result<(), Error> {
        if !self.is_lost(upload) {
            return Ok(());
        }
        let removed = files::remove(&self.layout.state(upload));
        removed
            .and_then(|()| files::remove(&self.layout.data(upload)))
            .map_err(Error::io("remove a lost upload"))?;
        self.lost.0.lock().unwrap_or_else(PoisonError::into_inner).remove(upload);
        Ok(())
    }
}
