//! Resource tags of repositories: TagResource, UntagResource, ListTagsForResource (ecr.md §3).
//!
//! Not to be mixed up with image tags. Policies see them as `aws:ResourceTag/<key>`.

use std::collections::BTreeMap;

use super::not_found;
use crate::access::Allowed;
use crate::access::action::{ListTagsForResource, TagResource, UntagResource};
use crate::catalog::read_cache::repository_scope;
use crate::catalog::{Catalog, Error, REPOSITORY_ID, repository_parameters};
use crate::store::db::Transaction;
use crate::{params, transaction};

const MAX_KEY_CHARACTERS: usize = 128;
const MAX_VALUE_CHARACTERS: usize = 256;

/// Tags that obey the rules for keys and values: at most 50, each key once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceTags(Vec<(String, String)>);

impl ResourceTags {
    /// Most tags on one repository (ecr.md §9).
    pub const MAX: usize = 50;

    /// Checks tags as they were sent.
    ///
    /// # Errors
    /// [`Error::TooManyTags`] above 50; [`Error::InvalidTagParameter`] for an empty, over-long, reserved or
    /// repeated key, an over-long value, or a character that AWS does not take.
    pub fn new(tags: Vec<(String, String)>) -> Result<Self, Error> {
        if tags.len() > Self::MAX {
            return Err(Error::TooManyTags);
        }
        let mut seen = BTreeMap::new();
        for (key, value) in tags {
            check_key(&key)?;
            check_text("value", &value, MAX_VALUE_CHARACTERS)?;
            if seen.contains_key(&key) {
                return refuse(format!("The tag key '{key}' is given more than once."));
            }
            seen.insert(key, value);
        }
        Ok(Self(seen.into_iter().collect()))
    }

    /// The tags, sorted by key.
    #[must_use]
    pub fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }
}

fn refuse<T>(reason: String) -> Result<T, Error> {
    Err(Error::InvalidTagParameter { reason })
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() {
        return refuse("A tag key has at least 1 character.".to_owned());
    }
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return refuse("Tag keys that start with 'aws:' are reserved for AWS use.".to_owned());
    }
    check_text("key", key, MAX_KEY_CHARACTERS)
}

/// The texts are ours (unverified); the limits are ECR's. Control characters would be lost or refused by one
/// of the databases, so they are refused for both.
fn check_text(what: &str, text: &str, most: usize) -> Result<(), Error> {
    if text.chars().count() > most {
        return refuse(format!("A tag {what} has at most {most} characters."));
    }
    let is_allowed = |letter: char| {
        letter.is_alphanumeric()
            || "_.:/=+-@".contains(letter)
            || (letter.is_whitespace() && !letter.is_control())
    };
    if !text.chars().all(is_allowed) {
        return refuse(format!(
            "A tag {what} consists of letters, numbers, spaces and any of _ . : / = + - @"
        ));
    }
    Ok(())
}

pub(super) const UPSERT: &str = "INSERT INTO repository_tag (repository_id, key, value) VALUES ($1, $2, $3) \
    ON CONFLICT (repository_id, key) DO UPDATE SET value = excluded.value";

const COUNT: &str = "SELECT COUNT(*) FROM repository_tag WHERE repository_id = $1";

const REMOVE: &str = "DELETE FROM repository_tag WHERE repository_id = $1 AND key = $2";

const LIST: &str = "SELECT t.key, t.value FROM repository r \
    LEFT JOIN repository_tag t ON t.repository_id = r.id \
    WHERE r.account = $1 AND r.region = $2 AND r.name = $3 ORDER BY t.key";

impl Catalog {
    /// Adds tags; a key that is there already gets the new value.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::TooManyTags`] when more than 50 would result.
    pub async fn tag_repository(
        &self,
        allowed: &Allowed<TagResource>,
        tags: &ResourceTags,
    ) -> Result<(), Error> {
        let address = allowed.resource();
        transaction!(self.database, open => {
            open.touches(&[repository_scope(allowed.resource())]);
            let id = self.repository_to_tag(open, address).await?;
            for (key, value) in tags.as_slice() {
                open.execute(UPSERT, params![id.as_str(), key, value]).await?;
            }
            let count: i64 = open.required(COUNT, params![id.as_str()]).await?.get(0)?;
            if usize::try_from(count).unwrap_or(usize::MAX) > ResourceTags::MAX {
                return Err(Error::TooManyTags);
            }
            Ok::<_, Error>(())
        })
    }

    /// Removes tags; keys that are not there are no error.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::TooManyTags`] for more than 50 keys;
    /// [`Error::InvalidTagParameter`] for a key that no tag can have.
    pub async fn untag_repository(
        &self,
        allowed: &Allowed<UntagResource>,
        keys: &[String],
    ) -> Result<(), Error> {
        if keys.len() > ResourceTags::MAX {
            return Err(Error::TooManyTags);
        }
        keys.iter().try_for_each(|key| check_key(key))?;
        let address = allowed.resource();
        transaction!(self.database, open => {
            open.touches(&[repository_scope(allowed.resource())]);
            let id = self.repository_to_tag(open, address).await?;
            for key in keys {
                open.execute(REMOVE, params![id.as_str(), key]).await?;
            }
            Ok::<_, Error>(())
        })
    }

    /// All tags, sorted by key in byte order.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn list_repository_tags(
        &self,
        allowed: &Allowed<ListTagsForResource>,
    ) -> Result<Vec<(String, String)>, Error> {
        let address = allowed.resource();
        let rows = self.database.rows(LIST, repository_parameters(address)).await?;
        if rows.is_empty() {
            return Err(not_found(address));
        }
        let mut tags = Vec::with_capacity(rows.len());
        for row in &rows {
            // The outer join gives one row without a key for a repository without tags.
            if let (Some(key), Some(value)) = (row.get::<Option<String>>(0)?, row.get::<Option<String>>(1)?) {
                tags.push((key, value));
            }
        }
        Ok(tags)
    }

    async fn repository_to_tag(
        &self,
        open: &mut Transaction,
        address: &crate::access::Repository,
    ) -> Result<String, Error> {
        let row = open.row(REPOSITORY_ID, repository_parameters(address)).await?;
        Ok(row.ok_or_else(|| not_found(address))?.get(0)?)
    }
}
