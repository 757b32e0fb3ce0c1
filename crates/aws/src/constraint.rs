//! Constraints of the models, checked on a decoded value: all violations at once.
//!
//! The value already has the shape's form (the decoders see to that); here only `required`, lengths, ranges,
//! patterns and enums are judged. Members come in the model's order, so the first violation is the one that
//! ECR reports.
//!
//! Example: `{"repositoryName": "X"}` breaks two constraints of `CreateRepositoryRequest`:
//! `MinLength(2)` and `Pattern(…)`, both at `repositoryName`.

use serde_json::Value;

use crate::{
    blob,
    shape::{Kind, Shape},
};

/// More violations than this are not collected: a hostile request must not buy a huge answer.
pub const MOST_VIOLATIONS: usize = 1_000;

/// Longest echo of an offending value, in characters.
pub const LONGEST_ECHO: usize = 2_048;

/// A broken constraint of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Member path as messages print it: every name with a lower-case first letter, `tags.1.member.key`.
    pub path: String,
    /// Offending value as text, `***` when sensitive; `None` when it is absent.
    pub value: Option<String>,
    /// What it should have satisfied.
    pub constraint: Constraint,
}

/// What a value must satisfy; bounds are inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// A required member is absent.
    NotNull,
    /// Smallest length: characters of text, bytes of a blob, elements of a list.
    MinLength(u32),
    /// Largest length, counted as in `MinLength`.
    MaxLength(u32),
    /// Smallest number.
    MinValue(i64),
    /// Largest number.
    MaxValue(i64),
    /// Pattern, as messages print it.
    Pattern(&'static str),
    /// Allowed values, in the order in which AWS prints them.
    Enum(&'static [&'static str]),
    /// Some element of a list of scalars breaks one of these: all constraints of the element's shape.
    Element(Vec<Constraint>),
    /// Some key of a map breaks one of these.
    MapKey(Vec<Constraint>),
    /// Some scalar value of a map breaks one of these.
    MapValue(Vec<Constraint>),
}

/// All violations of `shape` by `value`, in the model's order; empty when it is valid.
#[must_use]
pub fn check(shape: &'static Shape, value: &Value) -> Vec<Violation> {
    let mut check = Check { path: Vec::new(), violations: Vec::new() };
    check.value(shape, value);
    check.violations
}

enum Segment<'a> {
    Member(&'static str),
    /// Zero-based.
    Index(usize),
    Key(&'a str),
}

struct Check<'a> {
    path: Vec<Segment<'a>>,
    violations: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn value(&mut self, shape: &'static Shape, value: &'a Value) {
        if self.violations.len() >= MOST_VIOLATIONS {
            return;
        }
        match (&shape.kind, value) {
            (Kind::Structure(members), Value::Object(object)) => {
                for member in *members {
                    self.path.push(Segment::Member(member.name));
                    match object.get(member.name) {
                        Some(inner) => self.value(member.shape, inner),
                        None if member.required => self.report(None, Constraint::NotNull),
                        None => {}
                    }
                    self.path.pop();
                }
            }
            (Kind::List { member, min, max }, Value::Array(elements)) => {
                self.length(shape, value, elements.len(), *min, *max);
                if is_scalar(member) {
                    if elements.iter().any(|element| breaks(member, element)) {
                        self.report(Some(echo(shape, value)), Constraint::Element(constraints(member)));
                    }
                } else {
                    for (index, element) in elements.iter().enumerate() {
                        self.path.push(Segment::Index(index));
                        self.value(member, element);
                        self.path.pop();
                    }
                }
            }
            (Kind::Map { key, value: inner, max }, Value::Object(entries)) => {
                self.length(shape, value, entries.len(), None, *max);
                if entries.keys().any(|name| breaks_text(key, name)) {
                    self.report(Some(echo(shape, value)), Constraint::MapKey(constraints(key)));
                }
                if is_scalar(inner) {
                    if entries.values().any(|entry| breaks(inner, entry)) {
                        self.report(Some(echo(shape, value)), Constraint::MapValue(constraints(inner)));
                    }
                } else {
                    for (name, entry) in entries {
                        self.path.push(Segment::Key(name));
                        self.value(inner, entry);
                        self.path.pop();
                    }
                }
            }
            (_, Value::Null) => self.report(None, Constraint::NotNull),
            _ => scalar(shape, value, &mut |constraint| self.report(Some(echo(shape, value)), constraint)),
        }
    }

    fn length(&mut self, shape: &Shape, value: &Value, length: usize, min: Option<u32>, max: Option<u32>) {
        lengths(length, min, max, &mut |constraint| self.report(Some(echo(shape, value)), constraint));
    }

    fn report(&mut self, value: Option<String>, constraint: Constraint) {
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(Violation { path: render(&self.path), value, constraint });
        }
    }
}

/// `tags.1.member.key`: lower-case first letters, one-based elements (iam.md §2.4).
fn render(path: &[Segment<'_>]) -> String {
    let mut text = String::new();
    for segment in path {
        if !text.is_empty() {
            text.push('.');
        }
        match segment {
            Segment::Member(name) => {
                let mut characters = name.chars();
                text.extend(characters.next().map(|first| first.to_ascii_lowercase()));
                text.push_str(characters.as_str());
            }
            Segment::Index(index) => {
                text.push_str(&(index + 1).to_string());
                text.push_str(".member");
            }
            Segment::Key(key) => {
                text.extend(key.chars().take(LONGEST_ECHO));
                text.push_str(".member");
            }
        }
    }
    text
}

fn is_scalar(shape: &Shape) -> bool {
    !matches!(shape.kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. })
}

