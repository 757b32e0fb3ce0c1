//! The front desk: one file per subcommand, [`out`] for all printing.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 a check found problems.

mod bench;
mod check_config;
mod credential_helper;
mod credentials;
mod flags;
mod fsck;
pub mod out;
mod serve;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Problems};
use flags::Flags;

/// Wrong usage or configuration.
const USAGE: u8 = 2;

/// A check found problems.
const PROBLEMS: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = "longshore",
    version,
    about = "Amazon ECR that you run yourself: ECR, IAM and STS for aws, a registry for docker",
    after_help = "Start here:\n  longshore serve        then paste the block that it prints into another terminal\n  \
                  aws ecr create-repository --repository-name hello"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server; prints `ready URL` on stdout when it can serve.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Flags),
    /// Show every setting with its source, or everything that is wrong; exit code 0 or 2.
    #[command(after_help = check_config::EXAMPLES)]
    CheckConfig(Flags),
    /// Work with the access keys of the account's root, also beside a running server.
    #[command(after_help = credentials::EXAMPLES)]
    Credentials {
        #[command(subcommand)]
        command: credentials::Command,
    },
    /// Compare the catalog with the blobs while the server does not run; changes nothing. Exit code 0, or 3 for problems.
    #[command(after_help = fsck::EXAMPLES)]
    Fsck(fsck::Arguments),
    /// Give docker its passwords from AWS credentials, with no `docker login`.
    #[command(after_help = credential_helper::EXAMPLES)]
    CredentialHelper {
        #[arg(value_enum)]
        action: credential_helper::Action,
    },
    /// Measure a registry, this one or any other, or the machine itself.
    #[command(after_help = bench::EXAMPLES)]
    Bench(Box<bench::Arguments>),
    /// Print the version.
    Version,
}

/// Runs the command line and says how it ended.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match arguments(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(ending) => return ending,
    };
    let done = |()| ExitCode::SUCCESS;
    let result = match arguments.command {
        Command::Serve(flags) => load(&flags).map(|config| serve::run(&config).map(done)),
        Command::CheckConfig(flags) => return check_config::run(&flags),
        Command::Credentials { command } => {
            load(command.flags()).map(|config| credentials::run(&command, &config).map(done))
        }
        Command::CredentialHelper { action } => return credential_helper::run(action),
        Command::Fsck(arguments) => load(&arguments.flags).map(|config| fsck::run(&arguments, &config)),
        Command::Bench(arguments) => Ok(bench::run(&arguments).map(done)),
        Command::Version => {
            out::data(concat!("longshore ", env!("CARGO_PKG_VERSION")));
            return ExitCode::SUCCESS;
        }
    };
    match result {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            out::failure(&error);
            ExitCode::FAILURE
        }
        Err(problems) => {
            out::talk("longshore: the configuration has problems:");
            out::talk(&problems.to_string());
            ExitCode::from(USAGE)
        }
    }
}

/// What the words mean; or, for words that mean nothing, the exit code after that was said.
fn arguments(words: impl Iterator<Item = OsString>) -> Result<Arguments, ExitCode> {
    let mut words = words.peekable();
    let called = words.peek().and_then(|program| Path::new(program).file_name()).map(OsStr::to_owned);
    if called.is_none_or(|name| name != credential_helper::PROGRAM) {
        return Ok(Arguments::parse_from(words));
    }
    let program = words.next().into_iter();
    let words = program.chain(["credential-helper".into()]).chain(words);
    Arguments::try_parse_from(words).map_err(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        // Docker reads errors there, and knows one exit code for them.
        out::data(error.to_string().trim_end());
        ExitCode::FAILURE
    })
}

/// The configuration from flags, the process's environment and the file.
fn load(flags: &Flags) -> Result<Config, Problems> {
    Config::load(&flags.sources(&|name| std::env::var_os(name)))
}

/// Threads for calls of the file system at most. More would not make a disk faster, and each has a stack and a heap
/// of its own.
const BLOCKING_THREADS: usize = 64;

/// The runtime that commands run on.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context as _;
    tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("no threads for the server")
}
