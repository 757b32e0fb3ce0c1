//! Deleting a layer on request (distribution-spec, "Deleting Blobs").
//!
//! ECR has no such operation: there a layer goes when no image needs it. So does it here, and this only ends the
//! wait: what an image needs stays, or the image could not be pulled any more.

use oci::Digest;

use crate::access::Allowed;
use crate::access::action::BatchDeleteImage;
use crate::catalog::collector::REVIEW_BLOB;
use crate::catalog::read_cache::blob_scope;
use crate::catalog::{Catalog, Error, REPOSITORY_ID, repository_parameters};
use crate::{params, transaction};

const DELETE_LINK: &str = "DELETE FROM blob_link WHERE repository_id = $1 \
    AND blob = (SELECT number FROM blob WHERE digest = $2) AND NOT EXISTS (SELECT 1 FROM image_blob i \
    WHERE i.repository_id = $1 AND i.blob = blob_link.blob)";

const NEEDED_BY: &str = "SELECT i.digest FROM blob b JOIN image_blob i ON i.blob = b.number \
    WHERE b.digest = $2 AND i.repository_id = $1 ORDER BY i.digest LIMIT $3";

/// The most images that a refusal names: a base layer may be in thousands.
const MAX_NAMED: i64 = 5;

impl Catalog {
    /// Removes a layer from its repository. Whoever asks afterwards is told that it is not there; its bytes go
    /// with the collector's next round, unless another repository holds it.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::LayerNotFound`]; [`Error::LayerReferenced`] when an image of the
    /// repository needs it.
    pub async fn delete_layer(
        &self,
        allowed: &Allowed<BatchDeleteImage>,
        digest: &Digest,
    ) -> Result<(), Error> {
        let repository = allowed.resource();
        let now = self.environment.now();
        transaction!(self.database, freeing open => {
            open.touches(&[blob_scope(digest)]);
            let row = open.row(REPOSITORY_ID, repository_parameters(repository)).await?;
            let id: String = row.ok_or_else(|| Error::RepositoryNotFound(repository.into()))?.get(0)?;
            let link = || params![id.as_str(), digest.as_str()];
            if open.execute(DELETE_LINK, link()).await? > 0 {
                open.execute(REVIEW_BLOB, params![digest.as_str(), now]).await?;
                return Ok(());
            }
            let rows = open.rows(NEEDED_BY, params![id.as_str(), digest.as_str(), MAX_NAMED]).await?;
            if rows.is_empty() {
                return Err(Error::LayerNotFound { place: repository.into(), digest: digest.to_string() });
            }
            let images = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
            Err(Error::LayerReferenced { place: repository.into(), digest: digest.clone(), images })
        })
    }
}

#[cfg(test)]
mod tests;
