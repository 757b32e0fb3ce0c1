//! ARN patterns: those of `Resource` elements and those of `ArnLike` conditions, which match differently.
//!
//! Resource patterns (iam.md §3.5): in the first five parts a wildcard stays inside its part, except a `*` that
//! is the last character of the part, which may run on across colons; in the sixth part wildcards match anything.
//! `ArnLike` operands: each part is matched on its own, and no wildcard of the first five crosses a colon.

use super::glob::{Piece, matches};
use super::template::{Template, Wildcards};
use crate::context::{Context, Keys};

/// One entry of `Resource` or `NotResource`, compiled.
#[derive(Clone, Debug)]
pub(crate) struct ResourcePattern {
    readings: Vec<Reading>,
    variables: Vec<String>,
}

/// One way to read a pattern: the first five parts, then the sixth.
#[derive(Clone, Debug)]
struct Reading {
    head: Vec<Piece>,
    tail: Option<Template>,
}

impl ResourcePattern {
    /// Compiles one entry. `variables`: whether `${…}` in the sixth part is a variable (version 2012-10-17).
    ///
    /// A pattern of fewer than six parts is completed with `*`. When it also has a `*` at the end of a part it
    /// is read as it stands too, and matches if either reading does (unverified, iam.md §9 vector 18).
    pub(crate) fn compile(text: &str, variables: bool) -> ResourcePattern {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let mut readings = Vec::new();
        let mut named = Vec::new();
        if let [head @ .., tail] = parts.as_slice()
            && head.len() == 5
        {
            let template = Template::compile(tail, Wildcards::Yes, variables);
            named = template.variables().map(str::to_owned).collect();
            readings.push(Reading::new(head, true, template));
        } else {
            if parts.iter().any(|part| part.ends_with('*')) {
                readings.push(Reading { head: head_pieces(&parts), tail: None });
            }
            let completed: Vec<&str> = parts.iter().copied().chain(["*"; 5]).take(5).collect();
            readings.push(Reading::new(&completed, true, Template::compile("*", Wildcards::Yes, false)));
        }
        ResourcePattern { readings, variables: named }
    }

    /// True when the pattern covers the resource, an ARN or the literal `*` of actions without resource.
    pub(crate) fn matches(&self, context: &dyn Keys, resource: &str) -> bool {
        self.readings.iter().any(|reading| reading.matches(context, resource))
    }

    /// The context keys of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }
}

impl Reading {
    /// Joins head and tail at compile time when the tail has no variables: matching then allocates nothing.
    fn new(head: &[&str], colon: bool, tail: Template) -> Reading {
        let mut pieces = head_pieces(head);
        if colon {
            pieces.push(Piece::Literal(":".into()));
        }
        let fixed = if tail.variables().next().is_none() { tail.expand(&Context::new()) } else { None };
        match fixed {
            Some(fixed) => {
                pieces.extend(fixed.iter().cloned());
                Reading { head: pieces, tail: None }
            }
            None => Reading { head: pieces, tail: Some(tail) },
        }
    }

    fn matches(&self, context: &dyn Keys, resource: &str) -> bool {
        let Some(tail) = &self.tail else {
            return matches(&self.head, resource);
        };
        let Some(expanded) = tail.expand(context) else {
            return false;
        };
        let pieces: Vec<Piece> = self.head.iter().chain(expanded.iter()).cloned().collect();
        matches(&pieces, resource)
    }
}

/// Pieces of the first parts, joined by colons.
fn head_pieces(parts: &[&str]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            literal.push(':');
        }
        let mut letters = part.chars().peekable();
        while let Some(letter) = letters.next() {
            let wild = match letter {
                '*' if letters.peek().is_none() => Piece::Any,
                '*' => Piece::AnyInPart,
                '?' => Piece::OneInPart,
                other => {
                    literal.push(other);
                    continue;
                }
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.push(wild);
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    pieces
}

/// The operand of an `Arn…` condition operator, compiled.
#[derive(Clone, Debug)]
pub(crate) struct ArnOperand {
    template: Template,
    /// The six parts when no variable occurs; `None` inside when the operand is no ARN pattern.
    fixed: Option<Option<[Vec<Piece>; 6]>>,
}

impl ArnOperand {
    /// Compiles an operand.
    pub(crate) fn compile(text: &str, variables: bool) -> ArnOperand {
        let template = Template::compile(text, Wildcards::Yes, variables);
        let fixed = if template.variables().next().is_none() {
            template.expand(&Context::new()).map(|pieces| split_pieces(&pieces))
        } else {
            None
        };
        ArnOperand { template, fixed }
    }

    /// True when value and operand are ARNs and every part matches.
    pub(crate) fn matches(&self, context: &dyn Keys, value: &str) -> bool {
        match &self.fixed {
            Some(parts) => parts.as_ref().is_some_and(|parts| parts_match(parts, value)),
            // A variable may bring colons with it, so the parts are only known after expansion.
            None => self
                .template
                .expand(context)
                .and_then(|pieces| split_pieces(&pieces))
                .is_some_and(|parts| parts_match(&parts, value)),
        }
    }

    /// The context keys of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.template.variables()
    }
}

