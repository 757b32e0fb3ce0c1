//! AssumeRole: from a caller and a role to temporary credentials (iam.md §6.1, §6.2).
//!
//! Whether the caller may is decided before, by the guard, with the role's trust policy and the caller's own.

use std::collections::HashSet;
use std::sync::Arc;

use policy::{Document, DocumentKind, PolicySource, Principal, SourcedDocument};

use super::entity::{self, Entity, Kind};
use super::error::{Error, Missing};
use super::session::{Claims, Holder, TemporaryCredentials};
use super::trust;
use super::{IdentityRoom, managed_policy, role, tag};
use crate::access::{Allowed, Caller, action};
use crate::environment::SECOND;

/// Seconds of a session that nobody asked a length for, and the most that a chained session may last.
const ONE_HOUR: i64 = 3600;

/// Characters that session policies and tags may take together (AWS does not publish its number). With it a
/// token stays below 4 KiB, so that it fits into headers.
const PACKED_ROOM: usize = 2600;

/// Managed session policies (iam.md §3.3).
const MANAGED_POLICIES: usize = 10;

/// A role as AssumeRole's checks need it.
#[derive(Debug, Clone)]
pub struct Assumable {
    /// The role, when it exists.
    pub entity: Option<Entity>,
    /// Its trust policy; one that trusts nobody when the role does not exist, so that both answer alike.
    pub trust: Arc<SourcedDocument>,
    /// Its tags: `aws:ResourceTag`.
    pub tags: Vec<(String, String)>,
}

/// What AssumeRole takes beside the role.
#[derive(Debug, Clone, Default)]
pub struct SessionRequest {
    /// The name of the session.
    pub session_name: String,
    /// How long it shall last.
    pub duration_seconds: Option<i64>,
    /// An inline session policy.
    pub policy: Option<String>,
    /// ARNs of managed session policies.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Keys of session tags that go on to the next role.
    pub transitive_tag_keys: Vec<String>,
    /// Who is really behind the session.
    pub source_identity: Option<String>,
}

/// What AssumeRole gives.
#[derive(Debug)]
pub struct AssumedRole {
    /// The credentials.
    pub credentials: TemporaryCredentials,
    /// `AROA…:session`
    pub id: String,
    /// `arn:aws:sts::…:assumed-role/role/session`
    pub arn: String,
    /// Percent of the room that policies and tags take; `None` when there are none.
    pub packed_policy_size: Option<i32>,
    /// Who is really behind the session.
    pub source_identity: Option<String>,
}

impl SessionRequest {
    /// The source identity that the session will have: one that the calling session has cannot be left behind.
    #[must_use]
    pub fn effective_source_identity(&self, caller: &Caller) -> Option<String> {
        let sticky = caller.credential.session.as_ref().and_then(|session| session.source_identity.clone());
        sticky.or_else(|| self.source_identity.clone())
    }
}

impl IdentityRoom {
    /// The role of an ARN as the checks of AssumeRole need it.
    ///
    /// # Errors
    /// [`Error::InvalidRoleArn`] for a text that is no ARN of a role.
    pub async fn assumable(&self, role_arn: &str) -> Result<Assumable, Error> {
        let Some((account, Kind::Role, path, name)) = entity::parse_arn(role_arn) else {
            return Err(Error::InvalidRoleArn(role_arn.to_owned()));
        };
        let mut snapshot = self.database.snapshot().await?;
        let found = entity::find(&mut snapshot, &account, Kind::Role, &name).await?;
        let Some(entity) = found.filter(|entity| entity.path == path) else {
            return Ok(Assumable { entity: None, trust: Arc::new(trusts_nobody()), tags: Vec::new() });
        };
        let details = role::details(&mut snapshot, &entity.id).await?;
        let tags = tag::all(&mut snapshot, &entity.id).await?;
        Ok(Assumable { trust: Arc::new(trust::load(&details.trust)?), tags, entity: Some(entity) })
    }

