//! Mounts: a layer of one repository becomes readable in another, without being sent again (ecr.md §8.5).
//!
//! A client names the source, or leaves the search to the server ("anonymous mount", distribution-spec 1.1). A
//! source counts only when the caller may read the layer there; which sources there are is never told.

use oci::Digest;

use super::FIND;
use crate::access::action::{GetDownloadUrlForLayer, InitiateLayerUpload};
use crate::access::{Allowed, Repository};
use crate::catalog::read_cache::blob_scope;
use crate::catalog::repository::stored_name;
use crate::catalog::upload::INSERT_LINK;
use crate::catalog::{Catalog, Error, Place, REPOSITORY_ID, repository_parameters};
use crate::{params, transaction};

/// How many repositories a search looks at: a common base layer may lie in thousands, and every one of them
/// costs a decision. Who may read the layer only in an older one sends it again, which is always correct.
const MAX_SOURCES: i64 = 16;

const SOURCES: &str = "SELECT r.name FROM blob_link l JOIN repository r ON r.id = l.repository_id \
    JOIN blob b ON b.number = l.blob WHERE b.digest = $1 AND r.account = $2 AND r.region = $3 \
    AND b.state = 'ready' ORDER BY l.linked_at DESC, l.repository_id DESC LIMIT $4";

impl Catalog {
    /// Makes a layer of `from` readable in the repository of `here`; returns its length, or `None` when `from`
    /// does not have it and the client must upload it.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`] for the repository of `here` only: what is wrong with the source is not told.
    pub async fn mount_layer(
        &self,
        here: &Allowed<InitiateLayerUpload>,
        from: &Allowed<GetDownloadUrlForLayer>,
        digest: &Digest,
    ) -> Result<Option<u64>, Error> {
        let place = || Place::from(here.resource());
        self.require_repository(here.resource()).await?;
        let Some(source) = self.whole_layer(from.resource(), digest).await? else { return Ok(None) };
        let now = self.environment.now();
        let review_after = now.saturating_add(self.limits.blob_grace);
        transaction!(self.database, open => {
            open.touches(&[blob_scope(digest)]);
            let row = open.row(REPOSITORY_ID, repository_parameters(here.resource())).await?;
            let id: String = row.ok_or_else(|| Error::RepositoryNotFound(place()))?.get(0)?;
            // The source's link is read again here: while it is there the collector cannot take the blob.
            let mut parameters = repository_parameters(from.resource());
            parameters.extend(params![digest.as_str()]);
            let Some(row) = open.row(FIND, parameters).await? else { return Ok(None) };
            let blob: i64 = row.get(5)?;
            open.execute(INSERT_LINK, params![id.as_str(), blob, now, review_after]).await?;
            Ok::<_, Error>(Some(source.placed.object.size_bytes))
        })
    }

    /// Repositories of the same registry that hold a layer, the newest link first, at most 16.
    ///
    /// Only for asking the guard which of them the caller may read: the names are no answer to anybody.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn mount_sources(
        &self,
        here: &Allowed<InitiateLayerUpload>,
        digest: &Digest,
    ) -> Result<Vec<Repository>, Error> {
        let registry = &here.resource().registry;
        let parameters =
            params![digest.as_str(), registry.account.as_str(), registry.region.as_str(), MAX_SOURCES];
        let rows = self.database.rows(SOURCES, parameters).await?;
        let source = |name: String| Ok(Repository { registry: registry.clone(), name: stored_name(&name)? });
        rows.iter().map(|row| source(row.get(0)?)).collect()
    }
}
