//! What a manifest names: rows of `image_blob`, one per blob, and of `image_child`, one per member of an index.
//!
//! INVARIANT: an image is stored only together with all its rows, and only while all that they name is in the
//! same repository: blobs by link, children as images. Foreign layers have no row.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, Manifest, ManifestKind};

use crate::access::Repository;
use crate::catalog::Error;
use crate::params;
use crate::store::db::{Transaction, Value};

/// Blobs or children that one statement looks for or inserts: an image of ordinary size needs a single one.
const BATCH: usize = 16;

/// As many as a short statement has: what a repeated row costs is felt with small images.
const FEW: usize = 4;

/// The numbers of exactly [`FEW`] blobs, of those that the repository has.
///
/// CROSS JOIN: `SQLite` then looks up the blobs first, each by its digest. Left to itself it takes a list of sixteen for
/// more rows than a repository has links, and reads all of those.
const FIND_FEW: &str = "SELECT b.digest, b.number FROM blob b CROSS JOIN blob_link l \
     WHERE b.digest IN ($2, $3, $4, $5) AND b.state <> 'damaged' AND l.repository_id = $1 AND l.blob = b.number";

/// Exactly [`BATCH`] blobs, as [`FIND_FEW`]; a shorter list repeats its last one.
const FIND: &str = "SELECT b.digest, b.number FROM blob b CROSS JOIN blob_link l \
     WHERE b.digest IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
     AND b.state <> 'damaged' AND l.repository_id = $1 AND l.blob = b.number";

/// Exactly [`FEW`] rows, as [`INSERT`].
const INSERT_FEW: &str = "INSERT INTO image_blob (repository_id, digest, blob) VALUES \
     ($1, $2, $3), ($1, $2, $4), ($1, $2, $5), ($1, $2, $6) ON CONFLICT (repository_id, digest, blob) DO NOTHING";

/// Exactly [`BATCH`] rows; a shorter list repeats its last row, which the conflict clause swallows.
const INSERT: &str = "INSERT INTO image_blob (repository_id, digest, blob) VALUES \
     ($1, $2, $3), ($1, $2, $4), ($1, $2, $5), ($1, $2, $6), ($1, $2, $7), ($1, $2, $8), ($1, $2, $9), \
     ($1, $2, $10), ($1, $2, $11), ($1, $2, $12), ($1, $2, $13), ($1, $2, $14), ($1, $2, $15), ($1, $2, $16), \
     ($1, $2, $17), ($1, $2, $18) ON CONFLICT (repository_id, digest, blob) DO NOTHING";

/// Exactly [`BATCH`] rows, as [`INSERT`].
const INSERT_CHILDREN: &str = "INSERT INTO image_child (repository_id, digest, child) VALUES \
     ($1, $2, $3), ($1, $2, $4), ($1, $2, $5), ($1, $2, $6), ($1, $2, $7), ($1, $2, $8), ($1, $2, $9), \
     ($1, $2, $10), ($1, $2, $11), ($1, $2, $12), ($1, $2, $13), ($1, $2, $14), ($1, $2, $15), ($1, $2, $16), \
     ($1, $2, $17), ($1, $2, $18) ON CONFLICT (repository_id, digest, child) DO NOTHING";

const MISSING_CHILDREN: &str = "SELECT c.child FROM image_child c WHERE c.repository_id = $1 AND c.digest = $2 \
     AND NOT EXISTS (SELECT 1 FROM image i WHERE i.repository_id = c.repository_id AND i.digest = c.child)";

const LARGEST_CHILD: &str = "SELECT i.size_bytes, (SELECT MAX(m.size_bytes) FROM image_child c \
     JOIN image m ON m.repository_id = c.repository_id AND m.digest = c.child \
     WHERE c.repository_id = i.repository_id AND c.digest = i.digest) \
     FROM image i WHERE i.repository_id = $1 AND i.digest = $2";

/// The most that is stored as the size of an image: manifests may state anything, and two sizes must still be
/// added without overflow, for which the engines have different answers.
pub(super) const MAX_SIZE_BYTES: i64 = 1 << 61;

