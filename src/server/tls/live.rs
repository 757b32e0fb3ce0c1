//! The certificate that new connections get, kept in step with its files.
//!
//! INVARIANT: what is served was read and checked in full; files that cannot be used change nothing.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;
use super::{TlsError, read};
use crate::config::{Tls, TlsFiles};
use crate::environment::Environment;

/// How often the files are looked at: a stat of two files, so that a renewal is seen within seconds on every system.
const LOOK: Duration = Duration::from_secs(2);

/// What new connections get.
pub struct Certificates {
    files: TlsFiles,
    authority: Option<Authority>,
    environment: Environment,
    current: ArcSwap<ServerConfig>,
    opened_as: Fingerprint,
    asked: Notify,
}

/// Modification time (seconds, nanoseconds), size and inode of both files, where they can be told.
type Fingerprint = [Option<(i64, i64, u64, u64)>; 2];

impl Certificates {
    /// Reads the operator's files, or issues a certificate for `hosts`: names and addresses without ports.
    ///
    /// # Errors
    /// [`TlsError`]
    pub fn open(tls: &Tls, hosts: Vec<String>, environment: Environment) -> Result<Arc<Self>, TlsError> {
        let (files, authority) = match tls {
            Tls::Files(files) => (files.clone(), None),
            Tls::SelfSigned(folder) => {
                let authority = Authority::new(folder.clone(), hosts);
                authority.issue(environment.now())?;
                (authority.files(), Some(authority))
            }
        };
        // Taken before the reading, so that a change in between is seen.
        let opened_as = fingerprint(&files);
        let current = ArcSwap::new(read(&files)?);
        let asked = Notify::new();
        Ok(Arc::new(Self { files, authority, environment, current, opened_as, asked }))
    }

    /// For one connection.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// The certificate of the installation's own authority, when there is one.
    #[must_use]
    pub fn authority(&self) -> Option<PathBuf> {
        self.authority.as_ref().map(Authority::certificate)
    }

    /// Makes [`Certificates::watch`] read the files now, changed or not.
    pub fn read_again(&self) {
        self.asked.notify_one();
    }

    /// Reads the files whenever they change, and renews a certificate of our own in time. Never returns.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = self.opened_as;
        loop {
            let is_asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = self.asked.notified() => true,
            };
            let certificates = Arc::clone(&self);
            let look = tokio::task::spawn_blocking(move || certificates.look(seen, is_asked));
            match look.await {
                Ok(found) => seen = found,
                Err(error) => tracing::error!(%error, "the certificate could not be looked at"),
            }
        }
    }

    fn look(&self, seen: Fingerprint, is_asked: bool) -> Fingerprint {
        if let Some(authority) = &self.authority
            && let Err(error) = authority.renew(self.environment.now())
        {
            tracing::error!(%error, "the certificate could not be renewed; the old one is still served");
        }
        let found = fingerprint(&self.files);
        if found != seen || is_asked {
            match read(&self.files) {
                Ok(config) => {
                    self.current.store(config);
                    tracing::info!(certificate = %self.files.certificate.display(), "the certificate was read again");
                }
                Err(error) => {
                    tracing::error!(%error, "the new certificate is not usable; the old one is still served");
                }
            }
        }
        found
    }
}

fn fingerprint(files: &TlsFiles) -> Fingerprint {
    let of = |path: &Path| {
        let data = std::fs::metadata(path).ok()?;
        Some((data.mtime(), data.mtime_nsec(), data.size(), data.ino()))
    };
    [of(&files.certificate), of(&files.key)]
}
