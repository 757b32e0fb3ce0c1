//! Uploads: layers being received (ecr.md §4.6, §8.5).
//!
//! A row says that an upload exists, where, and until when, unless it is [young]; how far it has come lies with its
//! bytes in the blob store, so receiving bytes writes no row. Both image doors use the same functions: a part of
//! `UploadLayerPart` and a chunk of `PATCH` differ only in that parts are counted and have a smallest size.
//!
//! Invariants:
//! * whoever changes an upload holds it and looks its row up *after* that, so that nothing is received into an
//!   upload that was completed or aborted meanwhile;
//! * what an answer acknowledges survives the death of the process, and power loss if there is a row and it does,
//!   which is committed without a sync; an interrupted chunk is kept as far as it came, an interrupted or
//!   wrong part not at all;
//! * an upload that is not touched for the configured time is gone, also before the collector has removed it.
//!
//! ```ignore
//! let upload = catalog.start_upload(&allowed).await?;
//! let length = catalog.append_chunk(&allowed, &upload, Chunk::next(), bytes).await?;
//! let layer = catalog.complete_upload(&allowed, &upload, &[digest], Source::Stream).await?;
//! ```

mod complete;
mod parts;
#[cfg(test)]
mod tests;
mod young;

pub use complete::{Completed, Source};
pub(in crate::catalog) use complete::{INSERT_LINK, stored_generation};

use bytes::Bytes;
use oci::UploadId;

use self::parts::Parts;
use self::young::Owner;
use super::read_cache::upload_scope;
use super::{Catalog, Error, Place, repository_parameters};
use crate::access::action::{InitiateLayerUpload, UploadLayerPart};
use crate::access::{Allowed, Repository};
use crate::store::blob::{self, Append, Appended, Chunks, Held, Received, Standing};
use crate::store::db::Value;
use crate::{params, transaction};

/// The largest layer that ECR takes, in bytes: 52,000 MiB (ecr.md §9).
pub const MAX_LAYER_BYTES: u64 = 52_000 * 1024 * 1024;

/// Where a chunk of a stream belongs and how long it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The offset of its first byte; `None` for "after what is there".
    pub offset: Option<u64>,
    /// Its length in bytes, when the client said so.
    pub length: Option<u64>,
}

const FIND: &str = "SELECT u.repository_id, u.expires_at FROM repository r \
    JOIN upload u ON u.repository_id = r.id \
    WHERE r.account = $1 AND r.region = $2 AND r.name = $3 AND u.id = $4 AND u.expires_at > $5";

const EXTEND: &str = "UPDATE upload SET expires_at = $2 WHERE id = $1";

const DELETE: &str = "DELETE FROM upload WHERE id = $1 AND repository_id = $2";

const DELETE_LOST: &str = "DELETE FROM upload WHERE id = $1";

/// The row of an upload.
#[derive(Debug, Clone)]
pub(in crate::catalog) struct FoundUpload {
    pub(in crate::catalog) repository_id: String,
    expires_at: i64,
}

impl Catalog {
    /// Begins an upload; its id is a UUID.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]
    pub async fn start_upload(&self, allowed: &Allowed<InitiateLayerUpload>) -> Result<UploadId, Error> {
        let text = self.environment.new_id()?;
        let upload = UploadId::parse(&text).map_err(|error| Error::Internal(error.into()))?;
        let started_at = self.environment.now();
        let owner = Owner {
            repository_id: self.cached_repository_id(allowed.resource()).await?,
            started_at,
            started_by: allowed.by().as_str().to_owned(),
            expires_at: started_at.saturating_add(self.limits.upload_expiry),
        };
        if self.blobs.begin(&upload, owner.to_bytes())? || self.insert_upload(&upload, &owner).await? {
            return Ok(upload);
        }
        Err(Error::RepositoryNotFound(allowed.resource().into()))
    }

    /// How many bytes of an upload are durable.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::UploadNotFound`]
    pub async fn upload_length(
        &self,
        allowed: &Allowed<UploadLayerPart>,
        upload: &UploadId,
    ) -> Result<u64, Error> {
        self.find_upload(allowed.resource(), upload).await?;
        Ok(self.blobs.length(upload).await?)
    }

