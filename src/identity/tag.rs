//! Tags of users, roles, policies and instance profiles.

use super::error::Error;
use super::reader::Reader;
use crate::params;

/// All tags of an entity, ordered by key without regard to case.
pub(super) async fn all(reader: &mut impl Reader, entity_id: &str) -> Result<Vec<(String, String)>, Error> {
    let rows = reader
        .rows("SELECT key, value FROM iam_tag WHERE entity_id = $1 ORDER BY folded_key", params![entity_id])
        .await?;
    Ok(rows
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect::<Result<_, crate::store::db::Error>>()?)
}
