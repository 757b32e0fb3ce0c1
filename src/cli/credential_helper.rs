//! `longshore credential-helper`: docker takes its passwords from AWS credentials, with no `docker login`.
//!
//! Docker runs a program `docker-credential-<name>` with one word and speaks over its standard streams; `longshore`
//! under that name, by a symbolic link, is such a program. `amazon-ecr-credential-helper` does the same for the names
//! of amazonaws.com and refuses all others.
//!
//! ```text
//! $ echo localhost:4580 | docker-credential-longshore get
//! {"ServerURL":"localhost:4580","Username":"AWS","Secret":"…"}
//! ```
//!
//! INVARIANT: a password is given out only for the host that issued it, or that its issuer names as the registry's.

mod client;
mod credentials;
mod endpoint;
mod login;
mod profile;

use std::io::Read as _;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use super::{out, runtime};
use credentials::Aws;
use endpoint::Authority;
use login::Login;

/// The name under which docker starts the program.
pub(super) const PROGRAM: &str = "docker-credential-longshore";

pub(super) const EXAMPLES: &str =
    "Install it for docker, podman and what else knows docker's credential helpers:
  ln -s \"$(command -v longshore)\" /usr/local/bin/docker-credential-longshore
and in ~/.docker/config.json:
  {\"credHelpers\": {\"localhost:4580\": \"longshore\"}}

Try it:
  echo localhost:4580 | longshore credential-helper get";

/// A host name is 253 bytes at most; `store` sends a password besides.
const LONGEST_INPUT: u64 = 64 * 1024;

/// What docker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Action {
    /// Read a registry's host from standard input and print its user name and password as JSON
    Get,
    /// Refuse: passwords are made when they are needed, none is kept
    Store,
    /// Do nothing, since nothing is kept
    Erase,
    /// Print the hosts that the configured endpoint stands for as JSON
    List,
    /// Print the version
    Version,
}

/// Why there is no answer. Docker reads the text from standard output.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Docker knows this sentence and goes on without a password.
    #[error("credentials not found in native keychain")]
    NotFound,
    /// Docker knows this sentence too.
    #[error("no credentials server URL")]
    NoServer,
    #[error(
        "longshore makes a new password from your AWS credentials each time and keeps none: this host needs no \
         `docker login` (AWS_ECR_IGNORE_CREDS_STORAGE=true ignores the attempt)"
    )]
    NotStored,
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// Answers docker. The exit code is 0 or 1: docker knows no others.
pub(super) fn run(action: Action) -> ExitCode {
    match answer(action) {
        Ok(text) => {
            if let Some(text) = text {
                out::data(&text);
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            out::data(&failure.to_string());
            if let Failure::Other(error) = &failure {
                // Docker shows what a helper prints there, and after `docker pull` shows nothing else of it.
                out::failure(error);
            }
            ExitCode::FAILURE
        }
    }
}

fn answer(action: Action) -> Result<Option<String>, Failure> {
    let variables = |name: &str| std::env::var_os(name);
    match action {
        Action::Get => {
            let server = input()?;
            let server = server.trim();
            if server.is_empty() {
                return Err(Failure::NoServer);
            }
            // What cannot be a registry of ours is somebody else's business.
            let host = Authority::of_server(server).ok_or(Failure::NotFound)?;
            let aws = Aws::load(&variables)?;
            let login = runtime()?.block_on(login::of_host(&host, &aws))?.ok_or(Failure::NotFound)?;
            shown(server, &login).map(Some)
        }
        Action::List => {
            let aws = Aws::load(&variables)?;
            let login = runtime()?.block_on(login::of_endpoint(&aws))?;
            let hosts = login.map(|login| (login.registry, login.user));
            let hosts: std::collections::BTreeMap<_, _> = hosts.into_iter().collect();
            Ok(Some(serde_json::to_string(&hosts).map_err(anyhow::Error::from)?))
        }
        // The name of this variable is amazon-ecr-credential-helper's, for scripts that log in all the same.
        Action::Store if variables("AWS_ECR_IGNORE_CREDS_STORAGE").is_some_and(|value| value == "true") => {
            input().map(|_| None)
        }
        Action::Store => {
            // Read first: docker would call a pipe that nobody reads broken, and hide the sentence.
            input()?;
            Err(Failure::NotStored)
        }
        Action::Erase => input().map(|_| None),
        Action::Version => Ok(Some(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")))),
    }
}

fn input() -> Result<zeroize::Zeroizing<String>, Failure> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(LONGEST_INPUT + 1).read_to_string(&mut text);
    let length = read.map_err(|error| anyhow::anyhow!("standard input cannot be read: {error}"))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LONGEST_INPUT {
        return Err(anyhow::anyhow!("more than {LONGEST_INPUT} bytes on standard input").into());
    }
    Ok(text)
}

/// The answer to `get`, with docker's names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

fn shown(server: &str, login: &Login) -> Result<String, Failure> {
    let shown = Shown { server_url: server, username: &login.user, secret: &login.password };
    Ok(serde_json::to_string(&shown).map_err(anyhow::Error::from)?)
}