    /// Makes a session of the authorised role.
    ///
    /// In: the proof for the role, and those for tagging and naming a source identity when the request does.
    ///
    /// # Errors
    /// The ValidationErrors of duration and source identity, the tag errors of iam.md §6.2,
    /// [`Error::MalformedPolicy`], [`Error::PackedPolicyTooLarge`], NoSuchEntity for a session policy.
    pub async fn assume_role(
        &self,
        allowed: &Allowed<action::AssumeRole>,
        tagging: Option<&Allowed<action::TagSession>>,
        naming: Option<&Allowed<action::SetSourceIdentity>>,
        request: &SessionRequest,
    ) -> Result<AssumedRole, Error> {
        let caller = allowed.caller();
        let source_identity = request.effective_source_identity(caller);
        if request.source_identity.is_some() && request.source_identity != source_identity {
            return Err(Error::Invalid("The source identity of a session cannot be changed.".to_owned()));
        }
        if (!request.tags.is_empty() && tagging.is_none()) || (source_identity.is_some() && naming.is_none())
        {
            return Err(Error::Internal(anyhow::anyhow!("AssumeRole without the proofs for its parameters")));
        }
        let inherited = inherited_tags(caller);
        check_tags(request, &inherited)?;
        let mut snapshot = self.database.snapshot().await?;
        let role = entity::authorised(&mut snapshot, Kind::Role, allowed.resource()).await?;
        let details = role::details(&mut snapshot, &role.id).await?;
        let is_chained = matches!(**caller.principal, Principal::RoleSession { .. });
        let seconds = duration(request.duration_seconds, details.max_session_seconds, is_chained)?;
        let policies: Vec<String> = request.policy.iter().map(|text| compact(text)).collect();
        for text in request.policy.iter() {
            Document::parse(text, DocumentKind::Session)?;
        }
        if request.policy_arns.len() > MANAGED_POLICIES {
            return Err(Error::Invalid(format!(
                "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: \
                 Member must have length less than or equal to {MANAGED_POLICIES}"
            )));
        }
        for arn in &request.policy_arns {
            if managed_policy::attachable(&mut snapshot, &role.account, arn).await?.is_none() {
                return Err(Error::NoSuchEntity(Missing::AttachablePolicy(arn.clone())));
            }
        }
        let mut tags = inherited.clone();
        tags.extend(request.tags.iter().cloned());
        let packed_policy_size = packed(&policies, &request.policy_arns, &tags)?;
        let mut transitive_tag_keys: Vec<String> = inherited.into_iter().map(|(key, _)| key).collect();
        transitive_tag_keys.extend(request.transitive_tag_keys.iter().cloned());
        let now = self.environment.now();
        let claims = Claims {
            account: role.account.to_string(),
            holder: Holder::Role { id: role.id.clone(), session_name: request.session_name.clone() },
            issued_at: now,
            expires_at: now.saturating_add(seconds.saturating_mul(SECOND)),
            is_restricted: !policies.is_empty() || !request.policy_arns.is_empty(),
            policies,
            policy_arns: request.policy_arns.clone(),
            tags,
            transitive_tag_keys,
            source_identity: source_identity.clone(),
            is_chained,
            parent_key: None,
        };
        let credentials = self.issue(&role.account, claims)?;
        Ok(AssumedRole {
            credentials,
            id: format!("{}:{}", role.id, request.session_name),
            arn: format!("arn:aws:sts::{}:assumed-role/{}/{}", role.account, role.name, request.session_name),
            packed_policy_size,
            source_identity,
        })
    }
}

/// How long a session lasts, in seconds.
fn duration(wanted: Option<i64>, maximum: i64, is_chained: bool) -> Result<i64, Error> {
    let seconds = wanted.unwrap_or(ONE_HOUR);
    if is_chained && seconds > ONE_HOUR {
        return Err(Error::ChainedSessionTooLong);
    }
    if seconds > maximum {
        return Err(Error::SessionTooLong);
    }
    Ok(seconds)
}

/// The tags that the calling session must hand on, with their values.
fn inherited_tags(caller: &Caller) -> Vec<(String, String)> {
    let Some(session) = &caller.credential.session else { return Vec::new() };
    let Principal::RoleSession { tags, .. } = &**caller.principal else { return Vec::new() };
    let is_transitive =
        |key: &str| session.transitive_tag_keys.iter().any(|other| entity::fold(other) == entity::fold(key));
    tags.iter().filter(|(key, _)| is_transitive(key)).cloned().collect()
}

