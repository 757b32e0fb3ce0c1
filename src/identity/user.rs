//! Users: create, read, list, rename, delete.

use super::entity::{self, Entity, Kind};
use super::error::{Blocker, Error};
use super::family::Rename;
use super::page::{Page, PageRequest};
use super::{IdentityRoom, attachment, boundary, cache, quota, tag};
use crate::access::{Allowed, action};
use crate::store::db::Transaction;
use crate::{params, transaction};

/// A user, role, policy or instance profile with its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The entity.
    pub entity: Entity,
    /// Its tags, ordered by key.
    pub tags: Vec<(String, String)>,
}

impl IdentityRoom {
    /// Creates a user with the path and name of the authorised ARN.
    ///
    /// # Errors
    /// EntityAlreadyExists, LimitExceeded, NoSuchEntity for the boundary, the tag errors of [`Self::tag`].
    pub async fn create_user(
        &self,
        allowed: &Allowed<action::CreateUser>,
        boundary: Option<&str>,
        tags: &[(String, String)],
    ) -> Result<Tagged, Error> {
        tag::check(tags)?;
        let mut entity = self.new_entity(allowed, Kind::User)?;
        entity.boundary = boundary.map(str::to_owned);
        transaction!(self.database, open => {
            if let Some(arn) = boundary {
                boundary::check(open, &entity.account, arn).await?;
            }
            insert(open, &entity).await?;
            tag::write(open, &entity.id, tags).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })?;
        Ok(Tagged { entity, tags: sorted(tags) })
    }

    /// The user of the authorised ARN.
    ///
    /// # Errors
    /// NoSuchEntity.
    pub async fn user(&self, allowed: &Allowed<action::GetUser>) -> Result<Tagged, Error> {
        let mut snapshot = self.database.snapshot().await?;
        let entity = entity::authorised(&mut snapshot, Kind::User, allowed.resource()).await?;
        let tags = tag::all(&mut snapshot, &entity.id).await?;
        Ok(Tagged { entity, tags })
    }

    /// Users whose path begins with `path_prefix`, by name.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`].
    pub async fn users(
        &self,
        allowed: &Allowed<action::ListUsers>,
        path_prefix: &str,
        request: &PageRequest,
    ) -> Result<Page<Entity>, Error> {
        self.entities(allowed, Kind::User, path_prefix, request).await
    }

    /// Gives a user or group the path and name of `target`; its unique id and all that hangs on it stay.
    ///
    /// # Errors
    /// NoSuchEntity, EntityAlreadyExists.
    pub async fn rename<A: Rename>(&self, source: &Allowed<A>, target: &Allowed<A>) -> Result<(), Error> {
        let Some((account, kind, path, name)) = entity::parse_arn(&target.resource().arn) else {
            return Err(Error::InvalidArn);
        };
        if kind != A::KIND || account != source.resource().account {
            return Err(Error::InvalidArn);
        }
        transaction!(self.database, open => {
            let present = entity::authorised(open, A::KIND, source.resource()).await?;
            let holder = entity::find_folded(open, &account, kind, &name).await?;
            if holder.is_some_and(|holder| holder.id != present.id) {
                return Err(kind.existing(&name));
            }
            open.execute(
                "UPDATE iam_entity SET name = $2, folded_name = $3, path = $4 WHERE id = $1",
                params![&present.id, &name, entity::fold(&name), &path],
            )
            .await?;
            cache::bump(open, &account).await?;
            Ok(())
        })
    }

    /// Deletes a user that nothing hangs on any more.
    ///
    /// # Errors
    /// NoSuchEntity, DeleteConflict.
    pub async fn delete_user(&self, allowed: &Allowed<action::DeleteUser>) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let user = entity::authorised(open, Kind::User, allowed.resource()).await?;
            attachment::refuse_policies(open, &user.id).await?;
            let groups = exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_membership WHERE user_id = $1 LIMIT 1", &user.id);
            if groups.await? {
                return Err(Error::DeleteConflict(Blocker::Memberships));
            }
            let keys = exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_access_key WHERE owner_id = $1 LIMIT 1", &user.id);
            if keys.await? {
                return Err(Error::DeleteConflict(Blocker::AccessKeys));
            }
            entity::remove(open, &user.id).await?;
            cache::bump(open, &user.account).await?;
            Ok(())
        })
    }

    /// A new entity of the path and name in the authorised ARN, not yet written.
    pub(super) fn new_entity<A>(&self, allowed: &Allowed<A>, kind: Kind) -> Result<Entity, Error>
    where
        A: action::Action<Resource = crate::access::Identity>,
    {
        let resource = allowed.resource();
        let Some((account, found, path, name)) = entity::parse_arn(&resource.arn) else {
            return Err(Error::InvalidArn);
        };
        if found != kind || account != resource.account {
            return Err(Error::InvalidArn);
        }
        let id = super::id::new_id(&self.environment, kind.id_prefix(), &account, 21)?;
        Ok(Entity { id, account, kind, name, path, created_at: self.environment.now(), boundary: None })
    }

    /// Entities of a kind by name, keyset-paged.
    pub(super) async fn entities<A>(
        &self,
        allowed: &Allowed<A>,
        kind: Kind,
        path_prefix: &str,
        request: &PageRequest,
    ) -> Result<Page<Entity>, Error>
    where
        A: action::Action<Resource = crate::access::Identity>,
    {
        let account = allowed.resource().account.as_str();
        let listing = self.listing(&[A::NAME, account, path_prefix], request);
        let rows = self
            .database
            .rows(
                concat!(
                    "SELECT ",
                    entity::columns!(),
                    " FROM iam_entity e WHERE e.account = $1 AND e.kind = $2 AND e.folded_name > $3 \
                     AND SUBSTR(e.path, 1, LENGTH($4)) = $4 ORDER BY e.folded_name LIMIT $5"
                ),
                params![account, kind.as_str(), listing.after()?, path_prefix, listing.rows()],
            )
            .await?;
        let items = rows.iter().map(entity::read).collect::<Result<Vec<_>, _>>()?;
        listing.page(items, |entity| entity::fold(&entity.name))
    }
}

/// Writes a new entity when its account has room for one more.
pub(super) async fn insert(open: &mut Transaction, entity: &Entity) -> Result<(), Error> {
    entity::insert(open, entity).await?;
    // Counted afterwards, so that a name that exists is reported as such also in a full account.
    if entity::count(open, &entity.account, entity.kind).await? > quota::entities(entity.kind) {
        return Err(quota::entities_exceeded(entity.kind));
    }
    Ok(())
}

/// Whether a statement about one entity gives a row.
pub(super) async fn exists(open: &mut Transaction, sql: &'static str, id: &str) -> Result<bool, Error> {
    Ok(open.row(sql, params![id]).await?.is_some())
}

/// Tags in the order in which they are read back.
pub(super) fn sorted(tags: &[(String, String)]) -> Vec<(String, String)> {
    let mut tags = tags.to_vec();
    tags.sort_by_key(|(key, _)| entity::fold(key));
    tags
}
