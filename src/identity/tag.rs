//! Tags of users, roles, policies and instance profiles.
//!
//! Keys are unique without regard to case and keep the case in which they were written last. Tags decide access
//! (`aws:PrincipalTag`, `iam:ResourceTag`), so every change counts as one.

use std::collections::HashSet;

use super::entity::{self, Kind};
use super::error::Error;
use super::family::{ListTags, Tag, Untag};
use super::page::{Page, PageRequest};
use super::reader::Reader;
use super::{IdentityRoom, cache, managed_policy, quota};
use crate::access::Allowed;
use crate::store::db::{self, Transaction};
use crate::{params, transaction};

impl IdentityRoom {
    /// Adds tags to an entity; a key that it has gets the new value.
    ///
    /// # Errors
    /// NoSuchEntity; [`Error::DuplicateTagKeys`], [`Error::ReservedTagKey`], [`Error::TooManyTags`];
    /// [`Error::AwsManagedPolicy`].
    pub async fn tag<A: Tag>(&self, allowed: &Allowed<A>, tags: &[(String, String)]) -> Result<(), Error> {
        managed_policy::refuse_aws(allowed)?;
        check(tags)?;
        transaction!(self.database, open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            write(open, &entity.id, tags).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })
    }

    /// Removes tags by key; keys that the entity does not have are no error.
    ///
    /// # Errors
    /// NoSuchEntity; [`Error::AwsManagedPolicy`].
    pub async fn untag<A: Untag>(&self, allowed: &Allowed<A>, keys: &[String]) -> Result<(), Error> {
        managed_policy::refuse_aws(allowed)?;
        transaction!(self.database, open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            for key in keys {
                open.execute(
                    "DELETE FROM iam_tag WHERE entity_id = $1 AND folded_key = $2",
                    params![&entity.id, entity::fold(key)],
                )
                .await?;
            }
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })
    }

    /// The tags of an entity, ordered by key. AWS's own policies have none.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn tags<A: ListTags>(
        &self,
        allowed: &Allowed<A>,
        request: &PageRequest,
    ) -> Result<Page<(String, String)>, Error> {
        let arn = &allowed.resource().arn;
        let listing = self.listing(&[A::NAME, arn], request);
        if A::KIND == Kind::Policy && policy::managed::find(arn).is_some() {
            return listing.cut(Vec::new(), |_| String::new());
        }
        let mut snapshot = self.database.snapshot().await?;
        let entity = entity::authorised(&mut snapshot, A::KIND, allowed.resource()).await?;
        listing.cut(all(&mut snapshot, &entity.id).await?, |(key, _)| entity::fold(key))
    }
}

/// All tags of an entity, ordered by key without regard to case.
pub(super) async fn all(reader: &mut impl Reader, entity_id: &str) -> Result<Vec<(String, String)>, Error> {
    let rows = reader
        .rows("SELECT key, value FROM iam_tag WHERE entity_id = $1 ORDER BY folded_key", params![entity_id])
        .await?;
    let tags: Result<_, db::Error> = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect();
    Ok(tags?)
}

/// What the tags of one request must satisfy among themselves.
pub(super) fn check(tags: &[(String, String)]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for (key, _) in tags {
        let folded = entity::fold(key);
        if folded.starts_with("aws:") {
            return Err(Error::ReservedTagKey);
        }
        if !seen.insert(folded) {
            return Err(Error::DuplicateTagKeys);
        }
    }
    Ok(())
}

/// Writes checked tags over those that the entity has.
pub(super) async fn write(
    open: &mut Transaction,
    entity_id: &str,
    tags: &[(String, String)],
) -> Result<(), Error> {
    for (key, value) in tags {
        open.execute(
            "INSERT INTO iam_tag (entity_id, folded_key, key, value) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (entity_id, folded_key) DO UPDATE SET key = excluded.key, value = excluded.value",
            params![entity_id, entity::fold(key), key, value],
        )
        .await?;
    }
    if all(open, entity_id).await?.len() > quota::TAGS {
        return Err(Error::TooManyTags);
    }
    Ok(())
}
