//! Patterns of the service models, matched in linear time.
//!
//! The generator compiles every distinct pattern of the models into a small program ([`Instruction`]s), so the
//! server carries no regular expression engine and no pattern can be made to backtrack. A pattern must match
//! the *whole* value, as AWS's Java front ends do (`Matcher.matches`), and `\w`, `\d` are ASCII (iam.md §2.4).
//!
//! Example: `[0-9]{12}` is twelve times `Class(&[('0', '9')])`, then `Match`.

/// Values longer than this many bytes are not matched but refused.
///
/// No shape with a pattern allows as much (the largest is a policy document of 131,072 characters), so such
/// values break their length constraint anyway; matching them would only burn CPU for a hostile caller.
pub const LONGEST_MATCHED_BYTES: usize = 600_000;

/// Pattern of a shape.
#[derive(Debug)]
pub struct Pattern {
    /// Text that messages print; for ECR repository names not the model's text (ecr.md §1.4).
    pub text: &'static str,
    /// What decides.
    pub matcher: Matcher,
}

/// How a pattern is decided.
#[derive(Debug)]
pub enum Matcher {
    /// Compiled pattern.
    Program(&'static [Instruction]),
    /// Hand-written, for the few patterns that need look-around.
    Function(fn(&str) -> bool),
}

/// One step of a compiled pattern; targets are indices into the program.
#[derive(Debug, Clone, Copy)]
pub enum Instruction {
    /// Consumes one character inside one of the inclusive, sorted ranges.
    Class(&'static [(char, char)]),
    /// Goes on at both targets.
    Split(u16, u16),
    /// Goes on at the target.
    Jump(u16),
    /// Holds only before the first character.
    Start,
    /// Holds only after the last character.
    End,
    /// The pattern is satisfied; only counts at the end of the value.
    Match,
}

impl Pattern {
    /// Whether the whole `value` is in the pattern's language.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        if value.len() > LONGEST_MATCHED_BYTES {
            return false;
        }
        match self.matcher {
            Matcher::Program(program) => Machine::new(program).run(value),
            Matcher::Function(function) => function(value),
        }
    }
}

/// Set of program positions that are alive at one place of the value.
struct Threads {
    alive: Vec<u16>,
    /// `seen[position] == round` means: already in `alive`; avoids clearing a bitmap for every character.
    seen: Vec<u32>,
    round: u32,
}

impl Threads {
    fn new(length: usize) -> Self {
        Self { alive: Vec::new(), seen: vec![0; length], round: 0 }
    }

    fn clear(&mut self) {
        self.alive.clear();
        self.round = self.round.wrapping_add(1);
    }
}

/// Runs all alternatives of a program side by side: time is value length times program length.
struct Machine {
    program: &'static [Instruction],
    pending: Vec<u16>,
}

impl Machine {
    fn new(program: &'static [Instruction]) -> Self {
        Self { program, pending: Vec::new() }
    }

    fn run(mut self, value: &str) -> bool {
        let mut current = Threads::new(self.program.len());
        let mut next = Threads::new(self.program.len());
        current.clear();
        self.add(&mut current, 0, true, value.is_empty());
        let mut characters = value.chars();
        while let Some(character) = characters.next() {
            let at_end = characters.as_str().is_empty();
            next.clear();
            for &position in &current.alive {
                if let Some(Instruction::Class(ranges)) = self.program.get(usize::from(position))
                    && contains(ranges, character)
                {
                    self.add(&mut next, position.saturating_add(1), false, at_end);
                }
            }
            if next.alive.is_empty() {
                return false;
            }
            std::mem::swap(&mut current, &mut next);
        }
        current
            .alive
            .iter()
            .any(|&position| matches!(self.program.get(usize::from(position)), Some(Instruction::Match)))
    }

    /// Adds a position and everything reachable from it without consuming a character.
    fn add(&mut self, threads: &mut Threads, position: u16, at_start: bool, at_end: bool) {
        self.pending.push(position);
        while let Some(position) = self.pending.pop() {
            let round = threads.round;
            match threads.seen.get_mut(usize::from(position)) {
                Some(seen) if *seen != round => *seen = round,
                _ => continue,
            }
            match self.program.get(usize::from(position)) {
                Some(Instruction::Split(first, second)) => self.pending.extend([*second, *first]),
                Some(Instruction::Jump(target)) => self.pending.push(*target),
                Some(Instruction::Start) if at_start => self.pending.push(position.saturating_add(1)),
                Some(Instruction::End) if at_end => self.pending.push(position.saturating_add(1)),
                Some(Instruction::Class(_) | Instruction::Match) => threads.alive.push(position),
                Some(Instruction::Start | Instruction::End) | None => {}
            }
        }
    }
}

fn contains(ranges: &[(char, char)], character: char) -> bool {
    // Most classes have a handful of ranges; only `\p{L}` and its kin have hundreds.
    let index = ranges.partition_point(|&(_, last)| last < character);
    ranges.get(index).is_some_and(|&(first, _)| first <= character)
}

/// `^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: IAM account aliases (look-ahead: no two hyphens in a row).
#[must_use]
pub fn account_alias(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=63).contains(&value.len())
        && value.bytes().all(allowed)
        && !value.starts_with('-')
        && !value.ends_with('-')
        && !value.contains("--")
}

#[cfg(test)]
mod tests;
