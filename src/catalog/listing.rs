//! Names in byte order, page by page: each page continues after the last name of the one before.

use crate::access::{Allowed, action};
use crate::catalog::{Catalog, Error};
use crate::params;
use crate::store::db::Row;

/// One page of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// In byte order.
    pub names: Vec<String>,
    /// Whether another page follows.
    pub has_more: bool,
}

impl Names {
    /// Cuts a result that was asked for with one row more than the page holds.
    fn cut(rows: &[Row], limit: u64) -> Result<Self, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let names = rows.iter().take(limit).map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
        Ok(Self { names, has_more: rows.len() > limit })
    }
}

/// One row more than the page, to learn whether another page follows.
fn one_more(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1).saturating_add(1)
}

impl Catalog {
    /// At most `limit` tags of the repository that come after `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn tag_names(
        &self,
        allowed: &Allowed<action::ListImages>,
        after: &str,
        limit: u64,
    ) -> Result<Names, Error> {
        let repository_id = self.require_repository(allowed.resource()).await?;
        let rows = self
            .database
            .rows(
                "SELECT name FROM tag WHERE repository_id = $1 AND ended_at IS NULL AND name > $2 \
                 ORDER BY name LIMIT $3",
                params![repository_id, after, one_more(limit)],
            )
            .await?;
        Names::cut(&rows, limit)
    }

    /// At most `limit` repositories of the registry that come after `after`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn repository_names(
        &self,
        allowed: &Allowed<action::DescribeAllRepositories>,
        after: &str,
        limit: u64,
    ) -> Result<Names, Error> {
        let registry = allowed.resource();
        let rows = self
            .database
            .rows(
                "SELECT name FROM repository WHERE account = $1 AND region = $2 AND name > $3 \
                 ORDER BY name LIMIT $4",
                params![registry.account.as_str(), registry.region.as_str(), after, one_more(limit)],
            )
            .await?;
        Names::cut(&rows, limit)
    }
}
