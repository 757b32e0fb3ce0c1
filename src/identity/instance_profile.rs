//! Instance profiles: the envelope in which a machine finds its role.

use super::entity::{self, Entity, Kind};
use super::error::{Blocker, Error};
use super::page::{Page, PageRequest};
use super::reader::Reader;
use super::role::{self, Role};
use super::{IdentityRoom, cache, quota, tag, user};
use crate::access::{Allowed, action};
use crate::{params, transaction};

/// An instance profile with its role, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    /// What it has in common with other entities.
    pub entity: Entity,
    /// The role.
    pub role: Option<Role>,
    /// Its tags; empty in listings.
    pub tags: Vec<(String, String)>,
}

impl IdentityRoom {
    /// Creates an instance profile with the path and name of the authorised ARN.
    ///
    /// # Errors
    /// EntityAlreadyExists, LimitExceeded, the tag errors of [`Self::tag`].
    pub async fn create_instance_profile(
        &self,
        allowed: &Allowed<action::CreateInstanceProfile>,
        tags: &[(String, String)],
    ) -> Result<InstanceProfile, Error> {
        tag::check(tags)?;
        let entity = self.new_entity(allowed, Kind::InstanceProfile)?;
        transaction!(self.database, open => {
            user::insert(open, &entity).await?;
            tag::write(open, &entity.id, tags).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })?;
        Ok(InstanceProfile { entity, role: None, tags: user::sorted(tags) })
    }

    /// An instance profile with its role and tags.
    ///
    /// # Errors
    /// NoSuchEntity.
    pub async fn instance_profile(
        &self,
        allowed: &Allowed<action::GetInstanceProfile>,
    ) -> Result<InstanceProfile, Error> {
        let mut snapshot = self.database.snapshot().await?;
        let resource = allowed.resource();
        let entity = entity::authorised(&mut snapshot, Kind::InstanceProfile, resource).await?;
        let tags = tag::all(&mut snapshot, &entity.id).await?;
        let mut profile = of_entity(&mut snapshot, entity).await?;
        profile.tags = tags;
        Ok(profile)
    }

    /// Instance profiles whose path begins with `path_prefix`, by name, without tags.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`].
    pub async fn instance_profiles(
        &self,
        allowed: &Allowed<action::ListInstanceProfiles>,
        path_prefix: &str,
        request: &PageRequest,
    ) -> Result<Page<InstanceProfile>, Error> {
        let page = self.entities(allowed, Kind::InstanceProfile, path_prefix, request).await?;
        let mut snapshot = self.database.snapshot().await?;
        let mut items = Vec::with_capacity(page.items.len());
        for entity in page.items {
            items.push(of_entity(&mut snapshot, entity).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// The instance profiles that a role is in, by name.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn instance_profiles_of_role(
        &self,
        allowed: &Allowed<action::ListInstanceProfilesForRole>,
        request: &PageRequest,
    ) -> Result<Page<InstanceProfile>, Error> {
        let listing = self.listing(&["ListInstanceProfilesForRole", &allowed.resource().arn], request);
        let mut snapshot = self.database.snapshot().await?;
        let role = entity::authorised(&mut snapshot, Kind::Role, allowed.resource()).await?;
        let rows = snapshot
            .rows(
                concat!(
                    "SELECT ",
                    entity::columns!(),
                    " FROM iam_instance_profile_role p JOIN iam_entity e ON e.id = p.profile_id \
                     WHERE p.role_id = $1 AND e.folded_name > $2 ORDER BY e.folded_name LIMIT $3"
                ),
                params![&role.id, listing.after()?, listing.rows()],
            )
            .await?;
        let entities = rows.iter().map(entity::read).collect::<Result<Vec<_>, _>>()?;
        let page = listing.page(entities, |entity| entity::fold(&entity.name))?;
        let mut items = Vec::with_capacity(page.items.len());
        for entity in page.items {
            items.push(of_entity(&mut snapshot, entity).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// Puts a role into an instance profile. To hand out a role is a right of its own, hence the second proof.
    ///
    /// # Errors
    /// NoSuchEntity for profile or role; LimitExceeded when the profile has a role, also when it is this one.
    pub async fn add_role_to_instance_profile(
        &self,
        allowed: &Allowed<action::AddRoleToInstanceProfile>,
        passed: &Allowed<action::PassRole>,
    ) -> Result<(), Error> {
        transaction!(self.database, open => {
            let profile = entity::authorised(open, Kind::InstanceProfile, allowed.resource()).await?;
            let role = entity::authorised(open, Kind::Role, passed.resource()).await?;
            let inserted = open
                .execute(
                    "INSERT INTO iam_instance_profile_role (profile_id, role_id) VALUES ($1, $2) \
                     ON CONFLICT (profile_id) DO NOTHING",
                    params![&profile.id, &role.id],
                )
                .await?;
            if inserted == 0 {
                return Err(quota::exceeded("InstanceSessionsPerInstanceProfile", 1));
            }
            cache::bump(open, &profile.account).await?;
            Ok(())
        })
    }

    /// Takes a role out of an instance profile.
    ///
    /// # Errors
    /// NoSuchEntity for the profile, or for a role that is not in it.
    pub async fn remove_role_from_instance_profile(
        &self,
        allowed: &Allowed<action::RemoveRoleFromInstanceProfile>,
        role_name: &str,
    ) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let profile = entity::authorised(open, Kind::InstanceProfile, allowed.resource()).await?;
            let role = entity::required(open, &profile.account, Kind::Role, role_name).await?;
            let deleted = open
                .execute(
                    "DELETE FROM iam_instance_profile_role WHERE profile_id = $1 AND role_id = $2",
                    params![&profile.id, &role.id],
                )
                .await?;
            if deleted == 0 {
                return Err(Kind::Role.missing(role_name));
            }
            cache::bump(open, &profile.account).await?;
            Ok(())
        })
    }

    /// Deletes an instance profile without a role.
    ///
    /// # Errors
    /// NoSuchEntity, DeleteConflict.
    pub async fn delete_instance_profile(
        &self,
        allowed: &Allowed<action::DeleteInstanceProfile>,
    ) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let profile = entity::authorised(open, Kind::InstanceProfile, allowed.resource()).await?;
            let roles = user::exists(
                open,
                "SELECT CAST(1 AS BIGINT) FROM iam_instance_profile_role WHERE profile_id = $1 LIMIT 1",
                &profile.id,
            );
            if roles.await? {
                return Err(Error::DeleteConflict(Blocker::InstanceProfile));
            }
            entity::remove(open, &profile.id).await?;
            cache::bump(open, &profile.account).await?;
            Ok(())
        })
    }
}

/// The instance profile of an entity with its role, without tags.
pub(super) async fn of_entity(reader: &mut impl Reader, entity: Entity) -> Result<InstanceProfile, Error> {
    let row = reader
        .row(
            concat!(
                "SELECT ",
                entity::columns!(),
                " FROM iam_instance_profile_role p JOIN iam_entity e ON e.id = p.role_id \
                 WHERE p.profile_id = $1"
            ),
            params![&entity.id],
        )
        .await?;
    let role = match row {
        Some(row) => Some(role::of_entity(reader, entity::read(&row)?).await?),
        None => None,
    };
    Ok(InstanceProfile { entity, role, tags: Vec::new() })
}
