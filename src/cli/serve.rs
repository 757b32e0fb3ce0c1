//! `longshore serve`

use std::path::Path;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::out::{self, Block};
use super::runtime;
use crate::app::{self, App, RootKeyState};
use crate::config::{Config, Log, LogFormat};
use crate::environment::Environment;
use crate::server::raise_descriptor_limit;

pub(super) const EXAMPLES: &str = "Examples:
  longshore serve
  longshore serve --data-dir /var/lib/longshore --listen 127.0.0.1:0
  longshore serve --listen 0.0.0.0:443 --tls self-signed --public-host registry.example.com
  longshore serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem --public-host registry.example.com
  LONGSHORE_DATABASE=postgres://longshore@db/longshore longshore serve

The first start prints a block to paste with the root's access key, every later one how to get a new key. When the
server can serve it prints `ready URL` on stdout. SIGTERM and SIGINT end it after the running requests, SIGHUP makes
it read the certificate again.";

/// Serves until a signal comes.
pub(super) fn run(config: &Config) -> anyhow::Result<()> {
    start_log(&config.log)?;
    raise_descriptor_limit(&config.limits);
    let result = runtime()?.block_on(serve(config));
    if let Err(error) = &result {
        tracing::error!(error = format!("{error:#}"), "the server cannot go on");
    }
    result
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("signals cannot be received")?;
    // Without a certificate there is nothing to read again, and a closed terminal ends the server.
    let hangups = config.tls.is_some().then(|| signal(SignalKind::hangup())).transpose();
    let mut hangups = hangups.context("signals cannot be received")?;
    let listener = app::bind(&config.listen).await?;
    let operations = match &config.metrics_listen {
        Some(listen) => Some(app::bind(listen).await?),
        None => None,
    };
    let address = listener.local_addr().context("the listener has no address")?;
    let app = App::open(config, Environment::system(), address).await?;
    let endpoint = app.endpoint();
    if let Err(error) = app::note_endpoint(config, &endpoint) {
        tracing::debug!(%error, "the endpoint was not noted");
    }
    introduce(config, &app, &endpoint);
    if let Some(certificate) = app.certificates().and_then(|certificates| certificates.authority()) {
        explain_trust(&app, &certificate);
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    out::data(&format!("ready {scheme}://{address}"));

    let stop = app::new_stop(config.shutdown_grace);
    let gently = stop.gently.clone();
    let ending = async {
        signals.next().await;
        tracing::info!("stopping: running requests may finish");
        gently.cancel();
        signals.next().await;
        // Whoever asks twice does not want to wait.
        tracing::warn!("stopping at once");
    };
    let reloading = async {
        let Some((certificates, hangups)) = app.certificates().zip(hangups.as_mut()) else {
            return std::future::pending().await;
        };
        while hangups.recv().await.is_some() {
            certificates.read_again();
        }
        std::future::pending().await
    };
    tokio::select! {
        () = app.serve(listener, operations, stop) => {}
        () = ending => {}
        () = reloading => {}
    }
    app.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Says how to reach the server, with the new root key or with how to get one.
fn introduce(config: &Config, app: &App, endpoint: &str) {
    match &app.root_key {
        RootKeyState::Created(key) => {
            out::talk("The root's access key, shown this once; paste it into another terminal:");
            let region = config.region.as_str();
            Block { endpoint, access_key_id: &key.id, secret: &key.secret, region }.print();
        }
        RootKeyState::Given => {
            out::talk("The root's access key is the one in LONGSHORE_ROOT_ACCESS_KEY_ID.");
        }
        RootKeyState::Unchanged => {
            let folder = config.data_dir.display();
            out::talk(&format!("For a new root access key: longshore credentials root --data-dir {folder}"));
        }
    }
}

/// Says what clients need to trust a certificate of our own. On stderr, at every start.
fn explain_trust(app: &App, certificate: &Path) {
    let certificate = std::path::absolute(certificate).unwrap_or_else(|_| certificate.to_owned());
    // A path may hold any character; the lines shall work when pasted.
    let certificate = format!("'{}'", certificate.display().to_string().replace('\'', r"'\''"));
    let endpoint = app.endpoint();
    let host = endpoint.rsplit_once('/').map_or(endpoint.as_str(), |(_, host)| host);
    out::talk(&format!("The certificate is signed by this installation's own authority, {certificate}"));
    out::talk(&format!(
        "docker trusts it after: sudo mkdir -p /etc/docker/certs.d/{host} && \
         sudo cp {certificate} /etc/docker/certs.d/{host}/ca.crt"
    ));
    out::talk(&format!("aws trusts it after: export AWS_CA_BUNDLE={certificate}"));
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Log lines go to stderr: stdout is for the block and the `ready` line.
fn start_log(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.filter).context("log-level cannot be understood")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).init()
        }
        LogFormat::Human => {
            use std::io::IsTerminal as _;
            let is_coloured = std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal();
            builder.with_ansi(is_coloured).init();
        }
    }
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(%panic, %backtrace, "panic");
    }));
    Ok(())
}