fn check_tags(request: &SessionRequest, inherited: &[(String, String)]) -> Result<(), Error> {
    let mut keys = HashSet::new();
    for (key, _) in &request.tags {
        let folded = entity::fold(key);
        if folded.starts_with("aws:") {
            return Err(Error::ReservedTagKey);
        }
        if !keys.insert(folded) {
            return Err(Error::DuplicateSessionTagKeys);
        }
    }
    let is_inherited =
        |key: &str| inherited.iter().any(|(other, _)| entity::fold(other) == entity::fold(key));
    let all = request.transitive_tag_keys.iter().chain(request.tags.iter().map(|(key, _)| key));
    if all.into_iter().any(|key| is_inherited(key)) {
        return Err(Error::TransitiveTagConflict);
    }
    if request.transitive_tag_keys.iter().any(|key| !keys.contains(&entity::fold(key))) {
        return Err(Error::UnknownTransitiveKey);
    }
    Ok(())
}

/// Percent of the room that policies and tags take.
fn packed(policies: &[String], arns: &[String], tags: &[(String, String)]) -> Result<Option<i32>, Error> {
    if policies.is_empty() && arns.is_empty() && tags.is_empty() {
        return Ok(None);
    }
    let texts = policies.iter().chain(arns).chain(tags.iter().flat_map(|(key, value)| [key, value]));
    let used: usize = texts.map(String::len).sum();
    let percent = i32::try_from(used.saturating_mul(100).div_ceil(PACKED_ROOM)).unwrap_or(i32::MAX);
    if percent > 100 { Err(Error::PackedPolicyTooLarge { percent }) } else { Ok(Some(percent)) }
}

/// The same JSON without layout, every other character kept.
fn compact(text: &str) -> String {
    let mut compacted = String::with_capacity(text.len());
    let (mut is_inside, mut is_escaped) = (false, false);
    for letter in text.chars() {
        if !is_inside && matches!(letter, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        compacted.push(letter);
        if is_escaped {
            is_escaped = false;
        } else if is_inside && letter == '\\' {
            is_escaped = true;
        } else if letter == '"' {
            is_inside = !is_inside;
        }
    }
    compacted
}

/// A trust policy that matches nobody: a principal that no account can have.
fn trusts_nobody() -> SourcedDocument {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"nobody.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    SourcedDocument { source: PolicySource::Trust, document: Document::load(text, DocumentKind::Trust) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_keeps_strings() {
        let text = "{ \"a b\" :\n[ \"c \\\" d\" , 1 ] }";
        assert_eq!(compact(text), "{\"a b\":[\"c \\\" d\",1]}");
    }

    #[test]
    fn nobody_is_readable_and_trusts_nobody() {
        let trust = trusts_nobody();
        assert!(trust.document.unreadable().is_none());
        assert_eq!(trust.document.principals().count(), 0);
    }

    #[test]
    fn durations() {
        assert_eq!(duration(None, 3600, false).unwrap(), 3600);
        assert_eq!(duration(Some(43_200), 43_200, false).unwrap(), 43_200);
        assert!(matches!(duration(Some(3601), 3600, false), Err(Error::SessionTooLong)));
        assert!(matches!(duration(Some(3601), 43_200, true), Err(Error::ChainedSessionTooLong)));
    }

    #[test]
    fn room_for_policies_and_tags_is_limited() {
        assert_eq!(packed(&[], &[], &[]).unwrap(), None);
        assert_eq!(packed(&["x".repeat(26)], &[], &[]).unwrap(), Some(1));
        let full = packed(&["x".repeat(PACKED_ROOM)], &[], &[]).unwrap();
        assert_eq!(full, Some(100));
        let result = packed(&["x".repeat(2048)], &["y".repeat(1000)], &[("k".into(), "v".into())]);
        assert!(matches!(result, Err(Error::PackedPolicyTooLarge { percent: 118 })));
    }
}
