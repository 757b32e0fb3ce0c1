//! The canonical request (iam.md §5.1).

use super::{Input, LONGEST_PART};
use crate::percent;

/// Query string, decoded and encoded again in the one canonical way.
pub(super) struct Query {
    /// Canonically encoded name and value, and the decoded ones, in arrival order.
    pairs: Vec<Pair>,
}

struct Pair {
    canonical: (String, String),
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Query {
    /// `None` when it is too long or an escape is broken. A `+` is a plus: SigV4 does not know form encoding.
    pub(super) fn parse(query: &str) -> Option<Query> {
        if query.len() > LONGEST_PART {
            return None;
        }
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent::decode(name.as_bytes(), false)?;
            let value = percent::decode(value.as_bytes(), false)?;
            pairs.push(Pair { canonical: (percent::encode(&name), percent::encode(&value)), name, value });
        }
        Some(Query { pairs })
    }

    /// No parameters.
    pub(super) fn empty() -> Query {
        Query { pairs: Vec::new() }
    }

    /// Decoded value of the first parameter of that exact name; `None` too when it is not text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|pair| pair.name == name.as_bytes())?;
        std::str::from_utf8(&pair.value).ok()
    }

    /// Sorted by name, then value; without the signature itself.
    pub(super) fn canonical(&self) -> String {
        let mut pairs: Vec<&(String, String)> = self
            .pairs
            .iter()
            .filter(|pair| pair.name != b"X-Amz-Signature")
            .map(|pair| &pair.canonical)
            .collect();
        pairs.sort();
        let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }
}

/// Canonical path: dot segments and repeated slashes resolved, every byte of the encoded path encoded once
/// more. `None` when the path does not begin with `/` or has a broken escape.
pub(super) fn path(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("/".to_owned());
    }
    percent::decode(path.as_bytes(), false)?;
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.strip_prefix('/')?.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut normal = format!("/{}", segments.join("/"));
    if path.ends_with('/') && !segments.is_empty() {
        normal.push('/');
    }
    Some(percent::encode_path(normal.as_bytes()))
}

/// Canonical value of a header: trimmed, inner runs of spaces as one, repeated headers joined with `,`.
pub(super) fn header(input: &Input<'_>, name: &str) -> Option<Vec<u8>> {
    let mut joined: Option<Vec<u8>> = None;
    for (_, value) in input.headers.iter().filter(|(present, _)| present.eq_ignore_ascii_case(name)) {
        let value = trimmed(value);
        match &mut joined {
            Some(joined) => {
                joined.push(b',');
                joined.extend(value);
            }
            None => joined = Some(value),
        }
    }
    joined
}

fn trimmed(value: &[u8]) -> Vec<u8> {
    let mut trimmed = Vec::with_capacity(value.len());
    for &byte in value.trim_ascii() {
        if byte != b' ' || trimmed.last() != Some(&b' ') {
            trimmed.push(byte);
        }
    }
    trimmed
}

/// The canonical request; a signed header that is not there counts as empty, which no honest signer signed.
pub(super) fn request(input: &Input<'_>, path: &str, query: &Query, signed: &[&str], body: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let mut line = |part: &[u8]| {
        text.extend_from_slice(part);
        text.push(b'\n');
    };
    line(input.method.as_bytes());
    line(path.as_bytes());
    line(query.canonical().as_bytes());
    for name in signed {
        // HTTP/2 clients may sign the pseudo-header; it arrives here as `host`.
        let source = if *name == ":authority" { "host" } else { name };
        let mut header_line = format!("{name}:").into_bytes();
        header_line.extend(header(input, source).unwrap_or_default());
        line(&header_line);
    }
    line(b"");
    line(signed.join(";").as_bytes());
    text.extend_from_slice(body.as_bytes());
    text
}
