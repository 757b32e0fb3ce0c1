//! PutImage: the decision table of ecr.md §4.3 in one transaction.

use oci::{Digest, Manifest, ManifestKind, Tag};

use super::MAX_TAGS_PER_IMAGE;
use super::reference::{Entry, MAX_SIZE_BYTES};
use crate::access::{Allowed, Repository, action};
use crate::catalog::read_cache::image_scope;
use crate::catalog::{Catalog, Error, TagMutability};
use crate::store::db::Transaction;
use crate::{params, transaction};

/// A manifest to be stored.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The manifest, byte for byte as sent.
    pub bytes: Vec<u8>,
    /// What the bytes say.
    pub manifest: Manifest,
    /// The tags that shall point at it, each once: at most one through ECR, several through the tag parameters of
    /// the distribution-spec.
    pub tags: Vec<Tag>,
    /// The digest that the caller expects, as sent.
    pub expected_digest: Option<String>,
}

/// What a push has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest.
    pub digest: Digest,
    /// The manifest that this one is about.
    pub subject: Option<Digest>,
}

// With the conflict clause PostgreSQL answers a concurrent insert of the same row with a serialisation failure,
// which is repeated; without it, with a unique violation, which is not (PostgreSQL manual, "Serializable
// Isolation Level").
const INSERT_IMAGE: &str = "INSERT INTO image (repository_id, digest, media_type, artifact_type, \
     subject_digest, manifest, annotations, size_bytes, pushed_at, pushed_by) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (repository_id, digest) DO NOTHING";

const HEAL_IMAGE: &str = "UPDATE image SET manifest = $3 WHERE repository_id = $1 AND digest = $2";

const INSERT_TAG: &str = "INSERT INTO tag (id, repository_id, name, digest, set_at, set_by) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (repository_id, name) WHERE ended_at IS NULL DO NOTHING";

const END_TAG: &str = "UPDATE tag SET ended_at = $1, ended_by = $2 \
     WHERE repository_id = $3 AND name = $4 AND ended_at IS NULL";

const CURRENT_TAG: &str =
    "SELECT digest FROM tag WHERE repository_id = $1 AND name = $2 AND ended_at IS NULL";

/// What the transaction found before it changed anything.
struct Found {
    repository_id: String,
    mutability: TagMutability,
    /// Whether the image is there; one whose manifest is damaged is not.
    has_image: bool,
    /// Whether it is there with a damaged manifest.
    is_damaged: bool,
    /// What each of the tags points at now, in their order.
    tagged_digests: Vec<Option<String>>,
}

