//! Progress of long work, on stderr: in place on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use super::measure::Bounds;
use crate::cli::out;

/// Who tells how far a work is.
pub(super) struct Progress {
    name: String,
    is_terminal: bool,
    is_silent: bool,
    shown_at: Cell<Option<Instant>>,
}

impl Progress {
    /// For a work of this name.
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_terminal: std::io::stderr().is_terminal(),
            is_silent: false,
            shown_at: Cell::new(None),
        }
    }

    /// Tells nothing.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self { is_silent: true, ..Self::of("") }
    }

    /// Tells at most twice a second on a terminal and every ten seconds elsewhere.
    pub(super) fn show(&self, operations: u64, elapsed: Duration, bounds: Bounds) {
        let pause = Duration::from_millis(if self.is_terminal { 500 } else { 10_000 });
        if !self.is_due(pause) {
            return;
        }
        let of = if bounds.count == u64::MAX { String::new() } else { format!(" of {}", bounds.count) };
        let line = format!(
            "{}: {:.1} of at most {:.1} s, {operations}{of} operations",
            self.name,
            elapsed.as_secs_f64(),
            bounds.duration.as_secs_f64()
        );
        self.tell(&line);
    }

    /// Tells how many of `of` preparations are made.
    pub(super) fn step(&self, made: usize, of: usize) {
        let pause = Duration::from_millis(if self.is_terminal { 500 } else { 10_000 });
        if self.is_due(pause) {
            self.tell(&format!("{}: {made} of {of}", self.name));
        }
    }

    /// Removes the line from a terminal.
    pub(super) fn clear(&self) {
        if self.is_terminal && !self.is_silent && self.shown_at.get().is_some() {
            out::rewrite("");
        }
    }

    fn is_due(&self, pause: Duration) -> bool {
        let now = Instant::now();
        let last = self.shown_at.get();
        // The first line elsewhere comes after the pause: short work says nothing.
        if last.is_none() {
            self.shown_at.set(Some(now));
            return self.is_terminal;
        }
        let is_due = last.is_some_and(|last| now.duration_since(last) >= pause);
        if is_due {
            self.shown_at.set(Some(now));
        }
        is_due
    }

    fn tell(&self, line: &str) {
        match (self.is_silent, self.is_terminal) {
            (true, _) => {}
            (false, true) => out::rewrite(line),
            (false, false) => out::talk(line),
        }
    }
}
