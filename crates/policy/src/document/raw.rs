//! From JSON to the elements of a policy: the grammar of iam.md §3.1, before any rule about their contents.
//!
//! Lists and single values are made equal here, condition values become texts, and `null` members of a
//! `Resource` list are dropped as AWS does. Everything that the grammar does not know is refused.

use super::error::Fault;
use super::principal::PrincipalClass;
use crate::condition::Operator;
use crate::json::{self, JsonError, Member, Node, Value};

/// Most statements in a document (Design, iam.md §3.3).
const MOST_STATEMENTS: usize = 1_000;
/// Most values in one list (Design, iam.md §3.3).
const MOST_VALUES: usize = 4_096;

/// A fault and the byte offset where it was seen.
pub(super) type Located = (Fault, usize);

/// The elements of a document.
pub(super) struct RawDocument {
    pub(super) version: Option<(String, usize)>,
    /// Version 2012-10-17, under which `${…}` means something.
    pub(super) variables: bool,
    pub(super) statements: Vec<RawStatement>,
}

/// The elements of a statement; positive and negated forms exclude each other.
pub(super) struct RawStatement {
    pub(super) sid: Option<String>,
    /// `Allow` or `Deny` in any case; `None` when the element is missing.
    pub(super) effect: Option<String>,
    pub(super) principal: Option<RawPrincipals>,
    pub(super) action: Option<RawList>,
    pub(super) resource: Option<RawList>,
    pub(super) conditions: Vec<RawCondition>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// `Principal` or `NotPrincipal`.
pub(super) struct RawPrincipals {
    pub(super) negated: bool,
    pub(super) list: Vec<RawPrincipal>,
}

/// One principal: its class, text, and place of the text.
pub(super) struct RawPrincipal {
    pub(super) class: PrincipalClass,
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// `Action`, `NotAction`, `Resource` or `NotResource`.
pub(super) struct RawList {
    pub(super) negated: bool,
    pub(super) values: Vec<String>,
}

/// One key under one operator.
pub(super) struct RawCondition {
    pub(super) operator: Operator,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// Reads a document.
pub(super) fn read(text: &str) -> Result<RawDocument, Located> {
    let node = json::parse(text).map_err(|error| match error {
        JsonError::Malformed(_) | JsonError::Duplicate(..) | JsonError::Deep(_) => {
            (Fault::Json, error.offset())
        }
    })?;
    let (start, Value::Object(members)) = (node.start, node.value) else {
        return Err((Fault::Syntax, 0));
    };
    let mut version = None;
    let mut statements = None;
    for Member { name, node } in members {
        match name.as_str() {
            "Version" => version = Some((string(&node)?, node.start)),
            "Id" => drop(string(&node)?),
            "Statement" => statements = Some(read_statements(node)?),
            _ => return Err((Fault::Syntax, node.start)),
        }
    }
    let variables = match version.as_ref().map(|(text, place)| (text.as_str(), place)) {
        Some(("2012-10-17", _)) => true,
        Some(("2008-10-17", _)) | None => false,
        Some((_, place)) => return Err((Fault::UnknownVersion, *place)),
    };
    let statements = statements.ok_or((Fault::Syntax, start))?;
    Ok(RawDocument { version, variables, statements })
}

fn read_statements(node: Node) -> Result<Vec<RawStatement>, Located> {
    let place = node.start;
    let nodes = match node.value {
        Value::Object(_) => vec![node],
        Value::Array(nodes) => nodes,
        _ => return Err((Fault::Syntax, place)),
    };
    if nodes.is_empty() {
        return Err((Fault::EmptyStatement, place));
    }
    if nodes.len() > MOST_STATEMENTS {
        return Err((Fault::Syntax, place));
    }
    nodes.into_iter().map(read_statement).collect()
}

fn read_statement(node: Node) -> Result<RawStatement, Located> {
    let Value::Object(members) = node.value else {
        return Err((Fault::Syntax, node.start));
    };
    let mut statement = RawStatement {
        sid: None,
        effect: None,
        principal: None,
        action: None,
        resource: None,
        conditions: Vec::new(),
        start: node.start,
        end: node.end,
    };
    for Member { name, node } in members {
        let place = node.start;
        let twice = match name.as_str() {
            "Sid" => {
                statement.sid = Some(string(&node)?);
                false
            }
            "Effect" => {
                let effect = string(&node)?;
                if !effect.eq_ignore_ascii_case("Allow") && !effect.eq_ignore_ascii_case("Deny") {
                    return Err((Fault::Syntax, place));
                }
                statement.effect = Some(effect);
                false
            }
            "Principal" | "NotPrincipal" => {
                let negated = name == "NotPrincipal";
                statement.principal.replace(RawPrincipals { negated, list: principals(node)? }).is_some()
            }
            "Action" | "NotAction" => {
                let negated = name == "NotAction";
                statement.action.replace(RawList { negated, values: strings(node, false)? }).is_some()
            }
            "Resource" | "NotResource" => {
                let negated = name == "NotResource";
                statement.resource.replace(RawList { negated, values: strings(node, true)? }).is_some()
            }
            "Condition" => {
                statement.conditions = conditions(node)?;
                false
            }
            _ => return Err((Fault::Syntax, place)),
        };
        // An element together with its negation.
        if twice {
            return Err((Fault::Syntax, place));
        }
    }
    Ok(statement)
}

fn string(node: &Node) -> Result<String, Located> {
    match &node.value {
        Value::String(text) => Ok(text.clone()),
        _ => Err((Fault::Syntax, node.start)),
    }
}

/// One string or a list of strings; `skip_null` drops `null` members of a list.
fn strings(node: Node, skip_null: bool) -> Result<Vec<String>, Located> {
    let place = node.start;
    match node.value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(nodes) if nodes.len() <= MOST_VALUES => nodes
            .iter()
            .filter(|node| !(skip_null && matches!(node.value, Value::Null)))
            .map(string)
            .collect(),
        _ => Err((Fault::Syntax, place)),
    }
}

fn principals(node: Node) -> Result<Vec<RawPrincipal>, Located> {
    let place = node.start;
    let members = match node.value {
        Value::String(text) if text == "*" => {
            return Ok(vec![RawPrincipal {
                class: PrincipalClass::Aws,
                text,
                start: node.start,
                end: node.end,
            }]);
        }
        Value::Object(members) => members,
        _ => return Err((Fault::Syntax, place)),
    };
    let mut list = Vec::new();
    for Member { name, node } in members {
        let class = PrincipalClass::parse(&name).ok_or((Fault::Syntax, node.start))?;
        let nodes = match node.value {
            Value::Array(nodes) if nodes.len() <= MOST_VALUES => nodes,
            Value::String(_) => vec![node],
            _ => return Err((Fault::Syntax, node.start)),
        };
        for node in nodes {
            list.push(RawPrincipal { class, text: string(&node)?, start: node.start, end: node.end });
        }
    }
    Ok(list)
}

fn conditions(node: Node) -> Result<Vec<RawCondition>, Located> {
    let Value::Object(operators) = node.value else {
        return Err((Fault::Syntax, node.start));
    };
    let mut conditions = Vec::new();
    for Member { name, node } in operators {
        let place = node.start;
        let Value::Object(keys) = node.value else {
            return Err((Fault::Syntax, place));
        };
        let Some(operator) = Operator::parse(&name) else {
            // An unknown operator that asks nothing passes, as on AWS.
            if keys.is_empty() {
                continue;
            }
            return Err((Fault::Syntax, place));
        };
        for Member { name: key, node } in keys {
            conditions.push(RawCondition { operator, key, values: scalars(node)? });
        }
    }
    Ok(conditions)
}

/// One scalar or a list of scalars, as texts.
fn scalars(node: Node) -> Result<Vec<String>, Located> {
    let place = node.start;
    let nodes = match node.value {
        Value::Array(nodes) if nodes.len() <= MOST_VALUES => nodes,
        Value::Array(_) => return Err((Fault::Syntax, place)),
        _ => vec![node],
    };
    nodes
        .into_iter()
        .map(|node| match node.value {
            Value::String(text) | Value::Number(text) => Ok(text),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => Err((Fault::Syntax, node.start)),
        })
        .collect()
}