    /// Appends a chunk of a stream; returns how many bytes the upload has then, all of them durable.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::UploadNotFound`]; [`Error::InvalidLayerPart`] when the chunk does
    /// not follow what is there; [`Error::InvalidLayerPartLength`], [`Error::LayerTooLarge`] and
    /// [`Error::StorageFull`], which keep nothing of it; [`Error::BodyInterrupted`], which keeps what came;
    /// [`Error::Busy`] while another request writes to the upload.
    pub async fn append_chunk(
        &self,
        allowed: &Allowed<UploadLayerPart>,
        upload: &UploadId,
        chunk: Chunk,
        bytes: impl Chunks,
    ) -> Result<u64, Error> {
        let held = self.hold_upload(allowed.resource(), upload).await?;
        let place = || Place::from(allowed.resource());
        if let Some(first) = chunk.offset.filter(|first| *first != held.length()) {
            return Err(out_of_order(place(), upload, first, held.length()));
        }
        let rules = Append {
            maximum_length: self.limits.layer_bytes,
            exactly: chunk.length,
            note: held.note(),
            keeps_interrupted: true,
        };
        let before = held.length();
        let (held, appended) = match held.receive(bytes, rules).await {
            Ok(Received::All(held, appended)) => (held, appended),
            Ok(Received::Outgrown(mut outgrown)) => {
                if let Some(owner) = outgrown.begin_to_settle()
                    && let Err(error) = self.require_row(allowed.resource(), upload, &owner).await
                {
                    drop(outgrown.give_up());
                    return Err(error);
                }
                self.named(outgrown.go_on().await, before, place(), upload).await?
            }
            Err(error) => self.named(Err(error), before, place(), upload).await?,
        };
        if appended.is_complete { Ok(held.length()) } else { Err(Error::BodyInterrupted) }
    }

    /// Appends one part of `UploadLayerPart`, bytes `first..=last`; returns the last byte received.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::UploadNotFound`], [`Error::InvalidLayerPart`],
    /// [`Error::InvalidLayerPartLength`], [`Error::LayerTooLarge`], [`Error::StorageFull`], [`Error::Busy`];
    /// [`Error::LimitExceeded`] for more than 4,200 parts. The upload is as before then.
    pub async fn append_part(
        &self,
        allowed: &Allowed<UploadLayerPart>,
        upload: &UploadId,
        (first, last): (u64, u64),
        bytes: Bytes,
    ) -> Result<u64, Error> {
        let held = self.hold_upload(allowed.resource(), upload).await?;
        let place = || Place::from(allowed.resource());
        if first != held.length() {
            return Err(out_of_order(place(), upload, first, held.length()));
        }
        let received = bytes.len() as u64;
        let declared = last.checked_sub(first).map_or(0, |distance| distance.saturating_add(1));
        if received != declared || received == 0 {
            let (upload, expected) = (upload.to_string(), held.length());
            return Err(Error::InvalidLayerPartLength {
                place: place(),
                upload,
                received,
                declared,
                expected,
            });
        }
        let parts = Parts::from_note(held.note()).with(received)?;
        let rules = Append {
            maximum_length: self.limits.layer_bytes,
            exactly: Some(declared),
            note: parts.to_note(),
            keeps_interrupted: false,
        };
        // Parts are counted in the note, which a young upload does not have.
        let held = self.settle(held, upload, place()).await?;
        let before = held.length();
        let one = futures_util::stream::iter([Ok(bytes)]);
        self.named(held.append(one, rules).await, before, place(), upload).await?;
        Ok(last)
    }

    /// Ends an upload without a layer; its bytes are gone.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::UploadNotFound`], [`Error::Busy`]
    pub async fn abort_upload(
        &self,
        allowed: &Allowed<UploadLayerPart>,
        upload: &UploadId,
    ) -> Result<(), Error> {
        let held = self.blobs.hold(upload).await?;
        let found = self.find_upload(allowed.resource(), upload).await?;
        if held.standing() != Standing::Settled {
            return self.end_young(held, upload).await;
        }
        transaction!(self.database, freeing open => {
            open.touches(&[upload_scope(upload)]);
            open.execute(DELETE, params![upload.as_str(), found.repository_id.as_str()]).await?;
            Ok::<_, Error>(())
        })?;
        held.discard().await;
        Ok(())
    }

