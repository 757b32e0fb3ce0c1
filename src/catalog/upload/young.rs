//! Uploads without a row.
//!
//! Most uploads live for milliseconds, so a new one is the blob store's alone ([`Blobs::begin`]); what its row would
//! say lies there with it. It gets its row, and its bytes get files, when it grows, receives parts, or is half a minute
//! old ([`Catalog::settle_uploads`]). The row comes first and the store's own record goes last, so a crash in between
//! leaves an upload that is settled once more.
//!
//! The repository is compared by its id at each request, as the look-up of a row does; the layer's link refers to it,
//! so nothing can be completed into one that was deleted.
//!
//! [`Blobs::begin`]: crate::store::blob::Blobs::begin

use bytes::Bytes;
use oci::UploadId;

use super::FoundUpload;
use crate::access::Repository;
use crate::catalog::{Catalog, Error, Place};
use crate::environment::{Micros, SECOND};
use crate::store::blob::{Held, Standing};
use crate::store::db;
use crate::{params, transaction};

/// How old an upload may become without a row. A power cut takes it until then.
const YOUNG_FOR: Micros = 30 * SECOND;

/// One that has a row already stays as it is; without the repository there is none.
const INSERT: &str = "INSERT INTO upload (id, repository_id, started_at, started_by, expires_at) \
    SELECT CAST($1 AS TEXT), id, CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS BIGINT) \
    FROM repository WHERE id = $2 ON CONFLICT (id) DO NOTHING";

const EXISTS: &str = "SELECT id FROM upload WHERE id = $1";

const DELETE: &str = "DELETE FROM upload WHERE id = $1";

/// The version of [`Owner::to_bytes`].
const VERSION: u8 = 1;

/// What the row of an upload says, besides its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) repository_id: String,
    pub(super) started_at: Micros,
    pub(super) started_by: String,
    pub(super) expires_at: Micros,
}

impl Owner {
    /// As the blob store keeps it.
    pub(super) fn to_bytes(&self) -> Bytes {
        let Self { repository_id, started_at, started_by, expires_at } = self;
        let mut bytes = Vec::with_capacity(64 + repository_id.len() + started_by.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&started_at.to_be_bytes());
        bytes.extend_from_slice(&expires_at.to_be_bytes());
        bytes.extend_from_slice(repository_id.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(started_by.as_bytes());
        bytes.into()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (started_at, rest) = rest.split_first_chunk::<8>()?;
        let (expires_at, rest) = rest.split_first_chunk::<8>()?;
        let (repository_id, started_by) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        Some(Self {
            repository_id: repository_id.to_owned(),
            started_at: Micros::from_be_bytes(*started_at),
            started_by: started_by.to_owned(),
            expires_at: Micros::from_be_bytes(*expires_at),
        })
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let damaged = || db::Error::Corrupt("the owner of a young upload cannot be read".to_owned());
        Ok(Self::parse(bytes).ok_or_else(damaged)?)
    }
}

impl Catalog {
    /// A young upload of this repository; `None` when the upload is not young.
    pub(super) async fn find_young(
        &self,
        repository: &Repository,
        upload: &UploadId,
    ) -> Result<Option<FoundUpload>, Error> {
        let Some(owner) = self.blobs.owner_of_young(upload) else { return Ok(None) };
        let Owner { repository_id, expires_at, .. } = Owner::read(&owner)?;
        if self.cached_repository_id(repository).await? != repository_id {
            return Err(Error::UploadNotFound { place: repository.into(), upload: upload.to_string() });
        }
        Ok(Some(FoundUpload { repository_id, expires_at }))
    }

    /// Writes the row of an upload, if there is none; false when its repository is gone.
    pub(super) async fn insert_upload(&self, upload: &UploadId, owner: &Owner) -> Result<bool, Error> {
        let Owner { repository_id, started_at, started_by, expires_at } = owner;
        // Relaxed: whoever loses an unfinished upload to a power cut begins it again.
        transaction!(self.database, relaxed open => {
            // What is missing is never kept in memory.
            open.touches(&[]);
            let (id, by) = (upload.as_str(), started_by.as_str());
            let row = params![id, repository_id.as_str(), *started_at, by, *expires_at];
            let is_there = open.execute(INSERT, row).await? > 0
                || open.row(EXISTS, params![id]).await?.is_some();
            Ok::<_, Error>(is_there)
        })
    }

