//! The static schema tables.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    enums,
    model::{self, Model, Shape},
    name,
    pattern::Patterns,
};

/// What ECR prints for a repository name is an older pattern than the one it accepts (ecr.md §1.4).
const REPOSITORY_NAME_TEXT: &str = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

/// Text of `schema.rs`: one static per shape that requests or responses are made of.
pub fn generate(service: &str, model: &Model, patterns: &mut Patterns) -> Result<String> {
    let mut text = String::from("//! Schema of every shape, by its name in upper case.\n\n");
    text.push_str("use crate::shape::{Kind, Member, Shape};\n");
    let mut used = model.reachable(|operation| operation.input.as_ref());
    used.extend(model.reachable(|operation| operation.output.as_ref()));
    let mut body = String::new();
    if model.operations.values().any(|operation| operation.input.is_none()) {
        body.push_str("/// Input of operations without parameters.\n");
        body.push_str("pub static NOTHING: Shape = Shape { name: \"Nothing\", sensitive: false, kind: Kind::Structure(&[]) };\n\n");
    }
    let mut names = BTreeSet::from(["NOTHING".to_owned()]);
    for name in &used {
        let shape = model.shape(name)?;
        let constant = name::constant(name);
        ensure!(names.insert(constant.clone()), "two shapes become {constant}");
        let kind = kind(service, name, shape, patterns).with_context(|| format!("shape {name}"))?;
        let sensitive = model::is_sensitive(name, shape);
        writeln!(
            body,
            "/// `{name}`\npub static {constant}: Shape = Shape {{ name: {name:?}, sensitive: {sensitive}, kind: {kind} }};\n"
        )?;
    }
    if body.contains("patterns::") {
        text.push_str("use crate::generated::patterns;\n");
    }
    text.push('\n');
    text.push_str(&body);
    Ok(text)
}

fn kind(service: &str, name: &str, shape: &Shape, patterns: &mut Patterns) -> Result<String> {
    let bounds = format!("min: {:?}, max: {:?}", shape.min, shape.max);
    let part = |part: &Option<String>| -> Result<String> {
        Ok(format!("&{}", name::constant(part.as_deref().context("an element has no shape")?)))
    };
    ensure!(
        shape.kind == "string" || (shape.pattern.is_none() && shape.values.is_none()),
        "pattern or enum on a {}",
        shape.kind
    );
    Ok(match shape.kind.as_str() {
        "structure" => {
            let members: Vec<String> = shape
                .members()
                .iter()
                .map(|member| {
                    let shape = name::constant(&member.shape);
                    format!(
                        "Member {{ name: {:?}, required: {}, shape: &{shape} }}",
                        member.name, member.required
                    )
                })
                .collect();
            format!("Kind::Structure(&[{}])", members.join(", "))
        }
        "list" => format!("Kind::List {{ member: {}, {bounds} }}", part(&shape.member)?),
        "map" => {
            ensure!(shape.min.is_none(), "a map with a smallest size");
            format!(
                "Kind::Map {{ key: {}, value: {}, max: {:?} }}",
                part(&shape.key)?,
                part(&shape.value)?,
                shape.max
            )
        }
        "string" => {
            let pattern = match &shape.pattern {
                Some(pattern) => {
                    let printed =
                        (service == "ecr" && name == "RepositoryName").then_some(REPOSITORY_NAME_TEXT);
                    format!("Some(&patterns::{})", patterns.name_of(pattern, printed.unwrap_or(pattern))?)
                }
                None => "None".to_owned(),
            };
            let values = shape.values.as_deref().map(enums::printed_order).unwrap_or_default();
            format!("Kind::Text {{ {bounds}, pattern: {pattern}, values: &{values:?} }}")
        }
        "integer" => format!("Kind::Integer {{ {bounds} }}"),
        "long" => format!("Kind::Long {{ {bounds} }}"),
        "blob" => format!("Kind::Blob {{ {bounds} }}"),
        "double" => "Kind::Double".to_owned(),
        "boolean" => "Kind::Boolean".to_owned(),
        "timestamp" => "Kind::Timestamp".to_owned(),
        other => bail!("unknown type {other}"),
    })
}