fn breaks(shape: &Shape, value: &Value) -> bool {
    let mut broken = value.is_null();
    scalar(shape, value, &mut |_| broken = true);
    broken
}

fn breaks_text(shape: &Shape, text: &str) -> bool {
    let mut broken = false;
    text_constraints(shape, text, &mut |_| broken = true);
    broken
}

/// Reports every constraint of a scalar shape that the value breaks.
fn scalar(shape: &Shape, value: &Value, report: &mut dyn FnMut(Constraint)) {
    match (&shape.kind, value) {
        (Kind::Text { .. }, Value::String(text)) => text_constraints(shape, text, report),
        (Kind::Blob { min, max }, Value::String(text)) => {
            lengths(blob::decoded_length(text).unwrap_or(0), *min, *max, report);
        }
        (Kind::Integer { min, max } | Kind::Long { min, max }, Value::Number(number)) => {
            let number = number.as_i64().unwrap_or(i64::MAX);
            if let Some(max) = max.filter(|&max| number > max) {
                report(Constraint::MaxValue(max));
            }
            if let Some(min) = min.filter(|&min| number < min) {
                report(Constraint::MinValue(min));
            }
        }
        _ => {}
    }
}

fn text_constraints(shape: &Shape, text: &str, report: &mut dyn FnMut(Constraint)) {
    let Kind::Text { min, max, pattern, values } = &shape.kind else { return };
    lengths(text.chars().count(), *min, *max, report);
    if let Some(pattern) = pattern.filter(|pattern| !pattern.matches(text)) {
        report(Constraint::Pattern(pattern.text));
    }
    if !values.is_empty() && !values.contains(&text) {
        report(Constraint::Enum(values));
    }
}

fn lengths(length: usize, min: Option<u32>, max: Option<u32>, report: &mut dyn FnMut(Constraint)) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    if let Some(max) = max.filter(|&max| length > max) {
        report(Constraint::MaxLength(max));
    }
    if let Some(min) = min.filter(|&min| length < min) {
        report(Constraint::MinLength(min));
    }
}

/// All constraints of a scalar shape, as AWS lists them for elements: largest, smallest, pattern (unverified
/// beyond the single-constraint instance of ecr.md §1.4).
fn constraints(shape: &Shape) -> Vec<Constraint> {
    let mut list = Vec::new();
    match &shape.kind {
        Kind::Text { min, max, pattern, values } => {
            list.extend(max.map(Constraint::MaxLength));
            list.extend(min.map(Constraint::MinLength));
            list.extend(pattern.map(|pattern| Constraint::Pattern(pattern.text)));
            if !values.is_empty() {
                list.push(Constraint::Enum(values));
            }
        }
        Kind::Blob { min, max } => {
            list.extend(max.map(Constraint::MaxLength));
            list.extend(min.map(Constraint::MinLength));
        }
        Kind::Integer { min, max } | Kind::Long { min, max } => {
            list.extend(max.map(Constraint::MaxValue));
            list.extend(min.map(Constraint::MinValue));
        }
        _ => {}
    }
    if list.is_empty() {
        // A shape without constraints is only broken by null.
        list.push(Constraint::NotNull);
    }
    list
}

/// The value as messages echo it: text as it is, lists as `[a, b]`, secrets as `***`.
fn echo(shape: &Shape, value: &Value) -> String {
    let mut text = String::new();
    write_echo(shape, value, &mut text);
    if let Some((end, _)) = text.char_indices().nth(LONGEST_ECHO) {
        text.truncate(end);
    }
    text
}

fn write_echo(shape: &Shape, value: &Value, text: &mut String) {
    if text.len() > LONGEST_ECHO * 4 {
        return;
    }
    if shape.sensitive {
        text.push_str("***");
        return;
    }
    match (&shape.kind, value) {
        (Kind::List { member, .. }, Value::Array(elements)) => {
            text.push('[');
            for (index, element) in elements.iter().take(LONGEST_ECHO).enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write_echo(member, element, text);
            }
            text.push(']');
        }
        (Kind::Map { value: inner, .. }, Value::Object(entries)) => {
            text.push('{');
            for (index, (name, entry)) in entries.iter().take(LONGEST_ECHO).enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.extend(name.chars().take(LONGEST_ECHO));
                text.push('=');
                write_echo(inner, entry, text);
            }
            text.push('}');
        }
        (Kind::Structure(members), Value::Object(object)) => {
            text.push_str(shape.name);
            text.push('(');
            let mut separator = "";
            for member in *members {
                if let Some(inner) = object.get(member.name) {
                    text.push_str(separator);
                    text.push_str(member.name);
                    text.push('=');
                    write_echo(member.shape, inner, text);
                    separator = ", ";
                }
            }
            text.push(')');
        }
        (_, Value::String(string)) => text.extend(string.chars().take(LONGEST_ECHO)),
        (_, other) => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests;
