//! `cargo xtask test`: the README's second command; sets up what the tests need and runs every one of them.
//!
//! The steps run in order and the first failure ends the run with its exit status. The last step is an ordinary
//! `cargo test --workspace`, so that the run ends with cargo's own summaries; it runs the acceptance suite too,
//! against the release binary that the step before has built.
//!
//! Example: `cargo xtask test` prints `== 1/9 setup`, …, `== 9/9 tests …` and then cargo's output.

mod postgres;

use crate::setup;
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Instant;

/// Every step before the tests: its name and the arguments of `cargo` that do it.
const CHECKS: &[(&str, &[&str])] = &[
    ("formatting", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("tidy", &["xtask", "tidy"]),
    ("generated code", &["xtask", "codegen", "--check"]),
    ("fuzz targets, 30 s each", &["xtask", "fuzz"]),
    ("release build", &["build", "--release", "--bin", "longshore"]),
    ("ratios against distribution and nginx", &["xtask", "bench", "--check"]),
];

/// Runs everything. Errors: the first step that fails, by name.
pub fn run() -> Result<()> {
    let steps = CHECKS.len() + 2;
    let begin = Instant::now();
    step(1, steps, begin, "setup", setup::run)?;
    for (position, (name, arguments)) in CHECKS.iter().enumerate() {
        step(position + 2, steps, begin, name, || cargo(arguments))?;
    }
    let postgres = postgres::Postgres::start().context("PostgreSQL for the tests")?;
    let binary = setup::target_folder()?.join("release/longshore");
    announce(steps, steps, begin, "tests, with PostgreSQL and against the release binary");
    // The result is kept until PostgreSQL has stopped: `?` here would leave that to the end of the process.
    let result = Command::new("cargo")
        .args(["test", "--workspace"])
        .env("LONGSHORE_BIN", binary)
        .env("LONGSHORE_TEST_POSTGRES_URL", postgres.url())
        .status();
    postgres.stop();
    match result.context("start cargo test")? {
        status if status.success() => Ok(()),
        status => bail!("the tests failed: {status}"),
    }
}

fn step(
    number: usize,
    of: usize,
    begin: Instant,
    name: &str,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    announce(number, of, begin, name);
    let step_begin = Instant::now();
    let result = work().with_context(|| format!("step `{name}` failed"));
    println!("== {name}: {:.1} s", step_begin.elapsed().as_secs_f64());
    result
}

fn announce(number: usize, of: usize, begin: Instant, name: &str) {
    println!("== {number}/{of} {name} (begins after {:.0} s)", begin.elapsed().as_secs_f64());
}

fn cargo(arguments: &[&str]) -> Result<()> {
    setup::must(Command::new("cargo").args(arguments))
}
