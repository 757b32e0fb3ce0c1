//! A long-running helper process that cannot outlive the test process.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Starts `$@`, waits until its own input closes, stops the child and removes the folder `$0`.
const SCRIPT: &str = r#""$@" & child=$!; read -r _; kill -TERM "$child"; wait "$child"; rm -rf "$0""#;

/// A shell that guards a process and its folder. When this value is dropped, or the test process ends in any way
/// at all, the kernel closes the shell's input: it then stops the process and removes the folder.
pub struct Guardian {
    shell: Child,
    folder: PathBuf,
}

impl Guardian {
    /// Starts `words` in a new folder of that name pattern; the folder's path replaces each `{}` in the words.
    /// Its output goes to `log` in the folder.
    pub fn start(name: &str, words: &[&str]) -> Guardian {
        let folder = tempfile::Builder::new().prefix(&format!("longshore-{name}-")).tempdir().unwrap().keep();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let place = folder.to_str().expect("temporary folders have UTF-8 names");
        let words = words.iter().map(|word| word.replace("{}", place));
        let mut command = Command::new("sh");
        command.args([OsStr::new("-c"), OsStr::new(SCRIPT), folder.as_os_str()]).args(words);
        // The engine must not learn of proxies, and Ctrl-C must reach the tests alone, whose end is the signal.
        command.env_clear().env("PATH", super::tools::path()).env("HOME", &folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        Guardian { shell: command.spawn().expect("start sh"), folder }
    }

    /// The folder that vanishes with the process.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the process has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
