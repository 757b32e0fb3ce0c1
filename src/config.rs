//! The configuration: one struct, read from defaults < configuration file < environment < flags.
//!
//! Every setting is one row of [`SETTINGS`]: its key in the file, which is also its flag (`--data-dir`) and its
//! variable (`LONGSHORE_DATA_DIR`), with the form that it expects. All problems are found in one go and name
//! the source of the value, so that nobody repairs a configuration one start at a time.
//!
//! The file is TOML, `--config FILE`, `LONGSHORE_CONFIG` or `<data-dir>/longshore.toml` when it exists. Relative
//! paths are relative to the working directory. Example:
//!
//! ```toml
//! listen = "0.0.0.0:443"
//! public-host = "registry.example.com"
//! tls-cert = "/etc/longshore/cert.pem"
//! tls-key = "/etc/longshore/key.pem"
//! ```

mod file;
mod form;
mod problem;
mod read;
mod reference;
mod setting;
mod sources;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use policy::{AccountId, Region};
use zeroize::Zeroizing;

use crate::access::audit;
use crate::api::Pace;
use crate::catalog;
use crate::store::{blob, db};

pub use problem::{Problem, Problems, Source};
pub use reference::reference;
pub use setting::{Reach, SETTINGS, Setting};
pub use sources::{Environment, Sources};

/// The checked configuration of one process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything lies that has no place of its own.
    pub data_dir: PathBuf,
    /// Where the server listens.
    pub listen: Listen,
    /// The account of a bare host name.
    pub account: AccountId,
    /// The region of a bare host name.
    pub region: Region,
    /// `HOST[:PORT]` that docker can reach; `None` means `localhost` with the real port.
    pub public_host: Option<String>,
    /// Whether docker reaches the public host over TLS.
    pub is_public_secure: bool,
    /// Where certificate and key come from; without them the server speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Where the rows are.
    pub database: db::Location,
    /// Where the bytes are.
    pub blobs: blob::Location,
    /// Room that is kept back beside SQLite's database for deletions, in bytes.
    pub disk_reserve_bytes: u64,
    /// The file of the sealing keys.
    pub key_file: PathBuf,
    /// The root access key that the operator has chosen.
    pub root_key: Option<RootKey>,
    /// The look of the log.
    pub log: Log,
    /// A listener for `/metrics` alone.
    pub metrics_listen: Option<Listen>,
    /// Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How far a signature's date may be from ours, in seconds.
    pub clock_skew_seconds: u32,
    /// How long running requests may go on after SIGTERM.
    pub shutdown_grace: Duration,
    /// What one client may take from the server.
    pub limits: Limits,
    /// The quotas of the catalog.
    pub catalog: catalog::Limits,
    /// How long the collector rests between two rounds.
    pub collect_interval: Duration,
    /// How fast stored bytes are compared with their digests.
    pub scrub: catalog::ScrubPace,
    /// The audit trail.
    pub audit: audit::Settings,
    /// Each setting with its value and where that came from, for `longshore check-config`; secrets are hidden.
    pub shown: Vec<Shown>,
}

/// One line of `longshore check-config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The setting.
    pub key: &'static str,
    /// Its value, or `(hidden)`.
    pub value: String,
    /// Where the value came from.
    pub source: Source,
}

/// `HOST:PORT`; port 0 means any free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Listen {
    /// Whether only this machine can reach it. A name counts as reachable, whatever it resolves to today.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self { host: Ipv4Addr::LOCALHOST.to_string(), port: 4580 }
    }
}

/// Where certificate and key come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The operator's own.
    Files(TlsFiles),
    /// Issued by an authority of this installation, which is kept in this folder.
    SelfSigned(PathBuf),
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that it is signed by.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A root access key that the operator has chosen.
#[derive(Clone)]
pub struct RootKey {
    /// 16 to 128 letters, digits or underscores.
    pub id: String,
    /// At least 16 characters.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RootKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The look of the log on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// One JSON object per line, or text for people.
    pub format: LogFormat,
    /// What is logged: a level, or directives such as `info,longshore::server=debug`.
    pub filter: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text.
    Human,
    /// JSON.
    Json,
}

/// What one client may take from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are served at once; further ones get 503.
    pub connections: usize,
    /// Calls that are worked on at once; further ones wait.
    pub requests: usize,
    /// Uploads of layers that are received at once; further ones wait.
    pub uploads: usize,
    /// How long a request waits for its place before it is told to come again.
    pub queue_timeout: Duration,
    /// Header fields of one request; more are answered with 431.
    pub headers: usize,
    /// Bytes of the request line and all header fields together; more are answered with 431.
    pub header_bytes: usize,
    /// Bytes that the bodies of API calls may take in memory together.
    pub buffered_bytes: u64,
    /// How long a request's header may take to arrive, and how long a connection may lie idle before it.
    pub header_timeout: Duration,
    /// The longest pause in a request's body, or in the taking of an answer.
    pub stall_timeout: Duration,
    /// The fewest bytes per second of a request's body, over each time as long as the longest pause.
    pub body_bytes_per_second: u64,
    /// The fewest bytes per second that a client takes of an answer, measured the same way.
    pub answer_bytes_per_second: u64,
}

impl Limits {
    /// How fast the body of a request must come.
    #[must_use]
    pub fn body_pace(&self) -> Pace {
        self.pace(self.body_bytes_per_second)
    }

    /// How fast an answer must be taken.
    #[must_use]
    pub fn answer_pace(&self) -> Pace {
        self.pace(self.answer_bytes_per_second)
    }

    fn pace(&self, bytes_per_second: u64) -> Pace {
        let bytes_per_stall = bytes_per_second.saturating_mul(self.stall_timeout.as_secs());
        Pace { stall: self.stall_timeout, bytes_per_stall }
    }
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// All [`Problems`] at once.
    pub fn load(sources: &Sources<'_>) -> Result<Self, Problems> {
        let (given, problems) = sources.gather();
        read::read(&given, problems)
    }
}

#[cfg(test)]
mod tests;
