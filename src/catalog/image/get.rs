//! Reading manifests: one, as `docker pull` does first, or several for BatchGetImage (ecr.md §4.4).

use std::collections::HashSet;

use bytes::Bytes;
use oci::{Digest, Reference, Tag};

use super::id::{Failure, FailureCode, ImageId};
use crate::access::{Allowed, Repository, action};
use crate::catalog::damage::is_whole_manifest;
use crate::catalog::{Catalog, Error, stored_digest};
use crate::params;
use crate::store::db::Row;

/// One image as stored.
#[derive(Debug, Clone)]
pub struct StoredImage {
    /// The digest of the manifest.
    pub digest: Digest,
    /// The media type under which it was pushed.
    pub media_type: String,
    /// The manifest, byte for byte.
    pub manifest: Bytes,
}

/// What a batch has found.
#[derive(Debug, Clone, Default)]
pub struct FoundImages {
    /// Images, each with the tag by which it was asked for.
    pub images: Vec<(StoredImage, Option<String>)>,
    /// Ids that name no image.
    pub failures: Vec<Failure>,
}

/// Manifests in one answer: a hundred may be asked for and each may have 4 MiB.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

const BY_TAG: &str = "SELECT i.digest, i.media_type, i.manifest FROM repository r \
     JOIN tag t ON t.repository_id = r.id AND t.name = $4 AND t.ended_at IS NULL \
     JOIN image i ON i.repository_id = r.id AND i.digest = t.digest \
     WHERE r.account = $1 AND r.region = $2 AND r.name = $3";

const BY_DIGEST: &str = "SELECT i.digest, i.media_type, i.manifest FROM repository r \
     JOIN image i ON i.repository_id = r.id AND i.digest = $4 \
     WHERE r.account = $1 AND r.region = $2 AND r.name = $3";

impl Catalog {
    /// The image at a tag or digest; one statement when it exists. Writes nothing.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::ImageNotFound`].
    pub async fn get_image(
        &self,
        allowed: &Allowed<action::BatchGetImage>,
        reference: &Reference,
    ) -> Result<StoredImage, Error> {
        let repository = allowed.resource();
        if let Some(image) = self.find_image(repository, reference).await? {
            return Ok(image);
        }
        self.require_repository(repository).await?;
        let (digest, tag) = match reference {
            Reference::Digest(digest) => (Some(digest.to_string()), None),
            Reference::Tag(tag) => (None, Some(tag.to_string())),
        };
        Err(Error::ImageNotFound { place: repository.into(), digest, tag })
    }

    /// The images of a batch, each id once; writes nothing.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::LimitExceeded`] when the manifests have more than 16 MiB together.
    pub async fn get_images(
        &self,
        allowed: &Allowed<action::BatchGetImage>,
        ids: &[ImageId],
    ) -> Result<FoundImages, Error> {
        let repository = allowed.resource();
        self.require_repository(repository).await?;
        let mut found = FoundImages::default();
        let (mut seen, mut bytes) = (HashSet::new(), 0);
        for id in ids.iter().filter(|id| seen.insert(*id)) {
            match self.find_named(repository, id).await? {
                Ok(image) => {
                    bytes += image.manifest.len();
                    if bytes > MAX_BATCH_BYTES {
                        let maximum = u64::try_from(MAX_BATCH_BYTES).unwrap_or(u64::MAX);
                        return Err(Error::LimitExceeded {
                            limit: "bytes of manifests in one answer",
                            maximum,
                        });
                    }
                    found.images.push((image, id.tag.clone()));
                }
                Err(code) => found.failures.push(Failure { id: id.clone(), code }),
            }
        }
        Ok(found)
    }

    async fn find_named(
        &self,
        repository: &Repository,
        id: &ImageId,
    ) -> Result<Result<StoredImage, FailureCode>, Error> {
        if let Err(code) = id.check() {
            return Ok(Err(code));
        }
        // What is of the right form and neither tag nor digest cannot exist.
        let reference = match (&id.tag, &id.digest) {
            (Some(tag), _) => Tag::parse(tag).ok().map(Reference::Tag),
            (None, digest) => {
                digest.as_deref().and_then(|text| Digest::parse(text).ok()).map(Reference::Digest)
            }
        };
        let Some(reference) = reference else { return Ok(Err(FailureCode::ImageNotFound)) };
        let Some(image) = self.find_image(repository, &reference).await? else {
            return Ok(Err(FailureCode::ImageNotFound));
        };
        if id.digest.as_ref().is_some_and(|digest| *digest != image.digest.as_str()) {
            return Ok(Err(FailureCode::ImageTagDoesNotMatchDigest));
        }
        Ok(Ok(image))
    }

    /// The image, or `None` when it or the repository does not exist.
    pub(in crate::catalog) async fn find_image(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Option<StoredImage>, Error> {
        self.cached_image(repository, reference, async || self.load_image(repository, reference).await).await
    }

    async fn load_image(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Option<StoredImage>, Error> {
        let registry = &repository.registry;
        let (sql, text) = match reference {
            Reference::Tag(tag) => (BY_TAG, tag.as_str()),
            Reference::Digest(digest) => (BY_DIGEST, digest.as_str()),
        };
        let parameters =
            params![registry.account.as_str(), registry.region.as_str(), repository.name.as_str(), text];
        self.database.row(sql, parameters).await?.map_or(Ok(None), |row| read(&row))
    }
}

/// The image of a row; `None` when its manifest is damaged, which counts as missing.
fn read(row: &Row) -> Result<Option<StoredImage>, Error> {
    let digest = stored_digest(&row.get::<String>(0)?)?;
    let manifest: Vec<u8> = row.get(2)?;
    if !is_whole_manifest(&digest, &manifest) {
        return Ok(None);
    }
    Ok(Some(StoredImage { digest, media_type: row.get(1)?, manifest: manifest.into() }))
}
