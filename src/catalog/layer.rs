//! Layers: blobs as a repository sees them (ecr.md §4.6, §8.4, §8.5).
//!
//! A layer is in a repository when a link says so and its object is really there with its length: what is
//! damaged (`damage.rs`) counts as missing, so that the next push of it heals it.
//!
//! Invariants:
//! * no answer about one repository depends on what lies in another;
//! * an answer that a push relies upon ("this layer is there") holds for the collector's grace at least: it
//!   gives a link whose review is near a new term;
//! * the pull path writes nothing;
//! * a layer that an image needs cannot be deleted; one that none needs is gone for this repository at once,
//!   also when somebody was told a moment ago that it is there.

mod delete;
mod mount;
#[cfg(test)]
mod tests;

use oci::Digest;

use super::content::Placed;
use super::read_cache::MAX_KEPT_LAYER;
use super::{Catalog, Error, repository_parameters};
use crate::access::action::{BatchCheckLayerAvailability, GetDownloadUrlForLayer};
use crate::access::{Allowed, LayerTicket, Repository};
use crate::store::blob::{self, Object, Reader};
use crate::store::db::Row;
use crate::{params, transaction};

/// The right under which the length of a layer is told: that of a push or that of a pull.
#[derive(Debug, Clone, Copy)]
pub enum LayerQuestion<'proof> {
    /// Somebody who pushes: the answer is going to be relied upon.
    Push(&'proof Allowed<BatchCheckLayerAvailability>),
    /// Somebody who pulls.
    Pull(&'proof Allowed<GetDownloadUrlForLayer>),
}

const FIND: &str = "SELECT b.generation, b.size_bytes, CAST(LENGTH(c.content) AS BIGINT), l.review_after, \
    l.repository_id, b.number FROM repository r JOIN blob b ON b.digest = $4 \
    JOIN blob_link l ON l.repository_id = r.id AND l.blob = b.number LEFT JOIN blob_content c ON c.blob = b.number \
    WHERE r.account = $1 AND r.region = $2 AND r.name = $3 AND b.state = 'ready'";

const EXTEND: &str = "UPDATE blob_link SET review_after = $3 \
    WHERE repository_id = $1 AND blob = (SELECT number FROM blob WHERE digest = $2) AND review_after IS NOT NULL";

const IS_REFERENCED: &str = "SELECT i.digest FROM blob b JOIN image_blob i ON i.blob = b.number \
    WHERE b.digest = $2 AND i.repository_id = $1 LIMIT 1";

/// A layer of a repository.
struct Found {
    placed: Placed,
    review_after: Option<i64>,
    repository_id: String,
}

impl Found {
    fn read(digest: &Digest, row: &Row) -> Result<Self, Error> {
        Ok(Self { placed: Placed::read(digest, row)?, review_after: row.get(3)?, repository_id: row.get(4)? })
    }
}

impl Catalog {
    /// The lengths of layers in bytes, in the order of `digests`; `None` for one that the repository does not
    /// have, whatever other repositories have.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]
    pub async fn layer_lengths(
        &self,
        allowed: &Allowed<BatchCheckLayerAvailability>,
        digests: &[Digest],
    ) -> Result<Vec<Option<u64>>, Error> {
        self.require_repository(allowed.resource()).await?;
        let mut lengths = Vec::with_capacity(digests.len());
        for digest in digests {
            lengths.push(self.relied_upon_length(allowed.resource(), digest).await?);
        }
        Ok(lengths)
    }

    /// The length of one layer in bytes, or `None`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]
    pub async fn layer_length(
        &self,
        question: LayerQuestion<'_>,
        digest: &Digest,
    ) -> Result<Option<u64>, Error> {
        let (repository, length) = match question {
            LayerQuestion::Push(allowed) => {
                let repository = allowed.resource();
                (repository, self.relied_upon_length(repository, digest).await?)
            }
            LayerQuestion::Pull(allowed) => {
                let repository = allowed.resource();
                let found = self.whole_layer(repository, digest).await?;
                (repository, found.map(|found| found.placed.object.size_bytes))
            }
        };
        if length.is_none() {
            self.require_repository(repository).await?;
        }
        Ok(length)
    }

    /// Opens a layer for reading; `None` when the repository does not have it.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]
    pub async fn open_layer(
        &self,
        allowed: &Allowed<GetDownloadUrlForLayer>,
        digest: &Digest,
    ) -> Result<Option<Reader>, Error> {
        self.open(allowed.resource(), digest).await
    }

    /// Opens the layer that a download URL is about; `None` when the repository does not have it any more.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]
    pub async fn open_layer_of_ticket(&self, ticket: &LayerTicket) -> Result<Option<Reader>, Error> {
        self.open(ticket.repository(), ticket.digest()).await
    }

    /// A ticket for the download URL of a layer.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::LayerNotFound`] when the repository does not have it;
    /// [`Error::LayerInaccessible`] when no image of the repository refers to it.
    pub async fn layer_ticket(
        &self,
        allowed: &Allowed<GetDownloadUrlForLayer>,
        digest: &Digest,
    ) -> Result<LayerTicket, Error> {
        let repository = allowed.resource();
        let Some(found) = self.whole_layer(repository, digest).await? else {
            self.require_repository(repository).await?;
            return Err(Error::LayerNotFound { place: repository.into(), digest: digest.to_string() });
        };
        let parameters = params![found.repository_id.as_str(), digest.as_str()];
        if self.database.row(IS_REFERENCED, parameters).await?.is_none() {
            return Err(Error::LayerInaccessible { place: repository.into(), digest: digest.clone() });
        }
        Ok(LayerTicket::issue(allowed, digest, self.environment.now()))
    }

    async fn open(&self, repository: &Repository, digest: &Digest) -> Result<Option<Reader>, Error> {
        let link = async || Ok(self.linked_layer(repository, digest).await?.map(|found| found.placed));
        let Some(placed) = self.cached_link(repository, digest, link).await? else {
            self.require_repository(repository).await?;
            return Ok(None);
        };
        if let Some(reader) = self.cached_layer(digest) {
            return Ok(Some(reader));
        }
        if placed.is_row() {
            // One that went in this moment is no layer any more.
            let Some(bytes) = self.content(digest).await? else { return Ok(None) };
            return self.keep_layer(&placed.object, Ok(bytes)).await;
        }
        let Some(reader) = unless_damaged(&placed.object, self.blobs.get(&placed.object).await)? else {
            return Ok(None);
        };
        if placed.object.size_bytes > MAX_KEPT_LAYER {
            return self.first_check(&placed, reader).await;
        }
        // Compared once: what is kept in memory needs no first check.
        self.keep_layer(&placed.object, reader.read(0..placed.object.size_bytes).await).await
    }

    /// The length of a layer that somebody is going to refer to in a manifest.
    async fn relied_upon_length(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<u64>, Error> {
        let Some(found) = self.whole_layer(repository, digest).await? else { return Ok(None) };
        let now = self.environment.now();
        let is_soon = |review: i64| review.saturating_sub(now) < self.limits.blob_grace / 2;
        if found.review_after.is_some_and(is_soon) {
            let review_after = now.saturating_add(self.limits.blob_grace);
            transaction!(self.database, open => {
                let parameters = params![found.repository_id.as_str(), digest.as_str(), review_after];
                open.touches(&[]);
                open.execute(EXTEND, parameters).await?;
                Ok::<_, Error>(())
            })?;
            // The collector may have been faster by a moment; then the answer is no.
            return Ok(self
                .linked_layer(repository, digest)
                .await?
                .map(|found| found.placed.object.size_bytes));
        }
        Ok(Some(found.placed.object.size_bytes))
    }

    /// A layer that is linked and whose object has its length.
    async fn whole_layer(&self, repository: &Repository, digest: &Digest) -> Result<Option<Found>, Error> {
        let Some(found) = self.linked_layer(repository, digest).await? else { return Ok(None) };
        let checked = self.look_at(&found.placed).await;
        Ok(unless_damaged(&found.placed.object, checked)?.map(|_| found))
    }

    async fn linked_layer(&self, repository: &Repository, digest: &Digest) -> Result<Option<Found>, Error> {
        let mut parameters = repository_parameters(repository);
        parameters.extend(params![digest.as_str()]);
        let row = self.database.row(FIND, parameters).await?;
        row.map(|row| Found::read(digest, &row)).transpose()
    }
}

/// What is damaged counts as missing; the operator learns of it.
fn unless_damaged<T>(object: &Object, result: Result<T, blob::Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ (blob::Error::Missing | blob::Error::Damaged { .. })) => {
            tracing::error!(
                %error, blob.digest = %object.digest, blob.generation = object.generation.as_str(),
                "a stored blob is damaged and counts as missing until it is pushed again"
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
