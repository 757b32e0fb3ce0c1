//! What users, groups, roles, instance profiles and customer policies have in common.
//!
//! INVARIANT: a name is unique per account and kind without regard to case, and the unique id is never given
//! to another entity. Example: `user/eng/alice` is kind user, path `/eng/`, name `alice`.

use policy::{AccountId, Arn};

use super::error::{Error, Existing, Missing};
use super::reader::Reader;
use super::{IdentityRoom, tag};
use crate::access::Identity;
use crate::environment::Micros;
use crate::params;
use crate::store::db::{self, Row, Transaction};

/// The kinds of entity that have a name, a path and tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A user.
    User,
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// An instance profile.
    InstanceProfile,
    /// A customer managed policy.
    Policy,
}

impl Kind {
    /// The resource type in ARNs; also what the table stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::InstanceProfile => "instance-profile",
            Self::Policy => "policy",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Group, Self::Role, Self::InstanceProfile, Self::Policy]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// The first four letters of unique ids.
    pub(super) fn id_prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::InstanceProfile => "AIPA",
            Self::Policy => "ANPA",
        }
    }

    /// The error for a name of this kind that does not exist; policies are named by ARN instead.
    pub(super) fn missing(self, name: &str) -> Error {
        let name = name.to_owned();
        Error::NoSuchEntity(match self {
            Self::User => Missing::User(name),
            Self::Group => Missing::Group(name),
            Self::Role => Missing::Role(name),
            Self::InstanceProfile => Missing::InstanceProfile(name),
            Self::Policy => Missing::Policy(name),
        })
    }

    pub(super) fn existing(self, name: &str) -> Error {
        let name = name.to_owned();
        Error::AlreadyExists(match self {
            Self::User => Existing::User(name),
            Self::Group => Existing::Group(name),
            Self::Role => Existing::Role(name),
            Self::InstanceProfile => Existing::InstanceProfile(name),
            Self::Policy => Existing::Policy(name),
        })
    }
}

/// One entity of any kind, without what only its kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The unique id: `AIDA…`.
    pub id: String,
    /// The account that owns it.
    pub account: AccountId,
    /// What it is.
    pub kind: Kind,
    /// Its name, in the case in which it was given.
    pub name: String,
    /// `/` or `/…/`.
    pub path: String,
    /// When it was created.
    pub created_at: Micros,
    /// ARN of the permissions boundary of a user or role.
    pub boundary: Option<String>,
}

impl Entity {
    /// `arn:aws:iam::<account>:<kind><path><name>`
    #[must_use]
    pub fn arn(&self) -> String {
        arn(&self.account, self.kind, &self.path, &self.name)
    }
}

/// The ARN of an entity, existing or to be.
#[must_use]
pub fn arn(account: &AccountId, kind: Kind, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{}{path}{name}", kind.as_str())
}

/// What an ARN of an entity says: its account, kind, path and name.
#[must_use]
pub fn parse_arn(text: &str) -> Option<(AccountId, Kind, String, String)> {
    let parsed = Arn::parse(text).ok()?;
    if parsed.partition() != "aws" || parsed.service() != "iam" || !parsed.region().is_empty() {
        return None;
    }
    let account = AccountId::parse(parsed.account()).ok()?;
    let (kind, rest) = parsed.resource().split_once('/')?;
    let (path, name) =
        rest.rsplit_once('/').map_or((String::from("/"), rest), |(path, name)| (format!("/{path}/"), name));
    if name.is_empty() {
        return None;
    }
    Some((account, Kind::parse(kind)?, path, name.to_owned()))
}

/// How names are compared.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// The columns that [`read`] reads, in its order; `e` is the table.
macro_rules! columns {
    () => {
        "e.id, e.account, e.kind, e.name, e.path, e.created_at, e.boundary_arn"
    };
}
pub(super) use columns;

/// How many columns [`columns!`] names.
pub(super) const COLUMN_COUNT: usize = 7;

/// An entity from a row that begins with [`columns!`].
pub(super) fn read(row: &Row) -> Result<Entity, db::Error> {
    let account: String = row.get(1)?;
    let kind: String = row.get(2)?;
    Ok(Entity {
        id: row.get(0)?,
        account: AccountId::parse(&account).map_err(|_| db::Error::Corrupt("an account id".to_owned()))?,
        kind: Kind::parse(&kind).ok_or_else(|| db::Error::Corrupt("a kind of entity".to_owned()))?,
        name: row.get(3)?,
        path: row.get(4)?,
        created_at: row.get(5)?,
        boundary: row.get(6)?,
    })
}

