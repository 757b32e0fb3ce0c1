//! Names in byte order, page by page: each page continues after the last name of the one before.

use crate::access::{Allowed, action};
use crate::catalog::{Catalog, Error, repository_parameters};
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

/// The tags of a page in one row, because a thousand rows cost a thousand times the way through the driver. No tag
/// holds a comma.
const TAGS: &str = "SELECT (SELECT string_agg(page.name, ',' ORDER BY page.name) FROM (SELECT t.name FROM tag t \
     WHERE t.repository_id = r.id AND t.ended_at IS NULL AND t.name > $4 ORDER BY t.name LIMIT $5) AS page) \
     FROM repository r WHERE r.account = $1 AND r.region = $2 AND r.name = $3";

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
        let repository = allowed.resource();
        let mut parameters = repository_parameters(repository);
        parameters.extend(params![after, one_more(limit)]);
        let row = self.database.row(TAGS, parameters).await?;
        let row = row.ok_or_else(|| Error::RepositoryNotFound(repository.into()))?;
        let joined = row.get::<Option<String>>(0)?.unwrap_or_default();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = joined.split_terminator(',');
        let names = found.by_ref().take(limit).map(str::to_owned).collect();
        Ok(Names { names, has_more: found.next().is_some() })
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
