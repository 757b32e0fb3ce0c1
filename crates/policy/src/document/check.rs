//! The rules that a submitted document must keep, in the order in which AWS reports them (iam.md §3.4).
//!
//! Identity documents and documents with principals have different rules and different sentences. Nothing here
//! affects what a document means; [`super::Statement::compile`] alone decides that.

use std::collections::HashSet;

use super::DocumentKind;
use super::error::Fault;
use super::principal::{self, PrincipalClass};
use super::raw::{Located, RawDocument, RawList, RawStatement};
use super::resource_rules;
use crate::condition::Instant;

/// Checks a document; out: the fault that AWS would report first.
pub(super) fn check(document: &RawDocument, kind: DocumentKind) -> Result<(), Located> {
    let statements = &document.statements;
    if kind.has_principals() {
        for statement in statements {
            required(statement, kind)?;
        }
        return check_with_principals(statements, kind);
    }
    // A missing Effect is a syntax error and therefore reported before anything about contents.
    each(statements, |statement| if statement.effect.is_none() { Err(Fault::Syntax) } else { Ok(()) })?;
    if matches!(kind, DocumentKind::Managed | DocumentKind::Boundary) && !document.variables {
        let place = document.version.as_ref().map_or(0, |(_, place)| *place);
        return Err((Fault::OldVersion, place));
    }
    each(statements, legacy)?;
    sids(statements)?;
    each(statements, |statement| match &statement.action {
        Some(list) if !list.values.is_empty() => Ok(()),
        _ => Err(Fault::NoActions),
    })?;
    each(
        statements,
        |statement| if statement.principal.is_some() { Err(Fault::HasPrincipal) } else { Ok(()) },
    )?;
    each(statements, |statement| {
        let complete = kind == DocumentKind::Session;
        values(&statement.resource).try_for_each(|resource| resource_rules::check(resource, complete))
    })?;
    each(statements, |statement| values(&statement.action).try_for_each(action))?;
    each(statements, |statement| match &statement.resource {
        Some(list) if !list.values.is_empty() => Ok(()),
        _ => Err(Fault::NoResources),
    })
}

/// Presence and absence of elements in documents with principals.
fn required(statement: &RawStatement, kind: DocumentKind) -> Result<(), Located> {
    let fault = |fault| Err((fault, statement.start));
    if statement.effect.is_none() {
        return fault(Fault::MissingField("Effect"));
    }
    match &statement.resource {
        Some(list) if kind.implies_resource() => {
            return fault(Fault::ProhibitedField(if list.negated { "NotResource" } else { "Resource" }));
        }
        None if !kind.implies_resource() => return fault(Fault::MissingField("Resource")),
        _ => {}
    }
    match &statement.principal {
        // Everybody but a few would be let in, also everybody yet to come.
        Some(list) if list.negated && !is_deny(statement) => {
            return fault(Fault::ProhibitedField("NotPrincipal"));
        }
        Some(list) if !list.list.is_empty() => {}
        _ => return fault(Fault::MissingField("Principal")),
    }
    match &statement.action {
        Some(list) if !list.values.is_empty() => Ok(()),
        _ => fault(Fault::MissingField("Action")),
    }
}

