//! Rust structs of requests and responses.
//!
//! Request side: required members are plain, the others `Option`; `Deserialize`, and `Serialize` too, because
//! some of them come back in responses. Response side: everything is `Option` (AWS leaves out members that
//! its model calls required, such as the root user's name), absent ones are not written.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Result, bail};

use super::{
    model::{self, Model, Shape},
    name,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

/// Text of `requests.rs` or `responses.rs`.
pub fn generate(model: &Model, side: Side) -> Result<String> {
    let requests = model.reachable(|operation| operation.input.as_ref());
    let responses = model.reachable(|operation| operation.output.as_ref());
    let mut text = match side {
        Side::Request => String::from("//! Structs of requests.\n\n"),
        Side::Response => String::from("//! Structs that occur only in responses.\n\n"),
    };
    let chosen: BTreeSet<&String> = match side {
        Side::Request => requests.iter().collect(),
        Side::Response => responses.difference(&requests).collect(),
    };
    let mut body = String::new();
    for name in chosen {
        let shape = model.shape(name)?;
        if shape.kind == "structure" {
            let also_response = side == Side::Request && responses.contains(name);
            structure(&mut body, model, name, shape, side, also_response)?;
        }
    }
    match side {
        Side::Request => without_shape(&mut body, model)?,
        Side::Response => shared(&mut body, model)?,
    }
    let mut header = String::new();
    if body.contains("BTreeMap<") {
        header.push_str("use std::collections::BTreeMap;\n\n");
    }
    header.push_str(match side {
        Side::Request if body.contains("Serialize)]") && body.contains(", Serialize") => {
            "use serde::{Deserialize, Serialize};\n\n"
        }
        Side::Request => "use serde::Deserialize;\n\n",
        Side::Response => "use serde::Serialize;\n\n",
    });
    let used = |item: &&str| body.contains(&format!("<{item}>")) || body.contains(&format!(": {item},"));
    let ours: Vec<&str> = ["Blob", "Secret", "Timestamp"].into_iter().filter(used).collect();
    if !ours.is_empty() {
        writeln!(header, "use crate::{{{}}};", ours.join(", "))?;
    }
    if side == Side::Response {
        let shared: Vec<&String> = requests
            .intersection(&responses)
            .filter(|name| model.shapes.get(*name).is_some_and(|shape| shape.kind == "structure"))
            .filter(|name| body.contains(&format!("<{}>", name::camel(name))))
            .collect();
        if !shared.is_empty() {
            let names: Vec<String> = shared.iter().map(|name| name::camel(name)).collect();
            writeln!(header, "use super::requests::{{{}}};", names.join(", "))?;
        }
    }
    text.push_str(&header);
    text.push('\n');
    text.push_str(&body);
    Ok(text)
}

fn structure(
    text: &mut String,
    model: &Model,
    name: &str,
    shape: &Shape,
    side: Side,
    also_response: bool,
) -> Result<()> {
    let serde = match side {
        Side::Request if also_response => "Deserialize, Serialize",
        Side::Request => "Deserialize",
        Side::Response => "Serialize",
    };
    let writes = side == Side::Response || also_response;
    if shape.union {
        writeln!(text, "/// `{name}` of the model: exactly one member is set.")?;
    } else {
        writeln!(text, "/// `{name}` of the model.")?;
    }
    writeln!(text, "#[derive(Debug, Clone, Default, PartialEq, {serde})]")?;
    writeln!(text, "pub struct {} {{", name::camel(name))?;
    for member in shape.members() {
        let inner = model.shape(&member.shape)?;
        let kind = if model::is_sensitive_member(name, &member.name) {
            "Secret".to_owned()
        } else {
            rust_type(model, &member.shape)?
        };
        let field = name::field(&member.name);
        let plain = side == Side::Request && member.required;
        let note = if member.required && plain { "; required" } else { "" };
        writeln!(text, "/// `{}`: {}{note}.", member.name, describe(&member.shape, inner))?;
        let mut attributes = Vec::new();
        if field.trim_start_matches("r#") != member.name {
            attributes.push(format!("rename = {:?}", member.name));
        }
        if writes && !plain {
            attributes.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        }
        if !attributes.is_empty() {
            writeln!(text, "#[serde({})]", attributes.join(", "))?;
        }
        if plain {
            writeln!(text, "pub {field}: {kind},")?;
        } else {
            writeln!(text, "pub {field}: Option<{kind}>,")?;
        }
    }
    text.push_str("}\n\n");
    Ok(())
}

/// Operations without a request shape get an empty struct, so that all variants look alike.
fn without_shape(text: &mut String, model: &Model) -> Result<()> {
    for name in
        model.operations.iter().filter(|(_, operation)| operation.input.is_none()).map(|(name, _)| name)
    {
        writeln!(text, "/// `{name}` takes no parameters.")?;
        writeln!(
            text,
            "#[derive(Debug, Clone, Default, PartialEq, Deserialize)]\npub struct {name}Request {{}}\n"
        )?;
    }
    Ok(())
}

/// Operations that share a response shape get it under their own name too.
fn shared(text: &mut String, model: &Model) -> Result<()> {
    for (name, operation) in &model.operations {
        if let Some(output) = operation.output.as_ref().filter(|output| **output != format!("{name}Response"))
        {
            writeln!(text, "/// Response of `{name}`.\npub type {name}Response = {output};\n")?;
        }
    }
    Ok(())
}

fn rust_type(model: &Model, name: &str) -> Result<String> {
    let shape = model.shape(name)?;
    let inner = |part: &Option<String>| rust_type(model, part.as_deref().unwrap_or_default());
    Ok(match shape.kind.as_str() {
        "string" if model::is_sensitive(name, shape) => "Secret".to_owned(),
        "string" => "String".to_owned(),
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "double" => "f64".to_owned(),
        "boolean" => "bool".to_owned(),
        "timestamp" => "Timestamp".to_owned(),
        "blob" => "Blob".to_owned(),
        "list" => format!("Vec<{}>", inner(&shape.member)?),
        "map" => format!("BTreeMap<String, {}>", inner(&shape.value)?),
        "structure" => name::camel(name),
        other => bail!("shape {name} has the unknown type {other}"),
    })
}

/// Short words for the field's documentation: what it is and its bounds.
fn describe(name: &str, shape: &Shape) -> String {
    let (what, unit) = match shape.kind.as_str() {
        "string" if shape.values.is_some() => {
            return format!("one of [`enums::{0}`](super::enums::{0})", name::snake(name));
        }
        "string" => ("text", " characters"),
        "integer" | "long" => ("number", ""),
        "double" => ("number", ""),
        "boolean" => ("flag", ""),
        "timestamp" => ("time", ""),
        "blob" => ("bytes", " bytes"),
        "list" => ("list", " elements"),
        "map" => ("map", " entries"),
        _ => ("structure", ""),
    };
    let bounds = match (shape.min, shape.max) {
        (Some(min), Some(max)) => format!(", {min} to {max}{unit}"),
        (Some(min), None) => format!(", at least {min}{unit}"),
        (None, Some(max)) => format!(", at most {max}{unit}"),
        (None, None) => String::new(),
    };
    let pattern = if shape.pattern.is_some() { ", pattern" } else { "" };
    format!("{what}{bounds}{pattern}")
}
