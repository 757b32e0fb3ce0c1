//! DeleteRepository (ecr.md §3).

use super::{StoredRepository, not_found};
use crate::access::Allowed;
use crate::access::action::DeleteRepository;
use crate::catalog::read_cache::repository_scope;
use crate::catalog::{Catalog, Error, REPOSITORY_ID, repository_parameters};
use crate::{params, transaction};

const HAS_IMAGE: &str = "SELECT digest FROM image WHERE repository_id = $1 LIMIT 1";

/// The grace begins when the last link goes, not when the blob came: a push that relies on the blob elsewhere
/// at this moment must find it.
const REVIEW_BLOBS: &str = "UPDATE blob SET review_after = $2 \
    WHERE number IN (SELECT blob FROM blob_link WHERE repository_id = $1)";

/// Images, tags, links, uploads and resource tags go with it (ON DELETE CASCADE).
const DELETE: &str = "DELETE FROM repository WHERE id = $1";

impl Catalog {
    /// Deletes a repository; returns what it was.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::RepositoryNotEmpty`] when it holds any image, tagged or not, and
    /// `force` is not given.
    pub async fn delete_repository(
        &self,
        allowed: &Allowed<DeleteRepository>,
        force: bool,
    ) -> Result<StoredRepository, Error> {
        let address = allowed.resource();
        let review_after = self.environment.now().saturating_add(self.limits.blob_grace);
        let (id, deleted) = transaction!(self.database, freeing open => {
            open.touches(&[repository_scope(address)]);
            let row = open.row(REPOSITORY_ID, repository_parameters(address)).await?;
            let id: String = row.ok_or_else(|| not_found(address))?.get(0)?;
            let row = open.required(super::describe::BY_NAME, repository_parameters(address)).await?;
            let deleted = StoredRepository::read(&address.registry, &row)?;
            if !force && open.row(HAS_IMAGE, params![id.as_str()]).await?.is_some() {
                return Err(Error::RepositoryNotEmpty(address.into()));
            }
            open.execute_long(REVIEW_BLOBS, params![id.as_str(), review_after]).await?;
            open.execute_long(DELETE, params![id.as_str()]).await?;
            Ok::<_, Error>((id, deleted))
        })?;
        self.end_young_of(&id).await;
        Ok(deleted)
    }
}
