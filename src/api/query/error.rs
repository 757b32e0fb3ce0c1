//! Errors of the Query protocol: every cause → code, status and sentence, in total matches (iam.md §2.3–2.9).

use aws::Service;
use aws::query::ParseError;
use aws::sigv4::AuthError;
use http::StatusCode;

use crate::access::{AccessError, NotGranted, SignatureError};
use crate::identity::{self, Blocker, Existing, Missing, Quota};

/// Why a request of the IAM or STS API fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The version has no such operation.
    #[error("no operation {name} in version {version}")]
    UnknownOperation {
        /// `Action`, as sent.
        name: String,
        /// `Version`, as sent.
        version: String,
    },
    /// AWS has the operation, this server has not.
    #[error("{operation} is not built")]
    NotBuilt {
        /// Its name.
        operation: &'static str,
    },
    /// The body is larger than parameters may be.
    #[error("the body is too large")]
    TooLarge,
    /// The client went away in the middle of its body.
    #[error("the body ended early")]
    Interrupted,
    /// The parameters are no form.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// The signature is missing or wrong, or could not be checked.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A parameter has the wrong form or breaks a constraint.
    #[error(transparent)]
    Decode(#[from] aws::DecodeError),
    /// The policies do not allow it, or could not be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The operation asked for a proof that its checks did not name.
    #[error(transparent)]
    NotGranted(#[from] NotGranted),
    /// The identity room refuses.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// DecodeAuthorizationMessage of a message that this server did not make; it makes none.
    #[error("the authorization message is not ours")]
    InvalidAuthorizationMessage,
}

/// What goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The HTTP status; from 500 on the fault is the `Receiver`'s.
    pub status: StatusCode,
    /// The code, such as `NoSuchEntity`.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
}

fn wire(status: StatusCode, code: &'static str, message: impl Into<String>) -> Wire {
    Wire { status, code, message: message.into() }
}

fn bad_request(code: &'static str, message: impl Into<String>) -> Wire {
    wire(StatusCode::BAD_REQUEST, code, message)
}

fn failure() -> Wire {
    let message = "The server failed; its log has the reason under the request id.";
    wire(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", message)
}

impl Error {
    /// There is no signature at all.
    #[must_use]
    pub fn unsigned() -> Self {
        Self::Signature(SignatureError::Refused(AuthError::MissingAuthenticationToken))
    }

    /// The refusal of a GetSessionToken session where only long-term keys and roles may go.
    #[must_use]
    pub fn session_token_refused() -> Self {
        Self::Signature(SignatureError::Refused(AuthError::InvalidClientToken { session_token: false }))
    }

    /// Code, status and sentence.
    #[must_use]
    pub fn wire(&self, service: Service) -> Wire {
        match self {
            Self::UnknownOperation { name, version } => {
                bad_request("InvalidAction", format!("Could not find operation {name} for version {version}"))
            }
            Self::NotBuilt { operation } => bad_request(
                "InvalidAction",
                format!("The operation {operation} is not implemented by this server"),
            ),
            Self::TooLarge => wire(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                format!("The request is larger than {} bytes", aws::query::LARGEST_REQUEST),
            ),
            Self::Interrupted => bad_request("IncompleteBody", "The body of the request ended early"),
            Self::Malformed(error) => bad_request("MalformedQueryString", error.to_string()),
            Self::Signature(SignatureError::Refused(error)) => wire(
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::FORBIDDEN),
                error.query_code(),
                error.message(),
            ),
            Self::Signature(SignatureError::Internal(_))
            | Self::Access(AccessError::Identity(_) | AccessError::Catalog(_))
            | Self::NotGranted(_) => failure(),
            Self::Decode(error) => decode_wire(error, service),
            Self::Access(AccessError::Denied { sentence }) => {
                wire(StatusCode::FORBIDDEN, "AccessDenied", sentence.as_str())
            }
            Self::Identity(error) => identity_wire(error),
            Self::InvalidAuthorizationMessage => {
                bad_request("InvalidAuthorizationMessageException", "The message could not be decoded.")
            }
        }
    }

    /// Logs what the operator must know; refusals of callers are no news.
    pub fn report(&self) {
        let cause = match self {
            Self::Signature(SignatureError::Internal(error))
            | Self::Access(AccessError::Identity(error))
            | Self::Identity(error @ identity::Error::Internal(_)) => error as &dyn std::error::Error,
            Self::Access(error @ AccessError::Catalog(_)) => error,
            Self::NotGranted(error) => error,
            _ => return,
        };
        let mut text = cause.to_string();
        let mut source = cause.source();
        while let Some(next) = source {
            text = format!("{text}: {next}");
            source = next.source();
        }
        tracing::error!(error = %text, "the request failed");
    }
}

fn decode_wire(error: &aws::DecodeError, service: Service) -> Wire {
    match error {
        aws::DecodeError::UnknownOperation => bad_request("InvalidAction", "Could not find operation"),
        aws::DecodeError::Serialization { .. } => bad_request("ValidationError", error.to_string()),
        aws::DecodeError::Invalid(violations) => {
            bad_request("ValidationError", aws::query_message(violations, service == Service::Sts))
        }
    }
}

