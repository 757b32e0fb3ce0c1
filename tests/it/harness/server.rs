//! The application in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use longshore::app::{self, App, RootKeyState};
use longshore::config::{Config, Sources};
use longshore::environment::Environment;
use longshore::server::Stop;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::client::Key;
use super::schema::{Schema, VARIABLE};

/// How to start a server: settings by key, beside those that make it a test server.
#[derive(Default)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// The same with one more setting.
    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        self.0.insert(key, value.to_owned());
        self
    }
}

/// A running server. Dropping it abandons it; [`TestServer::stop`] ends it cleanly.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// The root's access key.
    pub root: Key,
    /// `sqlite` or `postgres`, for assertion messages.
    pub engine: &'static str,
    /// The data folder.
    pub folder: TempDir,
    /// Ends it, for tests of the end.
    pub stopping: Stop,
    running: JoinHandle<()>,
    _schema: Option<Schema>,
}

/// A server on every engine, with default settings.
pub async fn servers() -> Vec<TestServer> {
    let mut servers = vec![TestServer::start(Settings::default()).await];
    match std::env::var(VARIABLE) {
        Ok(url) => {
            let schema = Schema::create(&url);
            let settings = Settings::default().with("database", &schema.url());
            servers.push(TestServer::start_on(settings, "postgres", Some(schema)).await);
        }
        Err(_) => eprintln!("{VARIABLE} is not set: PostgreSQL is NOT covered by this run"),
    }
    servers
}

impl TestServer {
    /// A server on SQLite with these settings.
    pub async fn start(settings: Settings) -> Self {
        Self::start_on(settings, "sqlite", None).await
    }

    async fn start_on(settings: Settings, engine: &'static str, schema: Option<Schema>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut flags = settings.0;
        flags.entry("listen").or_insert_with(|| "127.0.0.1:0".to_owned());
        flags.insert("data-dir", folder.path().to_str().unwrap().to_owned());
        let sources = Sources { flags, config: None, environment: &|_| None };
        let config = Config::load(&sources).unwrap();
        let listener = app::bind(&config.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let operations = match &config.metrics_listen {
            Some(listen) => Some(app::bind(listen).await.unwrap()),
            None => None,
        };
        let app = App::open(&config, Environment::system(), address).await.unwrap();
        let RootKeyState::Created(key) = &app.root_key else { panic!("not a first start") };
        let root = Key::new(&key.id, &key.secret);
        let stopping = app::new_stop(config.shutdown_grace);
        let stop = stopping.clone();
        let running = tokio::spawn(async move {
            app.serve(listener, operations, stop).await;
            app.close().await;
        });
        Self { address, root, engine, folder, stopping, running, _schema: schema }
    }

    /// The same server, spoken to on another port of the loopback address.
    pub fn at(self, port: u16) -> Self {
        Self { address: ([127, 0, 0, 1], port).into(), ..self }
    }

    /// A server that another process runs: only the client side is here.
    pub fn elsewhere(address: SocketAddr, root: Key, folder: TempDir) -> Self {
        let (stopping, running) = (app::new_stop(Duration::ZERO), tokio::spawn(async {}));
        Self { address, root, engine: "sqlite", folder, stopping, running, _schema: None }
    }

    /// Stops it and waits for the end, which must come.
    pub async fn stop(self) {
        self.stopping.gently.cancel();
        tokio::time::timeout(Duration::from_secs(60), self.running).await.expect("it ends").unwrap();
    }

    /// Whether the server has ended.
    pub fn has_ended(&self) -> bool {
        self.running.is_finished()
    }
}
