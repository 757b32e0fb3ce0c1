//! `cargo xtask tidy`: the rules of the house that a compiler does not check.
//!
//! Each rule is a pure function from the tracked files to [`Breach`]es and has tests on made-up files that must
//! fail. The rules: directions between the floors of the server, stores named by `app.rs` alone, pure crates,
//! tables read by their owner only, file sizes, forbidden names, printing, machine paths.
//!
//! Example: `use crate::api::ecr` in `src/catalog/tag.rs` prints
//! `src/catalog/tag.rs:3: catalog may not use api (DESIGN.md, "The house")` and fails.

mod crates;
mod directions;
mod house;
mod names;
mod sizes;
mod source;
mod tables;

use anyhow::{Context, Result, bail};
use std::fmt;
use std::process::Command;

/// One tracked text file: its path relative to the repository's root, with `/`, and its whole text.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Tests live beside the code in `tests.rs` or a `tests` folder; some rules hold for the product only.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.ends_with("/testing.rs")
            || self.path.contains("/testing/")
            || self.path.starts_with("tests/")
            || self.path.starts_with("acceptance/")
    }

    fn is_generated(&self) -> bool {
        self.path.contains("/generated/") || self.path.ends_with("/generated.rs")
    }
}

/// One broken rule at one place; prints as `path:line: what is wrong`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    pub path: String,
    /// Counted from 1; 0 means the file as a whole.
    pub line: usize,
    pub what: String,
}

impl Breach {
    fn new(file: &File, line: usize, what: impl Into<String>) -> Breach {
        Breach { path: file.path.clone(), line, what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Applies every rule to the working tree and prints the breaches and the sizes.
///
/// Errors: any breach, or a tree that cannot be read.
pub fn run() -> Result<()> {
    let files = tracked_files()?;
    let mut breaches = directions::breaches(&files);
    breaches.extend(crates::breaches(&cargo_metadata()?)?);
    breaches.extend(tables::breaches(&files));
    breaches.extend(sizes::breaches(&files));
    breaches.extend(names::breaches(&files));
    breaches.sort();
    for breach in &breaches {
        println!("{breach}");
    }
    println!("tidy: {}", sizes::summary(&files));
    if breaches.is_empty() { Ok(()) } else { bail!("{} breaches of the house", breaches.len()) }
}

/// What git tracks or would track. Files that are not UTF-8 (binary test data) have no lines to check.
fn tracked_files() -> Result<Vec<File>> {
    let root = output(Command::new("git").args(["rev-parse", "--show-toplevel"]))?;
    let root = std::path::Path::new(root.trim_end());
    let list = output(
        Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root),
    )?;
    let read = |path: &str| {
        // A file deleted in the working tree is still in the index until the next commit.
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(File { path: path.to_owned(), text })
    };
    Ok(list.split('\0').filter(|path| !path.is_empty()).filter_map(read).collect())
}

fn cargo_metadata() -> Result<serde_json::Value> {
    let text =
        output(Command::new("cargo").args(["metadata", "--format-version=1", "--offline", "--all-features"]))
            .or_else(|_| {
                output(Command::new("cargo").args(["metadata", "--format-version=1", "--all-features"]))
            })?;
    serde_json::from_str(&text).context("cargo metadata prints JSON")
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} prints UTF-8"))
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}
