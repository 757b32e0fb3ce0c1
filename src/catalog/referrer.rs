//! Referrers: signatures, attestations, SBOMs, found by the digest of the manifest that they are about.

use std::collections::BTreeMap;

use oci::{Digest, ReferrerDescriptor};

use crate::access::{Allowed, action};
use crate::catalog::{Catalog, Error, stored_digest};
use crate::params;
use crate::store::db::Row;

/// One page of referrers, in the order of their digests.
#[derive(Debug, Clone)]
pub struct Referrers {
    /// What a referrers listing shows of each.
    pub referrers: Vec<ReferrerDescriptor>,
    /// Whether another page follows.
    pub has_more: bool,
}

/// The most artifact types that one listing filters by (ListImageReferrers).
pub const MAX_ARTIFACT_TYPES: usize = 5;

impl Catalog {
    /// At most `limit` referrers of `subject` whose digest comes after `after`, of the given artifact types or
    /// of any when there are none. The subject need not exist (OCI image-spec, "subject").
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn referrers(
        &self,
        allowed: &Allowed<action::BatchGetImage>,
        subject: &Digest,
        artifact_types: &[String],
        after: &str,
        limit: u64,
    ) -> Result<Referrers, Error> {
        let repository_id = self.require_repository(allowed.resource()).await?;
        // One text for any number of types: absent ones repeat the first, none switches the filter off.
        let mut types: Vec<Option<&str>> = artifact_types.iter().map(|kind| Some(kind.as_str())).collect();
        types.resize(MAX_ARTIFACT_TYPES, types.first().copied().flatten());
        let take = i64::try_from(limit).unwrap_or(i64::MAX - 1).saturating_add(1);
        let mut parameters = params![repository_id, subject.as_str(), after, take];
        parameters.extend(types.into_iter().map(crate::store::db::Value::from));
        let rows = self
            .database
            .rows(
                "SELECT digest, media_type, artifact_type, annotations, CAST(LENGTH(manifest) AS BIGINT) \
                 FROM image WHERE repository_id = $1 AND subject_digest = $2 AND digest > $3 \
                 AND ($5 IS NULL OR artifact_type IN ($5, $6, $7, $8, $9)) ORDER BY digest LIMIT $4",
                parameters,
            )
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let referrers = rows.iter().take(limit).map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Referrers { referrers, has_more: rows.len() > limit })
    }
}

fn read(row: &Row) -> Result<ReferrerDescriptor, Error> {
    let annotations: BTreeMap<String, String> = serde_json::from_str(&row.get::<String>(3)?)
        .map_err(|error| crate::store::db::Error::Corrupt(format!("annotations: {error}")))?;
    Ok(ReferrerDescriptor {
        digest: stored_digest(&row.get::<String>(0)?)?,
        media_type: row.get(1)?,
        artifact_type: row.get(2)?,
        annotations,
        size: u64::try_from(row.get::<i64>(4)?).unwrap_or(0),
    })
}