impl Catalog {
    /// Stores an image and points the tags at it; all or nothing.
    ///
    /// A tag that moves leaves its old image in place, untagged if that was its last tag. `imagePushedAt` of an
    /// image that is already there does not change (unverified).
    ///
    /// # Errors
    /// [`Error::ImageDigestDoesNotMatch`], [`Error::RepositoryNotFound`], [`Error::LayersNotFound`],
    /// [`Error::ReferencedImagesNotFound`], [`Error::ImageTagAlreadyExists`], [`Error::ImageAlreadyExists`],
    /// [`Error::LimitExceeded`], and [`Error::InvalidParameter`] for a schema 1 manifest without a tag.
    pub async fn put_image(
        &self,
        allowed: &Allowed<action::PutImage>,
        image: &NewImage,
    ) -> Result<Pushed, Error> {
        let repository = allowed.resource();
        let algorithm = match &image.expected_digest {
            Some(text) => Digest::parse(text).map_or(oci::Algorithm::Sha256, |digest| digest.algorithm()),
            None => oci::Algorithm::Sha256,
        };
        let digest = Digest::of(algorithm, &image.bytes);
        let tag_ids = image.tags.iter().map(|_| self.environment.new_id()).collect::<Result<Vec<_>, _>>()?;
        let (now, by) = (self.environment.now(), allowed.by());
        let (repository_id, is_new) = transaction!(self.database, open => {
            open.touches(&[image_scope(repository)]);
            let found = look(open, repository, &digest, &image.bytes, &image.tags).await?;
            decide(&found, repository, &digest, image)?;
            if found.is_damaged {
                // What the row says beside the manifest was read from the same bytes when they were whole.
                let parameters = params![found.repository_id.as_str(), digest.as_str(), image.bytes.as_slice()];
                expect_one(open.execute(HEAL_IMAGE, parameters).await?)?;
            }
            if found.has_image || found.is_damaged {
                let moves = found.tagged_digests.iter().filter(|now| now.as_deref() != Some(digest.as_str()));
                limit_tags(open, &found.repository_id, &digest, moves.count()).await?;
            } else {
                self.limit_images(open, &found.repository_id).await?;
                insert(open, &found.repository_id, &digest, image, now, &by).await?;
                let entry = Entry { repository_id: &found.repository_id, digest: &digest };
                entry.insert(open, repository, &image.manifest).await?;
                entry.measure(open, &image.manifest).await?;
            }
            let pointed = image.tags.iter().zip(&found.tagged_digests).zip(&tag_ids);
            for ((tag, current), tag_id) in pointed {
                if current.as_deref() == Some(digest.as_str()) {
                    continue;
                }
                if current.is_some() {
                    let parameters = params![now, by.as_str(), found.repository_id.as_str(), tag.as_str()];
                    open.execute(END_TAG, parameters).await?;
                }
                let inserted = open.execute(
                    INSERT_TAG,
                    params![
                        tag_id.as_str(),
                        found.repository_id.as_str(),
                        tag.as_str(),
                        digest.as_str(),
                        now,
                        by.as_str()
                    ],
                )
                .await?;
                expect_one(inserted)?;
            }
            Ok::<_, Error>((found.repository_id, !found.has_image && !found.is_damaged))
        })?;
        if is_new {
            self.image_counts.increment(&repository_id);
        }
        Ok(Pushed { digest, subject: image.manifest.subject.as_ref().map(|subject| subject.digest.clone()) })
    }

    async fn limit_images(&self, open: &mut Transaction, repository_id: &str) -> Result<(), Error> {
        let limit = self.limits.images_per_repository;
        if self.image_counts.below(repository_id, limit) {
            return Ok(());
        }
        let row = open
            .required("SELECT COUNT(*) FROM image WHERE repository_id = $1", params![repository_id])
            .await?;
        let count: i64 = row.get(0)?;
        if count >= limit {
            let maximum = u64::try_from(limit).unwrap_or(0);
            return Err(Error::LimitExceeded { limit: "images per repository", maximum });
        }
        self.image_counts.set(repository_id, count);
        Ok(())
    }
}

async fn look(
    open: &mut Transaction,
    repository: &Repository,
    digest: &Digest,
    bytes: &[u8],
    tags: &[Tag],
) -> Result<Found, Error> {
    let registry = &repository.registry;
    // Nearly every push has one tag or none; it is looked up in the same statement.
    let (first, others) = tags.split_first().map_or((None, tags), |(first, others)| (Some(first), others));
    let row = open
        .row(
            "SELECT r.id, r.tag_mutability, r.tag_mutability_filters, \
             (SELECT i.manifest FROM image i WHERE i.repository_id = r.id AND i.digest = $4), \
             (SELECT t.digest FROM tag t WHERE t.repository_id = r.id AND t.name = $5 AND t.ended_at IS NULL) \
             FROM repository r WHERE r.account = $1 AND r.region = $2 AND r.name = $3",
            params![
                registry.account.as_str(),
                registry.region.as_str(),
                repository.name.as_str(),
                digest.as_str(),
                first.map(Tag::as_str)
            ],
        )
        .await?
        .ok_or_else(|| Error::RepositoryNotFound(repository.into()))?;
    let repository_id: String = row.get(0)?;
    let mut tagged_digests: Vec<Option<String>> = Vec::with_capacity(tags.len());
    if first.is_some() {
        tagged_digests.push(row.get(4)?);
    }
    for tag in others {
        let current = open.row(CURRENT_TAG, params![repository_id.as_str(), tag.as_str()]).await?;
        tagged_digests.push(current.map(|row| row.get(0)).transpose()?);
    }
    let stored: Option<Vec<u8>> = row.get(3)?;
    let is_whole = |stored: &Vec<u8>| *stored == bytes;
    Ok(Found {
        repository_id,
        mutability: TagMutability::read(&row.get::<String>(1)?, &row.get::<String>(2)?)?,
        has_image: stored.as_ref().is_some_and(is_whole),
        is_damaged: stored.as_ref().is_some_and(|stored| !is_whole(stored)),
        tagged_digests,
    })
}

