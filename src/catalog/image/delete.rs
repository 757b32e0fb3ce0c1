//! BatchDeleteImage (ecr.md §4.4): what a tag's or an image's removal takes along, and what refuses it.

use std::collections::{HashMap, HashSet};

use oci::{Digest, Tag};

use super::id::{Failure, FailureCode, ImageId, stored_tag};
use crate::access::{Allowed, action};
use crate::catalog::read_cache::image_scope;
use crate::catalog::{Catalog, Error};
use crate::store::db::Transaction;
use crate::{params, transaction};

/// What a deletion has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Removed tags with their digests, and digests of images that had no tag.
    pub deleted: Vec<(Digest, Option<Tag>)>,
    /// What was not removed.
    pub failures: Vec<Failure>,
}

impl Catalog {
    /// Deletes images and tags; each id succeeds or fails by itself, all successes in one transaction.
    ///
    /// Whether an index needs an image is judged by the state before the call, so an index and its children in
    /// one call give failures for the children: a second call then succeeds, as clean-up tools expect.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn delete_images(
        &self,
        allowed: &Allowed<action::BatchDeleteImage>,
        ids: &[ImageId],
    ) -> Result<Deletion, Error> {
        self.delete_named(allowed, ids, LastTag::OfMemberStays).await
    }

    /// Removes a tag, and the image with its last one unless an index refers to the image.
    ///
    /// What differs from [`Self::delete_images`]: there the last tag of what an index needs cannot be removed
    /// (ecr.md §4.4); here the image stays without a tag, because a client of the distribution-spec that deletes
    /// a tag means the tag.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::ImageNotFound`].
    pub async fn delete_tag(
        &self,
        allowed: &Allowed<action::BatchDeleteImage>,
        tag: &Tag,
    ) -> Result<(), Error> {
        let id = ImageId { digest: None, tag: Some(tag.to_string()) };
        let deletion =
            self.delete_named(allowed, std::slice::from_ref(&id), LastTag::OfMemberGoesAlone).await?;
        if deletion.failures.is_empty() {
            return Ok(());
        }
        Err(Error::ImageNotFound { place: allowed.resource().into(), digest: None, tag: id.tag })
    }

    async fn delete_named(
        &self,
        allowed: &Allowed<action::BatchDeleteImage>,
        ids: &[ImageId],
        last_tag: LastTag,
    ) -> Result<Deletion, Error> {
        let repository = allowed.resource();
        let now = self.environment.now();
        let review_after = now.saturating_add(self.limits.blob_grace);
        let by = allowed.by();
        transaction!(self.database, freeing open => {
            open.touches(&[image_scope(repository)]);
            let row = open
                .row(crate::catalog::REPOSITORY_ID, crate::catalog::repository_parameters(repository))
                .await?
                .ok_or_else(|| Error::RepositoryNotFound(repository.into()))?;
            let repository_id = row.get(0)?;
            let mut run = Run {
                open,
                repository_id,
                now,
                review_after,
                orphans_after: review_after,
                by: &by,
                last_tag,
                gone: HashSet::new(),
            };
            let mut found = Vec::new();
            let mut parents = HashMap::new();
            for id in ids {
                let resolved = run.resolve(id).await?;
                if let Ok(digest) = &resolved
                    && !parents.contains_key(digest)
                {
                    parents.insert(digest.clone(), run.parents(digest).await?);
                }
                found.push((id, resolved));
            }
            let mut deletion = Deletion::default();
            for (id, resolved) in found {
                let outcome = match resolved {
                    Ok(digest) => run.delete(id, &digest, &parents).await?,
                    Err(code) => Err(code),
                };
                match outcome {
                    Ok(mut deleted) => deletion.deleted.append(&mut deleted),
                    Err(code) => deletion.failures.push(Failure { id: id.clone(), code }),
                }
            }
            Ok::<_, Error>(deletion)
        })
    }
}

/// What becomes of the last tag of an image that an index refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastTag {
    /// It cannot be removed.
    OfMemberStays,
    /// It is removed and the image stays.
    OfMemberGoesAlone,
}

/// One transaction of deletions in one repository.
pub(super) struct Run<'a> {
    pub(super) open: &'a mut Transaction,
    pub(super) repository_id: String,
    pub(super) now: i64,
    /// When the collector looks at the blobs of what is removed.
    pub(super) review_after: i64,
    /// When it looks at the referrers of what is removed.
    pub(super) orphans_after: i64,
    pub(super) by: &'a str,
    pub(super) last_tag: LastTag,
    /// Images that this call has removed.
    pub(super) gone: HashSet<String>,
}

type Outcome<T> = Result<Result<T, FailureCode>, Error>;

