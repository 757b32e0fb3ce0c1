//! Pattern text with policy variables: `repository/${aws:username}/*`.
//!
//! Grammar (iam.md §3.6): `${key}`, `${key, 'default'}`, and the escapes `${*}`, `${?}`, `${$}`.
//! An unclosed or otherwise malformed `${` is literal text (unverified).

use std::borrow::Cow;

use super::glob::{Piece, matches};
use crate::context::{Keys, fold, single};

/// Whether `*` and `?` are wildcards in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wildcards {
    /// Glob patterns: `StringLike`, resources, actions.
    Yes,
    /// Plain text: `StringEquals`.
    No,
}

/// A compiled text that may hold variables.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    parts: Vec<Part>,
    /// The pieces when no variable occurs, so that matching needs no allocation.
    fixed: Option<Vec<Piece>>,
}

#[derive(Clone, Debug)]
enum Part {
    Piece(Piece),
    Variable(Variable),
}

#[derive(Clone, Debug)]
struct Variable {
    key: Box<str>,
    folded: Box<str>,
    default: Option<Box<str>>,
}

impl Template {
    /// Compiles a text; `variables` says whether `${…}` means anything (version 2012-10-17 only).
    pub(crate) fn compile(text: &str, wildcards: Wildcards, variables: bool) -> Template {
        let mut builder = Builder { parts: Vec::new(), literal: String::new() };
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            if variables && let Some((meaning, behind)) = dollar(rest) {
                match meaning {
                    Dollar::Letter(escaped) => builder.literal.push(escaped),
                    Dollar::Variable(variable) => builder.push(Part::Variable(variable)),
                }
                rest = behind;
                continue;
            }
            match letter {
                '*' if wildcards == Wildcards::Yes => builder.star(),
                '?' if wildcards == Wildcards::Yes => builder.push(Part::Piece(Piece::One)),
                other => builder.literal.push(other),
            }
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        }
        builder.finish()
    }

    /// The pieces with variables filled in; `None` when a variable has no value and no default.
    pub(crate) fn expand(&self, context: &dyn Keys) -> Option<Cow<'_, [Piece]>> {
        if let Some(fixed) = &self.fixed {
            return Some(Cow::Borrowed(fixed));
        }
        let mut pieces = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            pieces.push(match part {
                Part::Piece(piece) => piece.clone(),
                Part::Variable(variable) => {
                    let default = || variable.default.as_deref().map(Cow::Borrowed);
                    Piece::Literal(single(context, &variable.folded).or_else(default)?.into())
                }
            });
        }
        Some(Cow::Owned(pieces))
    }

    /// True when the expanded template covers the text.
    pub(crate) fn matches(&self, context: &dyn Keys, text: &str) -> bool {
        self.expand(context).is_some_and(|pieces| matches(&pieces, text))
    }

    /// The expanded text of a template without wildcards; `None` when a variable has no value.
    pub(crate) fn text(&self, context: &dyn Keys) -> Option<String> {
        let pieces = self.expand(context)?;
        Some(
            pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Literal(literal) => Some(&**literal),
                    _ => None,
                })
                .collect(),
        )
    }

    /// The context keys that the variables name, as written.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(&*variable.key),
            Part::Piece(_) => None,
        })
    }
}

struct Builder {
    parts: Vec<Part>,
    literal: String,
}

impl Builder {
    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal).into_boxed_str();
            self.parts.push(Part::Piece(Piece::Literal(literal)));
        }
    }

    fn push(&mut self, part: Part) {
        self.flush();
        self.parts.push(part);
    }

    /// Adds a star; a run of stars means the same as one.
    fn star(&mut self) {
        self.flush();
        if !matches!(self.parts.last(), Some(Part::Piece(Piece::Any))) {
            self.parts.push(Part::Piece(Piece::Any));
        }
    }

    fn finish(mut self) -> Template {
        self.flush();
        let fixed = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Piece(piece) => Some(piece.clone()),
                Part::Variable(_) => None,
            })
            .collect();
        Template { parts: self.parts, fixed }
    }
}

enum Dollar {
    Letter(char),
    Variable(Variable),
}

/// Reads `${…}` at the start of the text; out: its meaning and the text behind it.
fn dollar(text: &str) -> Option<(Dollar, &str)> {
    let inner = text.strip_prefix("${")?;
    let mut quoted = false;
    // A `}` inside the quotes of a default belongs to the default.
    let end = inner.find(|letter| {
        quoted ^= letter == '\'';
        letter == '}' && !quoted
    })?;
    let body = inner.get(..end)?;
    let behind = inner.get(end + 1..)?;
    let meaning = match body {
        "*" => Dollar::Letter('*'),
        "?" => Dollar::Letter('?'),
        "$" => Dollar::Letter('$'),
        _ => Dollar::Variable(variable(body)?),
    };
    Some((meaning, behind))
}

/// Reads `key` or `key, 'default'`; `None` when it is neither.
fn variable(body: &str) -> Option<Variable> {
    let (key, default) = match body.split_once(',') {
        None => (body, None),
        Some((key, rest)) => {
            let default = rest.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            (key, Some(default.into()))
        }
    };
    let key = key.trim();
    let plain = !key.is_empty() && !key.contains(['$', '{', '\'']);
    plain.then(|| Variable { key: key.into(), folded: fold(key).into(), default })
}

#[cfg(test)]
mod tests {
    use super::{Template, Wildcards};
    use crate::context::Context;

    fn context() -> Context {
        let mut context = Context::new();
        context.set("aws:username", "alice");
        context.set("aws:PrincipalTag/team", "*");
        context.set_list("aws:TagKeys", ["one"]);
        context
    }

    #[test]
    fn fills_in_variables_as_literals() {
        for (pattern, text, expected) in [
            ("r/${aws:username}/*", "r/alice/x", true),
            ("r/${AWS:UserName}/*", "r/alice/x", true),
            ("r/${aws:PrincipalTag/team}/*", "r/other/x", false),
            ("r/${aws:PrincipalTag/team}/*", "r/*/x", true),
            ("r/${aws:nothing}", "r/", false),
            ("r/${aws:nothing, 'a}b'}", "r/a}b", true),
            ("r/${aws:username, 'a'}", "r/alice", true),
            ("r/${aws:TagKeys}", "r/one", false),
            ("${*}${?}${$}", "*?$", true),
            ("${*}", "x", false),
            ("${aws:username", "${aws:username", true),
            ("${}", "${}", true),
            ("${a, b}", "${a, b}", true),
            ("$${aws:username}", "$alice", true),
        ] {
            let template = Template::compile(pattern, Wildcards::Yes, true);
            assert_eq!(template.matches(&context(), text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn leaves_old_documents_and_plain_text_alone() {
        let old = Template::compile("${aws:username}", Wildcards::Yes, false);
        assert!(old.matches(&context(), "${aws:username}") && !old.matches(&context(), "alice"));
        let plain = Template::compile("a*?${*}", Wildcards::No, true);
        assert!(plain.matches(&context(), "a*?*") && !plain.matches(&context(), "abc*"));
        assert_eq!(plain.text(&context()).as_deref(), Some("a*?*"));
        let named = Template::compile("${aws:Username}/${x, 'y'}", Wildcards::Yes, true);
        assert_eq!(named.variables().collect::<Vec<_>>(), ["aws:Username", "x"]);
    }
}
