//! Roles: create, read, list, change, delete.

use super::entity::{self, Entity, Kind};
use super::error::{Blocker, Error};
use super::page::{Page, PageRequest};
use super::reader::Reader;
use super::trust::{self, Trust};
use super::{IdentityRoom, attachment, boundary, cache, tag, user};
use crate::access::{Allowed, action};
use crate::environment::Micros;
use crate::{params, transaction};

/// Seconds that a session of a role may last when its maker did not say (1 hour).
const DEFAULT_SESSION_SECONDS: i64 = 3600;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// What it has in common with other entities.
    pub entity: Entity,
    /// The trust policy as it is shown: principals by their present names.
    pub trust_policy: String,
    /// What it is for.
    pub description: Option<String>,
    /// Longest session in seconds, 3600 to 43200.
    pub max_session_seconds: i64,
    /// When and in which region a session of it was used last.
    pub last_used: Option<(Micros, String)>,
    /// Its tags; empty in listings.
    pub tags: Vec<(String, String)>,
}

/// What CreateRole takes beside the name.
#[derive(Debug, Clone, Default)]
pub struct NewRole {
    /// The trust policy.
    pub trust_policy: String,
    /// What it is for.
    pub description: Option<String>,
    /// Longest session in seconds.
    pub max_session_seconds: Option<i64>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
}

/// What a role has in its own table.
pub(super) struct Details {
    pub(super) trust: Trust,
    pub(super) description: Option<String>,
    pub(super) max_session_seconds: i64,
    last_used: Option<(Micros, String)>,
}

impl IdentityRoom {
    /// Creates a role with the path and name of the authorised ARN.
    ///
    /// # Errors
    /// [`Error::MalformedPolicy`], [`Error::InvalidPrincipal`], EntityAlreadyExists, LimitExceeded, NoSuchEntity
    /// for the boundary, the tag errors of [`Self::tag`].
    pub async fn create_role(
        &self,
        allowed: &Allowed<action::CreateRole>,
        new: &NewRole,
    ) -> Result<Role, Error> {
        let document = trust::parse(&new.trust_policy)?;
        tag::check(&new.tags)?;
        let mut entity = self.new_entity(allowed, Kind::Role)?;
        entity.boundary.clone_from(&new.boundary);
        let max_session_seconds = new.max_session_seconds.unwrap_or(DEFAULT_SESSION_SECONDS);
        transaction!(self.database, open => {
            if let Some(arn) = &new.boundary {
                boundary::check(open, &entity.account, arn).await?;
            }
            let trust = trust::bind(open, &document).await?;
            user::insert(open, &entity).await?;
            open.execute(
                "INSERT INTO iam_role (role_id, trust_policy, trust_bindings, description, max_session_seconds) \
                 VALUES ($1, $2, $3, $4, $5)",
                params![
                    &entity.id,
                    &trust.text,
                    &trust.bindings,
                    new.description.clone(),
                    max_session_seconds
                ],
            )
            .await?;
            tag::write(open, &entity.id, &new.tags).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })?;
        Ok(Role {
            entity,
            trust_policy: new.trust_policy.clone(),
            description: new.description.clone(),
            max_session_seconds,
            last_used: None,
            tags: user::sorted(&new.tags),
        })
    }

    /// A role with its tags.
    ///
    /// # Errors
    /// NoSuchEntity.
    pub async fn role(&self, allowed: &Allowed<action::GetRole>) -> Result<Role, Error> {
        let mut snapshot = self.database.snapshot().await?;
        let entity = entity::authorised(&mut snapshot, Kind::Role, allowed.resource()).await?;
        let tags = tag::all(&mut snapshot, &entity.id).await?;
        let mut role = of_entity(&mut snapshot, entity).await?;
        role.tags = tags;
        if let Some(newer) = self.last_used.of_role(&role.entity.id) {
            role.last_used = Some(newer);
        }
        Ok(role)
    }

    /// Roles whose path begins with `path_prefix`, by name, without tags.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`].
    pub async fn roles(
        &self,
        allowed: &Allowed<action::ListRoles>,
        path_prefix: &str,
        request: &PageRequest,
    ) -> Result<Page<Role>, Error> {
        let page = self.entities(allowed, Kind::Role, path_prefix, request).await?;
        let mut items = Vec::with_capacity(page.items.len());
        let mut snapshot = self.database.snapshot().await?;
        for entity in page.items {
            // Deleted between the two reads: it is not in the listing then.
            if entity::by_id(&mut snapshot, &entity.id).await?.is_some() {
                items.push(of_entity(&mut snapshot, entity).await?);
            }
        }
        Ok(Page { items, next: page.next })
    }

