//! The policies that have a say about a principal, always as they are now.

use std::sync::Arc;

use policy::{AccountId, Document, DocumentKind, PolicySource, Principal, SourcedDocument};

use super::IdentityRoom;
use super::cache::{self, Proof};
use super::entity::{self, Kind};
use super::error::Error;
use super::reader::Reader;
use crate::access::Session;
use crate::params;
use crate::store::db::Stamp;

/// Policies of one principal, in the shape of [`policy::PolicySet`].
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Of the user and its groups, or of the role: inline and attached.
    pub identity: Vec<Arc<SourcedDocument>>,
    /// The permissions boundary.
    pub boundary: Option<Arc<SourcedDocument>>,
    /// Session policies; `None` when the session was made without any.
    pub session: Option<Vec<Arc<SourcedDocument>>>,
}

/// Inline policies of an entity and of the groups it is in.
const INLINE: &str = concat!(
    "SELECT ",
    entity::columns!(),
    ", i.name, i.document FROM iam_inline_policy i JOIN iam_entity e ON e.id = i.entity_id \
     WHERE i.entity_id = $1 OR i.entity_id IN (SELECT group_id FROM iam_membership WHERE user_id = $1) \
     ORDER BY e.id, i.name"
);

/// Attached policies of an entity and of the groups it is in; AWS's own have no document here.
const ATTACHED: &str = "SELECT DISTINCT t.policy_arn, v.document FROM iam_attachment t \
     LEFT JOIN iam_policy p ON p.arn = t.policy_arn \
     LEFT JOIN iam_policy_version v ON v.policy_id = p.policy_id AND v.version = p.default_version \
     WHERE t.entity_id = $1 OR t.entity_id IN (SELECT group_id FROM iam_membership WHERE user_id = $1) \
     ORDER BY t.policy_arn";

impl IdentityRoom {
    /// The policies that apply to a principal and its session.
    ///
    /// The root and services have none. A principal whose user or role is gone has none either and so may do
    /// nothing. Kept compiled while nothing changes.
    ///
    /// In: the generation that the same request has read when it authenticated the principal, if it has: it is then
    /// not read again.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails; the caller must then deny.
    pub async fn policies(
        &self,
        principal: &Principal,
        session: Option<&Session>,
        generation: Option<i64>,
    ) -> Result<Arc<Policies>, Error> {
        let account = principal.account();
        let stamp = self.stamp();
        let id = match principal {
            Principal::User { id, .. } | Principal::RoleSession { role_id: id, .. } => Some(id.as_str()),
            Principal::FederatedUser { user, .. } => user.as_ref().map(|user| user.id.as_str()),
            Principal::Root { .. } | Principal::WebIdentity { .. } | Principal::Service { .. } => None,
        };
        let mut policies = match id {
            Some(id) => self.identity_policies(account, id, stamp, generation).await?,
            None => Arc::default(),
        };
        if let Some(session) = session.filter(|session| session.is_restricted) {
            Arc::make_mut(&mut policies).session =
                Some(Box::pin(self.session_policies(session, stamp)).await?);
        }
        Ok(policies)
    }

    async fn identity_policies(
        &self,
        account: &AccountId,
        id: &str,
        stamp: Option<Stamp>,
        generation: Option<i64>,
    ) -> Result<Arc<Policies>, Error> {
        let present = match (stamp, generation) {
            (Some(stamp), _) => Some(Proof::Stamp(stamp)),
            (None, Some(generation)) => Some(Proof::Generation(generation)),
            (None, None) => {
                let generation = Box::pin(cache::generation(&mut &self.database, account)).await?;
                generation.map(Proof::Generation)
            }
        };
        if let Some(kept) = present.and_then(|proof| self.caches.policies.get(id.as_bytes(), proof)) {
            return Ok(kept);
        }
        // Boxed, so that what was found in memory does not pay for the room of this.
        Box::pin(self.load_identity_policies(account, id, stamp)).await
    }

    async fn load_identity_policies(
        &self,
        account: &AccountId,
        id: &str,
        stamp: Option<Stamp>,
    ) -> Result<Arc<Policies>, Error> {
        let mut snapshot = self.database.snapshot().await?;
        let proof = match stamp {
            Some(stamp) => Some(Proof::Stamp(stamp)),
            None => cache::generation(&mut snapshot, account).await?.map(Proof::Generation),
        };
        let policies = Arc::new(load(&mut snapshot, id).await?);
        if let Some(proof) = proof {
            self.caches.policies.put(id.into(), proof, Arc::clone(&policies), cache::weight(&policies));
        }
        Ok(policies)
    }