/// The refusals of the table that need only what was found.
///
/// Here and not before the transaction: a repository that does not exist is told first.
fn decide(found: &Found, repository: &Repository, digest: &Digest, image: &NewImage) -> Result<(), Error> {
    let place = || repository.into();
    if let Some(expected) = image.expected_digest.as_ref().filter(|text| *text != digest.as_str()) {
        return Err(Error::ImageDigestDoesNotMatch { place: place(), digest: expected.clone() });
    }
    if image.manifest.kind == ManifestKind::Schema1 && image.tags.is_empty() {
        return Err(Error::InvalidParameter {
            parameter: "ImageTag",
            constraint: "You must specify the image tag for this image type".to_owned(),
        });
    }
    let is_here = |current: &Option<String>| current.as_deref() == Some(digest.as_str());
    // The same image under the same tags wins over immutability (unverified). Of several tags all must be there.
    if found.has_image && found.tagged_digests.iter().all(is_here) {
        let tag = image.tags.first().cloned();
        return Err(Error::ImageAlreadyExists { place: place(), digest: digest.clone(), tag });
    }
    let mut taken = image.tags.iter().zip(&found.tagged_digests).filter(|(_, current)| current.is_some());
    match taken.find(|(tag, current)| !is_here(current) && found.mutability.is_immutable(tag)) {
        Some((tag, _)) => Err(Error::ImageTagAlreadyExists { place: place(), tag: tag.clone() }),
        None => Ok(()),
    }
}

/// Refuses `more` tags on an image that would have too many then.
async fn limit_tags(
    open: &mut Transaction,
    repository_id: &str,
    digest: &Digest,
    more: usize,
) -> Result<(), Error> {
    let row = open
        .required(
            "SELECT COUNT(*) FROM tag WHERE repository_id = $1 AND digest = $2 AND ended_at IS NULL",
            params![repository_id, digest.as_str()],
        )
        .await?;
    let more = i64::try_from(more).unwrap_or(MAX_TAGS_PER_IMAGE);
    if row.get::<i64>(0)?.saturating_add(more) > MAX_TAGS_PER_IMAGE {
        let maximum = u64::try_from(MAX_TAGS_PER_IMAGE).unwrap_or(0);
        return Err(Error::LimitExceeded { limit: "tags per image", maximum });
    }
    Ok(())
}

async fn insert(
    open: &mut Transaction,
    repository_id: &str,
    digest: &Digest,
    image: &NewImage,
    now: i64,
    by: &str,
) -> Result<(), Error> {
    let manifest = &image.manifest;
    let annotations =
        serde_json::to_string(&manifest.annotations).map_err(|error| Error::Internal(error.into()))?;
    let artifact_type = manifest.effective_artifact_type();
    let subject = manifest.subject.as_ref().map(|subject| subject.digest.as_str());
    let size = i64::try_from(manifest.image_size()).unwrap_or(MAX_SIZE_BYTES).min(MAX_SIZE_BYTES);
    let inserted = open
        .execute(
            INSERT_IMAGE,
            params![
                repository_id,
                digest.as_str(),
                manifest.media_type.as_str(),
                artifact_type,
                subject,
                image.bytes.as_slice(),
                annotations,
                size,
                now,
                by
            ],
        )
        .await?;
    expect_one(inserted)
}

/// The statement may only skip its row where a concurrent push makes PostgreSQL repeat the transaction.
fn expect_one(inserted: u64) -> Result<(), Error> {
    if inserted == 1 {
        return Ok(());
    }
    Err(crate::store::db::Error::Corrupt("a row that was not there is there".to_owned()).into())
}
