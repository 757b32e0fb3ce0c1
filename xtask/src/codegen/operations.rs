//! The `Operation` enum, the tables of operations and errors, and each service's module file.

use std::fmt::Write as _;

use anyhow::Result;

use super::{
    model::{Model, Shape},
    name,
};

/// Text of `operation.rs`.
pub fn generate(model: &Model) -> Result<String> {
    let query = model.metadata.protocol == "query";
    let decoder = if query { "query" } else { "json" };
    let mut text =
        String::from("//! All operations: parsed requests and the table of what they are made of.\n\n");
    let pagination = if model.pagination.is_empty() { "" } else { "Pagination, " };
    writeln!(text, "use crate::{{DecodeError, OperationInfo, {pagination}{decoder}}};")?;
    text.push_str("use super::{requests::*, schema};\n\n");
    text.push_str("/// A parsed and checked request, one variant per operation of the model.\n");
    text.push_str("#[derive(Debug, Clone, PartialEq)]\npub enum Operation {\n");
    for name in model.operations.keys() {
        writeln!(text, "/// `{name}`\n{name}(Box<{name}Request>),")?;
    }
    text.push_str("}\n\nimpl Operation {\n");
    text.push_str("/// Exact name, such as the action of a policy after the colon.\n#[must_use]\n");
    text.push_str("pub fn name(&self) -> &'static str {\nmatch self {\n");
    for name in model.operations.keys() {
        writeln!(text, "Operation::{name}(_) => {name:?},")?;
    }
    text.push_str("}\n}\n\n");
    let (signature, argument) = if query {
        ("from_query(action: &str, parameters: &query::Parameters)", "parameters")
    } else {
        ("from_json(name: &str, body: &[u8])", "body")
    };
    text.push_str(
        "/// Parses and checks a request of the named operation; all violations are collected.\n///\n",
    );
    text.push_str("/// # Errors\n/// Any [`DecodeError`].\n");
    writeln!(text, "pub fn {signature} -> Result<Operation, DecodeError> {{")?;
    writeln!(text, "Ok(match {} {{", if query { "action" } else { "name" })?;
    for (name, operation) in &model.operations {
        let shape = operation.input.as_deref().map_or("NOTHING".to_owned(), name::constant);
        writeln!(text, "{name:?} => Operation::{name}({decoder}::decode(&schema::{shape}, {argument})?),")?;
    }
    text.push_str("_ => return Err(DecodeError::UnknownOperation),\n})\n}\n}\n\n");
    text.push_str("/// All operations, sorted by name.\npub const OPERATIONS: &[OperationInfo] = &[\n");
    for (name, operation) in &model.operations {
        let shape = |shape: &Option<String>| match shape {
            Some(shape) => format!("Some(&schema::{})", name::constant(shape)),
            None => "None".to_owned(),
        };
        let pagination = match model.pagination.get(name) {
            Some(pages) => format!(
                "Some(Pagination {{ input_token: {:?}, output_token: {:?}, limit: {:?}, more_results: {:?}, results: &{:?} }})",
                pages.input_token,
                pages.output_token,
                pages.limit_key,
                pages.more_results,
                pages.result_key.list(),
            ),
            None => "None".to_owned(),
        };
        writeln!(
            text,
            "OperationInfo {{ name: {name:?}, input: {}, output: {}, errors: &{:?}, unsigned: {}, pagination: {pagination} }},",
            shape(&operation.input),
            shape(&operation.output),
            operation.errors,
            operation.unsigned,
        )?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// Text of `errors.rs`.
pub fn errors(model: &Model) -> String {
    let mut text = String::from("//! All errors of the model.\n\nuse crate::ErrorInfo;\n\n");
    text.push_str("/// All errors, sorted by shape name.\npub const ERRORS: &[ErrorInfo] = &[\n");
    for (name, shape) in model.shapes.iter().filter(|(_, shape)| shape.exception) {
        text.push_str(&error(name, shape));
    }
    text.push_str("];\n");
    text
}

fn error(name: &str, shape: &Shape) -> String {
    let members: Vec<&str> = shape
        .members()
        .iter()
        .map(|member| member.name.as_str())
        .filter(|member| *member != "message")
        .collect();
    let (code, status, sender_fault) = match &shape.error {
        Some(error) => (error.code.as_str(), error.http_status_code, error.sender_fault),
        // ECR's errors have no wire details: every client fault is 400, the server's 500 (ecr.md §1.2).
        None if shape.fault => (name, 500, false),
        None => (name, 400, true),
    };
    format!(
        "ErrorInfo {{ shape: {name:?}, code: {code:?}, status: {status}, sender_fault: {sender_fault}, members: &{members:?} }},\n"
    )
}

/// Text of a service's `mod.rs`.
pub fn module(service: &str, model: &Model) -> String {
    let metadata = &model.metadata;
    let title = service.to_ascii_uppercase();
    let mut text = format!("//! Generated shapes of {title}, API version {}.\n\n", metadata.api_version);
    text.push_str(
        "pub mod enums;\nmod errors;\nmod operation;\nmod requests;\nmod responses;\npub mod schema;\n\n",
    );
    text.push_str("pub use errors::ERRORS;\npub use operation::{OPERATIONS, Operation};\n");
    text.push_str("pub use requests::*;\npub use responses::*;\n\n");
    text.push_str(&format!("/// API version.\npub const VERSION: &str = {:?};\n", metadata.api_version));
    if let Some(prefix) = &metadata.target_prefix {
        text.push_str(&format!(
            "/// What comes before the dot in `X-Amz-Target`.\npub const TARGET_PREFIX: &str = {prefix:?};\n"
        ));
    }
    if let Some(namespace) = &metadata.xml_namespace {
        text.push_str(&format!(
            "/// Namespace of XML answers.\npub const XML_NAMESPACE: &str = {namespace:?};\n"
        ));
    }
    text
}
