//! Reading one image: what `docker pull` does first.

use oci::{Digest, Reference};

use crate::access::{Allowed, Repository, action};
use crate::catalog::{Catalog, Error};
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
    pub manifest: Vec<u8>,
}

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

    /// The image, or `None` when it or the repository does not exist.
    pub(in crate::catalog) async fn find_image(
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
        self.database.row(sql, parameters).await?.map(|row| read(&row)).transpose()
    }
}

fn read(row: &Row) -> Result<StoredImage, Error> {
    Ok(StoredImage {
        digest: crate::catalog::stored_digest(&row.get::<String>(0)?)?,
        media_type: row.get(1)?,
        manifest: row.get(2)?,
    })
}
