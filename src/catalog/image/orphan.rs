//! Referrers whose subject was deleted: signatures, attestations and SBOMs of nothing (ecr.md §4.4).
//!
//! Deleting an image puts its referrers into review. A grace later, in which a new push of the image keeps them,
//! the collector deletes those that nothing holds, and with them what refers to them in turn. A tag, an index or a
//! subject that is there again holds a referrer. One whose subject never existed was not orphaned: pushing the
//! signature first is allowed.

use std::collections::HashSet;

use super::delete::{LastTag, Run};
use crate::catalog::{Catalog, Error};
use crate::{params, transaction};

/// Who ended what the collector removed, in the history of tags.
const BY: &str = "collector";

/// Orphans that one transaction looks at: it holds the only writer of SQLite.
const BATCH: i64 = 20;

const DUE: &str = "SELECT repository_id, digest FROM image WHERE review_after <= $1 \
    ORDER BY review_after, repository_id, digest LIMIT $2";

const KEEP: &str = "UPDATE image SET review_after = NULL WHERE repository_id = $1 AND digest = $2 AND ( \
    EXISTS (SELECT 1 FROM image s WHERE s.repository_id = $1 AND s.digest = image.subject_digest) \
    OR EXISTS (SELECT 1 FROM tag t WHERE t.repository_id = $1 AND t.digest = $2 AND t.ended_at IS NULL) \
    OR EXISTS (SELECT 1 FROM image_child c WHERE c.repository_id = $1 AND c.child = $2))";

impl Catalog {
    /// Deletes the orphans whose grace has passed; gives how many went.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails; what was removed until then is removed.
    pub(in crate::catalog) async fn collect_orphans(&self) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let now = self.environment.now();
            let review_after = now.saturating_add(self.limits.blob_grace);
            // What refers to an orphan has waited as long as the orphan has: it is due at once.
            let orphans_after = now;
            let (found_some, gone) = transaction!(self.database, freeing open => {
                let rows = open.rows(DUE, params![now, BATCH]).await?;
                if rows.is_empty() {
                    open.touches(&[]);
                }
                let mut removed = 0;
                for row in &rows {
                    let (repository_id, digest) = (row.get::<String>(0)?, row.get::<String>(1)?);
                    if open.execute(KEEP, params![repository_id.as_str(), digest.as_str()]).await? == 0 {
                        let gone = HashSet::new();
                        let open = &mut *open;
                        let last_tag = LastTag::OfMemberStays;
                        let mut run =
                            Run { open, repository_id, now, review_after, orphans_after, by: BY, last_tag, gone };
                        run.remove(&digest).await?;
                        removed += 1;
                    }
                }
                Ok::<_, Error>((!rows.is_empty(), removed))
            })?;
            removed += gone;
            if !found_some {
                return Ok(removed);
            }
        }
    }
}
