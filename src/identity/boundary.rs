//! Permissions boundaries: a managed policy that caps a user or role.

use policy::AccountId;

use super::entity;
use super::error::{Error, Missing};
use super::family::{DeleteBoundary, PutBoundary};
use super::{IdentityRoom, cache, managed_policy};
use crate::access::Allowed;
use crate::store::db::Transaction;
use crate::{params, transaction};

impl IdentityRoom {
    /// Sets the permissions boundary, in place of one that is there.
    ///
    /// # Errors
    /// NoSuchEntity for the entity or the policy, [`Error::InvalidBoundary`].
    pub async fn put_boundary<A: PutBoundary>(&self, allowed: &Allowed<A>, arn: &str) -> Result<(), Error> {
        transaction!(self.database, open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            check(open, &entity.account, arn).await?;
            set(open, &entity.id, Some(arn)).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })
    }

    /// Removes the permissions boundary; without one nothing changes.
    ///
    /// # Errors
    /// NoSuchEntity.
    pub async fn delete_boundary<A: DeleteBoundary>(&self, allowed: &Allowed<A>) -> Result<(), Error> {
        transaction!(self.database, freeing open => {
            let entity = entity::authorised(open, A::KIND, allowed.resource()).await?;
            set(open, &entity.id, None).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })
    }
}

async fn set(open: &mut Transaction, id: &str, arn: Option<&str>) -> Result<(), Error> {
    open.execute("UPDATE iam_entity SET boundary_arn = $2 WHERE id = $1", params![id, arn]).await?;
    Ok(())
}

/// Whether a policy can be a boundary in this account.
pub(super) async fn check(open: &mut Transaction, account: &AccountId, arn: &str) -> Result<(), Error> {
    if !managed_policy::is_policy_arn(arn) {
        return Err(Error::InvalidBoundary(arn.to_owned()));
    }
    match managed_policy::attachable(open, account, arn).await? {
        Some(_) => Ok(()),
        None => Err(Error::NoSuchEntity(Missing::AttachablePolicy(arn.to_owned()))),
    }
}
