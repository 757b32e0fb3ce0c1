//! Parameters to a value of the shape's form.
//!
//! The shape leads: for every member the parameters are asked for its name, so unknown parameters cost nothing
//! and the depth is the schema's. Lists accept gaps and are ordered by number (iam.md §2.1).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Parameters;
use crate::{
    blob,
    decode::DecodeError,
    shape::{Kind, Shape},
};

/// Value of the form of `shape`; absent parameters are absent members.
pub(super) fn value(shape: &'static Shape, parameters: &Parameters) -> Result<Value, DecodeError> {
    let mut object = Map::new();
    for member in shape.members() {
        if let Some(value) = at(member.shape, member.name, parameters)? {
            object.insert(member.name.to_owned(), value);
        }
    }
    Ok(Value::Object(object))
}

/// Value under a parameter name or prefix; `None` when nothing is there.
fn at(shape: &'static Shape, name: &str, parameters: &Parameters) -> Result<Option<Value>, DecodeError> {
    match shape.kind {
        Kind::Structure(members) => {
            let mut object = Map::new();
            for member in members {
                if let Some(value) = at(member.shape, &format!("{name}.{}", member.name), parameters)? {
                    object.insert(member.name.to_owned(), value);
                }
            }
            // A structure of which only unknown members were sent is there, but empty.
            let present = !object.is_empty() || parameters.names(&format!("{name}.")).next().is_some();
            Ok(present.then_some(Value::Object(object)))
        }
        Kind::List { member, max, .. } => {
            let prefix = format!("{name}.member.");
            let numbers = numbers(&prefix, parameters);
            if numbers.is_empty() {
                // SDKs send an empty list as `Name=`.
                return Ok(parameters.get(name).map(|_| Value::Array(Vec::new())));
            }
            let most =
                max.and_then(|max| usize::try_from(max).ok()).map_or(usize::MAX, |max| max.saturating_add(1));
            let mut list = Vec::new();
            for number in numbers.into_iter().take(most) {
                list.push(at(member, &format!("{prefix}{number}"), parameters)?.unwrap_or(Value::Null));
            }
            Ok(Some(Value::Array(list)))
        }
        Kind::Map { value, .. } => {
            let prefix = format!("{name}.entry.");
            let numbers = numbers(&prefix, parameters);
            if numbers.is_empty() {
                return Ok(parameters.get(name).map(|_| Value::Object(Map::new())));
            }
            let mut entries = Map::new();
            for number in numbers {
                let key = parameters.get(&format!("{prefix}{number}.key")).unwrap_or_default();
                let entry = at(value, &format!("{prefix}{number}.value"), parameters)?;
                entries.insert(key.to_owned(), entry.unwrap_or(Value::Null));
            }
            Ok(Some(Value::Object(entries)))
        }
        _ => parameters.get(name).map(|text| scalar(shape, name, text)).transpose(),
    }
}

/// The element numbers under `Name.member.`, in order; without leading zeros, so that each has one spelling.
fn numbers(prefix: &str, parameters: &Parameters) -> BTreeSet<u32> {
    parameters
        .names(prefix)
        .filter_map(|name| name.strip_prefix(prefix)?.split('.').next())
        .filter(|digits| !digits.starts_with(['0', '+']))
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

fn scalar(shape: &'static Shape, name: &str, text: &str) -> Result<Value, DecodeError> {
    let (value, expected) = match shape.kind {
        Kind::Integer { .. } => (text.parse::<i32>().ok().map(Value::from), "an integer of 32 bits"),
        Kind::Long { .. } => (text.parse::<i64>().ok().map(Value::from), "an integer of 64 bits"),
        Kind::Boolean => (text.parse::<bool>().ok().map(Value::from), "true or false"),
        Kind::Blob { .. } => {
            (blob::decoded_length(text).map(|_| Value::String(text.to_owned())), "base64 text")
        }
        Kind::Double => {
            (text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number), "a number")
        }
        Kind::Timestamp => {
            // No input of IAM or STS has one (iam.md §2.1); read for completeness of the protocol.
            let instant = text.parse::<jiff::Timestamp>().ok();
            (instant.map(|instant| Value::from(instant.as_second())), "an ISO 8601 date and time")
        }
        _ => (Some(Value::String(text.to_owned())), "text"),
    };
    value.ok_or_else(|| DecodeError::Serialization {
        path: name.to_owned(),
        expected,
        found: "other text".to_owned(),
    })
}
