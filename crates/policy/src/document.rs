//! Policy documents: from text to compiled statements, and the faults that AWS names.
//!
//! A document is read in three steps, each in its own file: `raw` turns JSON into elements, `check` applies the
//! rules of the place where the document is attached ([`DocumentKind`]), `statement` compiles for evaluation.
//! Compilation happens once, when a document is written or loaded; evaluation only walks compiled statements.
//!
//! INVARIANT: a [`Document`] that evaluation can see is either fully compiled or marked unreadable, and an
//! unreadable one denies everything.
//!
//! ```
//! use policy::{Document, DocumentKind};
//! let text = r#"{"Statement":[{"Effect":"Allow","Action":"ecr:Get*"}]}"#;
//! let error = Document::parse(text, DocumentKind::Inline).unwrap_err();
//! assert_eq!(error.to_string(), "Policy statement must contain resources.");
//! ```

mod check;
mod error;
mod principal;
mod raw;
mod resource_rules;
mod statement;

use std::collections::HashSet;
use std::sync::Arc;

pub use error::{DocumentError, Fault, Position, Span};
pub(crate) use principal::MatchKind;
pub use principal::{PolicyPrincipal, PrincipalClass};
pub(crate) use statement::Ask;
pub use statement::{Effect, Statement};

/// Where a document is attached; it decides which elements are required and which sentences refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// Version of a customer managed policy: version 2012-10-17, no principal.
    Managed,
    /// Inline policy of a user, group or role: any version, no principal.
    Inline,
    /// Managed policy used as permissions boundary: as [`DocumentKind::Managed`].
    Boundary,
    /// Inline session policy of AssumeRole or GetFederationToken: incomplete ARNs are refused.
    Session,
    /// Trust policy of a role: principals, no resources, only `sts:` actions.
    Trust,
    /// ECR repository policy: principals, no resources, only `ecr:` actions (ecr.md §6.1).
    Repository,
    /// ECR registry policy: principals and repository ARNs, only `ecr:` actions (ecr.md §6.2).
    Registry,
}

impl DocumentKind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [DocumentKind; 7] = [
        DocumentKind::Managed,
        DocumentKind::Inline,
        DocumentKind::Boundary,
        DocumentKind::Session,
        DocumentKind::Trust,
        DocumentKind::Repository,
        DocumentKind::Registry,
    ];

    /// True for the kinds whose statements name principals.
    pub fn has_principals(self) -> bool {
        matches!(self, DocumentKind::Trust | DocumentKind::Repository | DocumentKind::Registry)
    }

    /// True for the kinds whose resource is the thing that they are attached to.
    pub fn implies_resource(self) -> bool {
        matches!(self, DocumentKind::Trust | DocumentKind::Repository)
    }
}

/// One policy document, compiled. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Document {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    text: Box<str>,
    kind: DocumentKind,
    statements: Vec<Statement>,
    unreadable: Option<DocumentError>,
}

/// Longest document read, in characters (the model's `policyDocumentType`).
const LONGEST_TEXT: usize = 131_072;

impl Document {
    /// Reads a document that somebody submits: all checks of iam.md §3.4, in AWS's order.
    ///
    /// In: JSON text of at most 131,072 characters. Errors: [`DocumentError`], whose `Display` is AWS's sentence.
    /// Quotas (`compact_size`) and the existence of principals are the caller's business.
    pub fn parse(text: &str, kind: DocumentKind) -> Result<Document, DocumentError> {
        Document::read(text, kind, true)
    }

    /// Reads a document from storage; never fails, but fails closed.
    ///
    /// Rules of style are not applied again: what was accepted once keeps its meaning when the rules get
    /// stricter. A text that cannot be compiled (corruption, an operator of a newer release) gives a document
    /// that denies every request; [`Document::unreadable`] says why, for the log.
    pub fn load(text: &str, kind: DocumentKind) -> Document {
        Document::read(text, kind, false).unwrap_or_else(|error| Document {
            inner: Arc::new(Inner {
                text: text.into(),
                kind,
                statements: Vec::new(),
                unreadable: Some(error),
            }),
        })
    }