    /// Takes an upload for a change and keeps it alive.
    async fn hold_upload(&self, repository: &Repository, upload: &UploadId) -> Result<Held, Error> {
        let mut held = self.blobs.hold(upload).await?;
        let found = self.find_upload(repository, upload).await?;
        let now = self.environment.now();
        // One write in half the time of expiry, not one per chunk.
        if found.expires_at.saturating_sub(now) < self.limits.upload_expiry / 2 {
            held = self.settle(held, upload, repository.into()).await?;
            let expires_at = now.saturating_add(self.limits.upload_expiry);
            transaction!(self.database, relaxed open => {
                open.touches(&[upload_scope(upload)]);
                open.execute(EXTEND, params![upload.as_str(), expires_at]).await?;
                Ok::<_, Error>(())
            })?;
        }
        Ok(held)
    }

    async fn find_upload(&self, repository: &Repository, upload: &UploadId) -> Result<FoundUpload, Error> {
        let found = match self.find_young(repository, upload).await? {
            Some(found) => found,
            None => {
                let load = async || self.load_upload(repository, upload).await;
                self.cached_upload(repository, upload, load).await?
            }
        };
        if found.expires_at > self.environment.now() {
            return Ok(found);
        }
        Err(Error::UploadNotFound { place: repository.into(), upload: upload.to_string() })
    }

    async fn load_upload(&self, repository: &Repository, upload: &UploadId) -> Result<FoundUpload, Error> {
        let mut parameters: Vec<Value> = repository_parameters(repository);
        parameters.extend(params![upload.as_str(), self.environment.now()]);
        if let Some(row) = self.database.row(FIND, parameters).await? {
            return Ok(FoundUpload { repository_id: row.get(0)?, expires_at: row.get(1)? });
        }
        self.require_repository(repository).await?;
        Err(Error::UploadNotFound { place: repository.into(), upload: upload.to_string() })
    }

    /// Writes the row of a young upload that has outgrown its youth.
    async fn require_row(
        &self,
        repository: &Repository,
        upload: &UploadId,
        owner: &[u8],
    ) -> Result<(), Error> {
        if self.insert_upload(upload, &Owner::read(owner)?).await? {
            return Ok(());
        }
        Err(Error::UploadNotFound { place: repository.into(), upload: upload.to_string() })
    }

    /// Gives the store's refusals of bytes their names in this room; `before` is how many the upload had.
    async fn named(
        &self,
        appended: Result<(Held, Appended), blob::Error>,
        before: u64,
        place: Place,
        upload: &UploadId,
    ) -> Result<(Held, Appended), Error> {
        match appended {
            Ok(appended) => Ok(appended),
            Err(blob::Error::TooLong { limit }) => Err(Error::LayerTooLarge { place, limit_bytes: limit }),
            Err(blob::Error::WrongLength { received, expected }) => Err(Error::InvalidLayerPartLength {
                place,
                upload: upload.to_string(),
                received,
                declared: expected,
                expected: before,
            }),
            Err(other) => Err(self.after_failure(other, upload).await),
        }
    }

    /// What a failure of the store means for an upload: one whose bytes are lost is over, and its client hears of it
    /// when it goes on. Should even its row stay, it finds an empty upload.
    async fn after_failure(&self, error: blob::Error, upload: &UploadId) -> Error {
        if matches!(error, blob::Error::Lost(_)) {
            let ended = transaction!(self.database, freeing open => {
                open.touches(&[upload_scope(upload)]);
                open.execute(DELETE_LOST, params![upload.as_str()]).await?;
                Ok::<_, Error>(())
            });
            if let Err(error) = ended {
                tracing::warn!(%error, upload.id = %upload, "a lost upload keeps its row until it expires");
            }
        }
        error.into()
    }
}

fn out_of_order(place: Place, upload: &UploadId, first: u64, expected: u64) -> Error {
    Error::InvalidLayerPart { place, upload: upload.to_string(), first, expected }
}
