//! Images: each manifest with its digest and its references, tags with their images.

use std::collections::BTreeSet;

use oci::{Digest, Manifest};

use super::{Check, Kind};
use crate::catalog::image::references;
use crate::catalog::{Error, stored_digest};
use crate::params;
use crate::store::db::Row;

/// Manifests that are read at once; each may have 4 MiB.
const MANIFESTS: i64 = 8;

/// Rows of other kinds that are told at most.
const TOLD: i64 = 1000;

const PAGE: &str = "SELECT i.repository_id, i.digest, i.media_type, i.manifest, r.account, r.region, r.name \
    FROM image i JOIN repository r ON r.id = i.repository_id \
    WHERE (i.repository_id, i.digest) > ($1, $2) ORDER BY i.repository_id, i.digest LIMIT $3";

const REFERENCES: &str = "SELECT b.digest FROM image_blob i JOIN blob b ON b.number = i.blob \
    WHERE i.repository_id = $1 AND i.digest = $2 \
    UNION ALL SELECT child FROM image_child WHERE repository_id = $1 AND digest = $2";

const MISSING_BLOBS: &str = "SELECT r.account, r.region, r.name, f.digest, b.digest FROM image_blob f \
    JOIN repository r ON r.id = f.repository_id JOIN blob b ON b.number = f.blob \
    WHERE NOT EXISTS (SELECT 1 FROM blob_link l WHERE l.repository_id = f.repository_id AND l.blob = f.blob) \
    ORDER BY f.repository_id, f.digest, b.digest LIMIT $1";

const MISSING_CHILDREN: &str = "SELECT r.account, r.region, r.name, f.digest, f.child FROM image_child f \
    JOIN repository r ON r.id = f.repository_id \
    WHERE NOT EXISTS (SELECT 1 FROM image i WHERE i.repository_id = f.repository_id AND i.digest = f.child) \
    ORDER BY f.repository_id, f.digest, f.child LIMIT $1";

const TAGS: &str = "SELECT r.account, r.region, r.name, t.digest, t.name FROM tag t \
    JOIN repository r ON r.id = t.repository_id WHERE t.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM image i \
    WHERE i.repository_id = t.repository_id AND i.digest = t.digest) ORDER BY t.repository_id, t.name LIMIT $1";

impl Check<'_> {
    pub(super) async fn images(&mut self) -> Result<(), Error> {
        let mut after = (String::new(), String::new());
        loop {
            let page = params![after.0.as_str(), after.1.as_str(), MANIFESTS];
            let rows = self.catalog.database.rows(PAGE, page).await?;
            let Some(last) = rows.last() else { break };
            after = (last.get(0)?, last.get(1)?);
            for row in &rows {
                self.image(row).await?;
            }
            self.progress();
        }
        for (sql, kind) in
            [(MISSING_BLOBS, Kind::ReferencedBlobMissing), (MISSING_CHILDREN, Kind::ReferencedImageMissing)]
        {
            for row in self.catalog.database.rows(sql, params![TOLD]).await? {
                self.found(kind, subject(&row, 0, 3)?, format!("it names {}", row.get::<String>(4)?));
            }
        }
        for row in self.catalog.database.rows(TAGS, params![TOLD]).await? {
            self.found(Kind::TagWithoutImage, subject(&row, 0, 3)?, format!("tag {}", row.get::<String>(4)?));
        }
        Ok(())
    }

    async fn image(&mut self, row: &Row) -> Result<(), Error> {
        self.checked.images += 1;
        let (repository_id, text) = (row.get::<String>(0)?, row.get::<String>(1)?);
        let (digest, bytes) = (stored_digest(&text)?, row.get::<Vec<u8>>(3)?);
        let subject = subject(row, 4, 1)?;
        if Digest::of(digest.algorithm(), &bytes) != digest {
            self.found(Kind::ManifestDamaged, subject, "its bytes have another digest");
            return Ok(());
        }
        let manifest = match Manifest::parse(&bytes, Some(&row.get::<String>(2)?)) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.found(Kind::ManifestDamaged, subject, error.to_string());
                return Ok(());
            }
        };
        let parameters = params![repository_id.as_str(), text.as_str()];
        let rows = self.catalog.database.rows(REFERENCES, parameters).await?;
        let stored = rows.iter().map(|row| row.get(0)).collect::<Result<BTreeSet<String>, _>>()?;
        let stored: BTreeSet<&str> = stored.iter().map(String::as_str).collect();
        let named: BTreeSet<&str> = references(&manifest).collect();
        if stored != named {
            let differing: Vec<&str> = stored.symmetric_difference(&named).copied().collect();
            self.found(Kind::ReferencesDiffer, subject, differing.join(" "));
        }
        Ok(())
    }
}

/// `123456789012/eu-central-1/app@sha256:…`
fn subject(row: &Row, repository: usize, digest: usize) -> Result<String, Error> {
    let text = |index: usize| row.get::<String>(index);
    let (account, region, name) = (text(repository)?, text(repository + 1)?, text(repository + 2)?);
    Ok(format!("{account}/{region}/{name}@{}", text(digest)?))
}
