//! Rows of blobs and the objects that they name, one shard at a time.

use std::collections::HashMap;

use oci::Digest;

use super::{Check, Depth, Kind};
use crate::catalog::Error;
use crate::catalog::content::Placed;
use crate::params;
use crate::store::blob::{self, Generation, Object, SHARDS, Step, Through};

/// Rows that are read at once.
const PAGE: i64 = 1000;

const ROWS: &str = "SELECT b.generation, b.size_bytes, CAST(LENGTH(c.content) AS BIGINT), b.digest, b.state \
    FROM blob b LEFT JOIN blob_content c ON c.blob = b.number \
    WHERE b.digest > $1 AND b.digest < $2 ORDER BY b.digest LIMIT $3";

const ROWS_ELSEWHERE: &str = "SELECT digest FROM blob \
    WHERE digest NOT LIKE 'sha256:%' AND digest NOT LIKE 'sha512:%' ORDER BY digest LIMIT $1";

const LINKS: &str = "SELECT r.account, r.region, r.name, COALESCE(b.digest, CAST(l.blob AS TEXT)) \
    FROM blob_link l JOIN repository r ON r.id = l.repository_id LEFT JOIN blob b ON b.number = l.blob \
    WHERE b.digest IS NULL OR b.state NOT IN ('ready', 'damaged') ORDER BY r.id, b.digest LIMIT $1";

/// Objects of one shard that no row has named yet, with their lengths.
type Objects = HashMap<(Digest, Generation), u64>;

impl Check<'_> {
    pub(super) async fn blobs(&mut self) -> Result<(), Error> {
        for shard in 0..SHARDS {
            let listed = self.catalog.blobs.objects(shard).await?;
            let mut objects: Objects = listed
                .into_iter()
                .map(|stored| ((stored.object.digest, stored.object.generation), stored.object.size_bytes))
                .collect();
            for algorithm in ["sha256", "sha512"] {
                self.shard(&format!("{algorithm}:{shard:02x}"), &mut objects).await?;
            }
            for ((digest, generation), size) in objects {
                let detail = format!("no row names generation {} ({size} bytes)", generation.as_str());
                self.found(Kind::StrayObject, digest.to_string(), detail);
            }
            self.progress();
        }
        for row in self.catalog.database.rows(ROWS_ELSEWHERE, params![PAGE]).await? {
            self.found(Kind::Database, row.get::<String>(0)?, "the row of a blob has no digest");
        }
        for row in self.catalog.database.rows(LINKS, params![PAGE]).await? {
            let (account, region, name) =
                (row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?);
            let subject = format!("{account}/{region}/{name}@{}", row.get::<String>(3)?);
            self.found(Kind::LinkWithoutBlob, subject, "the repository links a blob that is not there");
        }
        for name in self.catalog.blobs.strangers().await? {
            self.found(Kind::UnknownFile, name, "nothing that this program has written");
        }
        Ok(())
    }

    /// Rows whose digest begins so; takes what they name out of `objects`.
    async fn shard(&mut self, beginning: &str, objects: &mut Objects) -> Result<(), Error> {
        // "g" follows every digit of a digest.
        let (mut after, end) = (beginning.to_owned(), format!("{beginning}g"));
        loop {
            let page = params![after.as_str(), end.as_str(), PAGE];
            let rows = self.catalog.database.rows(ROWS, page).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.get(3)?;
            for row in &rows {
                self.checked.blobs += 1;
                let (placed, state) = (Placed::read_with_digest(row)?, row.get::<String>(4)?);
                let object = &placed.object;
                let found = match placed.row_bytes {
                    Some(length) => Some(length),
                    None => objects.remove(&(object.digest.clone(), object.generation.clone())),
                };
                self.blob(&placed, &state, found).await?;
            }
        }
    }

    async fn blob(&mut self, placed: &Placed, state: &str, found: Option<u64>) -> Result<(), Error> {
        let object = &placed.object;
        let subject = object.digest.to_string();
        match (state, found) {
            // The collector is between the object and its row.
            ("deleting", _) => {}
            ("damaged", _) => self.found(Kind::BlobDamaged, subject, "the server has found it damaged"),
            ("ready", None) => {
                let detail = format!("generation {} is not there", object.generation.as_str());
                self.found(Kind::BlobMissing, subject, detail);
            }
            ("ready", Some(size)) if size != object.size_bytes => {
                self.found(
                    Kind::BlobLength,
                    subject,
                    format!("{size} bytes instead of {}", object.size_bytes),
                );
            }
            ("ready", Some(_)) if self.depth == Depth::Deep && placed.is_row() => {
                self.compare_row(object).await?;
            }
            ("ready", Some(_)) if self.depth == Depth::Deep => self.compare(object).await?,
            ("ready", Some(_)) => {}
            (other, _) => self.found(Kind::Database, subject, format!("unknown state {other:?}")),
        }
        Ok(())
    }

    /// Compares the bytes in the row of a blob.
    async fn compare_row(&mut self, object: &Object) -> Result<(), Error> {
        if !self.catalog.row_is_whole(object).await? {
            let reason = "its bytes have another digest";
            self.found(Kind::BlobDamaged, object.digest.to_string(), reason);
            return Ok(());
        }
        self.checked.bytes += object.size_bytes;
        self.progress();
        Ok(())
    }

    /// Reads an object whole.
    async fn compare(&mut self, object: &Object) -> Result<(), Error> {
        let before = self.checked.bytes;
        let mut step = self.catalog.blobs.inspect(object, Through::Disk).await.map(Box::new);
        loop {
            let reason = match step {
                Ok(inspection) => {
                    self.checked.bytes = before + inspection.position();
                    self.progress();
                    match inspection.step().await {
                        Ok(Step::More(next)) => {
                            step = Ok(next);
                            continue;
                        }
                        Ok(Step::Whole) => {
                            self.checked.bytes = before + object.size_bytes;
                            return Ok(());
                        }
                        Ok(Step::Rotten) => "its bytes have another digest".to_owned(),
                        Err(error) => error.to_string(),
                    }
                }
                Err(blob::Error::Io { source, .. }) if source.raw_os_error().is_none() => {
                    return Err(source.into());
                }
                Err(error) => error.to_string(),
            };
            self.found(Kind::BlobDamaged, object.digest.to_string(), reason);
            return Ok(());
        }
    }
}
