//! Names in byte order, page by page: each page continues after the last name of the one before.

use std::sync::Arc;

use crate::access::{Allowed, Repository, action};
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

/// One page of the tags of a repository. Cheap to clone: those who watch a repository ask for the same page again and
/// again, and it is kept in memory as long as nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPage {
    /// In byte order, with commas between them.
    joined: Arc<str>,
    /// Whether another page follows.
    pub has_more: bool,
}

impl TagPage {
    /// Cuts what was found for one tag more than the page holds.
    fn cut(found: &str, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // The comma behind the last tag of the page, or the beginning when the page holds none.
        let end = match limit.checked_sub(1) {
            None => (!found.is_empty()).then_some(0),
            Some(before) => found.match_indices(',').nth(before).map(|(end, _)| end),
        };
        let kept = end.and_then(|end| found.get(..end)).unwrap_or(found);
        Self { joined: kept.into(), has_more: end.is_some() }
    }

    /// The tags in byte order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.joined.split_terminator(',')
    }

    /// The last tag of the page.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.joined.rsplit(',').next().filter(|last| !last.is_empty())
    }

    /// The bytes that it takes, roughly.
    pub(super) fn weight(&self) -> usize {
        self.joined.len()
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
    ) -> Result<TagPage, Error> {
        let repository = allowed.resource();
        self.cached_tags(repository, after, limit, async || {
            self.load_tag_names(repository, after, limit).await
        })
        .await
    }

    async fn load_tag_names(
        &self,
        repository: &Repository,
        after: &str,
        limit: u64,
    ) -> Result<TagPage, Error> {
        let mut parameters = repository_parameters(repository);
        parameters.extend(params![after, one_more(limit)]);
        let row = self.database.row(TAGS, parameters).await?;
        let row = row.ok_or_else(|| Error::RepositoryNotFound(repository.into()))?;
        let joined = row.get::<Option<String>>(0)?.unwrap_or_default();
        Ok(TagPage::cut(&joined, limit))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_at_its_limit_and_knows_whether_more_follow() {
        for (found, limit, names, has_more) in [
            ("", 2, vec![], false),
            ("a", 2, vec!["a"], false),
            ("a,b", 2, vec!["a", "b"], false),
            ("a,b,c", 2, vec!["a", "b"], true),
            ("a,b,c", 1, vec!["a"], true),
            ("a", 0, vec![], true),
            ("", 0, vec![], false),
            ("a,b", u64::MAX, vec!["a", "b"], false),
        ] {
            let page = TagPage::cut(found, limit);
            assert_eq!(page.names().collect::<Vec<_>>(), names, "{found:?} {limit}");
            assert_eq!((page.has_more, page.last()), (has_more, names.last().copied()), "{found:?} {limit}");
        }
    }
}
