//! Puts the house together: the one place that names concrete stores.
//!
//! [`App::open`] opens database, blobs, keys and rooms from a [`Config`], creates the account when it is new, and
//! starts the background work; [`App::serve`] runs the listeners until it is told to stop; [`App::close`] ends the
//! background work and closes the stores.
//!
//! ```ignore
//! let listener = app::bind(&config.listen).await?;
//! let app = App::open(&config, Environment::system(), listener.local_addr()?).await?;
//! app.serve(vec![(listener, Faces::All)], stop).await?;
//! app.close().await;
//! ```

mod background;
mod first_start;
mod folder;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::audit::Audit;
use crate::access::{Guard, Registry};
use crate::api::{Names, Services};
use crate::catalog::Catalog;
use crate::config::{Config, Listen};
use crate::environment::Environment;
use crate::identity::{self, IdentityRoom};
use crate::server::{self, Certificates, Faces, Hall, Measures, Readiness, Settings, Stop, TlsError};
use crate::store::blob::{self, Blobs};
use crate::store::db::{self, Database};
use crate::store::reserve::Reserve;
use crate::store::seal::{SealError, Sealer};

pub use first_start::RootKeyState;
pub use folder::{note_endpoint, noted_endpoint};

use background::Background;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file of the installation cannot be used.
    #[error("{} cannot be used", path.display())]
    Folder {
        /// The folder or file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The sealing keys cannot be used.
    #[error("the sealing keys in {} cannot be used", path.display())]
    Keys {
        /// The key file.
        path: std::path::PathBuf,
        /// What is wrong.
        #[source]
        source: SealError,
    },
    /// The database cannot be used.
    #[error("the database {location} cannot be used")]
    Database {
        /// The database, without its password.
        location: String,
        /// What is wrong.
        #[source]
        source: db::Error,
    },
    /// The blob store cannot be used.
    #[error("the blob store cannot be used")]
    Blobs(#[from] blob::Error),
    /// The audit trail cannot be written.
    #[error("the audit trail in {} cannot be written", path.display())]
    Audit {
        /// Its folder.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The account or its root key cannot be set up.
    #[error("the account cannot be set up")]
    Identity(#[from] identity::Error),
    /// The address cannot be listened on.
    #[error("{host}:{port} cannot be listened on")]
    Listen {
        /// The host as configured.
        host: String,
        /// The port as configured.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// The counters cannot be set up.
    #[error("metrics cannot be counted")]
    Measures(#[from] metrics_exporter_prometheus::BuildError),
}

/// The parts of a running server.
pub struct App {
    /// The rooms and the guard.
    pub services: Services,
    /// Whether the root has a key, and which one is new.
    pub root_key: RootKeyState,
    database: Database,
    blobs: Blobs,
    environment: Environment,
    measures: Measures,
    settings: Settings,
    certificates: Option<Arc<Certificates>>,
    background: Background,
}

/// Binds a listener.
///
/// # Errors
/// [`Error::Listen`]
pub async fn bind(listen: &Listen) -> Result<TcpListener, Error> {
    let Listen { host, port } = listen.clone();
    TcpListener::bind((host.as_str(), port)).await.map_err(|source| Error::Listen { host, port, source })
}

/// Opens the catalog of identities alone, for commands that work beside a running server.
///
/// # Errors
/// [`Error`]
pub async fn open_identities(
    config: &Config,
    environment: Environment,
) -> Result<(IdentityRoom, Database), Error> {
    let sealer = open_sealer(config, environment.clone())?;
    let database = open_database(config).await?;
    Ok((IdentityRoom::new(database.clone(), sealer, environment), database))
}

/// Opens catalog and blobs of a server that does not run, to read them; nothing is created or changed.
///
/// # Errors
/// [`Error::Blobs`] when a server uses the folder; [`Error`]
pub async fn open_catalog_to_read(
    config: &Config,
    environment: Environment,
) -> Result<(Catalog, Database), Error> {
    let blobs = Blobs::open_to_read(&config.blobs).await?;
    let database = Database::open_to_read(&config.database)
        .await
        .map_err(|source| Error::Database { location: config.database.display(), source })?;
    let catalog = Catalog::new(database.clone(), Arc::new(blobs), environment, config.catalog);
    Ok((catalog, database))
}

/// Room beside SQLite's database; PostgreSQL looks after its own.
fn reserve(config: &Config) -> Reserve {
    let db::Location::Sqlite(path) = &config.database else { return Reserve::default() };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-reserve");
    Reserve::new(&path.with_file_name(name), config.disk_reserve_bytes)
}

fn open_sealer(config: &Config, environment: Environment) -> Result<Arc<Sealer>, Error> {
    let path = config.key_file.clone();
    let sealer = Sealer::open_or_create(&path, environment).map_err(|source| Error::Keys { path, source })?;
    Ok(Arc::new(sealer))
}

async fn open_database(config: &Config) -> Result<Database, Error> {
    Database::open(&config.database)
        .await
        .map_err(|source| Error::Database { location: config.database.display(), source })
}

/// The names of the installation; `port` is the one that the server really has.
#[must_use]
pub fn names(config: &Config, port: u16) -> Names {
    Names {
        account: config.account.clone(),
        region: config.region.clone(),
        public_host: config.public_host.clone().unwrap_or_else(|| format!("localhost:{port}")),
        is_secure: config.is_public_secure,
    }
}

/// What a certificate of our own is for: the public host of the own registry, where ECR's API lies beside ECR's own
/// names, the address that is listened on, and this machine.
fn certified_hosts(names: &Names, listen: &Listen) -> Vec<String> {
    let region = names.region.as_str();
    let public = names.public_host.replace("{account}", names.account.as_str()).replace("{region}", region);
    let mut hosts = vec![server::without_port(&public).to_owned(), listen.host.clone()];
    if public.ends_with(".amazonaws.com") {
        hosts.push(format!("api.ecr.{region}.amazonaws.com"));
    }
    hosts.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    // An address such as 0.0.0.0 is none that a client can ask for.
    let is_real =
        |host: &String| !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_unspecified());
    let plain = |host: String| host.trim_matches(['[', ']']).to_ascii_lowercase();
    hosts.into_iter().map(plain).filter(is_real).collect()
}

impl App {
    /// Opens everything that `config` names; `address` is where the server already listens.
    ///
    /// # Errors
    /// [`Error`]; what was created until then stays and is used by the next start.
    pub async fn open(config: &Config, environment: Environment, address: SocketAddr) -> Result<Self, Error> {
        folder::prepare(config)?;
        let names = Arc::new(names(config, address.port()));
        let certificates = match &config.tls {
            Some(tls) => {
                Some(Certificates::open(tls, certified_hosts(&names, &config.listen), environment.clone())?)
            }
            None => None,
        };
        let measures = Measures::install()?;
        let audit = Audit::open(config.audit.clone(), environment.clone())
            .map_err(|source| Error::Audit { path: config.audit.folder.clone(), source })?;
        let sealer = open_sealer(config, environment.clone())?;
        let reserve = Arc::new(reserve(config));
        if let Err(error) = reserve.lend() {
            tracing::warn!(%error, "the reserve for deletions cannot be used");
        }
        let blobs = Blobs::open(&config.blobs).await?.with_reserve(Arc::clone(&reserve));
        let database = open_database(config).await?.with_reserve(Arc::clone(&reserve));
        let identity = IdentityRoom::new(database.clone(), Arc::clone(&sealer), environment.clone());
        let root_key = first_start::set_up(&identity, config).await?;
        if let Err(error) = reserve.fill() {
            tracing::warn!(%error, "there is no reserve for deletions: it cannot be written");
        }
        let catalog =
            Catalog::new(database.clone(), Arc::new(blobs.clone()), environment.clone(), config.catalog);
        let guard = Guard::new(
            identity.clone(),
            catalog.clone(),
            Arc::clone(&sealer),
            environment.clone(),
            audit,
            config.clock_skew_seconds,
        );
        let background =
            Background::start(&catalog, &identity, &measures, config.collect_interval, config.scrub);
        Ok(Self {
            services: Services { catalog, identity, guard, sealer, names },
            root_key,
            database,
            blobs,
            environment,
            measures,
            settings: Settings {
                limits: config.limits,
                trusted_proxies: config.trusted_proxies.clone(),
                faces: Faces::All,
            },
            certificates,
            background,
        })
    }

    /// `http://localhost:4580`: what `AWS_ENDPOINT_URL` shall be.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let names = &self.services.names;
        names.endpoint(&Registry { account: names.account.clone(), region: names.region.clone() })
    }

    /// Serves `listener`, and `operations` when metrics have a listener of their own, until `stop`. Returns when the
    /// last request has ended or the grace is over.
    pub async fn serve(&self, listener: TcpListener, operations: Option<TcpListener>, stop: Stop) {
        let faces = if operations.is_some() { Faces::WithoutMetrics } else { Faces::All };
        let main = server::listen(self.hall(faces), listener, self.certificates.clone(), stop.clone());
        let operations = async {
            if let Some(listener) = operations {
                // Without TLS: probes and scrapers come from inside, and nothing secret is told here.
                server::listen(self.hall(Faces::OperationsOnly), listener, None, stop).await;
            }
        };
        let watch = async {
            match &self.certificates {
                Some(certificates) => Arc::clone(certificates).watch().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = async { tokio::join!(main, operations) } => {}
            () = watch => {}
        }
    }

    /// What new connections get, when this server ends TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.certificates.as_ref()
    }

    /// Ends the background work, writes down what it still holds, and closes the stores.
    pub async fn close(self) {
        self.background.stop(&self.services.catalog, &self.services.identity).await;
        self.database.close().await;
    }

    fn hall(&self, faces: Faces) -> Arc<Hall> {
        let readiness = Readiness::new(self.database.clone(), self.blobs.clone());
        let settings = Settings { faces, ..self.settings.clone() };
        Hall::new(self.services.clone(), readiness, self.measures.clone(), self.environment.clone(), settings)
    }
}

/// A stop that has not been asked for yet.
#[must_use]
pub fn new_stop(grace: std::time::Duration) -> Stop {
    Stop { gently: CancellationToken::new(), grace }
}
