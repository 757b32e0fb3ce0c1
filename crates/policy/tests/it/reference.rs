//! A second evaluator, written from iam.md §3 and §4 to be obviously right instead of fast.
//!
//! It works on JSON values at every request, expands nothing in advance, matches patterns by memoised recursion,
//! and shares no code with the engine. It knows valid documents only.

use std::collections::{BTreeMap, HashMap};

use policy::{Principal, Request, Values};
use serde_json::Value;

/// The documents of one evaluation, as JSON.
#[derive(Default, Clone, Debug)]
pub(crate) struct Policies {
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    pub(crate) session: Option<Vec<Value>>,
    pub(crate) resource: Vec<Value>,
    pub(crate) guard_rail: Vec<Value>,
    pub(crate) trust: Option<Value>,
    /// Principal ARN to unique id.
    pub(crate) bound: BTreeMap<String, String>,
}

/// One character of a pattern.
#[derive(Clone, Copy)]
enum Mark {
    Exactly(char),
    /// `?`; true: also a colon.
    One(bool),
    /// `*`; true: also colons.
    Run(bool),
}

fn glob(pattern: &[Mark], text: &[char], memo: &mut HashMap<(usize, usize), bool>) -> bool {
    if let Some(known) = memo.get(&(pattern.len(), text.len())) {
        return *known;
    }
    let answer = match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some((Mark::Exactly(letter), rest)), Some((first, tail))) => {
            letter == first && glob(rest, tail, memo)
        }
        (Some((Mark::One(colon), rest)), Some((first, tail))) => {
            (*colon || *first != ':') && glob(rest, tail, memo)
        }
        (Some((Mark::Run(colon), rest)), _) => {
            glob(rest, text, memo)
                || text
                    .split_first()
                    .is_some_and(|(first, tail)| (*colon || *first != ':') && glob(pattern, tail, memo))
        }
        (Some(_), None) => false,
    };
    memo.insert((pattern.len(), text.len()), answer);
    answer
}

fn globs(pattern: &[Mark], text: &str) -> bool {
    glob(pattern, &text.chars().collect::<Vec<_>>(), &mut HashMap::new())
}

/// The value of a single-valued key.
fn single(request: &Request<'_>, key: &str) -> Option<String> {
    match request.context.values(&policy::fold(key)) {
        Some(Values::One(value)) => Some(value.into_owned()),
        _ => None,
    }
}

/// Pattern characters of a text with variables filled in; `None` when a variable has no value.
fn marks(text: &str, wild: bool, variables: bool, request: &Request<'_>) -> Option<Vec<Mark>> {
    let mut marks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if variables && rest.starts_with("${") && rest.contains('}') {
            let body = &rest[2..rest.find('}').unwrap()];
            rest = &rest[rest.find('}').unwrap() + 1..];
            let value = if ["*", "?", "$"].contains(&body) {
                body.to_owned()
            } else if let Some((key, default)) = body.split_once(", ") {
                single(request, key).unwrap_or_else(|| default.trim_matches('\'').to_owned())
            } else {
                single(request, body)?
            };
            marks.extend(value.chars().map(Mark::Exactly));
            continue;
        }
        let letter = rest.chars().next().unwrap();
        marks.push(match letter {
            '*' if wild => Mark::Run(true),
            '?' if wild => Mark::One(true),
            other => Mark::Exactly(other),
        });
        rest = &rest[letter.len_utf8()..];
    }
    Some(marks)
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(list).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

fn resource_matches(pattern: &str, variables: bool, request: &Request<'_>) -> bool {
    if pattern == "*" {
        return true;
    }
    let given: Vec<&str> = pattern.splitn(6, ':').collect();
    let reading = |parts: &[&str]| {
        let mut all = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                all.push(Mark::Exactly(':'));
            }
            if index == 5 {
                all.extend(marks(part, true, variables, request)?);
                continue;
            }
            for (position, letter) in part.char_indices() {
                all.push(match letter {
                    '*' => Mark::Run(position + 1 == part.len()),
                    '?' => Mark::One(false),
                    other => Mark::Exactly(other),
                });
            }
        }
        Some(globs(&all, request.resource))
    };
    let mut completed = given.clone();
    completed.resize(6, "*");
    let raw_counts = given.len() == 6 || given.iter().any(|part| part.ends_with('*'));
    reading(&completed) == Some(true) || (raw_counts && reading(&given) == Some(true))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn nanoseconds(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>()
        && text.len() != 4
    {
        return Some(i128::from(seconds) * 1_000_000_000);
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_nanosecond());
    }
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let date: jiff::civil::Date = whole.parse().ok()?;
    Some(jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_nanosecond())
}