/// Splits expanded pieces at the first five colons; `None` with fewer colons.
fn split_pieces(pieces: &[Piece]) -> Option<[Vec<Piece>; 6]> {
    let mut parts: [Vec<Piece>; 6] = Default::default();
    let mut index = 0;
    for piece in pieces {
        let Piece::Literal(literal) = piece else {
            parts.get_mut(index)?.push(piece.clone());
            continue;
        };
        for (position, text) in literal.splitn(6 - index, ':').enumerate() {
            if position > 0 {
                index += 1;
            }
            if !text.is_empty() {
                parts.get_mut(index)?.push(Piece::Literal(text.into()));
            }
        }
    }
    (index == 5).then_some(parts)
}

fn parts_match(parts: &[Vec<Piece>; 6], value: &str) -> bool {
    let values: Vec<&str> = value.splitn(6, ':').collect();
    values.len() == 6
        && values.first() == Some(&"arn")
        && parts.iter().zip(values).all(|(pieces, text)| matches(pieces, text))
}

#[cfg(test)]
mod tests {
    use super::{ArnOperand, ResourcePattern};
    use crate::context::Context;

    const APP: &str = "arn:aws:ecr:eu-west-1:111122223333:repository/app";

    fn context() -> Context {
        let mut context = Context::new();
        context.set("aws:username", "alice");
        context.set("aws:PrincipalArn", "arn:aws:iam::111122223333:user/*");
        context.set("aws:PrincipalAccount", "111122223333");
        context
    }

    #[test]
    fn resource_patterns() {
        for (pattern, resource, expected) in [
            ("*", APP, true),
            ("*", "*", true),
            ("arn:*", APP, true),
            ("arn:*", "*", false),
            ("arn:aws:ecr", APP, true),
            ("arn:aws:ecr:*", APP, true),
            ("arn:aws:s3", APP, false),
            ("arn:aws:ecr:*:*:repository/*", "*", false),
            ("arn:aws:ecr:*:repository/app", APP, true),
            ("arn:aws:ecr:e*3:repository/app", APP, false),
            ("arn:aws:ecr:e*1:111122223333:repository/app", APP, true),
            ("arn:aws:ecr:eu-west-?:111122223333:repository/a??", APP, true),
            ("arn:aws:ecr:eu-west-1?111122223333:repository/app", APP, false),
            ("arn:aws:ecr:eu-west-1:${aws:PrincipalAccount}:repository/app", APP, false),
            ("arn:aws:ecr:eu-west-1:111122223333:repository/${aws:username}", APP, false),
            ("arn:aws:ecr:eu-west-1:111122223333:repository/ap${aws:none, 'p'}", APP, true),
            ("arn:aws:ecr:eu-west-1:111122223333:repository/[a]pp", APP, false),
            ("arn:aws:ecr:eu-west-1:111122223333:REPOSITORY/app", APP, false),
        ] {
            let compiled = ResourcePattern::compile(pattern, true);
            assert_eq!(compiled.matches(&context(), resource), expected, "{pattern} on {resource}");
        }
    }

    #[test]
    fn condition_operands_never_cross_colons() {
        let user = "arn:aws:iam::111122223333:user/eng/alice";
        for (pattern, value, expected) in [
            ("arn:aws:iam::*:user/*", user, true),
            ("arn:aws:iam:*:user/eng/alice", user, false),
            ("arn:*:*:*:*:*", user, true),
            ("*", user, false),
            ("arn:aws:iam::${aws:PrincipalAccount}:user/*", user, true),
            ("${aws:PrincipalArn}", user, false),
            ("${aws:PrincipalArn}", "arn:aws:iam::111122223333:user/*", true),
            ("${aws:none}", user, false),
            ("arn:aws:logs:*:*:a:*", "arn:aws:logs:r:1:a:b:c", true),
            ("x:aws:iam::*:user/*", "x:aws:iam::1:user/a", false),
            ("arn:aws:iam::*:user/*", "alice", false),
        ] {
            let compiled = ArnOperand::compile(pattern, true);
            assert_eq!(compiled.matches(&context(), value), expected, "{pattern} on {value}");
        }
    }
}
