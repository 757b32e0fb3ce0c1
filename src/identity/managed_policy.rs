//! Managed policies: the customers' with their versions, and AWS's, which nobody can change.
//!
//! INVARIANT: a policy always has its default version, and a version number is never given out twice.

use policy::{AccountId, Document, DocumentKind, managed};

use super::entity::{self, Entity, Kind};
use super::error::{Blocker, Error, Missing, Quota};
use super::page::{Page, PageRequest};
use super::reader::Reader;
use super::{IdentityRoom, cache, quota, tag, user};
use crate::access::action::{self, Action};
use crate::access::{Allowed, Identity};
use crate::environment::{Micros, SECOND};
use crate::store::db::Row;
use crate::{params, transaction};

/// A managed policy without its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: String,
    /// `ANPA…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// What it is for, as its maker said; cannot be changed.
    pub description: Option<String>,
    /// `v1`
    pub default_version: String,
    /// Users, groups and roles of the account that it is attached to.
    pub attachment_count: i64,
    /// Users and roles of the account that it is the boundary of.
    pub boundary_count: i64,
    /// When it was created.
    pub created_at: Micros,
    /// When its default version changed last.
    pub updated_at: Micros,
    /// Its tags; empty in listings.
    pub tags: Vec<(String, String)>,
}

/// One version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// `v1`
    pub id: String,
    /// The text, byte for byte as it was submitted.
    pub document: String,
    /// Whether it is the one in force.
    pub is_default: bool,
    /// When it was created.
    pub created_at: Micros,
}

/// Whose policies a listing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// AWS's and the account's own.
    All,
    /// AWS's.
    Aws,
    /// The account's own.
    Local,
}

/// What ListPolicies filters by.
#[derive(Debug, Clone)]
pub struct PolicyFilter {
    /// Whose.
    pub scope: Scope,
    /// Only policies that are attached to something.
    pub is_attached: bool,
    /// Only policies that are the boundary of something.
    pub is_boundary: bool,
    /// Only paths that begin so.
    pub path_prefix: String,
}

macro_rules! columns {
    () => {
        "e.id, e.name, e.path, e.created_at, p.arn, p.description, p.default_version, p.updated_at, \
         (SELECT COUNT(*) FROM iam_attachment t WHERE t.policy_arn = p.arn), \
         (SELECT COUNT(*) FROM iam_entity b WHERE b.boundary_arn = p.arn)"
    };
}

impl IdentityRoom {
    /// Creates a policy with the path and name of the authorised ARN; its text becomes version `v1`.
    ///
    /// # Errors
    /// [`Error::MalformedPolicy`], EntityAlreadyExists, LimitExceeded, the tag errors of [`Self::tag`].
    pub async fn create_policy(
        &self,
        allowed: &Allowed<action::CreatePolicy>,
        text: &str,
        description: Option<&str>,
        tags: &[(String, String)],
    ) -> Result<ManagedPolicy, Error> {
        check_document(text)?;
        tag::check(tags)?;
        let entity = self.new_entity(allowed, Kind::Policy)?;
        let arn = entity.arn();
        transaction!(self.database, open => {
            user::insert(open, &entity).await?;
            open.execute(
                "INSERT INTO iam_policy (policy_id, arn, description, default_version, last_version, updated_at) \
                 VALUES ($1, $2, $3, 1, 1, $4)",
                params![&entity.id, &arn, description, entity.created_at],
            )
            .await?;
            open.execute(
                "INSERT INTO iam_policy_version (policy_id, version, document, created_at) VALUES ($1, 1, $2, $3)",
                params![&entity.id, text, entity.created_at],
            )
            .await?;
            tag::write(open, &entity.id, tags).await?;
            cache::bump(open, &entity.account).await?;
            Ok::<_, Error>(())
        })?;
        Ok(ManagedPolicy {
            arn,
            id: entity.id,
            name: entity.name,
            path: entity.path,
            description: description.map(str::to_owned),
            default_version: "v1".to_owned(),
            attachment_count: 0,
            boundary_count: 0,
            created_at: entity.created_at,
            updated_at: entity.created_at,
            tags: user::sorted(tags),
        })
    }

