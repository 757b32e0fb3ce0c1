//! Compiled statements, and whether one applies to a request.

use super::DocumentKind;
use super::error::Fault;
use super::principal::{MatchKind, PolicyPrincipal, exempt};
use super::raw::{Located, RawList, RawStatement};
use crate::condition::Condition;
use crate::context::Context;
use crate::pattern::{ResourcePattern, Template, Wildcards};
use crate::set::Request;

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Allows, unless something denies.
    Allow,
    /// Denies, whatever allows.
    Deny,
}

/// One compiled statement of a document.
#[derive(Clone, Debug)]
pub struct Statement {
    sid: Option<Box<str>>,
    effect: Effect,
    principals: Option<Element<PolicyPrincipal>>,
    actions: Element<Template>,
    /// `None`: the resource is the one that the document is attached to.
    resources: Option<Element<ResourcePattern>>,
    conditions: Vec<Condition>,
    start: usize,
    end: usize,
}

/// An element or its `Not…` form.
#[derive(Clone, Debug)]
struct Element<T> {
    negated: bool,
    list: Vec<T>,
}

impl<T> Element<T> {
    /// True when some entry matches; negated, when none does.
    fn holds(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.list.iter().any(matches) != self.negated
    }
}

/// A request prepared for many statements.
pub(crate) struct Ask<'a> {
    pub(crate) request: &'a Request<'a>,
    /// The action in lower case: actions are compared without regard to case.
    pub(crate) action: String,
    /// Whether a permissions boundary applies to the caller (`NotPrincipal` never exempts such callers).
    pub(crate) has_boundary: bool,
}

impl Statement {
    /// Compiles a statement; refuses what would have no clear meaning, also in stored documents.
    pub(super) fn compile(
        raw: &RawStatement,
        variables: bool,
        kind: DocumentKind,
    ) -> Result<Statement, Located> {
        let fault = |fault: Fault| (fault, raw.start);
        let effect = match raw.effect.as_deref() {
            Some(effect) if effect.eq_ignore_ascii_case("Allow") => Effect::Allow,
            Some(effect) if effect.eq_ignore_ascii_case("Deny") => Effect::Deny,
            _ => return Err(fault(Fault::MissingField("Effect"))),
        };
        let principals = match (&raw.principal, kind.has_principals()) {
            (Some(_), false) => return Err(fault(Fault::HasPrincipal)),
            (None, true) => return Err(fault(Fault::MissingField("Principal"))),
            (None, false) => None,
            (Some(raw), true) => {
                if raw.negated && effect == Effect::Allow {
                    return Err(fault(Fault::ProhibitedField("NotPrincipal")));
                }
                let list = raw.list.iter().map(|principal| {
                    PolicyPrincipal::new(principal.class, &principal.text, principal.start, principal.end)
                });
                Some(Element { negated: raw.negated, list: list.collect() })
            }
        };
        let resources = match (&raw.resource, kind.implies_resource()) {
            (Some(_), true) => return Err(fault(Fault::ProhibitedField("Resource"))),
            // An empty `NotResource` would cover everything: an empty list is refused like a missing one.
            (None, false) => return Err(fault(Fault::NoResources)),
            (Some(raw), false) if raw.values.is_empty() => return Err(fault(Fault::NoResources)),
            (None, true) => None,
            (Some(raw), false) => Some(element(raw, |text| ResourcePattern::compile(text, variables))),
        };
        let Some(actions) = raw.action.as_ref().filter(|list| !list.values.is_empty()) else {
            return Err(fault(Fault::NoActions));
        };
        let condition = |raw: &super::raw::RawCondition| {
            Condition::compile(raw.operator, &raw.key, &raw.values, variables)
        };
        Ok(Statement {
            sid: raw.sid.as_deref().map(Into::into),
            effect,
            principals,
            actions: element(actions, |text| {
                Template::compile(&text.to_ascii_lowercase(), Wildcards::Yes, false)
            }),
            resources,
            conditions: raw.conditions.iter().map(condition).collect(),
            start: raw.start,
            end: raw.end,
        })
    }

    /// The Sid, as written; `None` when there is none.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Allow or Deny.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The principals of `Principal` or `NotPrincipal`, of every class; none in identity policies.
    pub fn principals(&self) -> impl Iterator<Item = &PolicyPrincipal> {
        self.principals.iter().flat_map(|element| &element.list)
    }

    pub(super) fn principals_mut(&mut self) -> impl Iterator<Item = &mut PolicyPrincipal> {
        self.principals.iter_mut().flat_map(|element| &mut element.list)
    }

    pub(super) fn offsets(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    /// Condition keys and variables, as written, in the order resource, conditions.
    pub(crate) fn context_keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.iter().flat_map(|element| &element.list);
        let conditions = self.conditions.iter();
        resources.flat_map(ResourcePattern::variables).chain(
            conditions.flat_map(|condition| std::iter::once(condition.key()).chain(condition.variables())),
        )
    }

    /// How the statement applies to the request; `None` when it does not.
    ///
    /// Statements of identity policies have no principals and always give [`MatchKind::Enough`].
    pub(crate) fn applies(&self, ask: &Ask<'_>) -> Option<MatchKind> {
        let request = ask.request;
        if !self.concerns(ask) {
            return None;
        }
        let kind = match &self.principals {
            None => MatchKind::Enough,
            Some(element) if element.negated => {
                if exempt(&element.list, request.principal, ask.has_boundary) {
                    return None;
                }
                MatchKind::Enough
            }
            Some(element) => element
                .list
                .iter()
                .filter_map(|principal| principal.kind(request.principal, self.effect))
                .max()?,
        };
        self.conditions.iter().all(|condition| condition.holds(request.context)).then_some(kind)
    }

    /// True when action and resource match, whoever asks and under whatever conditions.
    pub(crate) fn concerns(&self, ask: &Ask<'_>) -> bool {
        let request = ask.request;
        let nothing = Context::new();
        if !self.actions.holds(|action| action.matches(&nothing, &ask.action)) {
            return false;
        }
        match &self.resources {
            // Attached to one resource: actions on `*` (GetAuthorizationToken) are beyond it (ecr.md §6.1).
            None => request.resource != "*",
            Some(element) => element.holds(|pattern| pattern.matches(request.context, request.resource)),
        }
    }
}

fn element<T>(raw: &RawList, compile: impl Fn(&str) -> T) -> Element<T> {
    Element { negated: raw.negated, list: raw.values.iter().map(|text| compile(text)).collect() }
}
