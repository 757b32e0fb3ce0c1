//! The README's commands do what it says: the newcomer's, up to the pushed image and the invited user, and CI's.
//!
//! In the README the first command and the second command are each the fenced block behind a line
//! `<!-- first command -->` or `<!-- second command -->`.

use crate::harness::{Terminal, build, pasted, tools, wait_for};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Building the release from nothing takes minutes on two cores; CI has built it in an earlier step.
const BUILD_AND_START: Duration = Duration::from_secs(20 * 60);

/// What cargo tells a test about its package. A person's shell does not have it, and some build scripts would
/// build anew for it.
const SET_BY_CARGO: &[&str] =
    &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_PRIMARY_", "CARGO_BIN_"];

/// The fenced blocks from the marker of this command to the next heading, the command's own first.
fn blocks(which: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).expect("README.md");
    let marker = format!("<!-- {which} command -->");
    let after = readme.split_once(&marker).unwrap_or_else(|| panic!("no line {marker} in README.md")).1;
    let section = after.split("\n## ").next().unwrap();
    let blocks: Vec<String> = section
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap().1.to_owned())
        .collect();
    assert!(!blocks.is_empty(), "no fenced block behind {marker}");
    blocks
}

/// The whole group of a command, because cargo is between the shell and the server.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM -{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_first_command_serves_and_the_lines_behind_it_push_an_image() {
    let blocks = blocks("first");
    let [serve, push, invite] = blocks.as_slice() else { panic!("{blocks:?}") };
    let data = TempDir::with_prefix("longshore-data-").unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", serve]).current_dir(ROOT).process_group(0).env("PATH", tools::path());
    shell.env("LONGSHORE_DATA_DIR", data.path().join("new")).env("LONGSHORE_LISTEN", "127.0.0.1:0");
    for (name, _) in std::env::vars() {
        if SET_BY_CARGO.iter().any(|beginning| name.starts_with(beginning)) {
            shell.env_remove(name);
        }
    }
    let mut group = Group(shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let stdout = BufReader::new(group.0.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut printed = String::new();
    wait_for("`ready` line", BUILD_AND_START, || {
        if let Some(status) = group.0.try_wait().unwrap() {
            panic!("the first command ended with {status}");
        }
        lines.try_iter().find_map(|line| {
            printed += &format!("{line}\n");
            line.starts_with("ready").then_some(())
        })
    });
    assert!(data.path().join("new").is_dir(), "the data folder is created");

    let root = Terminal::new(&pasted(&printed));
    let host = pasted(&printed)["AWS_ENDPOINT_URL"].trim_start_matches("http://").to_owned();
    // The README's image comes from elsewhere, and its port may be taken: nothing else differs.
    build(&root, "alpine");
    root.run(&format!("set -e\n{}", push.replace("localhost:4580", &host)));
    root.run(&format!("set -e\n{invite}"));
    assert_eq!(
        root.json("aws ecr list-images --repository-name randserver")["imageIds"][0]["imageTag"],
        "0.0.1"
    );
}

#[test]
fn the_second_command_is_what_ci_runs() {
    let run = std::fs::read_to_string(format!("{ROOT}/.ci/run")).unwrap();
    let last = run.lines().last().unwrap();
    assert_eq!(last.strip_prefix("exec ").unwrap_or(last), blocks("second")[0].trim());
    assert!(run.lines().count() <= 10, "CI is the README's command and nothing else");
}
