//! From the gathered texts to the checked [`Config`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use policy::{AccountId, Region};

use super::form::{self, Expected};
use super::problem::{Problem, Problems, Source};
use super::setting::{Reach, SETTINGS, Setting};
use super::sources::AllGiven;
use super::{Config, Limits, Listen, Log, LogFormat, RootKey, Shown, Tls, TlsFiles};
use crate::access::audit;
use crate::catalog;
use crate::environment::SECOND;
use crate::store::{blob, db};

/// Reads typed values and remembers what is wrong with them.
struct Reader<'a> {
    given: &'a AllGiven,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The value of a setting, its default, or `None` with a problem noted down.
    fn optional<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Expected>) -> Option<T> {
        let setting = Setting::find(key)?;
        let Some(given) = self.given.get(key) else { return parse(setting.default?).ok() };
        match parse(&given.text) {
            Ok(value) => Some(value),
            Err(expected) => {
                let value =
                    if is_secret(setting) { "the value".to_owned() } else { format!("{:?}", given.text) };
                let what = format!("{value} is not {expected}");
                self.problems.push(Problem { key: key.to_owned(), source: given.source.clone(), what });
                None
            }
        }
    }

    /// A setting that has a default; `fallback` only stands in while a problem is noted down.
    fn value<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Expected>, fallback: T) -> T {
        self.optional(key, parse).unwrap_or(fallback)
    }

    fn path(&mut self, key: &str, default: PathBuf) -> PathBuf {
        self.optional(key, form::path).unwrap_or(default)
    }

    fn source(&self, key: &str) -> Source {
        self.given.get(key).map_or(Source::Default, |given| given.source.clone())
    }

    fn refuse(&mut self, key: &str, what: &str) {
        let problem = Problem { key: key.to_owned(), source: self.source(key), what: what.to_owned() };
        self.problems.push(problem);
    }

    /// Two settings that only make sense together.
    fn pair<A, B>(&mut self, first: (&str, Option<A>), second: (&str, Option<B>)) -> Option<(A, B)> {
        // A malformed half was noted down already; it must not look like a missing one as well.
        for (one, other) in [(first.0, second.0), (second.0, first.0)] {
            if self.given.contains_key(one) && !self.given.contains_key(other) {
                self.refuse(one, &format!("needs {other} too"));
            }
        }
        first.1.zip(second.1)
    }
}

/// The configuration, or everything that is wrong with it.
pub(super) fn read(given: &AllGiven, problems: Vec<Problem>) -> Result<Config, Problems> {
    let mut reader = Reader { given, problems };
    let account =
        reader.optional("account", |text| AccountId::parse(text).map_err(|_| "twelve digits".to_owned()));
    let region = reader
        .optional("region", |text| Region::parse(text).map_err(|_| "a name such as eu-central-1".to_owned()));
    let config = account.zip(region).map(|(account, region)| assemble(&mut reader, account, region));
    if config.is_none() {
        // Also the rest must be looked at, or the second start shows what the first could have shown.
        if let (Ok(account), Ok(region)) = (AccountId::parse("123456789012"), Region::parse("eu-central-1")) {
            assemble(&mut reader, account, region);
        }
    }
    let mut problems = reader.problems;
    problems
        .sort_by_key(|problem| SETTINGS.iter().position(|setting| setting.key == problem.key).unwrap_or(0));
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Problems(problems)),
    }
}

fn assemble(reader: &mut Reader<'_>, account: AccountId, region: Region) -> Config {
    let data_dir = reader.path("data-dir", PathBuf::new());
    let listen = reader.value("listen", form::listen, Listen::default());
    let tls = tls(reader, &data_dir);
    let is_insecure_allowed = reader.value("insecure-http", form::truth, false);
    if tls.is_none() && !listen.is_loopback() && !is_insecure_allowed {
        reader.refuse(
            "listen",
            "others can reach this address, but passwords would cross the network in the clear: set tls-cert \
             and tls-key, or tls to self-signed, or listen on 127.0.0.1, or add --insecure-http when a proxy ends TLS",
        );
    }
    let database =
        reader.optional("database", |text| text.parse().map_err(|error: db::LocationError| expected(&error)));
    let blobs =
        reader.optional("blobs", |text| text.parse().map_err(|error: blob::LocationError| expected(&error)));
    let public_host = reader.optional("public-host", form::public_host);
    let is_public_secure = reader.optional("public-scheme", form::scheme).unwrap_or(tls.is_some());
    Config {
        public_host,
        is_public_secure,
        database: database.unwrap_or_else(|| db::Location::Sqlite(data_dir.join("catalog.db"))),
        blobs: blobs.unwrap_or_else(|| blob::Location::Disk(data_dir.join("blobs"))),
        disk_reserve_bytes: reader.value("disk-reserve-bytes", form::number(0, 1 << 40), 0),
        key_file: reader.path("key-file", data_dir.join("keys")),
        root_key: root_key(reader),
        log: log(reader),
        metrics_listen: metrics_listen(reader),
        trusted_proxies: reader.value("trusted-proxies", form::networks, Vec::new()),
        clock_skew_seconds: reader.value("clock-skew-seconds", form::number(0, 3600), 900),
        shutdown_grace: reader.value("shutdown-grace-seconds", form::seconds(0, 86_400), Duration::ZERO),
        limits: limits(reader),
        catalog: quotas(reader),
        collect_interval: reader.value(
            "collect-interval-seconds",
            form::seconds(1, 86_400),
            Duration::from_secs(60),
        ),
        scrub: scrub(reader),
        audit: audit(reader, &data_dir),
        shown: shown(reader),
        data_dir,
        listen,
        account,
        region,
        tls,
    }
}

