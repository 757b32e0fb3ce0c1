//! Trust policies of roles, and what the principals in them mean (iam.md §3.2).
//!
//! When a trust policy is saved, the users and roles that it names must exist and are bound to their unique
//! ids. From then on only the id counts: one who is deleted and made again under the same name is a stranger,
//! one who is renamed is still trusted. Example: a policy that names `user/bob` shows `AIDA…` once bob is gone.

use std::collections::BTreeMap;

use policy::{Document, DocumentKind, PolicySource, SourcedDocument};

use super::entity;
use super::error::Error;
use super::reader::Reader;
use super::{cache, gather, quota};
use crate::store::db;

/// From the ARN of a user or role, as written, to its unique id.
type Bindings = BTreeMap<String, String>;

/// A checked trust policy, as its two columns keep it.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) text: String,
    pub(super) bindings: String,
}

/// Checks a trust policy without looking at who exists.
///
/// # Errors
/// [`Error::MalformedPolicy`], LimitExceeded.
pub(super) fn parse(text: &str) -> Result<Document, Error> {
    let document = Document::parse(text, DocumentKind::Trust)?;
    if policy::compact_size(text) > quota::TRUST_SIZE {
        let maximum = i64::try_from(quota::TRUST_SIZE).unwrap_or(i64::MAX);
        return Err(quota::exceeded("ACLSizePerRole", maximum));
    }
    Ok(document)
}

/// Finds the users and roles that a trust policy names.
///
/// Principals of accounts that do not live here stay text.
///
/// # Errors
/// [`Error::InvalidPrincipal`] for one that does not exist, or that is the bare id of a deleted one.
pub(super) async fn bind(reader: &mut impl Reader, document: &Document) -> Result<Trust, Error> {
    let mut bindings = Bindings::new();
    for principal in document.principals() {
        if principal.is_unique_id() {
            return Err(Error::InvalidPrincipal(principal.text().to_owned()));
        }
        let (Some(arn), Some(account)) = (principal.entity_arn(), principal.account()) else { continue };
        match gather::unique_id(reader, &account, arn).await? {
            Some(id) => {
                bindings.insert(arn.to_owned(), id);
            }
            None if cache::generation(reader, &account).await?.is_some() => {
                return Err(Error::InvalidPrincipal(arn.to_owned()));
            }
            None => {}
        }
    }
    Ok(Trust { text: document.text().to_owned(), bindings: serde_json::to_string(&bindings)? })
}

/// The stored policy, compiled, its principals bound.
pub(super) fn load(trust: &Trust) -> Result<SourcedDocument, Error> {
    let bindings = bindings(trust)?;
    let mut document = Document::load(&trust.text, DocumentKind::Trust);
    document.bind_principals(&mut |arn| bindings.get(arn).cloned());
    Ok(SourcedDocument { source: PolicySource::Trust, document })
}

/// The text as it is read back: present ARNs of who is bound, the bare id of who is gone.
pub(super) async fn shown(reader: &mut impl Reader, trust: &Trust) -> Result<String, Error> {
    let mut present = BTreeMap::new();
    for id in bindings(trust)?.values() {
        let found = entity::by_id(reader, id).await?;
        present.insert(id.clone(), found.map_or_else(|| id.clone(), |entity| entity.arn()));
    }
    let loaded = load(trust)?;
    Ok(loaded
        .document
        .text_with_principals(&mut |principal| principal.bound().and_then(|id| present.get(id).cloned())))
}

fn bindings(trust: &Trust) -> Result<Bindings, Error> {
    serde_json::from_str(&trust.bindings)
        .map_err(|error| db::Error::Corrupt(format!("bindings of a trust policy: {error}")).into())
}
