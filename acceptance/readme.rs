//! The README's commands do what it says.
//!
//! In the README the first command and the second command are each the fenced block behind a line
//! `<!-- first command -->` or `<!-- second command -->`.

use crate::harness::{tools, wait_for};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Building the release from nothing takes minutes on two cores; CI has built it in an earlier step.
const BUILD_AND_START: Duration = Duration::from_secs(20 * 60);

/// The lines of the fenced block behind the marker, without comments.
fn command(which: &str) -> String {
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).expect("README.md");
    let marker = format!("<!-- {which} command -->");
    let after = readme.split_once(&marker).unwrap_or_else(|| panic!("no line {marker} in README.md")).1;
    let mut lines = after.lines().skip_while(|line| !line.starts_with("```")).skip(1);
    let block: Vec<&str> = lines
        .by_ref()
        .take_while(|line| !line.starts_with("```"))
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(!block.is_empty(), "no fenced block behind {marker}");
    block.join("\n")
}

/// Ends the whole group of the command, because cargo is between the shell and the server.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM -{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_first_command_builds_and_serves() {
    let data = TempDir::with_prefix("longshore-data-").unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &command("first")]).current_dir(ROOT).process_group(0);
    shell
        .env("LONGSHORE_DATA_DIR", data.path().join("data"))
        .env("LONGSHORE_LISTEN", "127.0.0.1:0")
        .env("PATH", tools::path());
    // `cargo test` sets these for its tests; a person's shell does not have them, and some build scripts look.
    for (name, _) in std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_") && name != "CARGO_TARGET_DIR" && name != "CARGO_HOME"
        })
    }) {
        shell.env_remove(name);
    }
    let mut group = Group(shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let stdout = BufReader::new(group.0.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    wait_for("`ready` line", BUILD_AND_START, || {
        if let Some(status) = group.0.try_wait().unwrap() {
            panic!("the first command ended with {status}");
        }
        lines.try_iter().find(|line| line.starts_with("ready"))
    });
    assert!(data.path().join("data").is_dir(), "the data folder is created");
}

#[test]
fn the_second_command_is_what_ci_runs() {
    let run = std::fs::read_to_string(format!("{ROOT}/.ci/run")).unwrap();
    let last = run.lines().last().unwrap();
    assert_eq!(last.strip_prefix("exec ").unwrap_or(last), command("second"));
    assert!(run.lines().count() <= 10, "CI is the README's command and nothing else");
}
