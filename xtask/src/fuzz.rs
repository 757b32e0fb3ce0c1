//! `cargo xtask fuzz [--seconds N] [TARGET…]`: builds the fuzz targets of `fuzz/` and lets each look for a crash.
//!
//! A target is a file of `fuzz/src/bin`. It begins with the inputs of `fuzz/corpus/<target>` (written by hand) and
//! `fuzz/regressions/<target>` (each one a bug that is repaired), and keeps what it finds worth keeping in
//! `target/fuzz/corpus/<target>`, so that the next run on the same machine goes on from there.
//!
//! The compiler is the stable one: coverage counters are flags of LLVM that it passes on, and no sanitizer is needed
//! where `unsafe` is denied. A build folder of its own keeps the flags away from every other build.
//!
//! Example: `cargo xtask fuzz --seconds 600 manifest` prints
//! `fuzz: manifest: 4123456 runs, coverage 2211, no crash`.

use crate::setup;
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// How long each target runs when nothing else is said.
const SECONDS: u32 = 30;

/// Targets that run at the same time: the machines that run this have two cores or more.
const AT_ONCE: usize = 2;

/// One input may take this many seconds and a target this much memory; more is a finding.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

/// Counters at every edge with the table of their places, and the operands of comparisons: what libFuzzer steers by.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

/// Builds and runs. Errors: a target that does not exist or build, and every crash with the path of its input.
pub fn run(arguments: &[String]) -> Result<()> {
    let (seconds, wanted) = read(arguments)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?;
    let known = targets(&root.join("fuzz/src/bin"))?;
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        bail!("no fuzz target {unknown}; there are {}", known.join(", "));
    }
    let folder = setup::target_folder()?.join("fuzz");
    let programs = build(root, &folder)?;
    let waiting = Mutex::new(VecDeque::from(if wanted.is_empty() { known } else { wanted }));
    let crashes = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(target) = lock(&waiting).pop_front() {
                    if let Err(error) = fuzz(root, &folder, &programs, &target, seconds) {
                        println!("fuzz: {target}: {error:#}");
                        lock(&crashes).push(target);
                    }
                }
            });
        }
    });
    let crashes = lock(&crashes);
    if crashes.is_empty() { Ok(()) } else { bail!("crashes in {}", crashes.join(", ")) }
}

/// A thread that panicked has printed why; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Seconds and names of targets. Errors: anything else.
fn read(arguments: &[String]) -> Result<(u32, Vec<String>)> {
    let mut seconds = SECONDS;
    let mut names = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let text = rest.next().context("--seconds needs a number")?;
                seconds = text.parse().with_context(|| format!("--seconds {text}"))?;
                // libFuzzer takes 0 as "for ever".
                if seconds == 0 {
                    bail!("--seconds is at least 1");
                }
            }
            flag if flag.starts_with('-') => bail!("usage: cargo xtask fuzz [--seconds N] [TARGET…]"),
            name => names.push(name.to_owned()),
        }
    }
    Ok((seconds, names))
}

/// The names of the files, sorted.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    if names.is_empty() { bail!("no fuzz target in {}", folder.display()) } else { Ok(names) }
}

/// Builds every target; out: the folder of the programs.
fn build(root: &Path, folder: &Path) -> Result<PathBuf> {
    let manifest = root.join("fuzz/Cargo.toml");
    let format = ["fmt", "--check", "--manifest-path"];
    setup::must(Command::new("cargo").args(format).arg(&manifest))?;
    // Naming the host keeps the flags away from build scripts and macros, which the compiler itself runs.
    let host = host()?;
    let build = ["build", "--release", "--bins", "--locked", "--target", &host, "--manifest-path"];
    let mut command = Command::new("cargo");
    command.args(build).arg(&manifest).arg("--target-dir").arg(folder);
    setup::must(command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")))?;
    Ok(folder.join(host).join("release"))
}

/// The machine's own target triple, such as `x86_64-unknown-linux-gnu`.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("start rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc prints UTF-8")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names its host")
}

/// Runs one target. Errors: a crash, with the input and the last words of the program.
fn fuzz(root: &Path, folder: &Path, programs: &Path, target: &str, seconds: u32) -> Result<()> {
    let made = |kind: &str| -> Result<PathBuf> {
        let path = folder.join(kind).join(target);
        std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(path)
    };
    // libFuzzer writes into the first folder and only reads the others.
    let (grown, artifacts) = (made("corpus")?, made("artifacts")?);
    let seeds = root.join("fuzz/corpus").join(target);
    if !seeds.is_dir() {
        bail!("the target has no seeds: {} is missing", seeds.display());
    }
    let mut command = Command::new(programs.join(target));
    command.arg(&grown).arg(seeds);
    let regressions = root.join("fuzz/regressions").join(target);
    if regressions.is_dir() {
        command.arg(regressions);
    }
    command.args(LIMITS).arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        println!("fuzz: {target}: {}, no crash", summary(&log));
        return Ok(());
    }
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
    bail!("{}\nthe input lies in {}", last.join("\n"), artifacts.display())
}

/// Runs and coverage, from libFuzzer's last words.
fn summary(log: &str) -> String {
    let word_after = |name: &str| {
        let line = log.lines().rev().find(|line| line.contains(name))?;
        line.split_whitespace().skip_while(|word| *word != name).nth(1)
    };
    let unknown = "an unknown number of";
    let runs = word_after("stat::number_of_executed_units:").unwrap_or(unknown);
    format!("{runs} runs, coverage {}", word_after("cov:").unwrap_or("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments_are_seconds_and_names() {
        assert_eq!(read(&[]).unwrap(), (SECONDS, vec![]));
        assert_eq!(read(&words("--seconds 600 route manifest")).unwrap(), (600, words("route manifest")));
        for wrong in ["--seconds", "--seconds x", "--seconds 0", "--seconds -1", "--jobs 3"] {
            assert!(read(&words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_words_are_summed_up() {
        let log = "#8\tNEW    cov: 90 ft: 91 corp: 3/9b\n#9\tDONE   cov: 95 ft: 99\n\
                   stat::number_of_executed_units: 1234\n";
        assert_eq!(summary(log), "1234 runs, coverage 95");
        assert_eq!(summary(""), "an unknown number of runs, coverage unknown");
    }

    #[test]
    fn every_target_has_seeds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for target in targets(&root.join("fuzz/src/bin")).unwrap() {
            let seeds = std::fs::read_dir(root.join("fuzz/corpus").join(&target));
            assert!(seeds.is_ok_and(|mut seeds| seeds.next().is_some()), "{target}");
        }
    }
}
