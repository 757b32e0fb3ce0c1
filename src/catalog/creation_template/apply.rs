//! Creation on push: the template for a name, and a repository made by it.

use super::{CreationTemplate, select_template};
use crate::access::action::{Action, CreateRepository, TagResource};
use crate::access::{Allowed, Repository};
use crate::catalog::repository::{Documents, InitialTags, NewRepository, StoredRepository};
use crate::catalog::{Catalog, Error, repository_parameters};

/// The longest namespace that the name begins with, up to a slash; `ROOT` is the empty one.
const FOR_NAME: &str = select_template!(
    "WHERE account = $1 AND region = $2 AND (namespace = '' \
     OR SUBSTR(CAST($3 AS TEXT), 1, LENGTH(namespace) + 1) = namespace || '/') \
     ORDER BY LENGTH(namespace) DESC LIMIT 1"
);

impl Catalog {
    /// The template for the repository that a push is about; `None` when no template fits its name.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn template_for_push<A: Action<Resource = Repository>>(
        &self,
        push: &Allowed<A>,
    ) -> Result<Option<CreationTemplate>, Error> {
        let row = self.database.row(FOR_NAME, repository_parameters(push.resource())).await?;
        row.map(|row| CreationTemplate::read(&row)).transpose()
    }

    /// Creates a repository as a template says. `tagging` must be there when the template has tags.
    ///
    /// # Errors
    /// [`Error::RepositoryAlreadyExists`], which leaves that repository as it is; [`Error::LimitExceeded`] when
    /// the registry is full.
    pub async fn create_from_template(
        &self,
        allowed: &Allowed<CreateRepository>,
        tagging: Option<Allowed<TagResource>>,
        template: CreationTemplate,
    ) -> Result<StoredRepository, Error> {
        let tags = match tagging {
            Some(allowed) => Some(InitialTags { allowed, tags: template.resource_tags }),
            None if template.resource_tags.as_slice().is_empty() => None,
            None => return Err(Error::Internal(anyhow::anyhow!("the template's tags were not allowed"))),
        };
        let new = NewRepository { tag_mutability: template.tag_mutability, tags };
        let documents = Documents { policy: template.policy, lifecycle_policy: template.lifecycle_policy };
        self.insert_repository(allowed, new, &documents).await
    }
}
