//! DescribeImages: one entry per image with its tags (ecr.md §4.5), in the order of digests.

use std::collections::BTreeMap;

use oci::Digest;

use super::id::{FailureCode, ImageId};
use super::list::{ImageFilter, TagStatus};
use crate::access::{Allowed, Repository, action};
use crate::catalog::{Catalog, Error, REPOSITORY_ID, repository_parameters, stored_digest};
use crate::environment::Micros;
use crate::params;
use crate::store::db::{Row, Snapshot};

/// Tags on one page: an image has up to a thousand, so a page of a thousand images must be able to end early.
/// More than one image can have, so that every page shows at least one.
const MAX_TAGS: usize = 10_000;

/// An image as a description shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedImage {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its tags in byte order.
    pub tags: Vec<String>,
    /// Layers and configuration as the manifest states them; of an index, its largest member's.
    pub size_bytes: i64,
    /// When the manifest was first pushed to the repository.
    pub pushed_at: Micros,
    /// The media type of the manifest.
    pub media_type: String,
    /// The manifest's `artifactType`, else the media type of its configuration.
    pub artifact_type: Option<String>,
    /// The last pull that has been written down.
    pub last_pulled_at: Option<Micros>,
    /// The manifest that this one is about.
    pub subject: Option<String>,
}

/// One page of descriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePage {
    /// The images; possibly fewer than asked for although others follow.
    pub images: Vec<DescribedImage>,
    /// The digest after which the next page begins; `None` on the last page.
    pub next: Option<Digest>,
}

const PAGE: &str = "SELECT i.digest, i.size_bytes, i.pushed_at, i.media_type, i.artifact_type, \
     i.last_pulled_at, i.subject_digest FROM image i WHERE i.repository_id = $1 AND i.digest > $2 \
     AND ($3 = 'ANY' OR ($3 = 'TAGGED') = EXISTS (SELECT 1 FROM tag t WHERE t.repository_id = i.repository_id \
     AND t.digest = i.digest AND t.ended_at IS NULL)) ORDER BY i.digest LIMIT $4";

const ONE: &str = "SELECT i.digest, i.size_bytes, i.pushed_at, i.media_type, i.artifact_type, \
     i.last_pulled_at, i.subject_digest FROM image i WHERE i.repository_id = $1 AND i.digest = $2";

const TAGS: &str = "SELECT digest, name FROM tag WHERE repository_id = $1 AND ended_at IS NULL \
     AND digest >= $2 AND digest <= $3 ORDER BY digest, name LIMIT $4";

const TAGGED_DIGEST: &str =
    "SELECT digest FROM tag WHERE repository_id = $1 AND name = $2 AND ended_at IS NULL";

