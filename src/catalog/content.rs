//! Where the bytes of a blob are: small ones lie in a row beside the blob's own (table `blob_content`), all others in
//! a file of the blob store. Rows share the database's grouped commit: a small push needs no file, no name, and no
//! sync of its own (docs/decisions/0011).
//!
//! ```text
//! pushed by this version, at most 64 KiB   → row (what `Held::small_bytes` still holds in one piece)
//! larger, or pushed by an earlier version  → file; read, scrubbed and collected as ever
//! ```
//!
//! A row and its blob are written by one transaction and go together, so a blob is never in both places. Bytes from
//! a row are compared with their digest at each read, as those of manifests are.

use bytes::Bytes;
use oci::Digest;

use super::{Catalog, Error, stored_digest, upload};
use crate::params;
use crate::store::blob::{self, Object, Step, Through, Verdict};
use crate::store::db::Row;

const CONTENT: &str =
    "SELECT c.content FROM blob b JOIN blob_content c ON c.blob = b.number WHERE b.digest = $1";

/// A blob and the place of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) object: Object,
    /// How many bytes its row has; `None` when it is a file.
    pub(super) row_bytes: Option<u64>,
}

impl Placed {
    /// From a row whose first columns are generation, size, and length of the content or NULL.
    pub(super) fn read(digest: &Digest, row: &Row) -> Result<Self, Error> {
        let length = |number: i64| u64::try_from(number).map_err(|error| Error::Internal(error.into()));
        let object = Object {
            digest: digest.clone(),
            generation: upload::stored_generation(&row.get::<String>(0)?)?,
            size_bytes: length(row.get(1)?)?,
        };
        Ok(Self { object, row_bytes: row.get::<Option<i64>>(2)?.map(length).transpose()? })
    }

    /// The same with the digest as the last column.
    pub(super) fn read_with_digest(row: &Row) -> Result<Self, Error> {
        Self::read(&stored_digest(&row.get::<String>(3)?)?, row)
    }

    /// Whether the bytes are in a row.
    pub(super) fn is_row(&self) -> bool {
        self.row_bytes.is_some()
    }
}

impl Catalog {
    /// Looks at the length of a blob; out: whether it is known to be whole.
    ///
    /// # Errors
    /// [`blob::Error::Missing`] or [`blob::Error::Damaged`] when it is not what its row says.
    pub(super) async fn look_at(&self, placed: &Placed) -> Result<bool, blob::Error> {
        match placed.row_bytes {
            Some(found) if found == placed.object.size_bytes => Ok(false),
            Some(found) => Err(blob::Error::Damaged { expected: placed.object.size_bytes, found }),
            None => self.blobs.check(&placed.object).await,
        }
    }

    /// The bytes of a row; `None` when it is gone.
    pub(super) async fn content(&self, digest: &Digest) -> Result<Option<Bytes>, Error> {
        let row = self.database.row(CONTENT, params![digest.as_str()]).await?;
        Ok(row.map(|row| row.get::<Vec<u8>>(0)).transpose()?.map(Bytes::from))
    }

    /// Reads a blob whole, compares it with its digest, and marks it when it is damaged.
    pub(super) async fn inspect(&self, placed: &Placed, through: Through) -> Verdict {
        if placed.is_row() {
            return self.inspect_row(&placed.object).await;
        }
        let read = async {
            let mut inspection = self.blobs.inspect(&placed.object, through).await?;
            loop {
                match inspection.step().await? {
                    Step::More(next) => inspection = *next,
                    Step::Whole => return Ok(true),
                    Step::Rotten => return Ok(false),
                }
            }
        };
        self.judge(&placed.object, read.await).await
    }

    async fn inspect_row(&self, object: &Object) -> Verdict {
        match self.row_is_whole(object).await {
            Ok(is_whole) => self.judge(object, Ok(is_whole)).await,
            Err(error) => {
                tracing::warn!(%error, blob.digest = %object.digest, "a stored blob could not be compared");
                Verdict::Unknown
            }
        }
    }

    /// Whether the row of a blob has its bytes; one that is gone has not.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub(super) async fn row_is_whole(&self, object: &Object) -> Result<bool, Error> {
        let content = self.content(&object.digest).await?;
        Ok(content.is_some_and(|bytes| has_digest(&bytes, &object.digest)))
    }
}

/// Whether bytes have a digest.
pub(super) fn has_digest(bytes: &[u8], digest: &Digest) -> bool {
    Digest::of(digest.algorithm(), bytes) == *digest
}