fn check_with_principals(statements: &[RawStatement], kind: DocumentKind) -> Result<(), Located> {
    each(statements, legacy)?;
    for statement in statements {
        let actions = || values(&statement.action);
        match kind {
            DocumentKind::Trust => {
                let negated = statement.action.as_ref().is_some_and(|list| list.negated);
                let foreign = |action: &str| !vendor_is(action, "sts");
                if negated || actions().any(foreign) {
                    return Err((Fault::TrustAction, statement.start));
                }
            }
            _ => {
                actions().try_for_each(action).map_err(|fault| (fault, statement.start))?;
                if let Some(foreign) = actions().find(|action| *action != "*" && !vendor_is(action, "ecr")) {
                    return Err((Fault::ForeignAction(foreign.to_owned()), statement.start));
                }
            }
        }
        if kind == DocumentKind::Registry {
            registry_resources(statement)?;
        }
        for principal in statement.principal.iter().flat_map(|principals| &principals.list) {
            if !principal::can_exist(principal.class, &principal.text) {
                let fault = Fault::InvalidPrincipal { class: principal.class, text: principal.text.clone() };
                return Err((fault, principal.start));
            }
        }
        // A service or a provider cannot be a federated identity of a repository; only trust knows those.
        let federated = |class| matches!(class, PrincipalClass::Federated | PrincipalClass::CanonicalUser);
        if kind != DocumentKind::Trust
            && let Some(principal) = statement
                .principal
                .iter()
                .flat_map(|principals| &principals.list)
                .find(|p| federated(p.class))
        {
            let fault = Fault::InvalidPrincipal { class: principal.class, text: principal.text.clone() };
            return Err((fault, principal.start));
        }
    }
    // ECR does not ask for unique Sids (ecr.md §6.1).
    if kind == DocumentKind::Trust { sids(statements) } else { Ok(()) }
}

fn registry_resources(statement: &RawStatement) -> Result<(), Located> {
    let list = values(&statement.resource);
    for resource in list {
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        let repository = match parts.as_slice() {
            [_, _, "ecr", _, _, path] => *path == "*" || path.starts_with("repository/"),
            _ => resource == "*",
        };
        resource_rules::check(resource, true).map_err(|fault| (fault, statement.start))?;
        if !repository {
            return Err((Fault::ForeignResource(resource.to_owned()), statement.start));
        }
    }
    let empty = statement.resource.as_ref().is_none_or(|list| list.values.is_empty());
    if empty { Err((Fault::MissingField("Resource"), statement.start)) } else { Ok(()) }
}

fn each(
    statements: &[RawStatement],
    rule: impl Fn(&RawStatement) -> Result<(), Fault>,
) -> Result<(), Located> {
    statements.iter().try_for_each(|statement| rule(statement).map_err(|fault| (fault, statement.start)))
}

fn values(list: &Option<RawList>) -> impl Iterator<Item = &str> {
    list.iter().flat_map(|list| &list.values).map(String::as_str)
}

fn is_deny(statement: &RawStatement) -> bool {
    statement.effect.as_deref().is_some_and(|effect| effect.eq_ignore_ascii_case("Deny"))
}

fn vendor_is(action: &str, vendor: &str) -> bool {
    action.split_once(':').is_some_and(|(prefix, _)| prefix.eq_ignore_ascii_case(vendor))
}

fn legacy(statement: &RawStatement) -> Result<(), Fault> {
    let exact = matches!(statement.effect.as_deref(), Some("Allow" | "Deny"));
    let dates = statement.conditions.iter().filter(|condition| condition.operator.is_date());
    let readable = dates.flat_map(|condition| &condition.values).all(|value| Instant::parse(value).is_some());
    let resources =
        values(&statement.resource).all(|resource| !resource_rules::fails_legacy_parsing(resource));
    if exact && readable && resources { Ok(()) } else { Err(Fault::Legacy) }
}

fn sids(statements: &[RawStatement]) -> Result<(), Located> {
    let mut seen = HashSet::new();
    for statement in statements {
        let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else {
            continue;
        };
        // The sentence is AWS's; its place in the order is (unverified).
        if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err((Fault::SidCharacters, statement.start));
        }
        if !seen.insert(sid) {
            return Err((Fault::DuplicateSid, statement.start));
        }
    }
    Ok(())
}

fn action(text: &str) -> Result<(), Fault> {
    if text == "*" {
        return Ok(());
    }
    let Some((vendor, name)) = text.split_once(':') else {
        return Err(Fault::ActionVendorMissing);
    };
    if name.contains(':') {
        return Err(Fault::ActionColons);
    }
    let plain = vendor.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if vendor == "*" || (plain && !vendor.is_empty()) {
        Ok(())
    } else {
        Err(Fault::ActionVendor(vendor.to_owned()))
    }
}
