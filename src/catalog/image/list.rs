//! ListImages: one entry per tag, and one per image without a tag (ecr.md §4.1), in the order of digest and tag.

use oci::{Digest, Tag};

use super::id::stored_tag;
use crate::access::{Allowed, action};
use crate::catalog::{Catalog, Error, stored_digest};
use crate::params;

/// Which images a listing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagStatus {
    /// All.
    Any,
    /// Those with a tag.
    Tagged,
    /// Those without.
    Untagged,
}

impl TagStatus {
    /// The name on the wire and in the statements: `ANY`, `TAGGED`, `UNTAGGED`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            Self::Tagged => "TAGGED",
            Self::Untagged => "UNTAGGED",
        }
    }

    /// The status of a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Any, Self::Tagged, Self::Untagged].into_iter().find(|status| status.as_str() == text)
    }
}

/// What a listing or a description leaves out. The default leaves out nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageFilter {
    /// By tags.
    pub tag_status: TagStatus,
    /// Whether images in use are wanted. All images are: there is no archive, so without them nothing is left.
    pub includes_active: bool,
}

impl Default for ImageFilter {
    fn default() -> Self {
        Self { tag_status: TagStatus::Any, includes_active: true }
    }
}

/// A place in the listing: after this entry. The default is before all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    digest: String,
    tag: String,
}

impl Position {
    /// The text of a cursor: `<digest>|<tag>`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}|{}", self.digest, self.tag)
    }

    /// The position of [`Self::key`].
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for any other text.
    pub fn parse(key: &str) -> Result<Self, Error> {
        let (digest, tag) = key.split_once('|').ok_or(Error::InvalidCursor)?;
        Ok(Self { digest: digest.to_owned(), tag: tag.to_owned() })
    }
}

/// One page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageNames {
    /// Digests with their tag, or without one when the image has none.
    pub names: Vec<(Digest, Option<Tag>)>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<Position>,
}

// An image without a tag stands alone under its digest, so that `t.name > $3` may be unknown there: the page
// that showed it ends behind it.
const PAGE: &str = "SELECT i.digest, t.name FROM image i \
     LEFT JOIN tag t ON t.repository_id = i.repository_id AND t.digest = i.digest AND t.ended_at IS NULL \
     WHERE i.repository_id = $1 AND i.digest >= $2 AND (i.digest > $2 OR t.name > $3) \
     AND ($4 = 'ANY' OR ($4 = 'TAGGED' AND t.name IS NOT NULL) OR ($4 = 'UNTAGGED' AND t.name IS NULL)) \
     ORDER BY i.digest, t.name LIMIT $5";

impl Catalog {
    /// At most `limit` entries after `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]
    pub async fn list_images(
        &self,
        allowed: &Allowed<action::ListImages>,
        filter: ImageFilter,
        after: &Position,
        limit: u32,
    ) -> Result<ImageNames, Error> {
        let id = self.require_repository(allowed.resource()).await?;
        if !filter.includes_active {
            return Ok(ImageNames { names: Vec::new(), next: None });
        }
        // One more than asked for tells whether there is a next page.
        let wanted = i64::from(limit) + 1;
        let status = filter.tag_status.as_str();
        let parameters = params![id, after.digest.as_str(), after.tag.as_str(), status, wanted];
        let rows = self.database.rows(PAGE, parameters).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut names = Vec::with_capacity(rows.len().min(limit));
        for row in rows.iter().take(limit) {
            let tag = row.get::<Option<String>>(1)?.map(|tag| stored_tag(&tag)).transpose()?;
            names.push((stored_digest(&row.get::<String>(0)?)?, tag));
        }
        let next = names.last().filter(|_| rows.len() > limit).map(|(digest, tag)| Position {
            digest: digest.to_string(),
            tag: tag.as_ref().map(Tag::to_string).unwrap_or_default(),
        });
        Ok(ImageNames { names, next })
    }
}
