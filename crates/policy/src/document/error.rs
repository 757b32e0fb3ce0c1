//! Why a document is refused, and AWS's sentence for it.

use std::fmt;

use super::DocumentKind;

/// A place in a document: line and column, both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// From the first character to just behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first character.
    pub start: Position,
    /// Just behind the last character.
    pub end: Position,
}

impl Position {
    /// The position of a byte offset; offsets beyond the text give its end.
    pub(super) fn of(text: &str, offset: usize) -> Position {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        Position { line, column: last.chars().count() + 1 }
    }
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON: no RFC 8259 text, a member name twice, or nested too deep.
    Json,
    /// An element is missing, unknown or of the wrong type; an unknown operator; too many statements or values.
    Syntax,
    /// A required element is missing where AWS names it.
    MissingField(&'static str),
    /// An element that this kind of document may not have.
    ProhibitedField(&'static str),
    /// `Statement` is an empty list.
    EmptyStatement,
    /// `Version` is neither of the two version texts.
    UnknownVersion,
    /// A managed policy without version 2012-10-17.
    OldVersion,
    /// Effect in the wrong case, an unreadable date, or an ARN with an empty service or too few colons.
    Legacy,
    /// A Sid outside `[0-9A-Za-z]*`.
    SidCharacters,
    /// Two statements with the same Sid.
    DuplicateSid,
    /// A statement without actions.
    NoActions,
    /// A statement of an identity policy names a principal.
    HasPrincipal,
    /// A resource that is neither an ARN nor `*`; carries the resource.
    ResourceFormat(String),
    /// A partition that does not exist here.
    Partition {
        /// The partition as written.
        partition: String,
        /// The resource with missing parts shown as `*`.
        resource: String,
    },
    /// An ARN that ends before its service.
    ResourceVendor,
    /// An IAM ARN with a region; carries the resource.
    IamRegion(String),
    /// An S3 ARN with a region; carries the resource.
    S3Region(String),
    /// An IAM ARN whose path begins with no known type.
    IamPath,
    /// An action or condition without `vendor:`.
    ActionVendorMissing,
    /// An action with more than one colon.
    ActionColons,
    /// A vendor with other characters than `[A-Za-z0-9.-]`; carries the vendor.
    ActionVendor(String),
    /// A statement without resources.
    NoResources,
    /// A trust policy with an action that is not of STS.
    TrustAction,
    /// A principal that cannot exist.
    InvalidPrincipal {
        /// The kind of principal.
        class: super::PrincipalClass,
        /// The principal as written.
        text: String,
    },
    /// A repository or registry policy with an action that is not of ECR; carries the action.
    ForeignAction(String),
    /// A registry policy with a resource that is no repository; carries the resource.
    ForeignResource(String),
}

/// A refused document. `Display` is AWS's sentence for the kind (iam.md §3.4).
///
/// ECR says only that the policy is invalid (ecr.md §1.5), so for repository and registry documents the door
/// prints its own sentence and the text here is the reason for the log and the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    kind: DocumentKind,
    fault: Box<Fault>,
    position: Position,
}

impl DocumentError {
    pub(super) fn new(kind: DocumentKind, fault: Fault, text: &str, offset: usize) -> DocumentError {
        DocumentError { kind, fault: Box::new(fault), position: Position::of(text, offset) }
    }

    /// The kind that the document was read as.
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The fault.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Where the fault was noticed. AWS does not tell; for the console and the log.
    pub fn position(&self) -> Position {
        self.position
    }
}

impl std::error::Error for DocumentError {}

impl fmt::Display for DocumentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trust = self.kind == DocumentKind::Trust;
        let plain = match &*self.fault {
            Fault::Json if trust => "This policy contains invalid Json",
            Fault::EmptyStatement if trust => "Could not parse the policy: Statement is empty!",
            Fault::UnknownVersion if trust => "The policy must contain a valid version string",
            Fault::DuplicateSid if trust => "The Statement Ids in the policy are not unique",
            Fault::MissingField(name) if self.kind.has_principals() => {
                return write!(formatter, "Missing required field {name}");
            }
            Fault::Json
            | Fault::Syntax
            | Fault::EmptyStatement
            | Fault::UnknownVersion
            | Fault::MissingField(_) => "Syntax errors in policy.",
            Fault::ProhibitedField(name) => return write!(formatter, "Has prohibited field {name}"),
            Fault::OldVersion => "Policy document must be version 2012-10-17 or greater.",
            Fault::Legacy => "The policy failed legacy parsing",
            Fault::SidCharacters => {
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                 expression [0-9A-Za-z]*"
            }
            Fault::DuplicateSid => "Statement IDs (SID) in a single policy must be unique.",
            Fault::NoActions => "Policy statement must contain actions.",
            Fault::HasPrincipal => "Policy document should not specify a principal.",
            Fault::ResourceFormat(resource) => {
                return write!(formatter, "Resource {resource} must be in ARN format or \"*\".");
            }
            Fault::Partition { partition, resource } => {
                return write!(
                    formatter,
                    "Partition \"{partition}\" is not valid for resource \"{resource}\"."
                );
            }
            Fault::ResourceVendor => "Resource vendor must be fully qualified and cannot contain regexes.",
            Fault::IamRegion(resource) => {
                return write!(formatter, "IAM resource {resource} cannot contain region information.");
            }
            Fault::S3Region(resource) => {
                return write!(formatter, "Resource {resource} can not contain region information.");
            }
            Fault::IamPath => {
                "IAM resource path must either be \"*\" or start with user/, federated-user/, role/, group/, \
                 instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, \
                 oidc-provider/, report/, access-report/."
            }
            Fault::ActionVendorMissing => {
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            }
            Fault::ActionColons => "Actions/Condition can contain only one colon.",
            Fault::ActionVendor(vendor) => return write!(formatter, "Vendor {vendor} is not valid"),
            Fault::NoResources => "Policy statement must contain resources.",
            Fault::TrustAction => "AssumeRole policy may only specify STS AssumeRole actions.",
            Fault::InvalidPrincipal { class, text } => {
                return write!(
                    formatter,
                    "Invalid principal in policy: \"{}\":\"{text}\"",
                    class.in_errors()
                );
            }
            Fault::ForeignAction(action) => return write!(formatter, "Action {action} is not an ECR action"),
            Fault::ForeignResource(resource) => {
                return write!(formatter, "Resource {resource} is not a repository of the registry");
            }
        };
        formatter.write_str(plain)
    }
}
