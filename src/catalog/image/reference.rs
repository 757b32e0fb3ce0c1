//! What a manifest names: rows of `image_reference`, one per blob and per child.
//!
//! INVARIANT: an image is stored only together with all its rows, and only while all that they name is in the
//! same repository: blobs by link, children as images. Foreign layers have no row.

use std::collections::BTreeSet;

use oci::{Digest, Manifest, ManifestKind};

use crate::access::Repository;
use crate::catalog::Error;
use crate::params;
use crate::store::db::Transaction;

/// Rows that one statement inserts: an image of ordinary size needs a single one.
const BATCH: usize = 16;

/// Rows that a short statement inserts: what a repeated row costs is felt with small images.
const FEW: usize = 4;

/// Exactly [`FEW`] rows, as [`INSERT`].
const INSERT_FEW: &str = "INSERT INTO image_reference (repository_id, digest, target, kind) VALUES \
     ($1, $2, $3, $4), ($1, $2, $5, $6), ($1, $2, $7, $8), ($1, $2, $9, $10) \
     ON CONFLICT (repository_id, digest, target) DO NOTHING";

/// Exactly [`BATCH`] rows; a shorter list repeats its last row, which the conflict clause swallows.
const INSERT: &str = "INSERT INTO image_reference (repository_id, digest, target, kind) VALUES \
     ($1, $2, $3, $4), ($1, $2, $5, $6), ($1, $2, $7, $8), ($1, $2, $9, $10), ($1, $2, $11, $12), \
     ($1, $2, $13, $14), ($1, $2, $15, $16), ($1, $2, $17, $18), ($1, $2, $19, $20), ($1, $2, $21, $22), \
     ($1, $2, $23, $24), ($1, $2, $25, $26), ($1, $2, $27, $28), ($1, $2, $29, $30), ($1, $2, $31, $32), \
     ($1, $2, $33, $34) ON CONFLICT (repository_id, digest, target) DO NOTHING";

const MISSING: &str = "SELECT r.target, r.kind FROM image_reference r \
     WHERE r.repository_id = $1 AND r.digest = $2 \
     AND ((r.kind = 'blob' AND NOT EXISTS (SELECT 1 FROM blob b JOIN blob_link l ON l.blob = b.number \
     WHERE b.digest = r.target AND l.repository_id = r.repository_id AND b.state <> 'damaged')) \
     OR (r.kind = 'manifest' AND NOT EXISTS (SELECT 1 FROM image i \
     WHERE i.repository_id = r.repository_id AND i.digest = r.target)))";

const LARGEST_CHILD: &str = "SELECT i.size_bytes, (SELECT MAX(c.size_bytes) FROM image_reference r \
     JOIN image c ON c.repository_id = r.repository_id AND c.digest = r.target \
     WHERE r.repository_id = i.repository_id AND r.digest = i.digest AND r.kind = 'manifest') \
     FROM image i WHERE i.repository_id = $1 AND i.digest = $2";

/// The most that is stored as the size of an image: manifests may state anything, and two sizes must still be
/// added without overflow, for which the engines have different answers.
pub(super) const MAX_SIZE_BYTES: i64 = 1 << 61;

/// The image whose references are written.
pub(super) struct Entry<'a> {
    pub(super) repository_id: &'a str,
    pub(super) digest: &'a Digest,
}

/// What the manifest names, in its order, with the kind that the rows carry.
pub(in crate::catalog) fn references(manifest: &Manifest) -> impl Iterator<Item = (&str, &'static str)> {
    let blobs = manifest.referenced_blobs().map(|blob| (blob.digest.as_str(), "blob"));
    let children = manifest.referenced_manifests().map(|child| (child.digest.as_str(), "manifest"));
    blobs.chain(children)
}

impl Entry<'_> {
    /// Writes the rows of the manifest.
    pub(super) async fn insert(&self, open: &mut Transaction, manifest: &Manifest) -> Result<(), Error> {
        let rows: Vec<_> = references(manifest).collect();
        for batch in rows.chunks(BATCH) {
            let Some(last) = batch.last() else { continue };
            let (sql, rows) = if batch.len() <= FEW { (INSERT_FEW, FEW) } else { (INSERT, BATCH) };
            let mut parameters = params![self.repository_id, self.digest.as_str()];
            for (target, kind) in batch.iter().chain(std::iter::repeat(last)).take(rows) {
                parameters.extend(params![*target, *kind]);
            }
            open.execute(sql, parameters).await?;
        }
        Ok(())
    }

    /// Everything that the rows name must be in the repository.
    ///
    /// # Errors
    /// [`Error::ReferencedImagesNotFound`] when children are missing, else [`Error::LayersNotFound`] when blobs
    /// are; both list what is missing in the manifest's order.
    pub(super) async fn require(
        &self,
        open: &mut Transaction,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let rows = open.rows(MISSING, params![self.repository_id, self.digest.as_str()]).await?;
        let mut missing = BTreeSet::new();
        for row in &rows {
            missing.insert((row.get::<String>(0)?, row.get::<String>(1)?));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let mut named = BTreeSet::new();
        let mut of_kind = |wanted: &str| -> Vec<String> {
            references(manifest)
                .filter(|(target, kind)| {
                    *kind == wanted
                        && missing.contains(&((*target).to_owned(), (*kind).to_owned()))
                        && named.insert((*target).to_owned())
                })
                .map(|(target, _)| target.to_owned())
                .collect()
        };
        let (children, layers) = (of_kind("manifest"), of_kind("blob"));
        let place = repository.into();
        Err(if children.is_empty() {
            Error::LayersNotFound { place, digests: layers }
        } else {
            Error::ReferencedImagesNotFound { place, digests: children }
        })
    }

    /// Adds to an index's own size that of its largest member (ecr.md §4.5).
    pub(super) async fn measure(&self, open: &mut Transaction, manifest: &Manifest) -> Result<(), Error> {
        if manifest.kind != ManifestKind::Index {
            return Ok(());
        }
        let row = open.required(LARGEST_CHILD, params![self.repository_id, self.digest.as_str()]).await?;
        let (own, largest) = (row.get::<i64>(0)?, row.get::<Option<i64>>(1)?);
        let size = own.saturating_add(largest.unwrap_or(0)).min(MAX_SIZE_BYTES);
        open.execute(
            "UPDATE image SET size_bytes = $3 WHERE repository_id = $1 AND digest = $2",
            params![self.repository_id, self.digest.as_str(), size],
        )
        .await?;
        Ok(())
    }
}
