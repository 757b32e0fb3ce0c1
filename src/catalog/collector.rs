//! The collector: removes what nobody needs any more. Runs beside everything else and needs no window.
//!
//! ```text
//! upload   untouched until expires_at            → row, then bytes; a young one gets its row here
//!                                                  (upload/young.rs)
//! referrer review_after passed, subject gone     → as BatchDeleteImage (image/orphan.rs)
//! link     review_after passed, no image needs it → row; the blob's own review is due at once
//! blob     review_after passed, no link           → state 'deleting', then the object, then the row
//! object   no row names it for a week             → the object
//! ```
//!
//! INVARIANT: an object is deleted only under a generation that its row was marked with in a transaction which
//! saw no link. A push of the same digest at that moment finds the mark, stores its own bytes under another
//! generation and takes the row back; a mount cannot begin, because it needs a link.
//! INVARIANT: no transaction is open while the blob store works.
//! INVARIANT: every step may be repeated: what a crash leaves is found by the next round.

#[cfg(test)]
mod tests;

use oci::{Digest, UploadId};

use super::read_cache::{blob_scope, blob_scope_of, upload_scope};
use super::upload::stored_generation;
use super::{Catalog, Error, stored_digest};
use crate::environment::{Micros, SECOND};
use crate::store::blob::{Generation, SHARDS};
use crate::{params, transaction};

/// Entries of a queue that are looked at before the queue is asked again.
const BATCH: i64 = 100;

/// How long an object that no row names is left alone. Long, because an operator who restores a database from a
/// backup may put another one in its place a day later; such objects are rare otherwise.
const STRAY_GRACE: Micros = 7 * 24 * 3600 * SECOND;

const EXPIRED_UPLOADS: &str = "SELECT id FROM upload WHERE expires_at <= $1 AND id > $2 ORDER BY id LIMIT $3";

const DELETE_EXPIRED: &str = "DELETE FROM upload WHERE id = $1 AND expires_at <= $2";

const UPLOAD: &str = "SELECT id FROM upload WHERE id = $1";

const DUE_LINKS: &str = "SELECT l.repository_id, b.digest FROM blob_link l JOIN blob b ON b.number = l.blob \
    WHERE l.review_after <= $1 ORDER BY l.review_after LIMIT $2";

const KEEP_LINK: &str = "UPDATE blob_link SET review_after = NULL \
    WHERE repository_id = $1 AND blob = (SELECT number FROM blob WHERE digest = $2) AND review_after <= $3 \
    AND EXISTS (SELECT 1 FROM image_blob i WHERE i.repository_id = $1 AND i.blob = blob_link.blob)";

const DELETE_LINK: &str = "DELETE FROM blob_link WHERE repository_id = $1 \
    AND blob = (SELECT number FROM blob WHERE digest = $2) AND review_after <= $3";

/// The last link may have gone: the next round looks.
pub(super) const REVIEW_BLOB: &str = "UPDATE blob SET review_after = $2 WHERE digest = $1";

const DUE_BLOBS: &str = "SELECT digest, generation FROM blob WHERE review_after <= $1 AND digest > $2 \
    ORDER BY digest LIMIT $3";

const KEEP_BLOB: &str = "UPDATE blob SET review_after = NULL WHERE digest = $1 AND state <> 'deleting' \
    AND EXISTS (SELECT 1 FROM blob_link l WHERE l.blob = blob.number)";

/// A blob that an image names is always linked where that image is; should a link be lost, the image still keeps it.
const MARK_BLOB: &str = "UPDATE blob SET state = 'deleting' WHERE digest = $1 AND generation = $2 \
    AND review_after <= $3 AND NOT EXISTS (SELECT 1 FROM blob_link l WHERE l.blob = blob.number) \
    AND NOT EXISTS (SELECT 1 FROM image_blob i WHERE i.blob = blob.number)";

const DELETE_BLOB: &str = "DELETE FROM blob WHERE digest = $1 AND generation = $2 AND state = 'deleting'";

const GENERATION: &str = "SELECT generation FROM blob WHERE digest = $1";

/// What one round removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Uploads that nobody finished, and staged bytes that no upload owned.
    pub uploads: u64,
    /// Referrers whose subject was deleted.
    pub referrers: u64,
    /// Links that no image needed.
    pub links: u64,
    /// Blobs that no repository could read.
    pub blobs: u64,
}

impl Catalog {
    /// One round over everything whose time has come. Cheap when there is nothing to do.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database or the blob store fails; what was removed until then is removed.
    pub async fn collect(&self) -> Result<Collected, Error> {
        let young = self.settle_uploads().await?;
        let uploads = young + self.collect_uploads().await? + self.collect_staged().await?;
        let referrers = self.collect_orphans().await?;
        let links = self.collect_links().await?;
        let blobs = self.collect_blobs().await?;
        Ok(Collected { uploads, referrers, links, blobs })
    }

