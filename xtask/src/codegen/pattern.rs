//! Compiles the models' patterns into the instruction tables of `aws::pattern`.
//!
//! Parsed with regex-syntax; Java's ASCII meaning of `\w`, `\d`, `\S` is written out first. Anything that has no
//! instruction (look-around, word boundaries) fails the generation, unless a hand-written matcher is named here.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context as _, Result, bail, ensure};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Patterns with look-around and the functions of `aws::pattern` that decide them.
const BY_HAND: [(&str, &str); 1] = [("^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$", "account_alias")];

type Ranges = Vec<(char, char)>;

/// All distinct patterns met so far.
#[derive(Default)]
pub struct Patterns {
    /// (pattern, printed text) to its static's name.
    names: BTreeMap<(String, String), String>,
    /// Shared character classes, by their ranges.
    classes: BTreeMap<Ranges, String>,
    /// Definitions in the order of first use.
    definitions: Vec<String>,
}

enum Step {
    Class(String),
    Split(usize, usize),
    Jump(usize),
    Start,
    End,
    Match,
}

impl Patterns {
    /// Name of the static for a pattern that messages print as `printed`.
    pub fn name_of(&mut self, pattern: &str, printed: &str) -> Result<String> {
        let key = (pattern.to_owned(), printed.to_owned());
        if let Some(name) = self.names.get(&key) {
            return Ok(name.clone());
        }
        let matcher = match BY_HAND.iter().find(|(by_hand, _)| *by_hand == pattern) {
            Some((_, function)) => format!("Matcher::Function(crate::pattern::{function})"),
            None => format!("Matcher::Program(&[{}])", self.program(pattern)?),
        };
        let name = format!("PATTERN_{}", self.names.len() + 1);
        self.definitions.push(format!(
            "/// Decides `{}`.\npub(super) static {name}: Pattern = Pattern {{ text: {printed:?}, matcher: {matcher} }};\n",
            pattern.escape_debug()
        ));
        self.names.insert(key, name.clone());
        Ok(name)
    }

    /// Text of `patterns.rs`.
    pub fn generate(&self) -> String {
        let mut text = String::from("//! Compiled patterns of all services.\n\n");
        text.push_str("use crate::pattern::{Instruction::*, Matcher, Pattern};\n\n");
        text.push_str("type Ranges = [(char, char)];\n\n");
        for (ranges, name) in &self.classes {
            let _ = writeln!(text, "static {name}: &Ranges = &{ranges:?};\n");
        }
        text.push_str(&self.definitions.join("\n"));
        text
    }

    fn program(&mut self, pattern: &str) -> Result<String> {
        let hir = regex_syntax::ParserBuilder::new()
            .build()
            .parse(&ascii(pattern)?)
            .with_context(|| format!("pattern {pattern}"))?;
        let mut steps = Vec::new();
        self.compile(&hir, &mut steps).with_context(|| format!("pattern {pattern}"))?;
        steps.push(Step::Match);
        ensure!(u16::try_from(steps.len()).is_ok(), "pattern {pattern} becomes too long");
        let steps: Vec<String> = steps
            .iter()
            .map(|step| match step {
                Step::Class(name) => format!("Class({name})"),
                Step::Split(first, second) => format!("Split({first}, {second})"),
                Step::Jump(target) => format!("Jump({target})"),
                Step::Start => "Start".to_owned(),
                Step::End => "End".to_owned(),
                Step::Match => "Match".to_owned(),
            })
            .collect();
        Ok(steps.join(", "))
    }

    fn compile(&mut self, hir: &Hir, steps: &mut Vec<Step>) -> Result<()> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => {
                for character in std::str::from_utf8(&literal.0)?.chars() {
                    let name = self.class(vec![(character, character)]);
                    steps.push(Step::Class(name));
                }
            }
            HirKind::Class(Class::Unicode(class)) => {
                let name = self.class(class.iter().map(|range| (range.start(), range.end())).collect());
                steps.push(Step::Class(name));
            }
            HirKind::Look(Look::Start) => steps.push(Step::Start),
            HirKind::Look(Look::End) => steps.push(Step::End),
            HirKind::Capture(capture) => self.compile(&capture.sub, steps)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.compile(part, steps))?,
            HirKind::Alternation(choices) => self.alternation(choices, steps)?,
            HirKind::Repetition(repetition) => {
                for _ in 0..repetition.min {
                    self.compile(&repetition.sub, steps)?;
                }
                match repetition.max {
                    None => {
                        let split = steps.len();
                        steps.push(Step::Match);
                        self.compile(&repetition.sub, steps)?;
                        steps.push(Step::Jump(split));
                        let after = steps.len();
                        set(steps, split, Step::Split(split + 1, after))?;
                    }
                    Some(max) => {
                        let mut splits = Vec::new();
                        for _ in repetition.min..max {
                            splits.push(steps.len());
                            steps.push(Step::Match);
                            self.compile(&repetition.sub, steps)?;
                        }
                        let after = steps.len();
                        for split in splits {
                            set(steps, split, Step::Split(split + 1, after))?;
                        }
                    }
                }
            }
            other => bail!("no instruction for {other:?}"),
        }
        Ok(())
    }

    fn alternation(&mut self, choices: &[Hir], steps: &mut Vec<Step>) -> Result<()> {
        let mut ends = Vec::new();
        for (index, choice) in choices.iter().enumerate() {
            let split = steps.len();
            let last = index + 1 == choices.len();
            if !last {
                steps.push(Step::Match);
            }
            self.compile(choice, steps)?;
            if !last {
                ends.push(steps.len());
                steps.push(Step::Match);
                let next = steps.len();
                set(steps, split, Step::Split(split + 1, next))?;
            }
        }
        let after = steps.len();
        ends.into_iter().try_for_each(|end| set(steps, end, Step::Jump(after)))
    }

    fn class(&mut self, ranges: Ranges) -> String {
        let next = format!("CLASS_{}", self.classes.len() + 1);
        self.classes.entry(ranges).or_insert(next).clone()
    }
}

fn set(steps: &mut [Step], index: usize, step: Step) -> Result<()> {
    *steps.get_mut(index).context("a jump leads outside the program")? = step;
    Ok(())
}

/// Writes out Java's ASCII classes, inside and outside of brackets.
fn ascii(pattern: &str) -> Result<String> {
    let mut text = String::new();
    let mut characters = pattern.chars();
    let mut inside = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next().context("a backslash at the end")?;
                let ranges = match escaped {
                    'w' => "a-zA-Z0-9_",
                    'd' => "0-9",
                    'S' if !inside => "^ \\t\\n\\x0B\\x0C\\r",
                    'W' | 'D' | 's' | 'S' | 'b' | 'B' => bail!("\\{escaped} is not known"),
                    _ => {
                        text.extend(['\\', escaped]);
                        continue;
                    }
                };
                if inside {
                    text.push_str(ranges);
                } else {
                    write!(text, "[{ranges}]")?;
                }
            }
            '[' if !inside => {
                inside = true;
                text.push('[');
            }
            ']' => {
                inside = false;
                text.push(']');
            }
            other => text.push(other),
        }
    }
    Ok(text)
}