fn address_bits(text: &str) -> Option<(bool, u128)> {
    match text.parse::<std::net::IpAddr>().ok()? {
        std::net::IpAddr::V4(address) => Some((true, u128::from(u32::from(address)) << 96)),
        std::net::IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => Some((true, u128::from(u32::from(mapped)) << 96)),
            None => Some((false, u128::from(address))),
        },
    }
}

fn in_network(network: &str, address: &str) -> bool {
    let (base, length) = network.split_once('/').unwrap_or((network, ""));
    let (Some((base_is_4, base)), Some((is_4, bits))) = (address_bits(base), address_bits(address)) else {
        return false;
    };
    let whole: u32 = if base_is_4 { 32 } else { 128 };
    let length = if length.is_empty() { Some(whole) } else { length.parse().ok() };
    let Some(length) = length.filter(|length| *length <= whole) else {
        return false;
    };
    let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
    base_is_4 == is_4 && base & mask == bits & mask
}

/// The positive form of an operator on one operand and one value.
fn compares(base: &str, operand: &str, value: &str, variables: bool, request: &Request<'_>) -> bool {
    let plain = |wild: bool| marks(operand, wild, variables, request);
    let ordered = |order: Option<std::cmp::Ordering>, name: &str| {
        order.is_some_and(|order| match name {
            "Equals" => order.is_eq(),
            "LessThan" => order.is_lt(),
            "LessThanEquals" => order.is_le(),
            "GreaterThan" => order.is_gt(),
            "GreaterThanEquals" => order.is_ge(),
            other => panic!("operator {other}"),
        })
    };
    if let Some(name) = base.strip_prefix("Numeric") {
        return ordered(number(value).zip(number(operand)).and_then(|(a, b)| a.partial_cmp(&b)), name);
    }
    if let Some(name) = base.strip_prefix("Date") {
        return ordered(nanoseconds(value).zip(nanoseconds(operand)).map(|(a, b)| a.cmp(&b)), name);
    }
    match base {
        "StringEquals" => plain(false).is_some_and(|marks| globs(&marks, value)),
        "StringLike" => plain(true).is_some_and(|marks| globs(&marks, value)),
        "StringEqualsIgnoreCase" => plain(false).is_some_and(|marks| {
            let text: String = marks
                .iter()
                .map(|mark| if let Mark::Exactly(letter) = mark { *letter } else { '?' })
                .collect();
            text.to_lowercase() == value.to_lowercase()
        }),
        "Bool" => {
            ["true", "false"].contains(&operand.to_lowercase().as_str())
                && operand.eq_ignore_ascii_case(value)
        }
        "IpAddress" => in_network(operand, value),
        "BinaryEquals" => false,
        "Arn" => {
            let Some(marks) = plain(true) else { return false };
            let mut parts: Vec<Vec<Mark>> = vec![Vec::new()];
            for mark in marks {
                if matches!(mark, Mark::Exactly(':')) && parts.len() < 6 {
                    parts.push(Vec::new());
                } else {
                    parts.last_mut().unwrap().push(mark);
                }
            }
            let values: Vec<&str> = value.splitn(6, ':').collect();
            parts.len() == 6
                && values.len() == 6
                && values[0] == "arn"
                && parts.iter().zip(&values).all(|(part, value)| globs(part, value))
        }
        other => panic!("operator {other}"),
    }
}

fn condition_holds(
    operator: &str,
    key: &str,
    operands: &[String],
    variables: bool,
    request: &Request<'_>,
) -> bool {
    let (set, rest) = match operator.split_once(':') {
        Some((set, rest)) => (set, rest),
        None => ("", operator),
    };
    let (rest, if_exists) = (rest.trim_end_matches("IfExists"), rest.ends_with("IfExists"));
    let values: Vec<String> = match request.context.values(&policy::fold(key)) {
        Some(Values::One(value)) => vec![value.into_owned()],
        Some(Values::Many(values)) => values.to_vec(),
        Some(Values::Binary(_)) | None => Vec::new(),
    };
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    if rest == "Null" {
        return operands
            .iter()
            .any(|operand| operand.eq_ignore_ascii_case(if values.is_empty() { "true" } else { "false" }));
    }
    let negated = rest.contains("Not");
    let base = rest.replace("Not", "");
    let base = match base.as_str() {
        "ArnLike" | "ArnEquals" => "Arn",
        other => other,
    };
    if values.is_empty() {
        return if_exists || set == "ForAllValues" || (set.is_empty() && negated);
    }
    let hit =
        |value: &&str| operands.iter().any(|operand| compares(base, operand, value, variables, request));
    match (set, negated) {
        ("", false) | ("ForAnyValue", false) => values.iter().any(hit),
        ("", true) | ("ForAllValues", true) => !values.iter().any(hit),
        ("ForAnyValue", true) => !values.iter().all(hit),
        ("ForAllValues", false) => values.iter().all(hit),
        other => panic!("set operator {other:?}"),
    }
}

