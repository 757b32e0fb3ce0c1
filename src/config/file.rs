//! The configuration file: TOML with the keys of [`SETTINGS`], each problem with its line.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Source};
use super::setting::{Reach, SETTINGS, Setting};
use super::sources::{AllGiven, Given};

/// More than this is no configuration; it is not even read into memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads the file; unknown keys, values of other types and secrets are problems.
pub(super) fn read(path: &Path) -> (AllGiven, Vec<Problem>) {
    match text_of(path) {
        Ok(text) => parse(path, &text),
        Err(what) => {
            let source = Source::File(path.to_owned(), 1);
            (AllGiven::new(), vec![Problem { key: "config".to_owned(), source, what }])
        }
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let read = || -> std::io::Result<Option<String>> {
        if std::fs::metadata(path)?.len() > MAX_BYTES {
            return Ok(None);
        }
        std::fs::read_to_string(path).map(Some)
    };
    match read() {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(format!("is larger than {MAX_BYTES} bytes")),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

fn parse(path: &Path, text: &str) -> (AllGiven, Vec<Problem>) {
    let source = |offset: usize| Source::File(path.to_owned(), line_of(text, offset));
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| Problem {
            key: "config".to_owned(),
            source: source(error.span().map_or(0, |span| span.start)),
            what: format!("is not TOML: {}", error.message()),
        })
        .collect();
    let mut given = AllGiven::new();
    for (key, value) in table.get_ref() {
        let source = source(key.span().start);
        let name: &str = key.get_ref();
        let mut refuse = |what: String| {
            problems.push(Problem { key: name.to_owned(), source: source.clone(), what });
        };
        let Some(setting) = Setting::find(name) else {
            refuse(format!("is no setting{}", suggestion(name)));
            continue;
        };
        if setting.reach == Reach::Environment {
            refuse(format!("belongs into the variable {}, never into a file", setting.variable()));
            continue;
        }
        match text_value(value) {
            Some(text) => {
                given.insert(setting.key, Given { text, source });
            }
            None => refuse(format!("is of type {}; expected {}", value.get_ref().type_str(), setting.form)),
        }
    }
    (given, problems)
}

/// Strings as they are, numbers and truths as written, lists with commas.
fn text_value(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Array(values) => {
            let texts: Option<Vec<String>> =
                values.iter().map(|value| value.get_ref().as_str().map(str::to_owned)).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// `; did you mean data-dir?` for a key that is nearly one.
fn suggestion(name: &str) -> String {
    let plain = |key: &str| key.replace(['-', '_'], "").to_ascii_lowercase();
    let near = SETTINGS.iter().find(|setting| plain(setting.key) == plain(name));
    near.map_or_else(String::new, |setting| format!("; did you mean {}?", setting.key))
}