impl Run<'_> {
    /// The digest that an id means in the state before the call.
    async fn resolve(&mut self, id: &ImageId) -> Outcome<String> {
        if let Err(code) = id.check() {
            return Ok(Err(code));
        }
        let Some(tag) = &id.tag else {
            let digest = id.digest.clone().unwrap_or_default();
            let row = self
                .open
                .row(
                    "SELECT digest FROM image WHERE repository_id = $1 AND digest = $2",
                    params![self.repository_id.as_str(), digest.as_str()],
                )
                .await?;
            return Ok(row.map(|_| digest).ok_or(FailureCode::ImageNotFound));
        };
        let row = self
            .open
            .row(
                "SELECT digest FROM tag WHERE repository_id = $1 AND name = $2 AND ended_at IS NULL",
                params![self.repository_id.as_str(), tag.as_str()],
            )
            .await?;
        let Some(row) = row else { return Ok(Err(FailureCode::ImageNotFound)) };
        let current: String = row.get(0)?;
        if id.digest.as_ref().is_some_and(|digest| *digest != current) {
            return Ok(Err(FailureCode::ImageTagDoesNotMatchDigest));
        }
        Ok(Ok(current))
    }

    /// The indexes that name a digest.
    async fn parents(&mut self, digest: &str) -> Result<Vec<String>, Error> {
        let rows = self
            .open
            .rows(
                "SELECT digest FROM image_child WHERE repository_id = $1 AND child = $2 ORDER BY digest",
                params![self.repository_id.as_str(), digest],
            )
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
    }

    /// Deletes what one id means; gives what it removed, nothing when an id before it has done so already.
    async fn delete(
        &mut self,
        id: &ImageId,
        digest: &str,
        parents: &HashMap<String, Vec<String>>,
    ) -> Outcome<Vec<(Digest, Option<Tag>)>> {
        if self.gone.contains(digest) {
            return Ok(Ok(Vec::new()));
        }
        let stored = crate::catalog::stored_digest(digest)?;
        let tags = self.tags(digest).await?;
        let indexes = parents.get(digest).cloned().unwrap_or_default();
        if let Some(tag) = &id.tag {
            if !tags.contains(tag) {
                return Ok(Ok(Vec::new()));
            }
            let goes_alone = self.last_tag == LastTag::OfMemberGoesAlone && !indexes.is_empty();
            if tags.len() > 1 || goes_alone {
                self.end_tag(tag).await?;
                return Ok(Ok(vec![(stored, Some(stored_tag(tag)?))]));
            }
        }
        if !indexes.is_empty() {
            return Ok(Err(FailureCode::ImageReferencedByManifestList { indexes }));
        }
        self.remove(digest).await?;
        if tags.is_empty() {
            return Ok(Ok(vec![(stored, None)]));
        }
        let named = tags.iter().map(|tag| Ok((stored.clone(), Some(stored_tag(tag)?))));
        Ok(Ok(named.collect::<Result<_, Error>>()?))
    }

    async fn tags(&mut self, digest: &str) -> Result<Vec<String>, Error> {
        let rows = self
            .open
            .rows(
                "SELECT name FROM tag WHERE repository_id = $1 AND digest = $2 AND ended_at IS NULL ORDER BY name",
                params![self.repository_id.as_str(), digest],
            )
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
    }

    async fn end_tag(&mut self, tag: &str) -> Result<(), Error> {
        self.open
            .execute(
                "UPDATE tag SET ended_at = $1, ended_by = $2 \
                 WHERE repository_id = $3 AND name = $4 AND ended_at IS NULL",
                params![self.now, self.by, self.repository_id.as_str(), tag],
            )
            .await?;
        Ok(())
    }

    /// Removes an image with all its tags; its blobs and its referrers go to the collector's review, which keeps
    /// what something else needs.
    pub(super) async fn remove(&mut self, digest: &str) -> Result<(), Error> {
        self.open
            .execute(
                "UPDATE tag SET ended_at = $1, ended_by = $2 \
                 WHERE repository_id = $3 AND digest = $4 AND ended_at IS NULL",
                params![self.now, self.by, self.repository_id.as_str(), digest],
            )
            .await?;
        self.open
            .execute(
                "UPDATE blob_link SET review_after = $1 WHERE repository_id = $2 AND blob IN \
                 (SELECT i.blob FROM image_blob i WHERE i.repository_id = $2 AND i.digest = $3)",
                params![self.review_after, self.repository_id.as_str(), digest],
            )
            .await?;
        self.open
            .execute(
                "UPDATE image SET review_after = $1 WHERE repository_id = $2 AND subject_digest = $3",
                params![self.orphans_after, self.repository_id.as_str(), digest],
            )
            .await?;
        for sql in [
            "DELETE FROM image_blob WHERE repository_id = $1 AND digest = $2",
            "DELETE FROM image_child WHERE repository_id = $1 AND digest = $2",
            "DELETE FROM image WHERE repository_id = $1 AND digest = $2",
        ] {
            self.open.execute(sql, params![self.repository_id.as_str(), digest]).await?;
        }
        self.gone.insert(digest.to_owned());
        Ok(())
    }
}