fn tls(reader: &mut Reader<'_>, data_dir: &Path) -> Option<Tls> {
    let certificate = reader.optional("tls-cert", form::path);
    let key = reader.optional("tls-key", form::path);
    if reader.optional("tls", form::self_signed).is_some() {
        // Serving one of the two would surprise whoever meant the other.
        for key in ["tls-cert", "tls-key"] {
            if reader.given.contains_key(key) {
                reader.refuse(key, "cannot be used together with tls");
            }
        }
        return Some(Tls::SelfSigned(data_dir.join("tls")));
    }
    let (certificate, key) = reader.pair(("tls-cert", certificate), ("tls-key", key))?;
    Some(Tls::Files(TlsFiles { certificate, key }))
}

fn root_key(reader: &mut Reader<'_>) -> Option<RootKey> {
    let id = reader.optional("root-access-key-id", form::access_key_id);
    let secret = reader.optional("root-secret-access-key", form::secret);
    let (id, secret) = reader.pair(("root-access-key-id", id), ("root-secret-access-key", secret))?;
    Some(RootKey { id, secret })
}

fn log(reader: &mut Reader<'_>) -> Log {
    Log {
        format: reader.value("log-format", form::log_format, LogFormat::Human),
        filter: reader.value("log-level", form::log_filter, String::new()),
    }
}

/// Metrics and health hold no secret, so this listener may be reachable without TLS.
fn metrics_listen(reader: &mut Reader<'_>) -> Option<Listen> {
    reader.optional("metrics-listen", form::listen)
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    Limits {
        connections: reader.value("max-connections", form::number(1, 1_000_000), 1),
        requests: reader.value("max-requests", form::number(1, 1_000_000), 1),
        uploads: reader.value("max-uploads", form::number(1, 1_000_000), 1),
        queue_timeout: reader.value("queue-timeout-seconds", form::seconds(1, 600), Duration::ZERO),
        headers: reader.value("max-headers", form::number(16, 1000), 16),
        header_bytes: reader.value("max-header-bytes", form::number(8192, 262_144), 8192),
        buffered_bytes: reader.value("max-buffered-bytes", form::number(1 << 20, 1 << 40), 1 << 20),
        header_timeout: reader.value("header-timeout-seconds", form::seconds(1, 3600), Duration::ZERO),
        stall_timeout: reader.value("stall-timeout-seconds", form::seconds(1, 3600), Duration::ZERO),
        body_bytes_per_second: reader.value("min-body-bytes-per-second", form::number(0, 1 << 20), 0),
        answer_bytes_per_second: reader.value("min-answer-bytes-per-second", form::number(0, 1 << 20), 0),
    }
}

fn quotas(reader: &mut Reader<'_>) -> catalog::Limits {
    let year = 31_536_000;
    catalog::Limits {
        repositories_per_registry: reader.value("max-repositories", form::number(1, 1_000_000_000), 1),
        images_per_repository: reader.value("max-images", form::number(1, 1_000_000_000), 1),
        upload_expiry: reader.value("upload-expiry-seconds", form::number(60, year), 60) * SECOND,
        layer_bytes: reader.value("max-layer-bytes", form::number(1, 1_099_511_627_776), 1),
        blob_grace: reader.value("blob-grace-seconds", form::number(60, year), 60) * SECOND,
    }
}

fn scrub(reader: &mut Reader<'_>) -> catalog::ScrubPace {
    catalog::ScrubPace {
        period: reader.value("scrub-period-seconds", form::number(0, 315_360_000), 0) * SECOND,
        bytes_per_second: reader.value("scrub-bytes-per-second", form::number(65_536, 1 << 40), 65_536),
    }
}

fn audit(reader: &mut Reader<'_>, data_dir: &Path) -> audit::Settings {
    let most = 16 * 1024 * 1024 * 1024;
    audit::Settings {
        folder: reader.path("audit-dir", data_dir.join("audit")),
        segment_bytes: reader.value("audit-segment-bytes", form::number(65_536, most), 65_536),
        keep_segments: reader.value("audit-segments", form::number(2, 1_000_000), 2),
    }
}

fn expected(error: &dyn std::fmt::Display) -> Expected {
    format!("understood: {error}")
}

/// A PostgreSQL URL may hold a password, the root's secret is one.
fn is_secret(setting: &Setting) -> bool {
    setting.reach == Reach::Environment || setting.key == "database"
}

fn shown(reader: &Reader<'_>) -> Vec<Shown> {
    let show = |setting: &'static Setting| {
        let value = match reader.given.get(setting.key) {
            Some(given) if setting.key == "database" => {
                given.text.parse().map_or_else(|_| "(hidden)".to_owned(), |url: db::Location| url.display())
            }
            Some(_) if is_secret(setting) => "(hidden)".to_owned(),
            Some(given) => given.text.clone(),
            None => setting.default.unwrap_or_default().to_owned(),
        };
        Shown { key: setting.key, value, source: reader.source(setting.key) }
    };
    SETTINGS.iter().map(show).collect()
}