fn identity_wire(error: &identity::Error) -> Wire {
    use identity::Error as E;
    match error {
        E::NoSuchEntity(missing) => wire(StatusCode::NOT_FOUND, "NoSuchEntity", missing_sentence(missing)),
        E::AlreadyExists(existing) => {
            wire(StatusCode::CONFLICT, "EntityAlreadyExists", existing_sentence(existing))
        }
        E::DeleteConflict(blocker) => {
            wire(StatusCode::CONFLICT, "DeleteConflict", blocker_sentence(*blocker))
        }
        E::LimitExceeded(quota) => wire(StatusCode::CONFLICT, "LimitExceeded", quota_sentence(quota)),
        E::MalformedPolicy(error) => bad_request("MalformedPolicyDocument", error.to_string()),
        E::InvalidPrincipal(text) => {
            bad_request("MalformedPolicyDocument", format!("Invalid principal in policy: \"AWS\":\"{text}\""))
        }
        E::DuplicateTagKeys => bad_request("InvalidInput", DUPLICATE_TAG_KEYS),
        E::DuplicateSessionTagKeys => bad_request("InvalidParameterValue", DUPLICATE_TAG_KEYS),
        E::TooManyTags => bad_request(
            "ValidationError",
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: \
             Member must have length less than or equal to 50.",
        ),
        // The sentence is (unverified).
        E::ReservedTagKey => {
            bad_request("ValidationError", "Tag keys that begin with aws: are reserved for system use.")
        }
        // Two spaces, as AWS writes it.
        E::InvalidArn => bad_request("ValidationError", "Invalid ARN:  Could not be parsed!"),
        E::InvalidBoundary(arn) => bad_request(
            "InvalidParameterValue",
            format!("Value ({arn}) for parameter PermissionsBoundary is invalid."),
        ),
        E::AwsManagedPolicy { principal, action, arn } => wire(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            format!("User: {principal} is not authorized to perform: {action} on resource: policy {arn}"),
        ),
        E::UserNameRequired => {
            bad_request("ValidationError", "Must specify userName when calling with non-User credentials")
        }
        E::InvalidCursor => bad_request("ValidationError", "Invalid Marker."),
        E::InvalidRoleArn(arn) => bad_request("ValidationError", format!("{arn} is invalid")),
        E::SessionCredentials(operation) => wire(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            format!("Cannot call {operation} with session credentials"),
        ),
        // The space at the end is AWS's.
        E::MultiFactorAuthentication => wire(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        ),
        E::SessionTooLong => bad_request(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
        E::ChainedSessionTooLong => bad_request(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ),
        E::PackedPolicyTooLarge { percent } => bad_request(
            "PackedPolicyTooLarge",
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
        ),
        E::UnknownTransitiveKey => bad_request(
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags.",
        ),
        E::TransitiveTagConflict => bad_request(
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key \
             from the calling session.",
        ),
        E::NotSupported(what) => {
            bad_request("InvalidParameterValue", format!("{what} is not supported by this server"))
        }
        E::Invalid(sentence) => bad_request("ValidationError", sentence.as_str()),
        E::Internal(_) => failure(),
    }
}

const DUPLICATE_TAG_KEYS: &str = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";

fn missing_sentence(missing: &Missing) -> String {
    match missing {
        Missing::User(name) => format!("The user with name {name} cannot be found."),
        Missing::Group(name) => format!("The group with name {name} cannot be found."),
        Missing::Role(name) => format!("The role with name {name} cannot be found."),
        Missing::InstanceProfile(name) => format!("Instance Profile {name} cannot be found."),
        Missing::UserPolicy(name) => format!("The user policy with name {name} cannot be found."),
        Missing::GroupPolicy(name) => format!("The group policy with name {name} cannot be found."),
        Missing::RolePolicy(name) => format!("The role policy with name {name} cannot be found."),
        Missing::Policy(arn) => format!("Policy {arn} was not found."),
        Missing::AttachablePolicy(arn) => format!("Policy {arn} does not exist or is not attachable."),
        Missing::PolicyVersion { arn, version } => {
            format!("Policy {arn} version {version} does not exist or is not attachable.")
        }
        Missing::AccessKey(id) => format!("The Access Key with id {id} cannot be found."),
        // (unverified)
        Missing::AccountAlias(alias) => format!("The account alias {alias} cannot be found."),
    }
}

fn existing_sentence(existing: &Existing) -> String {
    match existing {
        Existing::User(name) => format!("User with name {name} already exists."),
        Existing::Group(name) => format!("Group with name {name} already exists."),
        Existing::Role(name) => format!("Role with name {name} already exists."),
        Existing::InstanceProfile(name) => format!("Instance Profile {name} already exists."),
        Existing::Policy(name) => {
            format!("A policy called {name} already exists. Duplicate names are not allowed.")
        }
        // (unverified)
        Existing::AccountAlias(alias) => format!("The account alias {alias} already exists."),
    }
}

fn blocker_sentence(blocker: Blocker) -> &'static str {
    match blocker {
        Blocker::AttachedPolicies => "Cannot delete entity, must detach all policies first.",
        Blocker::InlinePolicies => "Cannot delete entity, must delete policies first.",
        Blocker::Memberships => "Cannot delete entity, must remove users from group first.",
        Blocker::AccessKeys => "Cannot delete entity, must delete access keys first.",
        Blocker::InstanceProfile => "Cannot delete entity, must remove roles from instance profile first.",
        Blocker::PolicyInUse => "Cannot delete a policy attached to entities.",
        Blocker::PolicyVersions => {
            "This policy has more than one version. Before you delete a policy, you must delete the policy's \
             versions. The default version is deleted with the policy."
        }
        Blocker::DefaultVersion => "Cannot delete the default version of a policy.",
    }
}

fn quota_sentence(quota: &Quota) -> String {
    match quota {
        Quota::Counted { name, maximum } => format!("Cannot exceed quota for {name}: {maximum}"),
        Quota::PolicyVersions => {
            "A managed policy can have up to 5 versions. Before you create a new version, \
                                  you must delete an existing version."
                .to_owned()
        }
        Quota::InlineSize { maximum, kind, name } => {
            format!("Maximum policy size of {maximum} bytes exceeded for {kind} {name}")
        }
    }
}

#[cfg(test)]
mod tests;