    /// Writes the row of a young upload and gives it files; any other stays as it is.
    ///
    /// # Errors
    /// [`Error::UploadNotFound`] when its repository is gone, and with it the upload; [`Error::StorageFull`].
    pub(super) async fn settle(
        &self,
        mut held: Held,
        upload: &UploadId,
        place: Place,
    ) -> Result<Held, Error> {
        let Some(owner) = held.begin_to_settle() else { return Ok(held) };
        if !self.insert_upload(upload, &Owner::read(&owner)?).await? {
            held.discard().await;
            return Err(Error::UploadNotFound { place, upload: upload.to_string() });
        }
        held.give_files()?;
        Ok(held)
    }

    /// Settles the young uploads that are old enough and ends those whose time is over or whose repository is gone;
    /// out: how many were ended. One that a request works with is left for the next time.
    ///
    /// # Errors
    /// [`Error::Internal`], [`Error::StorageFull`] of the last one that failed; the others are settled.
    pub async fn settle_uploads(&self) -> Result<u64, Error> {
        let now = self.environment.now();
        let (mut ended, mut result) = (0, Ok(()));
        for young in self.blobs.young_uploads() {
            let owner = Owner::parse(&young.owner);
            if owner.as_ref().is_some_and(|owner| now.saturating_sub(owner.started_at) < YOUNG_FOR) {
                continue;
            }
            match self.settle_one(&young.id, owner, now).await {
                Ok(is_over) => ended += u64::from(is_over),
                Err(error) => result = Err(error),
            }
        }
        result.map(|()| ended)
    }

    /// Out: whether it was ended.
    async fn settle_one(&self, upload: &UploadId, owner: Option<Owner>, now: Micros) -> Result<bool, Error> {
        let Some(mut held) = self.blobs.hold_now(upload).await? else { return Ok(false) };
        if held.standing() == Standing::Settled {
            return Ok(false);
        }
        let is_over = match &owner {
            Some(owner) if owner.expires_at > now => {
                held.begin_to_settle();
                !self.insert_upload(upload, owner).await?
            }
            // Also one that another version of this program has begun and nobody can read.
            _ => true,
        };
        if is_over {
            self.end_young(held, upload).await?;
        } else {
            held.give_files()?;
        }
        Ok(is_over)
    }

    /// Ends a young upload without a layer.
    pub(super) async fn end_young(&self, held: Held, upload: &UploadId) -> Result<(), Error> {
        if held.standing() == Standing::Settling {
            transaction!(self.database, freeing open => {
                open.touches(&[crate::catalog::read_cache::upload_scope(upload)]);
                open.execute(DELETE, params![upload.as_str()]).await?;
                Ok::<_, Error>(())
            })?;
        }
        Ok(held.remove()?)
    }

    /// Ends the young uploads of a repository that was deleted, so that their bytes are gone at once.
    pub(in crate::catalog) async fn end_young_of(&self, repository_id: &str) {
        for young in self.blobs.young_uploads() {
            let owner = Owner::parse(&young.owner);
            if owner.is_none_or(|owner| owner.repository_id != repository_id) {
                continue;
            }
            // One that a request works with meets the missing repository, or the next settling does.
            let Ok(Some(held)) = self.blobs.hold_now(&young.id).await else { continue };
            if let Err(error) = self.end_young(held, &young.id).await {
                tracing::warn!(%error, upload.id = %young.id, "an upload without a repository stays for a while");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let owner = Owner {
            repository_id: "0198".to_owned(),
            started_at: -1,
            started_by: "arn:aws:iam::123456789012:user/é".to_owned(),
            expires_at: i64::MAX,
        };
        let bytes = owner.to_bytes();
        assert_eq!(Owner::parse(&bytes), Some(owner));
        for cut in 0..18 {
            assert_eq!(Owner::parse(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(Owner::parse(&[&[2], &bytes[1..]].concat()), None, "another version");
    }
}