    /// Compares every stored object with the rows and removes those that no row has named for a week: what a
    /// crash between publishing and commit leaves. Reads a row per object; for a run now and then.
    ///
    /// # Errors
    /// As [`Self::collect`].
    pub async fn collect_stray_objects(&self) -> Result<u64, Error> {
        let before = self.environment.now().saturating_sub(STRAY_GRACE);
        let mut removed = 0;
        for shard in 0..SHARDS {
            for stored in self.blobs.objects(shard).await? {
                if stored.changed_at >= before {
                    continue;
                }
                let digest = &stored.object.digest;
                let row = self.database.row(GENERATION, params![digest.as_str()]).await?;
                let named = row.map(|row| row.get::<String>(0)).transpose()?;
                if named.as_deref() != Some(stored.object.generation.as_str()) {
                    self.blobs.delete(digest, &stored.object.generation).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    async fn collect_uploads(&self) -> Result<u64, Error> {
        let mut removed = 0;
        let mut after = String::new();
        loop {
            let now = self.environment.now();
            let rows = self.database.rows(EXPIRED_UPLOADS, params![now, after.as_str(), BATCH]).await?;
            let Some(last) = rows.last() else { return Ok(removed) };
            after = last.get(0)?;
            for row in &rows {
                let upload = stored_upload(&row.get::<String>(0)?)?;
                // Held by a request: it is not abandoned, and its row is extended or looked at again.
                let Ok(held) = self.blobs.hold(&upload).await else { continue };
                let gone = transaction!(self.database, freeing open => {
                    open.touches(&[upload_scope(&upload)]);
                    Ok::<_, Error>(open.execute(DELETE_EXPIRED, params![upload.as_str(), now]).await?)
                })?;
                if gone > 0 {
                    held.discard().await;
                    removed += 1;
                }
            }
        }
    }

    /// Staged bytes without a row: their repository was deleted, or a crash came between commit and removal.
    async fn collect_staged(&self) -> Result<u64, Error> {
        let mut removed = 0;
        for upload in self.blobs.uploads().await? {
            if self.database.row(UPLOAD, params![upload.as_str()]).await?.is_some() {
                continue;
            }
            let Ok(held) = self.blobs.hold(&upload).await else { continue };
            // Nobody gets bytes into an upload without a row: who holds it looks for the row first.
            held.discard().await;
            removed += 1;
        }
        Ok(removed)
    }

    async fn collect_links(&self) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let now = self.environment.now();
            let rows = self.database.rows(DUE_LINKS, params![now, BATCH]).await?;
            if rows.is_empty() {
                return Ok(removed);
            }
            removed += transaction!(self.database, freeing open => {
                open.touches(&[]);
                let mut deleted = 0;
                for row in &rows {
                    let (repository, digest) = (row.get::<String>(0)?, row.get::<String>(1)?);
                    open.touches(&[blob_scope_of(&digest)]);
                    let link = || params![repository.as_str(), digest.as_str(), now];
                    if open.execute(KEEP_LINK, link()).await? == 0 && open.execute(DELETE_LINK, link()).await? > 0 {
                        // The grace has passed while the link was there; the blob gets no second one.
                        open.execute(REVIEW_BLOB, params![digest.as_str(), now]).await?;
                        deleted += 1;
                    }
                }
                Ok::<_, Error>(deleted)
            })?;
        }
    }

    async fn collect_blobs(&self) -> Result<u64, Error> {
        let mut removed = 0;
        let mut after = String::new();
        loop {
            let now = self.environment.now();
            let rows = self.database.rows(DUE_BLOBS, params![now, after.as_str(), BATCH]).await?;
            let Some(last) = rows.last() else { return Ok(removed) };
            after = last.get(0)?;
            for row in &rows {
                let digest = stored_digest(&row.get::<String>(0)?)?;
                let generation = stored_generation(&row.get::<String>(1)?)?;
                if self.mark_blob(&digest, &generation, now).await? {
                    self.delete_marked(&digest, &generation).await?;
                    removed += 1;
                }
            }
        }
    }

    /// Takes a blob out of use; false when a link needs it.
    async fn mark_blob(&self, digest: &Digest, generation: &Generation, now: Micros) -> Result<bool, Error> {
        transaction!(self.database, freeing open => {
            open.touches(&[blob_scope(digest)]);
            if open.execute(KEEP_BLOB, params![digest.as_str()]).await? > 0 {
                return Ok(false);
            }
            let marked = open.execute(MARK_BLOB, params![digest.as_str(), generation.as_str(), now]).await?;
            Ok::<_, Error>(marked > 0)
        })
    }

    /// Removes a marked object, then its row, unless a push has taken the row back meanwhile.
    async fn delete_marked(&self, digest: &Digest, generation: &Generation) -> Result<(), Error> {
        self.blobs.delete(digest, generation).await?;
        transaction!(self.database, freeing open => {
            open.touches(&[blob_scope(digest)]);
            open.execute(DELETE_BLOB, params![digest.as_str(), generation.as_str()]).await?;
            Ok::<_, Error>(())
        })
    }
}

fn stored_upload(text: &str) -> Result<UploadId, Error> {
    UploadId::parse(text)
        .map_err(|_| crate::store::db::Error::Corrupt(format!("{text:?} is no upload")).into())
}