    async fn session_policies(
        &self,
        session: &Session,
        stamp: Option<Stamp>,
    ) -> Result<Vec<Arc<SourcedDocument>>, Error> {
        let Some(stamp) = stamp else { return self.load_session_policies(session).await };
        // No id begins with a zero byte, and neither a text nor an ARN holds one.
        let mut key = Vec::new();
        for texts in [&session.policies, &session.policy_arns] {
            for text in texts {
                key.push(0);
                key.extend_from_slice(text.as_bytes());
            }
            key.extend_from_slice(&[0, 0]);
        }
        let proof = Proof::Stamp(stamp);
        let kept = self.caches.policies.get(key.as_slice(), proof);
        if let Some(kept) = kept.and_then(|kept| kept.session.clone()) {
            return Ok(kept);
        }
        let documents = self.load_session_policies(session).await?;
        let kept = Policies { session: Some(documents.clone()), ..Policies::default() };
        let bytes = key.len() + cache::weight(&kept);
        self.caches.policies.put(key, proof, Arc::new(kept), bytes);
        Ok(documents)
    }

    async fn load_session_policies(&self, session: &Session) -> Result<Vec<Arc<SourcedDocument>>, Error> {
        let mut documents = Vec::with_capacity(session.policies.len() + session.policy_arns.len());
        for text in &session.policies {
            let document = Document::load(text, DocumentKind::Session);
            documents
                .push(Arc::new(SourcedDocument { source: PolicySource::Session { arn: None }, document }));
        }
        for arn in &session.policy_arns {
            let text = default_text(&mut &self.database, arn).await?;
            let document = managed_document(arn, text.as_deref(), DocumentKind::Managed);
            let source = PolicySource::Session { arn: Some(arn.clone()) };
            documents.push(Arc::new(SourcedDocument { source, document }));
        }
        Ok(documents)
    }

    /// The unique id of a user or role that a policy names by ARN; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails.
    pub async fn unique_id(&self, account: &AccountId, principal_arn: &str) -> Result<Option<String>, Error> {
        unique_id(&mut &self.database, account, principal_arn).await
    }
}

/// As [`IdentityRoom::unique_id`], inside a transaction.
pub(super) async fn unique_id(
    reader: &mut impl Reader,
    account: &AccountId,
    principal_arn: &str,
) -> Result<Option<String>, Error> {
    let Some((owner, kind, path, name)) = entity::parse_arn(principal_arn) else { return Ok(None) };
    if owner != *account || !matches!(kind, Kind::User | Kind::Role) {
        return Ok(None);
    }
    let found = entity::find(reader, account, kind, &name).await?;
    Ok(found.filter(|entity| entity.path == path).map(|entity| entity.id))
}

/// The policies of a user with its groups, or of a role, or of a group alone.
pub(super) async fn load(reader: &mut impl Reader, id: &str) -> Result<Policies, Error> {
    let Some(owner) = entity::by_id(reader, id).await? else { return Ok(Policies::default()) };
    let mut identity = Vec::new();
    for row in reader.rows(INLINE, params![id]).await? {
        let name: String = row.get(entity::COLUMN_COUNT)?;
        let text: String = row.get(entity::COLUMN_COUNT + 1)?;
        let source = PolicySource::Inline { name, on: entity::read(&row)?.arn() };
        identity.push(Arc::new(SourcedDocument {
            source,
            document: Document::load(&text, DocumentKind::Inline),
        }));
    }
    for row in reader.rows(ATTACHED, params![id]).await? {
        let arn: String = row.get(0)?;
        let text: Option<String> = row.get(1)?;
        let document = managed_document(&arn, text.as_deref(), DocumentKind::Managed);
        identity.push(Arc::new(SourcedDocument { source: PolicySource::Managed { arn }, document }));
    }
    let boundary = match owner.boundary {
        Some(arn) => {
            let text = default_text(reader, &arn).await?;
            let document = managed_document(&arn, text.as_deref(), DocumentKind::Boundary);
            Some(Arc::new(SourcedDocument { source: PolicySource::Boundary { arn }, document }))
        }
        None => None,
    };
    Ok(Policies { identity, boundary, session: None })
}

/// The default version's text of a customer policy; `None` when this ARN has no rows.
pub(super) async fn default_text(reader: &mut impl Reader, arn: &str) -> Result<Option<String>, Error> {
    let row = reader
        .row(
            "SELECT v.document FROM iam_policy p JOIN iam_policy_version v \
             ON v.policy_id = p.policy_id AND v.version = p.default_version WHERE p.arn = $1",
            params![arn],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

fn managed_document(arn: &str, stored: Option<&str>, kind: DocumentKind) -> Document {
    match (stored, policy::managed::find(arn)) {
        (Some(text), _) => Document::load(text, kind),
        (None, Some(shipped)) => shipped.document().clone(),
        // A policy that was attached and that nobody can read any more: an empty text is an unreadable
        // document, and that denies. To leave it out could lose a Deny.
        (None, None) => Document::load("", kind),
    }
}
