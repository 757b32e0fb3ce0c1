//! The language of IAM: ARNs, policy documents, their evaluation, and the AWS managed policies.
//!
//! Pure: no I/O, no clock, no randomness; the same arguments give the same answer. The same engine decides
//! API calls, docker pushes and pulls, role assumption and simulation, so that no second matcher can disagree.
//!
//! Reading order: [`Document`] (text to compiled statements), [`Principal`] and [`Context`] (who asks, from
//! where), [`PolicySet`] and [`evaluate()`] (which documents count, and what they say), [`Denial`] (the sentence
//! the caller reads), [`managed`] (the documents that AWS ships).
//!
//! Invariants: everything that is not allowed is denied; a document that cannot be read denies; values taken
//! from a request never act as wildcards; matching costs at most pattern length times text length.
//!
//! ```
//! use std::sync::Arc;
//! use policy::{AccountId, Context, Decision, Document, DocumentKind, PolicySet, PolicySource, Principal,
//!     Request, SourcedDocument, evaluate};
//!
//! let account = AccountId::parse("123456789012")?;
//! let text = r#"{"Version":"2012-10-17","Statement":
//!     {"Effect":"Allow","Action":"ecr:Batch*","Resource":"arn:aws:ecr:*:*:repository/${aws:username}/*"}}"#;
//! let document = Document::parse(text, DocumentKind::Inline)?;
//! let alice = Principal::User {
//!     account: account.clone(), path: "/".into(), name: "alice".into(), id: "AIDAALICE".into(), tags: vec![],
//! };
//! let set = PolicySet {
//!     identity: vec![Arc::new(SourcedDocument {
//!         source: PolicySource::Inline { name: "own-images".into(), on: alice.arn() },
//!         document,
//!     })],
//!     ..PolicySet::default()
//! };
//! let mut context = Context::new();
//! alice.context(&mut context);
//! let request = Request {
//!     principal: &alice,
//!     action: "ecr:BatchGetImage",
//!     resource: "arn:aws:ecr:eu-central-1:123456789012:repository/alice/app",
//!     resource_account: &account,
//!     context: &context,
//! };
//! assert!(matches!(evaluate(&set, &request), Decision::Allowed(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod arn;
mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod json;
pub mod managed;
mod named;
mod pattern;
mod principal;
mod region;
mod set;
mod simulate;
mod size;

pub use account::{AccountId, AccountIdError};
pub use arn::{Arn, ArnError};
pub use context::{Context, Keys, Values, fold};
pub use decision::{Decision, Denial, DenialNote, MatchedStatement, PolicyType, Reason};
pub use document::{
    Document, DocumentError, DocumentKind, Effect, Fault, PolicyPrincipal, Position, PrincipalClass, Span,
    Statement,
};
pub use evaluate::{evaluate, evaluate_trust};
pub use named::Named;
pub use principal::{FederationOwner, Principal};
pub use region::{Region, RegionError};
pub use set::{Applicable, PolicySet, PolicySource, Request, SourcedDocument};
pub use simulate::{Outcome, Simulation, simulate};
pub use size::compact_size;