    /// A policy with its tags.
    ///
    /// # Errors
    /// NoSuchEntity.
    pub async fn managed_policy(&self, allowed: &Allowed<action::GetPolicy>) -> Result<ManagedPolicy, Error> {
        let resource = allowed.resource();
        let mut snapshot = self.database.snapshot().await?;
        if let Some(shipped) = managed::find(&resource.arn) {
            return from_aws(&mut snapshot, &resource.account, shipped).await;
        }
        let row = snapshot
            .row(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM iam_policy p JOIN iam_entity e ON e.id = p.policy_id \
                     WHERE p.arn = $1 AND e.account = $2"
                ),
                params![&resource.arn, resource.account.as_str()],
            )
            .await?;
        let mut policy = read(&row.ok_or_else(|| missing(&resource.arn))?)?;
        policy.tags = tag::all(&mut snapshot, &policy.id).await?;
        Ok(policy)
    }

    /// Policies by name, without tags.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`].
    pub async fn managed_policies(
        &self,
        allowed: &Allowed<action::ListPolicies>,
        filter: &PolicyFilter,
        request: &PageRequest,
    ) -> Result<Page<ManagedPolicy>, Error> {
        let account = &allowed.resource().account;
        let flags = format!("{:?}{}{}", filter.scope, filter.is_attached, filter.is_boundary);
        let about = ["ListPolicies", account.as_str(), &flags, &filter.path_prefix];
        let listing = self.listing(&about, request);
        let after = listing.after()?;
        // Of two policies with one name the account's own (0) comes before AWS's (1).
        let key = |policy: &ManagedPolicy| {
            let is_aws = managed::find(&policy.arn).is_some();
            format!("{}\n{}", entity::fold(&policy.name), u8::from(is_aws))
        };
        let name_after = after.split_once('\n').map_or("", |(name, _)| name);
        let mut snapshot = self.database.snapshot().await?;
        let mut items = Vec::new();
        if filter.scope != Scope::Aws {
            let rows = snapshot
                .rows(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM iam_entity e JOIN iam_policy p ON p.policy_id = e.id \
                         WHERE e.account = $1 AND e.kind = 'policy' \
                         AND e.folded_name > $2 AND SUBSTR(e.path, 1, LENGTH($3)) = $3 \
                         AND ($4 = 0 OR EXISTS (SELECT 1 FROM iam_attachment t WHERE t.policy_arn = p.arn)) \
                         AND ($5 = 0 OR EXISTS (SELECT 1 FROM iam_entity b WHERE b.boundary_arn = p.arn)) \
                         ORDER BY e.folded_name LIMIT $6"
                    ),
                    params![
                        account.as_str(),
                        name_after,
                        &filter.path_prefix,
                        filter.is_attached,
                        filter.is_boundary,
                        listing.rows()
                    ],
                )
                .await?;
            for row in &rows {
                items.push(read(row)?);
            }
        }
        if filter.scope != Scope::Local {
            for shipped in managed::all().iter().filter(|it| it.path.starts_with(&filter.path_prefix)) {
                let policy = from_aws(&mut snapshot, account, shipped).await?;
                let is_wanted = (!filter.is_attached || policy.attachment_count > 0)
                    && (!filter.is_boundary || policy.boundary_count > 0);
                if is_wanted && key(&policy) > after {
                    items.push(policy);
                }
            }
        }
        items.sort_by_key(key);
        listing.page(items, key)
    }

    /// Deletes a policy that nothing uses, with its one version.
    ///
    /// # Errors
    /// NoSuchEntity, DeleteConflict, [`Error::AwsManagedPolicy`].
    pub async fn delete_policy(&self, allowed: &Allowed<action::DeletePolicy>) -> Result<(), Error> {
        refuse_aws(allowed)?;
        let arn = &allowed.resource().arn;
        transaction!(self.database, freeing open => {
            let policy = entity::authorised(open, Kind::Policy, allowed.resource()).await?;
            let attached = user::exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_attachment WHERE policy_arn = $1 LIMIT 1", arn);
            if attached.await? {
                return Err(Error::DeleteConflict(Blocker::PolicyInUse));
            }
            let bounds = user::exists(open, "SELECT CAST(1 AS BIGINT) FROM iam_entity WHERE boundary_arn = $1 LIMIT 1", arn);
            if bounds.await? {
                return Err(Error::DeleteConflict(Blocker::PolicyInUse));
            }
            if version_count(open, &policy.id).await? > 1 {
                return Err(Error::DeleteConflict(Blocker::PolicyVersions));
            }
            entity::remove(open, &policy.id).await?;
            cache::bump(open, &policy.account).await?;
            Ok(())
        })
    }

    /// Adds a version to a policy; with `is_default` it is in force at once.
    ///
    /// # Errors
    /// [`Error::MalformedPolicy`], NoSuchEntity, LimitExceeded, [`Error::AwsManagedPolicy`].
    pub async fn create_policy_version(
        &self,
        allowed: &Allowed<action::CreatePolicyVersion>,
        text: &str,
        is_default: bool,
    ) -> Result<PolicyVersion, Error> {
        refuse_aws(allowed)?;
        check_document(text)?;
        let now = self.environment.now();
        let number = transaction!(self.database, open => {
            let policy = entity::authorised(open, Kind::Policy, allowed.resource()).await?;
            if version_count(open, &policy.id).await? >= quota::POLICY_VERSIONS {
                return Err(Error::LimitExceeded(Quota::PolicyVersions));
            }
            let number: i64 = open
                .required(
                    "UPDATE iam_policy SET last_version = last_version + 1 WHERE policy_id = $1 \
                     RETURNING last_version",
                    params![&policy.id],
                )
                .await?
                .get(0)?;
            open.execute(
                "INSERT INTO iam_policy_version (policy_id, version, document, created_at) VALUES ($1, $2, $3, $4)",
                params![&policy.id, number, text, now],
            )
            .await?;
            if is_default {
                set_default(open, &policy, number, now).await?;
            }
            Ok(number)
        })?;
        Ok(PolicyVersion { id: version_id(number), document: text.to_owned(), is_default, created_at: now })
    }

    /// A version of a policy with its text.
    ///
    /// # Errors
    /// NoSuchEntity for the policy or the version.
    pub async fn policy_version(
        &self,
        allowed: &Allowed<action::GetPolicyVersion>,
        version: &str,
    ) -> Result<PolicyVersion, Error> {
        let versions = self.versions(allowed.resource()).await?;
        let found = versions.into_iter().find(|found| found.id == version);
        found.ok_or_else(|| missing_version(&allowed.resource().arn, version))
    }

    /// The versions of a policy, newest first.
    ///
    /// # Errors
    /// NoSuchEntity, [`Error::InvalidCursor`].
    pub async fn policy_versions(
        &self,
        allowed: &Allowed<action::ListPolicyVersions>,
        request: &PageRequest,
    ) -> Result<Page<PolicyVersion>, Error> {
        let versions = self.versions(allowed.resource()).await?;
        let listing = self.listing(&["ListPolicyVersions", &allowed.resource().arn], request);
        // Newest first: the sort key falls as the number rises.
        listing.cut(versions, |version| {
            let number = version_number(&version.id).unwrap_or_default();
            format!("{:020}", i64::MAX - number)
        })
    }

    /// Deletes a version that is not the default one.
    ///
    /// # Errors
    /// NoSuchEntity for the policy or the version, DeleteConflict, [`Error::AwsManagedPolicy`].
    pub async fn delete_policy_version(
        &self,
        allowed: &Allowed<action::DeletePolicyVersion>,
        version: &str,
    ) -> Result<(), Error> {
        refuse_aws(allowed)?;
        transaction!(self.database, freeing open => {
            let policy = entity::authorised(open, Kind::Policy, allowed.resource()).await?;
            let number = version_number(version).ok_or_else(|| missing_version(&policy.arn(), version))?;
            let default: i64 = open
                .required("SELECT default_version FROM iam_policy WHERE policy_id = $1", params![&policy.id])
                .await?
                .get(0)?;
            if number == default {
                return Err(Error::DeleteConflict(Blocker::DefaultVersion));
            }
            let deleted = open
                .execute(
                    "DELETE FROM iam_policy_version WHERE policy_id = $1 AND version = $2",
                    params![&policy.id, number],
                )
                .await?;
            if deleted == 0 {
                return Err(missing_version(&policy.arn(), version));
            }
            Ok(())
        })
    }

    /// Puts another version in force.
    ///
    /// # Errors
    /// NoSuchEntity for the policy or the version, [`Error::AwsManagedPolicy`].
    pub async fn set_default_policy_version(
        &self,
        allowed: &Allowed<action::SetDefaultPolicyVersion>,
        version: &str,
    ) -> Result<(), Error> {
        refuse_aws(allowed)?;
        let now = self.environment.now();
        transaction!(self.database, open => {
            let policy = entity::authorised(open, Kind::Policy, allowed.resource()).await?;
            let number = version_number(version).ok_or_else(|| missing_version(&policy.arn(), version))?;
            let found = open
                .row(
                    "SELECT version FROM iam_policy_version WHERE policy_id = $1 AND version = $2",
                    params![&policy.id, number],
                )
                .await?;
            if found.is_none() {
                return Err(missing_version(&policy.arn(), version));
            }
            set_default(open, &policy, number, now).await
        })
    }

    async fn versions(&self, resource: &Identity) -> Result<Vec<PolicyVersion>, Error> {
        if let Some(shipped) = managed::find(&resource.arn) {
            return Ok(vec![PolicyVersion {
                id: shipped.version_id.to_owned(),
                document: shipped.document_text.to_owned(),
                is_default: true,
                created_at: microseconds(shipped.update_date),
            }]);
        }
        let mut snapshot = self.database.snapshot().await?;
        let policy = entity::authorised(&mut snapshot, Kind::Policy, resource).await?;
        version_rows(&mut snapshot, &policy.id).await
    }
}

