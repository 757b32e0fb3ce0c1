//! Managed policies attached to users, groups and roles.

use super::entity::{self, Entity, Kind};
use super::error::{Blocker, Error, Missing};
use super::family::{AttachPolicy, DetachPolicy, ListAttachedPolicies};
use super::page::{Page, PageRequest};
use super::{IdentityRoom, cache, managed_policy, quota, user};
use crate::access::{Allowed, action};
use crate::store::db::{self, Transaction};
use crate::{params, transaction};

/// The name and ARN of an attached policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// The policy's name.
    pub name: String,
    /// The policy's ARN.
    pub arn: String,
}

/// Which way of using a policy is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyUse {
    /// Attached.
    Permissions,
    /// As a boundary.
    Boundary,
}

impl IdentityRoom {
    /// Attaches a managed policy; attaching it again changes nothing.
    ///
    /// # Errors
    /// NoSuchEntity for the entity or the policy, LimitExceeded.
    pub async fn attach_policy<A: AttachPolicy>(
        &self,
        allowed: &Allowed<A>,
        policy_arn: &str,
    ) -> Result<(), Error> {
        let now = self.environment.now();
        transaction!(self.database, open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            let policy = managed_policy::attachable(open, &entity.account, policy_arn)
                .await?
                .ok_or_else(|| Error::NoSuchEntity(Missing::AttachablePolicy(policy_arn.to_owned())))?;
            open.execute(
                "INSERT INTO iam_attachment \
                 (entity_id, policy_arn, policy_name, folded_policy_name, policy_path, attached_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (entity_id, policy_arn) DO NOTHING",
                params![&entity.id, policy_arn, &policy.name, entity::fold(&policy.name), &policy.path, now],
            )
            .await?;
            let count: i64 = open
                .required("SELECT COUNT(*) FROM iam_attachment WHERE entity_id = $1", params![&entity.id])
                .await?
                .get(0)?;
            if count > quota::ATTACHED {
                return Err(quota::attached_exceeded(A::KIND));
            }
            cache::bump(open, &entity.account).await?;
            Ok(())
        })
    }

    /// Detaches a managed policy.
    ///
    /// # Errors
    /// NoSuchEntity for the entity, or for a policy that is not attached to it.
    pub async fn detach_policy<A: DetachPolicy>(
        &self,
        allowed: &Allowed<A>,
        policy_arn: &str,
    ) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            let deleted = open
                .execute(
                    "DELETE FROM iam_attachment WHERE entity_id = $1 AND policy_arn = $2",
                    params![&entity.id, policy_arn],
                )
                .await?;
            if deleted == 0 {
                return Err(Error::NoSuchEntity(Missing::Policy(policy_arn.to_owned())));
            }
            cache::bump(open, &entity.account).await?;
            Ok(())
        })
    }

    /// The managed policies attached to an entity whose path begins with `path_prefix`, by name.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn attached_policies<A: ListAttachedPolicies>(
        &self,
        allowed: &Allowed<A>,
        path_prefix: &str,
        request: &PageRequest,
    ) -> Result<Page<AttachedPolicy>, Error> {
        let listing = self.listing(&[A::NAME, &allowed.resource().arn, path_prefix], request);
        let mut snapshot = self.database.snapshot().await?;
        let entity = entity::authorised(&mut snapshot, A::KIND, allowed.resource()).await?;
        let rows = snapshot
            .rows(
                "SELECT policy_name, policy_arn FROM iam_attachment \
                 WHERE entity_id = $1 AND SUBSTR(policy_path, 1, LENGTH($2)) = $2",
                params![&entity.id, path_prefix],
            )
            .await?;
        let items: Result<Vec<_>, db::Error> =
            rows.iter().map(|row| Ok(AttachedPolicy { name: row.get(0)?, arn: row.get(1)? })).collect();
        // A customer policy and one of AWS's can share a name; whose it is makes the key unique.
        listing.cut(items?, |policy| {
            let is_aws = policy::managed::find(&policy.arn).is_some();
            format!("{}\n{}", entity::fold(&policy.name), u8::from(is_aws))
        })
    }

    /// Users, groups and roles that use a policy, by kind and name.
    ///
    /// In: the kinds wanted, the uses wanted, and a prefix of the entities' paths.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn entities_of_policy(
        &self,
        allowed: &Allowed<action::ListEntitiesForPolicy>,
        kinds: &[Kind],
        uses: &[PolicyUse],
        path_prefix: &str,
        request: &PageRequest,
    ) -> Result<Page<Entity>, Error> {
        let resource = allowed.resource();
        let wants = |kind: Kind| kinds.contains(&kind);
        let filter = format!(
            "{}{}{}{}{}",
            u8::from(wants(Kind::User)),
            u8::from(wants(Kind::Group)),
            u8::from(wants(Kind::Role)),
            u8::from(uses.contains(&PolicyUse::Permissions)),
            u8::from(uses.contains(&PolicyUse::Boundary))
        );
        let about = ["ListEntitiesForPolicy", resource.account.as_str(), &resource.arn, &filter, path_prefix];
        let listing = self.listing(&about, request);
        let after = listing.after()?;
        let (kind_after, name_after) = after.split_once('\n').unwrap_or_default();
        let mut snapshot = self.database.snapshot().await?;
        managed_policy::required(&mut snapshot, resource).await?;
        let rows = snapshot
            .rows(
                concat!(
                    "SELECT ",
                    entity::columns!(),
                    " FROM iam_entity e WHERE e.account = $1 \
                     AND (($2 = 1 AND EXISTS (SELECT 1 FROM iam_attachment t \
                     WHERE t.entity_id = e.id AND t.policy_arn = $3)) OR ($4 = 1 AND e.boundary_arn = $3)) \
                     AND ((e.kind = 'user' AND $5 = 1) OR (e.kind = 'group' AND $6 = 1) \
                     OR (e.kind = 'role' AND $7 = 1)) \
                     AND SUBSTR(e.path, 1, LENGTH($8)) = $8 \
                     AND (e.kind > $9 OR (e.kind = $9 AND e.folded_name > $10)) \
                     ORDER BY e.kind, e.folded_name LIMIT $11"
                ),
                params![
                    resource.account.as_str(),
                    uses.contains(&PolicyUse::Permissions),
                    &resource.arn,
                    uses.contains(&PolicyUse::Boundary),
                    wants(Kind::User),
                    wants(Kind::Group),
                    wants(Kind::Role),
                    path_prefix,
                    kind_after,
                    name_after,
                    listing.rows()
                ],
            )
            .await?;
        let items = rows.iter().map(entity::read).collect::<Result<Vec<_>, _>>()?;
        listing.page(items, |entity| format!("{}\n{}", entity.kind.as_str(), entity::fold(&entity.name)))
    }
}

/// Refuses the deletion of an entity that has policies.
pub(super) async fn refuse_policies(open: &mut Transaction, id: &str) -> Result<(), Error> {
    if user::exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_attachment WHERE entity_id = $1 LIMIT 1", id)
        .await?
    {
        return Err(Error::DeleteConflict(Blocker::AttachedPolicies));
    }
    if user::exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_inline_policy WHERE entity_id = $1 LIMIT 1", id)
        .await?
    {
        return Err(Error::DeleteConflict(Blocker::InlinePolicies));
    }
    Ok(())
}
