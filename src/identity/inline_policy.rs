//! Policies that live inside one user, group or role.

use super::entity::{self, Kind};
use super::error::{Error, Missing, Quota};
use super::family::{DeleteInlinePolicy, GetInlinePolicy, ListInlinePolicies, PutInlinePolicy};
use super::page::{Page, PageRequest};
use super::{IdentityRoom, cache, quota};
use crate::access::Allowed;
use crate::store::db;
use crate::{params, transaction};

impl IdentityRoom {
    /// Writes an inline policy, over one of the same name.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::MalformedPolicy`], LimitExceeded for all inline policies together.
    pub async fn put_inline_policy<A: PutInlinePolicy>(
        &self,
        allowed: &Allowed<A>,
        name: &str,
        text: &str,
    ) -> Result<(), Error> {
        policy::Document::parse(text, policy::DocumentKind::Inline)?;
        transaction!(self.database, open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            open.execute(
                "INSERT INTO iam_inline_policy (entity_id, name, document) VALUES ($1, $2, $3) \
                 ON CONFLICT (entity_id, name) DO UPDATE SET document = excluded.document",
                params![&entity.id, name, text],
            )
            .await?;
            let rows = open
                .rows("SELECT document FROM iam_inline_policy WHERE entity_id = $1", params![&entity.id])
                .await?;
            let mut size = 0;
            for row in &rows {
                size += policy::compact_size(&row.get::<String>(0)?);
            }
            let maximum = quota::inline_size(A::KIND);
            if size > maximum {
                let kind = A::KIND.as_str();
                return Err(Error::LimitExceeded(Quota::InlineSize { maximum, kind, name: entity.name }));
            }
            cache::bump(open, &entity.account).await?;
            Ok(())
        })
    }

    /// The name of the entity and the text of an inline policy, byte for byte as it was written.
    ///
    /// # Errors
    /// NoSuchEntity for the entity or the policy.
    pub async fn inline_policy<A: GetInlinePolicy>(
        &self,
        allowed: &Allowed<A>,
        name: &str,
    ) -> Result<(String, String), Error> {
        let mut snapshot = self.database.snapshot().await?;
        let entity = entity::authorised(&mut snapshot, A::KIND, allowed.resource()).await?;
        let row = snapshot
            .row(
                "SELECT document FROM iam_inline_policy WHERE entity_id = $1 AND name = $2",
                params![&entity.id, name],
            )
            .await?;
        let row = row.ok_or_else(|| missing(A::KIND, name))?;
        Ok((entity.name, row.get(0)?))
    }

    /// Deletes an inline policy.
    ///
    /// # Errors
    /// NoSuchEntity for the entity or the policy.
    pub async fn delete_inline_policy<A: DeleteInlinePolicy>(
        &self,
        allowed: &Allowed<A>,
        name: &str,
    ) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            let deleted = open
                .execute(
                    "DELETE FROM iam_inline_policy WHERE entity_id = $1 AND name = $2",
                    params![&entity.id, name],
                )
                .await?;
            if deleted == 0 {
                return Err(missing(A::KIND, name));
            }
            cache::bump(open, &entity.account).await?;
            Ok(())
        })
    }

    /// The names of the inline policies of an entity.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn inline_policies<A: ListInlinePolicies>(
        &self,
        allowed: &Allowed<A>,
        request: &PageRequest,
    ) -> Result<Page<String>, Error> {
        let listing = self.listing(&[A::NAME, &allowed.resource().arn], request);
        let mut snapshot = self.database.snapshot().await?;
        let entity = entity::authorised(&mut snapshot, A::KIND, allowed.resource()).await?;
        let rows = snapshot
            .rows("SELECT name FROM iam_inline_policy WHERE entity_id = $1", params![&entity.id])
            .await?;
        let names: Result<Vec<String>, db::Error> = rows.iter().map(|row| row.get(0)).collect();
        listing.cut(names?, String::clone)
    }
}

fn missing(kind: Kind, name: &str) -> Error {
    let name = name.to_owned();
    Error::NoSuchEntity(match kind {
        Kind::Group => Missing::GroupPolicy(name),
        Kind::Role => Missing::RolePolicy(name),
        Kind::User | Kind::InstanceProfile | Kind::Policy => Missing::UserPolicy(name),
    })
}