/// All versions of a customer policy.
pub(super) async fn version_rows(
    reader: &mut impl Reader,
    policy_id: &str,
) -> Result<Vec<PolicyVersion>, Error> {
    let rows = reader
        .rows(
            "SELECT v.version, v.document, v.created_at, p.default_version FROM iam_policy_version v \
             JOIN iam_policy p ON p.policy_id = v.policy_id WHERE v.policy_id = $1 ORDER BY v.version DESC",
            params![policy_id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let number: i64 = row.get(0)?;
            Ok(PolicyVersion {
                id: version_id(number),
                document: row.get(1)?,
                is_default: number == row.get::<i64>(3)?,
                created_at: row.get(2)?,
            })
        })
        .collect()
}

async fn set_default(
    open: &mut crate::store::db::Transaction,
    policy: &Entity,
    number: i64,
    now: Micros,
) -> Result<(), Error> {
    open.execute(
        "UPDATE iam_policy SET default_version = $2, updated_at = $3 WHERE policy_id = $1",
        params![&policy.id, number, now],
    )
    .await?;
    cache::bump(open, &policy.account).await
}

async fn version_count(reader: &mut impl Reader, policy_id: &str) -> Result<i64, Error> {
    let row = reader
        .row("SELECT COUNT(*) FROM iam_policy_version WHERE policy_id = $1", params![policy_id])
        .await?;
    Ok(row.map_or(Ok(0), |row| row.get(0))?)
}