/// The image whose references are written.
pub(super) struct Entry<'a> {
    pub(super) repository_id: &'a str,
    pub(super) digest: &'a Digest,
}

/// What the manifest names: its blobs, then its children, in its order.
pub(in crate::catalog) fn references(manifest: &Manifest) -> impl Iterator<Item = &str> {
    blobs(manifest).chain(children(manifest))
}

fn blobs(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest.referenced_blobs().map(|blob| blob.digest.as_str())
}

fn children(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest.referenced_manifests().map(|child| child.digest.as_str())
}

impl Entry<'_> {
    /// Writes the rows of the manifest, when everything that they name is in the repository.
    ///
    /// # Errors
    /// [`Error::ReferencedImagesNotFound`] when children are missing, else [`Error::LayersNotFound`] when blobs
    /// are; both list what is missing in the manifest's order.
    pub(super) async fn insert(
        &self,
        open: &mut Transaction,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let digests = self.insert_children(open, manifest).await?;
        if !digests.is_empty() {
            return Err(Error::ReferencedImagesNotFound { place: repository.into(), digests });
        }
        let numbers = self.find_blobs(open, manifest).await?;
        let digests = once(blobs(manifest).filter(|digest| !numbers.contains_key(*digest)));
        if !digests.is_empty() {
            return Err(Error::LayersNotFound { place: repository.into(), digests });
        }
        // In the order of the key, so that the rows go where the last one went.
        let mut numbers: Vec<Value> = numbers.into_values().map(Value::from).collect();
        numbers.sort_unstable_by_key(|number| if let Value::Integer(number) = number { *number } else { 0 });
        for batch in numbers.chunks(BATCH) {
            let (sql, rows) = if batch.len() <= FEW { (INSERT_FEW, FEW) } else { (INSERT, BATCH) };
            open.execute(sql, filled(params![self.repository_id, self.digest.as_str()], batch, rows)).await?;
        }
        Ok(())
    }

    /// Writes the children; out: those that are not in the repository.
    async fn insert_children(
        &self,
        open: &mut Transaction,
        manifest: &Manifest,
    ) -> Result<Vec<String>, Error> {
        let values: Vec<Value> = children(manifest).map(Value::from).collect();
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let entry = || params![self.repository_id, self.digest.as_str()];
        for batch in values.chunks(BATCH) {
            open.execute(INSERT_CHILDREN, filled(entry(), batch, BATCH)).await?;
        }
        let rows = open.rows(MISSING_CHILDREN, entry()).await?;
        let missing = rows.iter().map(|row| row.get(0)).collect::<Result<BTreeSet<String>, _>>()?;
        Ok(once(children(manifest).filter(|child| missing.contains(*child))))
    }

    /// The numbers of those blobs that the repository has, by digest.
    async fn find_blobs(
        &self,
        open: &mut Transaction,
        manifest: &Manifest,
    ) -> Result<BTreeMap<String, i64>, Error> {
        let values: Vec<Value> = blobs(manifest).map(Value::from).collect();
        let mut numbers = BTreeMap::new();
        for batch in values.chunks(BATCH) {
            let (sql, count) = if batch.len() <= FEW { (FIND_FEW, FEW) } else { (FIND, BATCH) };
            for row in open.rows(sql, filled(params![self.repository_id], batch, count)).await? {
                numbers.insert(row.get(0)?, row.get(1)?);
            }
        }
        Ok(numbers)
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

/// The parameters of a statement that takes `count` values: those of `batch`, the last one repeated.
fn filled(mut parameters: Vec<Value>, batch: &[Value], count: usize) -> Vec<Value> {
    if let Some(last) = batch.last() {
        parameters.extend(batch.iter().chain(std::iter::repeat(last)).take(count).cloned());
    }
    parameters
}

/// Each digest once, in order.
fn once<'a>(digests: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut named = BTreeSet::new();
    digests.filter(|digest| named.insert(*digest)).map(str::to_owned).collect()
}
