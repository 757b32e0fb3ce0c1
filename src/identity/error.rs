//! What the identity room refuses: one variant per documented error, with data instead of sentences.
//!
//! Exhaustive on purpose: a new variant breaks the IAM and STS doors until they give it a code and a text.

use crate::environment::NoRandomness;
use crate::store::db;
use crate::store::seal::SealError;

/// What does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A user, by name.
    User(String),
    /// A group, by name.
    Group(String),
    /// A role, by name.
    Role(String),
    /// An instance profile, by name.
    InstanceProfile(String),
    /// An inline policy of a user, by its name.
    UserPolicy(String),
    /// An inline policy of a group, by its name.
    GroupPolicy(String),
    /// An inline policy of a role, by its name.
    RolePolicy(String),
    /// A managed policy, by ARN; also one that is not attached.
    Policy(String),
    /// A managed policy that should be attached or become a boundary, by ARN.
    AttachablePolicy(String),
    /// A version of a managed policy.
    PolicyVersion {
        /// The policy.
        arn: String,
        /// `v3`
        version: String,
    },
    /// An access key, by id.
    AccessKey(String),
    /// The alias of an account.
    AccountAlias(String),
}

/// What exists already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// A user, by the name asked for.
    User(String),
    /// A group.
    Group(String),
    /// A role.
    Role(String),
    /// An instance profile.
    InstanceProfile(String),
    /// A managed policy.
    Policy(String),
    /// The alias of another account.
    AccountAlias(String),
}

/// Why something cannot be deleted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// Managed policies are attached to it.
    AttachedPolicies,
    /// It has inline policies.
    InlinePolicies,
    /// The user is in a group, or the group has members.
    Memberships,
    /// The user has access keys.
    AccessKeys,
    /// The role is in an instance profile, or the profile has a role.
    InstanceProfile,
    /// The policy is attached or a boundary.
    PolicyInUse,
    /// The policy has more versions than the default one.
    PolicyVersions,
    /// The version is the default one.
    DefaultVersion,
}

/// Quotas (iam.md §2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quota {
    /// `UsersPerAccount` and the like: the words of the sentence, and the maximum.
    Counted {
        /// The name of the quota.
        name: &'static str,
        /// The number allowed.
        maximum: i64,
    },
    /// Versions of a managed policy.
    PolicyVersions,
    /// All inline policies of one entity together.
    InlineSize {
        /// The number of characters allowed.
        maximum: usize,
        /// `user`, `group` or `role`.
        kind: &'static str,
        /// The entity's name.
        name: String,
    },
}

/// An error of the identity room. Unless said otherwise nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// NoSuchEntity
    #[error("{0:?} does not exist")]
    NoSuchEntity(Missing),
    /// EntityAlreadyExists
    #[error("{0:?} exists")]
    AlreadyExists(Existing),
    /// DeleteConflict
    #[error("cannot be deleted: {0:?}")]
    DeleteConflict(Blocker),
    /// LimitExceeded
    #[error("quota exceeded: {0:?}")]
    LimitExceeded(Quota),
    /// MalformedPolicyDocument: the document itself.
    #[error("malformed policy document: {0}")]
    MalformedPolicy(#[from] policy::DocumentError),
    /// MalformedPolicyDocument: a principal of a trust policy that does not exist.
    #[error("no such principal: {0}")]
    InvalidPrincipal(String),
    /// InvalidInput: two tags of one request have the same key but for case.
    #[error("duplicate tag keys")]
    DuplicateTagKeys,
    /// ValidationError: more than 50 tags on one entity.
    #[error("more than 50 tags")]
    TooManyTags,
    /// ValidationError: a tag key that begins with `aws:`.
    #[error("tag keys that begin with aws: are reserved")]
    ReservedTagKey,
    /// ValidationError: not an ARN of a policy.
    #[error("the policy ARN cannot be parsed")]
    InvalidArn,
    /// InvalidParameterValue: a boundary that is no ARN of a policy.
    #[error("the boundary cannot be parsed: {0}")]
    InvalidBoundary(String),
    /// AccessDenied: AWS's own policies cannot be changed, also not by root.
    #[error("{arn} belongs to AWS")]
    AwsManagedPolicy {
        /// The caller.
        principal: String,
        /// `iam:CreatePolicyVersion`
        action: &'static str,
        /// The policy.
        arn: String,
    },
    /// ValidationError: the caller is no user, so the user must be named.
    #[error("the user must be named")]
    UserNameRequired,
    /// ValidationError: a marker that this server did not make for this listing.
    #[error("the marker is not valid")]
    InvalidCursor,
    /// ValidationError of AssumeRole: not an ARN of a role.
    #[error("{0} is not an ARN of a role")]
    InvalidRoleArn(String),
    /// AccessDenied of STS: the operation needs a long-term key.
    #[error("{0} cannot be called with session credentials")]
    SessionCredentials(&'static str),
    /// AccessDenied of STS: a code of a device that this server does not know.
    #[error("multi-factor authentication failed")]
    MultiFactorAuthentication,
    /// ValidationError of AssumeRole: longer than the role allows.
    #[error("the session is longer than the role allows")]
    SessionTooLong,
    /// ValidationError of AssumeRole: longer than one hour from a role session.
    #[error("a chained session is longer than one hour")]
    ChainedSessionTooLong,
    /// PackedPolicyTooLarge
    #[error("session policies and tags take {percent} % of their room")]
    PackedPolicyTooLarge {
        /// Above 100.
        percent: i32,
    },
    /// InvalidParameterValue of AssumeRole: two session tags with the same key but for case.
    #[error("duplicate session tag keys")]
    DuplicateSessionTagKeys,
    /// InvalidParameterValue of AssumeRole: a transitive key that is not among the tags.
    #[error("a transitive tag key is not among the tags")]
    UnknownTransitiveKey,
    /// InvalidParameterValue of AssumeRole: the tag came with the calling session and goes on unchanged.
    #[error("a tag of the calling session cannot be changed")]
    TransitiveTagConflict,
    /// A parameter that this server understands but cannot honour; refused rather than ignored.
    #[error("{0} is not supported")]
    NotSupported(&'static str),
    /// ValidationError of a rule that the shapes do not express.
    #[error("{0}")]
    Invalid(String),
    /// Anything else; the cause is for the log only.
    #[error("internal error: {0}")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// Whether the same transaction may succeed when it is repeated.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Internal(cause) => cause.downcast_ref::<db::Error>().is_some_and(db::Error::is_retryable),
            _ => false,
        }
    }

    /// Whether a full volume is the cause.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self::Internal(cause) = self else { return false };
        matches!(cause.downcast_ref::<db::Error>(), Some(db::Error::Full(_)))
    }
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<NoRandomness> for Error {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.into())
    }
}
