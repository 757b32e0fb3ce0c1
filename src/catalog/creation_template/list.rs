//! DescribeRepositoryCreationTemplates: by prefix, or page by page in order of namespaces, `ROOT` first.

use super::{CreationTemplate, TemplatePrefix, select_template};
use crate::access::Allowed;
use crate::access::action::DescribeRepositoryCreationTemplates;
use crate::catalog::{Catalog, Error};
use crate::params;

/// One page of a registry's templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePage {
    /// The templates, sorted by namespace in byte order.
    pub templates: Vec<CreationTemplate>,
    /// The prefix after which the next page begins; `None` on the last page.
    pub next: Option<TemplatePrefix>,
}

/// Never more than [`super::MAX_TEMPLATES`] rows, so pages are cut from all of them.
const ALL: &str = select_template!("WHERE account = $1 AND region = $2 ORDER BY namespace");

impl Catalog {
    /// Those of the named templates that exist, sorted by namespace, each once.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn creation_templates_named(
        &self,
        allowed: &Allowed<DescribeRepositoryCreationTemplates>,
        prefixes: &[TemplatePrefix],
    ) -> Result<Vec<CreationTemplate>, Error> {
        let mut templates = self.all_templates(allowed).await?;
        templates.retain(|template| {
            prefixes.iter().any(|prefix| prefix.namespace() == template.prefix.namespace())
        });
        Ok(templates)
    }

    /// One page of all templates of a registry: at most `limit` that come after `after`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn list_creation_templates(
        &self,
        allowed: &Allowed<DescribeRepositoryCreationTemplates>,
        after: Option<&TemplatePrefix>,
        limit: u32,
    ) -> Result<TemplatePage, Error> {
        let mut templates = self.all_templates(allowed).await?;
        if let Some(after) = after {
            templates.retain(|template| template.prefix.namespace() > after.namespace());
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = templates.len() > limit;
        templates.truncate(limit);
        let last = templates.last().map(|template| template.prefix.clone());
        Ok(TemplatePage { next: last.filter(|_| has_more), templates })
    }

    async fn all_templates(
        &self,
        allowed: &Allowed<DescribeRepositoryCreationTemplates>,
    ) -> Result<Vec<CreationTemplate>, Error> {
        let registry = allowed.resource();
        let of_registry = params![registry.account.as_str(), registry.region.as_str()];
        self.database.rows(ALL, of_registry).await?.iter().map(CreationTemplate::read).collect()
    }
}