impl Catalog {
    /// At most `limit` images whose digests come after `after` (empty: from the first).
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]
    pub async fn describe_images(
        &self,
        allowed: &Allowed<action::DescribeImages>,
        filter: ImageFilter,
        after: &str,
        limit: u32,
    ) -> Result<ImagePage, Error> {
        let mut view = self.view(allowed.resource()).await?;
        if !filter.includes_active {
            return Ok(ImagePage { images: Vec::new(), next: None });
        }
        let wanted = i64::from(limit) + 1;
        let parameters = params![view.repository_id.as_str(), after, filter.tag_status.as_str(), wanted];
        let rows = view.snapshot.rows(PAGE, parameters).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut images = rows.iter().take(limit).map(read).collect::<Result<Vec<_>, _>>()?;
        let mut has_more = rows.len() > limit;
        if filter.tag_status != TagStatus::Untagged {
            has_more |= view.add_tags(&mut images).await?;
        }
        let next = images.last().filter(|_| has_more).map(|image| image.digest.clone());
        Ok(ImagePage { images, next })
    }

    /// The named images that pass the filter, each once, in the order of the first id that names it.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::ImageNotFound`] for the first id that names no image, also when
    /// its tag points at another digest or it is malformed; [`Error::InvalidParameter`] for an empty id.
    pub async fn describe_named_images(
        &self,
        allowed: &Allowed<action::DescribeImages>,
        ids: &[ImageId],
        filter: ImageFilter,
    ) -> Result<Vec<DescribedImage>, Error> {
        let mut view = self.view(allowed.resource()).await?;
        let mut images: Vec<DescribedImage> = Vec::with_capacity(ids.len());
        for id in ids {
            let image = view.find(id).await?.ok_or_else(|| Error::ImageNotFound {
                place: allowed.resource().into(),
                digest: id.digest.clone(),
                tag: id.tag.clone(),
            })?;
            if images.iter().any(|other| other.digest == image.digest) {
                continue;
            }
            let mut one = vec![image];
            view.add_tags(&mut one).await?;
            images.append(&mut one);
        }
        images.retain(|image| match filter.tag_status {
            TagStatus::Any => filter.includes_active,
            TagStatus::Tagged => filter.includes_active && !image.tags.is_empty(),
            TagStatus::Untagged => filter.includes_active && image.tags.is_empty(),
        });
        Ok(images)
    }

    async fn view(&self, repository: &Repository) -> Result<View, Error> {
        let mut snapshot = self.database.snapshot().await?;
        let row = snapshot.row(REPOSITORY_ID, repository_parameters(repository)).await?;
        let row = row.ok_or_else(|| Error::RepositoryNotFound(repository.into()))?;
        Ok(View { snapshot, repository_id: row.get(0)? })
    }
}

/// One repository at one moment: images and tags must belong together.
struct View {
    snapshot: Snapshot,
    repository_id: String,
}

impl View {
    async fn find(&mut self, id: &ImageId) -> Result<Option<DescribedImage>, Error> {
        match id.check() {
            Ok(()) => {}
            Err(FailureCode::MissingDigestAndTag) => {
                return Err(Error::InvalidParameter {
                    parameter: "imageIds",
                    constraint: "both tag and digest cannot be null".to_owned(),
                });
            }
            Err(_) => return Ok(None),
        }
        let digest = match (&id.tag, &id.digest) {
            (Some(tag), digest) => {
                let parameters = params![self.repository_id.as_str(), tag.as_str()];
                let Some(row) = self.snapshot.row(TAGGED_DIGEST, parameters).await? else { return Ok(None) };
                let current: String = row.get(0)?;
                if digest.as_ref().is_some_and(|digest| *digest != current) {
                    return Ok(None);
                }
                current
            }
            (None, Some(digest)) => digest.clone(),
            (None, None) => return Ok(None),
        };
        let row = self.snapshot.row(ONE, params![self.repository_id.as_str(), digest]).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// Gives images, which must be all of their range of digests that have tags, their tags; cuts off those at
    /// the end whose tags would be too many for one answer, and says whether it did.
    async fn add_tags(&mut self, images: &mut Vec<DescribedImage>) -> Result<bool, Error> {
        let (Some(first), Some(last)) = (images.first(), images.last()) else { return Ok(false) };
        let wanted = i64::try_from(MAX_TAGS).unwrap_or(i64::MAX - 1) + 1;
        let (first, last) = (first.digest.as_str(), last.digest.as_str());
        let rows =
            self.snapshot.rows(TAGS, params![self.repository_id.as_str(), first, last, wanted]).await?;
        let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &rows {
            tags.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        let is_cut = rows.len() > MAX_TAGS;
        if is_cut && let Some((unfinished, _)) = tags.pop_last() {
            images.retain(|image| *image.digest.as_str() < *unfinished);
        }
        for image in images {
            image.tags = tags.remove(image.digest.as_str()).unwrap_or_default();
        }
        Ok(is_cut)
    }
}

fn read(row: &Row) -> Result<DescribedImage, Error> {
    Ok(DescribedImage {
        digest: stored_digest(&row.get::<String>(0)?)?,
        tags: Vec::new(),
        size_bytes: row.get(1)?,
        pushed_at: row.get(2)?,
        media_type: row.get(3)?,
        artifact_type: row.get(4)?,
        last_pulled_at: row.get(5)?,
        subject: row.get(6)?,
    })
}