/// A policy that can be attached in an account: its own, or one of AWS's.
pub(super) struct Attachable {
    pub(super) name: String,
    pub(super) path: String,
}

/// The policy of an ARN when this account may use it.
pub(super) async fn attachable(
    reader: &mut impl Reader,
    account: &AccountId,
    arn: &str,
) -> Result<Option<Attachable>, Error> {
    if let Some(shipped) = managed::find(arn) {
        return Ok(Some(Attachable { name: shipped.name.to_owned(), path: shipped.path.to_owned() }));
    }
    let resource = Identity { account: account.clone(), arn: arn.to_owned(), display: String::new() };
    match entity::authorised(reader, Kind::Policy, &resource).await {
        Ok(policy) => Ok(Some(Attachable { name: policy.name, path: policy.path })),
        Err(Error::NoSuchEntity(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes sure that a policy exists for the account.
///
/// # Errors
/// NoSuchEntity.
pub(super) async fn required(reader: &mut impl Reader, resource: &Identity) -> Result<(), Error> {
    let found = attachable(reader, &resource.account, &resource.arn).await?;
    found.map(|_| ()).ok_or_else(|| missing(&resource.arn))
}

/// Refuses changes of AWS's policies, to everybody.
pub(super) fn refuse_aws<A: Action<Resource = Identity>>(allowed: &Allowed<A>) -> Result<(), Error> {
    let arn = &allowed.resource().arn;
    if !arn.starts_with("arn:aws:iam::aws:policy/") {
        return Ok(());
    }
    Err(Error::AwsManagedPolicy { principal: allowed.by(), action: A::NAME, arn: arn.clone() })
}

/// Whether a text is the ARN of a managed policy, existing or not.
#[must_use]
pub fn is_policy_arn(text: &str) -> bool {
    let Ok(arn) = policy::Arn::parse(text) else { return false };
    let is_owner = arn.account() == "aws" || AccountId::parse(arn.account()).is_ok();
    arn.partition() == "aws"
        && arn.service() == "iam"
        && arn.region().is_empty()
        && is_owner
        && arn.resource().strip_prefix("policy/").is_some_and(|rest| !rest.is_empty())
}

fn check_document(text: &str) -> Result<(), Error> {
    Document::parse(text, DocumentKind::Managed)?;
    if policy::compact_size(text) > quota::MANAGED_SIZE {
        let maximum = i64::try_from(quota::MANAGED_SIZE).unwrap_or(i64::MAX);
        return Err(quota::exceeded("PolicySize", maximum));
    }
    Ok(())
}

async fn from_aws(
    reader: &mut impl Reader,
    account: &AccountId,
    shipped: &managed::ManagedPolicy,
) -> Result<ManagedPolicy, Error> {
    let row = reader
        .row(
            "SELECT (SELECT COUNT(*) FROM iam_attachment t JOIN iam_entity e ON e.id = t.entity_id \
             WHERE t.policy_arn = $1 AND e.account = $2), \
             (SELECT COUNT(*) FROM iam_entity b WHERE b.boundary_arn = $1 AND b.account = $2)",
            params![&shipped.arn, account.as_str()],
        )
        .await?;
    let (attachment_count, boundary_count) = match row {
        Some(row) => (row.get(0)?, row.get(1)?),
        None => (0, 0),
    };
    Ok(ManagedPolicy {
        arn: shipped.arn.clone(),
        id: shipped.id.clone(),
        name: shipped.name.to_owned(),
        path: shipped.path.to_owned(),
        description: Some(shipped.description.to_owned()),
        default_version: shipped.version_id.to_owned(),
        attachment_count,
        boundary_count,
        created_at: microseconds(shipped.create_date),
        updated_at: microseconds(shipped.update_date),
        tags: Vec::new(),
    })
}

fn read(row: &Row) -> Result<ManagedPolicy, Error> {
    Ok(ManagedPolicy {
        id: row.get(0)?,
        name: row.get(1)?,
        path: row.get(2)?,
        created_at: row.get(3)?,
        arn: row.get(4)?,
        description: row.get(5)?,
        default_version: version_id(row.get(6)?),
        updated_at: row.get(7)?,
        attachment_count: row.get(8)?,
        boundary_count: row.get(9)?,
        tags: Vec::new(),
    })
}

/// A date of the shipped table, whose texts are fixed at compile time.
fn microseconds(date: &str) -> Micros {
    date.parse::<jiff::Timestamp>().map_or(0, |moment| moment.as_second().saturating_mul(SECOND))
}

fn version_id(number: i64) -> String {
    format!("v{number}")
}

fn version_number(id: &str) -> Option<i64> {
    id.strip_prefix('v')?.parse().ok()
}

fn missing(arn: &str) -> Error {
    Error::NoSuchEntity(Missing::Policy(arn.to_owned()))
}

fn missing_version(arn: &str, version: &str) -> Error {
    Error::NoSuchEntity(Missing::PolicyVersion { arn: arn.to_owned(), version: version.to_owned() })
}