    /// Changes description and longest session; what is `None` stays, except that UpdateRole without a
    /// description keeps the old one.
    ///
    /// # Errors
    /// NoSuchEntity.
    pub async fn update_role(
        &self,
        allowed: &Allowed<action::UpdateRole>,
        description: Option<&str>,
        max_session_seconds: Option<i64>,
    ) -> Result<(), Error> {
        transaction!(self.database, open => {
            let role = entity::authorised(open, Kind::Role, allowed.resource()).await?;
            open.execute(
                "UPDATE iam_role SET description = COALESCE($2, description), \
                 max_session_seconds = COALESCE($3, max_session_seconds) WHERE role_id = $1",
                params![&role.id, description, max_session_seconds],
            )
            .await?;
            Ok::<_, Error>(())
        })
    }

    /// Changes the description; out: the role.
    ///
    /// # Errors
    /// NoSuchEntity.
    pub async fn update_role_description(
        &self,
        allowed: &Allowed<action::UpdateRoleDescription>,
        description: &str,
    ) -> Result<Role, Error> {
        transaction!(self.database, open => {
            let role = entity::authorised(open, Kind::Role, allowed.resource()).await?;
            open.execute(
                "UPDATE iam_role SET description = $2 WHERE role_id = $1",
                params![&role.id, description],
            )
            .await?;
            of_entity(open, role).await
        })
    }

    /// Replaces the trust policy.
    ///
    /// # Errors
    /// [`Error::MalformedPolicy`], [`Error::InvalidPrincipal`], NoSuchEntity, LimitExceeded.
    pub async fn update_trust_policy(
        &self,
        allowed: &Allowed<action::UpdateAssumeRolePolicy>,
        text: &str,
    ) -> Result<(), Error> {
        let document = trust::parse(text)?;
        transaction!(self.database, open => {
            let role = entity::authorised(open, Kind::Role, allowed.resource()).await?;
            let trust = trust::bind(open, &document).await?;
            open.execute(
                "UPDATE iam_role SET trust_policy = $2, trust_bindings = $3 WHERE role_id = $1",
                params![&role.id, &trust.text, &trust.bindings],
            )
            .await?;
            cache::bump(open, &role.account).await?;
            Ok::<_, Error>(())
        })
    }

    /// Deletes a role that is in no instance profile and has no policies. Its sessions end at once.
    ///
    /// # Errors
    /// NoSuchEntity, DeleteConflict.
    pub async fn delete_role(&self, allowed: &Allowed<action::DeleteRole>) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let role = entity::authorised(open, Kind::Role, allowed.resource()).await?;
            let profiles =
                user::exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_instance_profile_role WHERE role_id = $1 LIMIT 1", &role.id);
            if profiles.await? {
                return Err(Error::DeleteConflict(Blocker::InstanceProfile));
            }
            attachment::refuse_policies(open, &role.id).await?;
            entity::remove(open, &role.id).await?;
            cache::bump(open, &role.account).await?;
            Ok(())
        })
    }
}

/// The role of an entity, without tags.
pub(super) async fn of_entity(reader: &mut impl Reader, entity: Entity) -> Result<Role, Error> {
    let details = details(reader, &entity.id).await?;
    Ok(Role {
        trust_policy: trust::shown(reader, &details.trust).await?,
        description: details.description,
        max_session_seconds: details.max_session_seconds,
        last_used: details.last_used,
        tags: Vec::new(),
        entity,
    })
}

/// What the role's own table says.
pub(super) async fn details(reader: &mut impl Reader, role_id: &str) -> Result<Details, Error> {
    let row = reader
        .row(
            "SELECT trust_policy, trust_bindings, description, max_session_seconds, last_used_at, last_used_region \
             FROM iam_role WHERE role_id = $1",
            params![role_id],
        )
        .await?
        .ok_or_else(|| crate::store::db::Error::Corrupt("a role without its details".to_owned()))?;
    let last_used_at: Option<Micros> = row.get(4)?;
    let last_used_region: Option<String> = row.get(5)?;
    Ok(Details {
        trust: Trust { text: row.get(0)?, bindings: row.get(1)? },
        description: row.get(2)?,
        max_session_seconds: row.get(3)?,
        last_used: last_used_at.map(|at| (at, last_used_region.unwrap_or_default())),
    })
}