/// How a principal entry names the caller: `everyone`, `account`, `entity`, `session`.
fn names(
    class: &str,
    text: &str,
    caller: &Principal,
    bound: &BTreeMap<String, String>,
) -> Option<&'static str> {
    let account = caller.account();
    match class {
        "Federated" => matches!(caller, Principal::WebIdentity { provider_arn, .. } if provider_arn == text)
            .then_some("entity"),
        "Service" => matches!(caller, Principal::Service { name, .. } if name == text).then_some("entity"),
        "AWS" => {
            if text == "*" {
                return Some("everyone");
            }
            if text == account.as_str() || text == format!("arn:aws:iam::{account}:root") {
                return (!matches!(caller, Principal::WebIdentity { .. })).then_some("account");
            }
            let entity = match caller {
                Principal::User { path, name, id, .. } => {
                    Some((format!("arn:aws:iam::{account}:user{path}{name}"), id))
                }
                Principal::FederatedUser { user: Some(user), .. } => {
                    Some((format!("arn:aws:iam::{account}:user{}{}", user.path, user.name), &user.id))
                }
                Principal::RoleSession { role_path, role_name, role_id, .. } => {
                    Some((format!("arn:aws:iam::{account}:role{role_path}{role_name}"), role_id))
                }
                _ => None,
            };
            if let Some((arn, id)) = entity {
                let matched = match bound.get(text) {
                    Some(bound) => bound == id,
                    None => arn == text,
                };
                if matched {
                    return Some("entity");
                }
            }
            let session = match caller {
                Principal::RoleSession { role_name, session_name, .. } => {
                    format!("arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}")
                }
                Principal::FederatedUser { name, .. } => {
                    format!("arn:aws:sts::{account}:federated-user/{name}")
                }
                _ => return None,
            };
            (session == text).then_some("session")
        }
        _ => None,
    }
}

fn entries(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::String(text) => vec![("AWS".to_owned(), text.clone())],
        Value::Object(members) => members
            .iter()
            .flat_map(|(class, texts)| list(texts).into_iter().map(move |text| (class.clone(), text)))
            .collect(),
        other => panic!("principal {other}"),
    }
}

/// 3: enough by itself, 2: capped by boundary and session, 1: only delegates, 0: does not apply.
fn strength(document: &Value, statement: &Value, policies: &Policies, request: &Request<'_>) -> u8 {
    let variables = document["Version"] == "2012-10-17";
    let action = |pattern: String| {
        let marks = marks(&pattern.to_lowercase(), true, false, request).unwrap();
        globs(&marks, &request.action.to_lowercase())
    };
    let resource = |pattern: String| resource_matches(&pattern, variables, request);
    let actions = match statement.get("Action") {
        Some(value) => list(value).into_iter().any(action),
        None => !list(&statement["NotAction"]).into_iter().any(action),
    };
    let resources = match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(value), _) => list(value).into_iter().any(resource),
        (None, Some(value)) => !list(value).into_iter().any(resource),
        (None, None) => request.resource != "*",
    };
    let empty = serde_json::Map::new();
    let conditions = statement.get("Condition").and_then(Value::as_object).unwrap_or(&empty);
    let conditions = conditions.iter().all(|(operator, keys)| {
        keys.as_object()
            .unwrap()
            .iter()
            .all(|(key, operands)| condition_holds(operator, key, &list(operands), variables, request))
    });
    if !(actions && resources && conditions) {
        return 0;
    }
    let caller = request.principal;
    let web = matches!(caller, Principal::WebIdentity { .. });
    if let Some(value) = statement.get("NotPrincipal") {
        let named: Vec<_> = entries(value)
            .iter()
            .filter_map(|(class, text)| names(class, text, caller, &policies.bound))
            .collect();
        let needed: &[&str] = match caller {
            Principal::Root { .. } => &["account"],
            Principal::User { .. } => &["account", "entity"],
            Principal::RoleSession { .. } | Principal::FederatedUser { user: Some(_), .. } => {
                &["account", "entity", "session"]
            }
            Principal::FederatedUser { user: None, .. } => &["account", "session"],
            Principal::WebIdentity { .. } | Principal::Service { .. } => &["entity"],
        };
        let exempt = policies.boundary.is_none() && needed.iter().all(|part| named.contains(part));
        return if exempt || named.contains(&"everyone") { 0 } else { 3 };
    }
    let Some(value) = statement.get("Principal") else {
        return 3;
    };
    let capped = matches!(caller, Principal::RoleSession { .. } | Principal::FederatedUser { .. });
    let strength = |(class, text): &(String, String)| match names(class, text, caller, &policies.bound) {
        Some("everyone") if web && statement["Effect"] == "Allow" => 0,
        Some("everyone" | "session") => 3,
        Some("account") => 1,
        Some(_) if capped => 2,
        Some(_) => 3,
        None => 0,
    };
    entries(value).iter().map(strength).max().unwrap_or(0)
}

