//! XML answers of the Query protocol (iam.md §2.2, §2.3).
//!
//! Elements come in the model's order of members, lists as `<member>`, maps as `<entry>`, timestamps as ISO 8601.
//!
//! ```
//! let answer = aws::iam::GetAccessKeyLastUsedResponse { user_name: Some("alice".into()), ..Default::default() };
//! let xml = aws::xml::response(aws::Service::Iam, "GetAccessKeyLastUsed", Some(&answer), "1f2e");
//! assert_eq!(
//!     String::from_utf8(xml).unwrap(),
//!     "<GetAccessKeyLastUsedResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
//!      <GetAccessKeyLastUsedResult><UserName>alice</UserName></GetAccessKeyLastUsedResult>\
//!      <ResponseMetadata><RequestId>1f2e</RequestId></ResponseMetadata></GetAccessKeyLastUsedResponse>"
//! );
//! ```

use std::{fmt::Write as _, io};

use quick_xml::{
    Writer,
    events::{BytesStart, BytesText, Event},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    service::Service,
    shape::{Kind, Shape},
    timestamp::Timestamp,
};

/// Body of a successful answer: `<OpResponse><OpResult>…</OpResult><ResponseMetadata>…`.
///
/// `operation` is the exact name. Operations without an output shape have no `<OpResult>`, whatever `result`
/// says; for the others `None` is an empty result.
#[must_use]
pub fn response(
    service: Service,
    operation: &str,
    result: Option<&impl Serialize>,
    request_id: &str,
) -> Vec<u8> {
    let output = service.operation(operation).and_then(|operation| operation.output);
    let value = result.and_then(|result| serde_json::to_value(result).ok()).unwrap_or(Value::Null);
    document(service, &format!("{operation}Response"), |writer| {
        if let Some(output) = output {
            element(writer, &format!("{operation}Result"), |writer| content(writer, output, &value))?;
        }
        element(writer, "ResponseMetadata", |writer| leaf(writer, "RequestId", request_id))
    })
}

/// Body of an error; `code` is the wire code (`NoSuchEntity`), `RequestId` lies directly under the root.
#[must_use]
pub fn error(service: Service, sender_fault: bool, code: &str, message: &str, request_id: &str) -> Vec<u8> {
    document(service, "ErrorResponse", |writer| {
        element(writer, "Error", |writer| {
            leaf(writer, "Type", if sender_fault { "Sender" } else { "Receiver" })?;
            leaf(writer, "Code", code)?;
            leaf(writer, "Message", message)
        })?;
        leaf(writer, "RequestId", request_id)
    })
}

type Output = Writer<Vec<u8>>;

fn document(service: Service, root: &str, inside: impl FnOnce(&mut Output) -> io::Result<()>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let mut start = BytesStart::new(root);
    if let Some(namespace) = service.xml_namespace() {
        start.push_attribute(("xmlns", namespace));
    }
    let end = start.to_end().into_owned();
    // Writing to memory cannot fail; the results only exist because the writer is generic over files.
    let _ = writer
        .write_event(Event::Start(start.borrow()))
        .and_then(|()| inside(&mut writer))
        .and_then(|()| writer.write_event(Event::End(end)));
    writer.into_inner()
}

fn element(
    writer: &mut Output,
    name: &str,
    inside: impl FnOnce(&mut Output) -> io::Result<()>,
) -> io::Result<()> {
    let start = BytesStart::new(name);
    writer.write_event(Event::Start(start.borrow()))?;
    inside(writer)?;
    writer.write_event(Event::End(start.to_end()))
}

fn leaf(writer: &mut Output, name: &str, text: &str) -> io::Result<()> {
    element(writer, name, |writer| characters(writer, text))
}

fn characters(writer: &mut Output, text: &str) -> io::Result<()> {
    writer.write_event(Event::Text(BytesText::from_escaped(escape(text))))
}

/// Element of a member; an empty list is `<Users/>`, present (iam.md §2.2).
fn member(writer: &mut Output, name: &str, shape: &'static Shape, value: &Value) -> io::Result<()> {
    let empty = match value {
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if empty {
        return writer.write_event(Event::Empty(BytesStart::new(name)));
    }
    element(writer, name, |writer| content(writer, shape, value))
}

fn content(writer: &mut Output, shape: &'static Shape, value: &Value) -> io::Result<()> {
    match (&shape.kind, value) {
        (Kind::Structure(members), Value::Object(object)) => {
            for inner in *members {
                if let Some(value) = object.get(inner.name).filter(|value| !value.is_null()) {
                    member(writer, inner.name, inner.shape, value)?;
                }
            }
            Ok(())
        }
        (Kind::List { member: inner, .. }, Value::Array(elements)) => {
            elements.iter().try_for_each(|element| member(writer, "member", inner, element))
        }
        (Kind::Map { value: inner, .. }, Value::Object(entries)) => {
            entries.iter().try_for_each(|(key, value)| {
                element(writer, "entry", |writer| {
                    leaf(writer, "key", key)?;
                    member(writer, "value", inner, value)
                })
            })
        }
        (Kind::Timestamp, Value::Number(_)) => {
            let instant = serde_json::from_value::<Timestamp>(value.clone()).unwrap_or_default();
            characters(writer, &instant.to_string())
        }
        (_, Value::String(text)) => characters(writer, text),
        (_, Value::Null) => Ok(()),
        (_, other) => characters(writer, &other.to_string()),
    }
}

/// Escapes markup, keeps carriage returns (parsers turn bare ones into line feeds) and replaces characters that
/// XML 1.0 cannot carry at all: one of them would make the whole answer unreadable.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\r' | '\u{7f}'..='\u{9f}' => {
                let _ = write!(escaped, "&#x{:X};", u32::from(character));
            }
            '\t' | '\n' => escaped.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
