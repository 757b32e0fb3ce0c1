//! One user's terminal: a shell that knows `PATH`, a home folder, the Engine, and what was pasted into it.
//!
//! Commands run through `sh -c`, as a person types them, so that `$(aws ecr get-login …)` is really evaluated.

use super::{Engine, Namespace, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// A terminal. Clones share the home folder and thereby docker's login; [`Terminal::someone_else`] does not.
#[derive(Clone)]
pub struct Terminal {
    environment: BTreeMap<String, String>,
    home: Arc<TempDir>,
    /// Words before `sh` that enter a namespace; empty outside of one.
    prefix: Vec<String>,
}

/// What a command has answered.
pub struct Answer {
    pub succeeded: bool,
    pub stdout: String,
    pub stderr: String,
    command: String,
}

impl Terminal {
    /// A terminal into which `pasted` has been pasted, before the shared Engine.
    pub fn new(pasted: &BTreeMap<String, String>) -> Terminal {
        Terminal::before(Engine::shared(), pasted)
    }

    /// The same before another Engine.
    pub fn before(engine: &Engine, pasted: &BTreeMap<String, String>) -> Terminal {
        let home = TempDir::with_prefix("longshore-home-").unwrap();
        let mut environment = pasted.clone();
        environment.insert("PATH".to_owned(), tools::path());
        environment.insert("HOME".to_owned(), home.path().to_str().unwrap().to_owned());
        environment.insert("DOCKER_HOST".to_owned(), engine.host());
        Terminal { environment, home: Arc::new(home), prefix: Vec::new() }
    }

    /// The same terminal inside a namespace.
    pub fn inside(mut self, namespace: &Namespace) -> Terminal {
        self.prefix = namespace.prefix();
        self
    }

    /// The same terminal with a variable set, or unset with `None`.
    pub fn with(mut self, name: &str, value: Option<&str>) -> Terminal {
        match value {
            Some(value) => self.environment.insert(name.to_owned(), value.to_owned()),
            None => self.environment.remove(name),
        };
        self
    }

    /// Another user at the same server: other keys, a home folder and docker logins of their own.
    pub fn someone_else(&self, access_key_id: &str, secret_access_key: &str) -> Terminal {
        let home = TempDir::with_prefix("longshore-home-").unwrap();
        let mut other = self.clone().with("AWS_SESSION_TOKEN", None);
        other.environment.insert("HOME".to_owned(), home.path().to_str().unwrap().to_owned());
        other.home = Arc::new(home);
        other
            .with("AWS_ACCESS_KEY_ID", Some(access_key_id))
            .with("AWS_SECRET_ACCESS_KEY", Some(secret_access_key))
    }

    /// The home folder, in which commands run.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into the home folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Runs a command line, whatever comes of it.
    pub fn try_run(&self, command: &str) -> Answer {
        let mut words = self.prefix.clone();
        // The shell itself goes home: entering a namespace leads back to the root folder.
        words.extend(["sh".to_owned(), "-c".to_owned(), format!("cd \"$HOME\" || exit\n{command}")]);
        let mut process = Command::new(&words[0]);
        process.args(&words[1..]).env_clear().envs(&self.environment).stdin(Stdio::null());
        let _turn = turn_at_the_engine(command);
        let output = process.output().unwrap_or_else(|error| panic!("start {words:?}: {error}"));
        Answer {
            succeeded: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: command.to_owned(),
        }
    }

    /// Runs a command line that must succeed; gives its standard output without the last line end.
    pub fn run(&self, command: &str) -> String {
        let answer = self.try_run(command);
        assert!(answer.succeeded, "{answer}");
        answer.stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs a command line that must succeed and print JSON.
    pub fn json(&self, command: &str) -> Value {
        let printed = self.run(command);
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{command}\nprints no JSON: {error}\n{printed}"))
    }

    /// Runs a command line that must fail; gives its standard error, trimmed.
    pub fn fails(&self, command: &str) -> String {
        let answer = self.try_run(command);
        assert!(!answer.succeeded, "should have failed: {answer}");
        answer.stderr.trim().to_owned()
    }
}

/// Builds and removals of images one after the other. Docker's classic builder looks through all images with the same
/// parent for one that it could take from its cache, and fails with "unable to find image" when one of them, which any
/// other test may have made, is removed while it looks.
fn turn_at_the_engine(command: &str) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    let takes_turns = ["docker build", "docker rmi"].iter().any(|words| command.contains(words));
    takes_turns.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outcome = if self.succeeded { "succeeded" } else { "failed" };
        write!(formatter, "$ {}\n{outcome}\n{}{}", self.command, self.stdout, self.stderr)
    }
}