    fn read(text: &str, kind: DocumentKind, submitted: bool) -> Result<Document, DocumentError> {
        let explain = |(fault, offset): (Fault, usize)| DocumentError::new(kind, fault, text, offset);
        if text.len() > LONGEST_TEXT && text.chars().count() > LONGEST_TEXT {
            return Err(explain((Fault::Syntax, 0)));
        }
        let raw = raw::read(text).map_err(explain)?;
        if submitted {
            check::check(&raw, kind).map_err(explain)?;
        }
        let statements = raw
            .statements
            .iter()
            .map(|statement| Statement::compile(statement, raw.variables, kind))
            .collect::<Result<_, _>>()
            .map_err(explain)?;
        Ok(Document { inner: Arc::new(Inner { text: text.into(), kind, statements, unreadable: None }) })
    }

    /// The text, byte for byte as it was given.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// Where the document is attached.
    pub fn kind(&self) -> DocumentKind {
        self.inner.kind
    }

    /// The statements in the order of the text.
    pub fn statements(&self) -> &[Statement] {
        &self.inner.statements
    }

    /// Why a stored document could not be compiled; such a document denies everything.
    pub fn unreadable(&self) -> Option<&DocumentError> {
        self.inner.unreadable.as_ref()
    }

    /// Line and column where a statement begins and ends; `None` when there is no such statement.
    pub fn span(&self, statement: usize) -> Option<Span> {
        let (start, end) = self.inner.statements.get(statement)?.offsets();
        Some(Span { start: Position::of(&self.inner.text, start), end: Position::of(&self.inner.text, end) })
    }

    /// The `AWS` principals that the statements name (`Principal` and `NotPrincipal`), in order.
    ///
    /// Those with an [`PolicyPrincipal::entity_arn`] must exist when the document is saved (iam.md §3.2).
    pub fn principals(&self) -> impl Iterator<Item = &PolicyPrincipal> {
        self.inner
            .statements
            .iter()
            .flat_map(Statement::principals)
            .filter(|principal| principal.class() == PrincipalClass::Aws)
    }

    /// The error for a principal of this document that turns out not to exist: `Invalid principal in policy: …`.
    pub fn unknown_principal(&self, principal: &PolicyPrincipal) -> DocumentError {
        let fault = Fault::InvalidPrincipal { class: principal.class(), text: principal.text().to_owned() };
        DocumentError::new(self.inner.kind, fault, &self.inner.text, principal.offsets().0)
    }

    /// Binds the user and role ARNs among the principals to unique ids.
    ///
    /// `resolve` gets an ARN and answers the id (`AIDA…`, `AROA…`) that it meant when the document was saved,
    /// or `None` to leave it unbound. A bound principal matches by id only: an entity that is deleted and made
    /// again under the same name does not inherit the grant (iam.md §3.2).
    pub fn bind_principals(&mut self, resolve: &mut dyn FnMut(&str) -> Option<String>) {
        let inner = Arc::make_mut(&mut self.inner);
        for statement in &mut inner.statements {
            for principal in statement.principals_mut() {
                principal.bind(resolve);
            }
        }
    }

    /// The text with principals as AWS shows them on read.
    ///
    /// `render` gets each `AWS` principal and answers the text to show instead, or `None` to keep what was
    /// written: the current ARN while the bound entity lives, its bare id afterwards (iam.md §3.2). All else
    /// stays byte for byte. Account ids become the account's root ARN without asking.
    pub fn text_with_principals(&self, render: &mut dyn FnMut(&PolicyPrincipal) -> Option<String>) -> String {
        let mut text = String::with_capacity(self.inner.text.len());
        let mut copied = 0;
        let mut places: Vec<(&PolicyPrincipal, Option<String>)> = self
            .principals()
            .map(|principal| (principal, render(principal).or_else(|| principal.account_as_arn())))
            .collect();
        places.sort_by_key(|(principal, _)| principal.offsets().0);
        for (principal, shown) in places {
            let (start, end) = principal.offsets();
            let (Some(shown), Some(between)) = (shown, self.inner.text.get(copied..start)) else {
                continue;
            };
            text.push_str(between);
            text.push_str(&quoted(&shown));
            copied = end;
        }
        text.push_str(self.inner.text.get(copied..).unwrap_or_default());
        text
    }

    /// Every condition key and policy variable in the document, first spelling seen, without repetition.
    pub fn context_keys(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.inner
            .statements
            .iter()
            .flat_map(Statement::context_keys)
            .filter(|key| seen.insert(crate::context::fold(key)))
            .map(str::to_owned)
            .collect()
    }
}

/// A JSON string literal.
fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            control if control < ' ' => literal.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests;