fn best(documents: &[Value], effect: &str, policies: &Policies, request: &Request<'_>) -> u8 {
    let mut best = 0;
    for document in documents {
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.clone(),
            other => vec![other.clone()],
        };
        for statement in statements.iter().filter(|statement| statement["Effect"] == effect) {
            best = best.max(strength(document, statement, policies, request));
        }
    }
    best
}

/// The decision in the words of the corpus: `allow`, `explicit identity`, `implicit session`, …
pub(crate) fn decide(policies: &Policies, request: &Request<'_>) -> String {
    let caller = request.principal;
    let action = request.action.to_lowercase();
    let root = matches!(caller, Principal::Root { .. });
    let own = caller.account() == request.resource_account;
    let boundary: Vec<Value> = policies.boundary.iter().cloned().collect();
    let session: Vec<Value> = policies.session.clone().unwrap_or_default();
    let trust: Option<Vec<Value>> = policies.trust.clone().map(|trust| vec![trust]);
    if trust.is_none() && ["sts:getcalleridentity", "sts:getsessiontoken"].contains(&action.as_str()) {
        return "allow".to_owned();
    }
    if trust.is_some() && root {
        return "implicit trust".to_owned();
    }
    let repair = [
        "ecr:getrepositorypolicy",
        "ecr:setrepositorypolicy",
        "ecr:deleterepositorypolicy",
        "ecr:putregistrypolicy",
        "ecr:deleteregistrypolicy",
    ];
    let (side, side_name) = match &trust {
        Some(trust) => (trust.clone(), "trust"),
        None if root && own && repair.contains(&action.as_str()) => (Vec::new(), "resource"),
        None => (policies.resource.clone(), "resource"),
    };
    for (documents, name) in [
        (&side, side_name),
        (&policies.identity, "identity"),
        (&boundary, "boundary"),
        (&session, "session"),
        (&policies.guard_rail, "guard rail"),
    ] {
        if best(documents, "Deny", policies, request) > 0 {
            return format!("explicit {name}");
        }
    }
    let allows = |documents: &[Value]| best(documents, "Allow", policies, request);
    if policies.guard_rail.iter().any(|rail| allows(std::slice::from_ref(rail)) == 0) {
        return "implicit guard rail".to_owned();
    }
    let granted = allows(&side);
    if trust.is_some() {
        if granted == 0 {
            return "implicit trust".to_owned();
        }
        if matches!(caller, Principal::WebIdentity { .. } | Principal::Service { .. }) {
            return "allow".to_owned();
        }
    }
    if own && granted == 3 && !root {
        return "allow".to_owned();
    }
    let needs_identity =
        !(root || matches!(caller, Principal::FederatedUser { user: None, .. }) || (own && granted == 2));
    if needs_identity && allows(&policies.identity) == 0 {
        return "implicit identity".to_owned();
    }
    // The root of the owning account has no boundary.
    if !(root && own) && policies.boundary.is_some() && allows(&boundary) == 0 {
        return "implicit boundary".to_owned();
    }
    let sessionless = policies.session.is_none();
    let federated = matches!(caller, Principal::FederatedUser { .. });
    if (sessionless && federated) || (!sessionless && allows(&session) == 0) {
        return "implicit session".to_owned();
    }
    if !own && granted == 0 {
        return "implicit resource".to_owned();
    }
    "allow".to_owned()
}
