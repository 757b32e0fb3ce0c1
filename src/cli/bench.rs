//! `longshore bench`: measures any registry, with a load generator that takes little from the server beside it.
//!
//! The works are those of the table in `docs/explanation/performance.md`. Everything that is sent is made before
//! the clock starts; [`http`] says why the client is our own.

mod content;
mod head;
mod http;
mod limits;
mod login;
mod measure;
mod prepare;
mod process;
mod progress;
mod pull;
mod push;
mod report;
mod target;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use super::out;
use login::Ecr;
use measure::Bounds;
use prepare::Fixtures;
use push::Framing;
use report::Report;
use target::Target;
use work::Work;

pub(super) const EXAMPLES: &str = "Examples:
  longshore bench --url http://localhost:4580 --aws
  longshore bench --url http://localhost:5000 --work manifest-get,pull-small --seconds 10 --json report.json
  REGISTRY_PASSWORD=… longshore bench --url https://registry.example.com --user ci --password-env REGISTRY_PASSWORD
  longshore bench --limits /var/lib/longshore

It pushes into the repositories <prefix>/read, <prefix>/tags and <prefix>/push; what the reading works need is pushed
once and found again by later runs. With --aws the variables of aws name the credentials, ECR gives the password, and
missing repositories are created. Registries that ask for bearer tokens are not supported.";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The registry: http://HOST[:PORT] or https://HOST[:PORT].
    #[arg(long, required_unless_present_any = ["limits", "write_files"])]
    url: Option<String>,
    /// What to measure, separated by commas; everything by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    work: Vec<Work>,
    /// Log in with this name.
    #[arg(long, requires = "password_env", conflicts_with = "aws")]
    user: Option<String>,
    /// The variable of the environment that holds the password.
    #[arg(long, value_name = "VARIABLE", requires = "user")]
    password_env: Option<String>,
    /// Log in with the password that ECR gives for AWS_ACCESS_KEY_ID, from AWS_ENDPOINT_URL or else the URL.
    #[arg(long)]
    aws: bool,
    /// PEM file of the authorities to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Beginning of the names of the repositories.
    #[arg(long, default_value = "bench", value_name = "NAME")]
    prefix: String,
    /// Longest time of each work.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    seconds: f64,
    /// Most operations of each work.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Connections, instead of each work's own number.
    #[arg(long, value_name = "NUMBER")]
    connections: Option<usize>,
    /// Size of the layers that push-large pushes.
    #[arg(long, default_value_t = 128, value_name = "MEBIBYTES", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    layer_mib: u64,
    /// Size of the layer that pull-large pulls.
    #[arg(long, default_value_t = 256, value_name = "MEBIBYTES", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pull_mib: u64,
    /// How the bodies of pushes are delimited.
    #[arg(long, value_enum, default_value = "chunked")]
    framing: Framing,
    /// The server's process, whose CPU time and memory are reported together with its children's.
    #[arg(long, value_name = "PROCESS")]
    pid: Option<u32>,
    /// Take it that what the reading works need is there already.
    #[arg(long)]
    no_prepare: bool,
    /// Only push what the reading works need.
    #[arg(long, conflicts_with = "no_prepare")]
    only_prepare: bool,
    /// Measure what the machine can do at all with files in this folder.
    #[arg(long, value_name = "DIR")]
    limits: Option<PathBuf>,
    /// Write what the reading works need below this folder, for a web server to compare with.
    #[arg(long, value_name = "DIR")]
    write_files: Option<PathBuf>,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if !arguments.seconds.is_finite() || arguments.seconds <= 0.0 || arguments.seconds > 86_400.0 {
        bail!("--seconds must lie between 0 and 86400");
    }
    if arguments.connections.is_some_and(|connections| !(1..=10_000).contains(&connections)) {
        bail!("--connections must lie between 1 and 10000");
    }
    let fixtures = Fixtures::new(&arguments.prefix, arguments.pull_mib);
    if let Some(folder) = &arguments.write_files {
        fixtures.write(folder)?;
    }
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        url: arguments.url.clone(),
        framing: arguments.framing,
        limits: arguments.limits.as_deref().map(limits::measure).transpose()?,
        work: Vec::new(),
    };
    if let Some(url) = &arguments.url {
        let target = Arc::new(log_in(arguments, url)?);
        let works = if arguments.work.is_empty() { Work::ALL } else { arguments.work.as_slice() };
        if !arguments.no_prepare {
            work::prepare(works, &fixtures, &target, arguments.framing)?;
        }
        if !arguments.only_prepare {
            let run = work::Run { arguments, target: &target, fixtures: &fixtures };
            for work in works {
                report.work.push(run.measure(*work).with_context(|| work.name())?);
            }
        }
    }
    out::data(&report.table());
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report).context("the report")?;
        std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn log_in(arguments: &Arguments, url: &str) -> anyhow::Result<Target> {
    let mut target = Target::parse(url, arguments.ca.as_deref())?;
    if let Some((user, variable)) = arguments.user.as_ref().zip(arguments.password_env.as_ref()) {
        let password =
            std::env::var(variable).with_context(|| format!("the variable {variable} holds no password"))?;
        target.authorization = Some(login::basic(user, &password));
    }
    if arguments.aws {
        let endpoint = std::env::var("AWS_ENDPOINT_URL").unwrap_or_else(|_| url.to_owned());
        let endpoint = Target::parse(&endpoint, arguments.ca.as_deref())?;
        let ecr = Ecr::from_variables(Arc::new(endpoint))?;
        if !arguments.no_prepare {
            for repository in Fixtures::repositories(&arguments.prefix) {
                ecr.create_repository(&repository)?;
            }
        }
        target.authorization = Some(ecr.authorization()?);
    }
    Ok(target)
}

impl Arguments {
    fn bounds(&self) -> Bounds {
        Bounds { duration: Duration::from_secs_f64(self.seconds), count: self.count.unwrap_or(u64::MAX) }
    }
}
