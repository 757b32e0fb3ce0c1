//! What can go wrong with bytes.

use std::io;
use std::path::PathBuf;

/// An error of the blob store. Unless said otherwise nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The volume or the quota is full (ENOSPC, EDQUOT); what was durable before still is.
    #[error("no space is left for blobs: {0}")]
    Full(#[source] io::Error),
    /// The bytes of an upload could not be synced and may never reach the disk; the upload is gone.
    #[error("the upload could not be synced and is given up: {0}")]
    Lost(#[source] io::Error),
    /// Somebody else is changing the same upload.
    #[error("the upload is in use")]
    Busy,
    /// The object is not there although a row names it.
    #[error("the object is missing")]
    Missing,
    /// The object has another length than its row says: it counts as missing.
    #[error("the object has {found} bytes instead of {expected}")]
    Damaged {
        /// Bytes that the row promises.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// More bytes came than the upload may have; none of them is kept.
    #[error("more than {limit} bytes")]
    TooLong {
        /// Total length allowed, in bytes.
        limit: u64,
    },
    /// The body has another length than was announced; none of it is kept.
    #[error("{received} bytes came instead of {expected}")]
    WrongLength {
        /// Bytes that came, at least.
        received: u64,
        /// Bytes announced.
        expected: u64,
    },
    /// Another server uses the folder.
    #[error("another server uses {}", .0.display())]
    InUse(PathBuf),
    /// The file system failed.
    #[error("failed to {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Wraps an error of the file system, telling a full volume apart from everything else.
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| if is_full(&source) { Self::Full(source) } else { Self::Io { action, source } }
    }

    /// Whether a full volume or quota is the cause.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full(_) => true,
            Self::Lost(source) => is_full(source),
            _ => false,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
