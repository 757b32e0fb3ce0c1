//! The authenticated identity, credentials and origin of one request.

use std::net::IpAddr;
use std::sync::Arc;

use policy::{AccountId, Named, Region};
use zeroize::Zeroizing;

/// Who sends a request, with what, from where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The identity that policies see.
    pub principal: Arc<Named>,
    /// What it proved itself with.
    pub credential: Credential,
    /// The generation of the account when the caller was authenticated, where that is what proves policies exact.
    pub generation: Option<i64>,
    /// Where the request came from.
    pub origin: Origin,
    /// The region that the request is for.
    pub region: Region,
    /// The id that the answer, the log and the audit record share.
    pub request_id: String,
}

impl Caller {
    /// The caller's own account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        self.principal.account()
    }
}

/// The key that signed the request, or that the docker password stands for.
#[derive(Clone)]
pub struct Credential {
    /// `AKIA…` or `ASIA…`
    pub access_key_id: String,
    /// The session token that came with temporary credentials; a docker password seals it again.
    pub session_token: Option<Zeroizing<String>>,
    /// Facts of temporary credentials; `None` for a long-term key.
    pub session: Option<Session>,
}

impl std::fmt::Debug for Credential {
    // By hand, so that the session token never reaches a log.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// What the sealed session token of temporary credentials says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// When it was issued, in microseconds since the epoch: `aws:TokenIssueTime`.
    pub issued_at: i64,
    /// When it ends, in microseconds since the epoch.
    pub expires_at: i64,
    /// Inline session policies, as passed.
    pub policies: Vec<String>,
    /// ARNs of managed session policies.
    pub policy_arns: Vec<String>,
    /// Whether session policies were passed at all: an empty list and none are not the same.
    pub is_restricted: bool,
    /// `sts:SourceIdentity`, sticky through role chaining.
    pub source_identity: Option<String>,
    /// Session tags that go on to the next role.
    pub transitive_tag_keys: Vec<String>,
    /// Whether a role session issued it (role chaining: at most one hour).
    pub is_chained: bool,
    /// Whether it came from GetSessionToken: such a session may not call IAM, and of STS only two operations.
    pub is_session_token: bool,
}

/// Where a request came from and how.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The client's address, after trusted proxies: `aws:SourceIp`.
    pub address: IpAddr,
    /// Whether it came over TLS: `aws:SecureTransport`.
    pub is_secure: bool,
    /// The `User-Agent` header, as sent.
    pub user_agent: Option<String>,
    /// The `Referer` header, as sent.
    pub referer: Option<String>,
}