/// The entity that holds this name or one that differs only by case.
pub(super) async fn find_folded(
    reader: &mut impl Reader,
    account: &AccountId,
    kind: Kind,
    name: &str,
) -> Result<Option<Entity>, Error> {
    let row = reader
        .row(
            concat!(
                "SELECT ",
                columns!(),
                " FROM iam_entity e WHERE e.account = $1 AND e.kind = $2 AND e.folded_name = $3"
            ),
            params![account.as_str(), kind.as_str(), fold(name)],
        )
        .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// The entity with exactly this name; another case finds nothing (iam.md §2.5).
pub(super) async fn find(
    reader: &mut impl Reader,
    account: &AccountId,
    kind: Kind,
    name: &str,
) -> Result<Option<Entity>, Error> {
    let found = find_folded(reader, account, kind, name).await?;
    Ok(found.filter(|entity| entity.name == name))
}

/// As [`find`].
///
/// # Errors
/// NoSuchEntity of the kind.
pub(super) async fn required(
    reader: &mut impl Reader,
    account: &AccountId,
    kind: Kind,
    name: &str,
) -> Result<Entity, Error> {
    find(reader, account, kind, name).await?.ok_or_else(|| kind.missing(name))
}

/// The entity that was authorised: that of the ARN, path included, so that what moved away in the meantime is
/// not touched under a permission for its old place.
///
/// # Errors
/// NoSuchEntity of the kind.
pub(super) async fn authorised(
    reader: &mut impl Reader,
    kind: Kind,
    resource: &Identity,
) -> Result<Entity, Error> {
    let arn = &resource.arn;
    let missing = || kind.missing(if kind == Kind::Policy { arn } else { last_segment(arn) });
    let (account, found_kind, path, name) = parse_arn(arn).ok_or_else(missing)?;
    if found_kind != kind || account != resource.account {
        return Err(missing());
    }
    find(reader, &account, kind, &name).await?.filter(|entity| entity.path == path).ok_or_else(missing)
}

/// The name at the end of an ARN.
pub(super) fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The entity with this unique id.
pub(super) async fn by_id(reader: &mut impl Reader, id: &str) -> Result<Option<Entity>, Error> {
    let row =
        reader.row(concat!("SELECT ", columns!(), " FROM iam_entity e WHERE e.id = $1"), params![id]).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Writes a new entity.
///
/// # Errors
/// EntityAlreadyExists, also when only the case of the name differs.
pub(super) async fn insert(open: &mut Transaction, entity: &Entity) -> Result<(), Error> {
    let inserted = open
        .execute(
            "INSERT INTO iam_entity (id, account, kind, name, folded_name, path, created_at, boundary_arn) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account, kind, folded_name) DO NOTHING",
            params![
                &entity.id,
                entity.account.as_str(),
                entity.kind.as_str(),
                &entity.name,
                fold(&entity.name),
                &entity.path,
                entity.created_at,
                entity.boundary.clone(),
            ],
        )
        .await?;
    if inserted == 0 { Err(entity.kind.existing(&entity.name)) } else { Ok(()) }
}

/// Deletes the row; what only its kind has, its tags, attachments and inline policies go with it.
pub(super) async fn remove(open: &mut Transaction, id: &str) -> Result<(), Error> {
    open.execute("DELETE FROM iam_entity WHERE id = $1", params![id]).await?;
    Ok(())
}

/// How many entities of a kind an account has.
pub(super) async fn count(reader: &mut impl Reader, account: &AccountId, kind: Kind) -> Result<i64, Error> {
    let row = reader
        .row(
            "SELECT COUNT(*) FROM iam_entity WHERE account = $1 AND kind = $2",
            params![account.as_str(), kind.as_str()],
        )
        .await?;
    Ok(row.map_or(Ok(0), |row| row.get(0))?)
}

/// An entity as the guard needs to know it before it decides: its present path, tags and boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The entity.
    pub entity: Entity,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

impl IdentityRoom {
    /// What a door needs to name the resource of a check: `None` when there is no such entity.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn facts(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Facts>, Error> {
        let mut snapshot = self.database.snapshot().await?;
        let Some(entity) = find(&mut snapshot, account, kind, name).await? else { return Ok(None) };
        let tags = tag::all(&mut snapshot, &entity.id).await?;
        Ok(Some(Facts { entity, tags }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_parse_back() {
        let account = AccountId::parse("123456789012").unwrap();
        for (kind, path, name) in
            [(Kind::User, "/", "alice"), (Kind::Role, "/a/b/", "r"), (Kind::InstanceProfile, "/", "p")]
        {
            let text = arn(&account, kind, path, name);
            assert_eq!(parse_arn(&text), Some((account.clone(), kind, path.to_owned(), name.to_owned())));
        }
        for text in [
            "arn:aws:iam::123456789012:root",
            "arn:aws:iam::aws:policy/x",
            "arn:aws:iam::123456789012:user/",
            "arn:aws:iam::123456789012:mfa/x",
            "arn:aws:sts::123456789012:role/x",
            "alice",
        ] {
            assert_eq!(parse_arn(text), None, "{text}");
        }
    }
}
