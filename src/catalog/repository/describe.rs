//! DescribeRepositories (ecr.md §2, §3): by name, or page by page in order of names.

use oci::RepositoryName;

use super::{StoredRepository, not_found, select_repository};
use crate::access::Allowed;
use crate::access::action::{DescribeAllRepositories, DescribeRepositories};
use crate::catalog::{Catalog, Error, repository_parameters};
use crate::params;

/// One page of a registry's repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryPage {
    /// The repositories, sorted by name in byte order.
    pub repositories: Vec<StoredRepository>,
    /// The name after which the next page begins; `None` on the last page.
    pub next: Option<RepositoryName>,
}

pub(super) const BY_NAME: &str = select_repository!("WHERE account = $1 AND region = $2 AND name = $3");

const PAGE: &str =
    select_repository!("WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4");

impl Catalog {
    /// The named repositories, sorted by name, each once.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`] for the first name, as given, that does not exist: then nothing is told of
    /// the others.
    pub async fn describe_repositories(
        &self,
        allowed: &[Allowed<DescribeRepositories>],
    ) -> Result<Vec<StoredRepository>, Error> {
        let mut found = Vec::with_capacity(allowed.len());
        let mut snapshot = self.database.snapshot().await?;
        for one in allowed {
            let address = one.resource();
            let row = snapshot.row(BY_NAME, repository_parameters(address)).await?;
            let row = row.ok_or_else(|| not_found(address))?;
            found.push(StoredRepository::read(&address.registry, &row)?);
        }
        found.sort_by(|one, other| one.address.name.cmp(&other.address.name));
        found.dedup_by(|one, other| one.address == other.address);
        Ok(found)
    }

    /// One page of all repositories of a registry: at most `limit` whose names come after `after`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn list_repositories(
        &self,
        allowed: &Allowed<DescribeAllRepositories>,
        after: Option<&RepositoryName>,
        limit: u32,
    ) -> Result<RepositoryPage, Error> {
        let registry = allowed.resource();
        let after = after.map_or("", RepositoryName::as_str);
        // One more than asked for tells whether there is a next page.
        let wanted = i64::from(limit) + 1;
        let parameters = params![registry.account.as_str(), registry.region.as_str(), after, wanted];
        let rows = self.database.rows(PAGE, parameters).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        let repositories = rows
            .iter()
            .take(limit)
            .map(|row| StoredRepository::read(registry, row))
            .collect::<Result<Vec<_>, _>>()?;
        let last = repositories.last().map(|repository| repository.address.name.clone());
        Ok(RepositoryPage { next: last.filter(|_| has_more), repositories })
    }
}
