//! Groups and who is in them.

use super::entity::{self, Entity, Kind};
use super::error::{Blocker, Error};
use super::page::{Page, PageRequest};
use super::{IdentityRoom, attachment, cache, quota, user};
use crate::access::{Allowed, action};
use crate::{params, transaction};

impl IdentityRoom {
    /// Creates a group with the path and name of the authorised ARN.
    ///
    /// # Errors
    /// EntityAlreadyExists, LimitExceeded.
    pub async fn create_group(&self, allowed: &Allowed<action::CreateGroup>) -> Result<Entity, Error> {
        let entity = self.new_entity(allowed, Kind::Group)?;
        transaction!(self.database, open => {
            user::insert(open, &entity).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })?;
        Ok(entity)
    }

    /// A group and a page of its users, by name.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn group(
        &self,
        allowed: &Allowed<action::GetGroup>,
        request: &PageRequest,
    ) -> Result<(Entity, Page<Entity>), Error> {
        let listing = self.listing(&["GetGroup", &allowed.resource().arn], request);
        let mut snapshot = self.database.snapshot().await?;
        let group = entity::authorised(&mut snapshot, Kind::Group, allowed.resource()).await?;
        let rows = snapshot
            .rows(
                concat!(
                    "SELECT ",
                    entity::columns!(),
                    " FROM iam_membership m JOIN iam_entity e ON e.id = m.user_id \
                     WHERE m.group_id = $1 AND e.folded_name > $2 ORDER BY e.folded_name LIMIT $3"
                ),
                params![&group.id, listing.after()?, listing.rows()],
            )
            .await?;
        let users = rows.iter().map(entity::read).collect::<Result<Vec<_>, _>>()?;
        Ok((group, listing.page(users, |user| entity::fold(&user.name))?))
    }

    /// Groups whose path begins with `path_prefix`, by name.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`].
    pub async fn groups(
        &self,
        allowed: &Allowed<action::ListGroups>,
        path_prefix: &str,
        request: &PageRequest,
    ) -> Result<Page<Entity>, Error> {
        self.entities(allowed, Kind::Group, path_prefix, request).await
    }

    /// The groups of a user, by name.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn groups_of_user(
        &self,
        allowed: &Allowed<action::ListGroupsForUser>,
        request: &PageRequest,
    ) -> Result<Page<Entity>, Error> {
        let listing = self.listing(&["ListGroupsForUser", &allowed.resource().arn], request);
        let mut snapshot = self.database.snapshot().await?;
        let user = entity::authorised(&mut snapshot, Kind::User, allowed.resource()).await?;
        let rows = snapshot
            .rows(
                concat!(
                    "SELECT ",
                    entity::columns!(),
                    " FROM iam_membership m JOIN iam_entity e ON e.id = m.group_id WHERE m.user_id = $1"
                ),
                params![&user.id],
            )
            .await?;
        let groups = rows.iter().map(entity::read).collect::<Result<Vec<_>, _>>()?;
        listing.cut(groups, |group| entity::fold(&group.name))
    }

    /// Puts a user into a group; a member stays one.
    ///
    /// # Errors
    /// NoSuchEntity for group or user, LimitExceeded.
    pub async fn add_user_to_group(
        &self,
        allowed: &Allowed<action::AddUserToGroup>,
        user_name: &str,
    ) -> Result<(), Error> {
        transaction!(self.database, open => {
            let group = entity::authorised(open, Kind::Group, allowed.resource()).await?;
            let user = entity::required(open, &group.account, Kind::User, user_name).await?;
            open.execute(
                "INSERT INTO iam_membership (group_id, user_id) VALUES ($1, $2) \
                 ON CONFLICT (group_id, user_id) DO NOTHING",
                params![&group.id, &user.id],
            )
            .await?;
            let count: i64 = open
                .required("SELECT COUNT(*) FROM iam_membership WHERE user_id = $1", params![&user.id])
                .await?
                .get(0)?;
            if count > quota::GROUPS_PER_USER {
                return Err(quota::exceeded("GroupsPerUser", quota::GROUPS_PER_USER));
            }
            cache::bump(open, &group.account).await?;
            Ok(())
        })
    }

    /// Takes a user out of a group; one who is not in it is no error.
    ///
    /// # Errors
    /// NoSuchEntity for group or user.
    pub async fn remove_user_from_group(
        &self,
        allowed: &Allowed<action::RemoveUserFromGroup>,
        user_name: &str,
    ) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let group = entity::authorised(open, Kind::Group, allowed.resource()).await?;
            let user = entity::required(open, &group.account, Kind::User, user_name).await?;
            open.execute(
                "DELETE FROM iam_membership WHERE group_id = $1 AND user_id = $2",
                params![&group.id, &user.id],
            )
            .await?;
            cache::bump(open, &group.account).await?;
            Ok::<_, Error>(())
        })
    }

    /// Deletes a group without members and policies.
    ///
    /// # Errors
    /// NoSuchEntity, DeleteConflict.
    pub async fn delete_group(&self, allowed: &Allowed<action::DeleteGroup>) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let group = entity::authorised(open, Kind::Group, allowed.resource()).await?;
            let members = user::exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_membership WHERE group_id = $1 LIMIT 1", &group.id);
            if members.await? {
                return Err(Error::DeleteConflict(Blocker::Memberships));
            }
            attachment::refuse_policies(open, &group.id).await?;
            entity::remove(open, &group.id).await?;
            cache::bump(open, &group.account).await?;
            Ok(())
        })
    }
}
