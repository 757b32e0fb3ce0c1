//! The installation's own authority and the certificate that it signs for the server.
//!
//! ```text
//! <data-dir>/tls/
//! ├── authority.json   the authority with its key; for its owner only
//! ├── ca.pem           the authority's certificate, for clients to trust
//! ├── certificate.pem  the server's certificate
//! └── key.pem          its key; for its owner only
//! ```
//!
//! INVARIANT: the authority can sign for the hosts that it was made for and no others, so that whoever trusts it
//! risks nothing else should its key be stolen. Another set of hosts therefore means another authority.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::TlsError;
use crate::config::TlsFiles;
use crate::environment::{Micros, SECOND};

const DAY: i64 = 86_400;
/// Ten years: every renewal of the authority is work on every client.
const AUTHORITY_DAYS: i64 = 3650;
/// Some clients refuse certificates that are valid for more than 398 days.
const SERVER_DAYS: i64 = 397;
/// A certificate that ends sooner is renewed.
const RENEW_DAYS: i64 = 30;
/// The latest moment that we date anything with, in the year 9892; far enough from what the library cannot add up.
const LATEST: i64 = 250_000_000_000;

/// Issues certificates for fixed hosts into a folder.
pub(super) struct Authority {
    folder: PathBuf,
    hosts: Vec<String>,
    /// When the issued certificate ends, in seconds since 1970.
    ends: AtomicI64,
}

/// `authority.json`
#[derive(Serialize, Deserialize)]
struct Kept {
    /// PEM
    key: String,
    /// PEM
    certificate: String,
    /// The names and addresses that it may sign for.
    hosts: Vec<String>,
    /// Seconds since 1970.
    begins: i64,
    /// Seconds since 1970.
    ends: i64,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Authority {
    /// An authority for these names and addresses.
    pub(super) fn new(folder: PathBuf, mut hosts: Vec<String>) -> Self {
        hosts.sort();
        hosts.dedup();
        Self { folder, hosts, ends: AtomicI64::new(0) }
    }

    /// What the server serves.
    pub(super) fn files(&self) -> TlsFiles {
        TlsFiles { certificate: self.folder.join("certificate.pem"), key: self.folder.join("key.pem") }
    }

    /// What clients trust.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Issues a new certificate when the last one ends soon.
    pub(super) fn renew(&self, now: Micros) -> Result<(), TlsError> {
        if self.ends.load(Ordering::Relaxed) - now / SECOND < RENEW_DAYS * DAY {
            self.issue(now)?;
        }
        Ok(())
    }

    /// Writes a new certificate for the server, and a new authority when there is none that can sign it.
    pub(super) fn issue(&self, now: Micros) -> Result<(), TlsError> {
        let now = (now / SECOND).clamp(DAY, LATEST - AUTHORITY_DAYS * DAY);
        let folder = &self.folder;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| TlsError::Folder { path: folder.clone(), source })?;
        let kept = self.authority(now)?;
        let issuer = Issuer::new(authority_parameters(&kept), KeyPair::from_pem(&kept.key)?);

        let mut parameters = CertificateParams::new(self.hosts.clone())?;
        parameters.distinguished_name.push(DnType::CommonName, "Longshore");
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Verifiers that are strict, such as Python's, refuse a certificate without it.
        parameters.use_authority_key_identifier_extension = true;
        // Clocks differ; a client that is a little behind shall not have to wait.
        date(&mut parameters, now - 3600, now + SERVER_DAYS * DAY);
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &issuer)?.pem();
        let files = self.files();
        write(&self.certificate(), &kept.certificate, 0o644)?;
        write(&files.key, &Zeroizing::new(key.serialize_pem()), 0o600)?;
        write(&files.certificate, &certificate, 0o644)?;
        self.ends.store(now + SERVER_DAYS * DAY, Ordering::Relaxed);
        Ok(())
    }

    fn authority(&self, now: i64) -> Result<Kept, TlsError> {
        let path = self.folder.join("authority.json");
        match std::fs::read(&path) {
            Ok(bytes) => {
                let bytes = Zeroizing::new(bytes);
                let kept: Kept =
                    serde_json::from_slice(&bytes).map_err(|_| TlsError::Damaged(path.clone()))?;
                if kept.hosts == self.hosts && kept.ends - now >= SERVER_DAYS * DAY {
                    return Ok(kept);
                }
                tracing::warn!(hosts = ?self.hosts, "a new authority signs the certificate: clients must trust it anew");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(TlsError::Folder { path, source }),
        }
        let key = KeyPair::generate()?;
        let mut kept = Kept {
            key: key.serialize_pem(),
            certificate: String::new(),
            hosts: self.hosts.clone(),
            begins: now - DAY,
            ends: now + AUTHORITY_DAYS * DAY,
        };
        kept.certificate = authority_parameters(&kept).self_signed(&key)?.pem();
        let text = Zeroizing::new(serde_json::to_string(&kept).map_err(|_| TlsError::Damaged(path.clone()))?);
        write(&path, &text, 0o600)?;
        Ok(kept)
    }
}

fn authority_parameters(kept: &Kept) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    // Not rcgen's own name: issuer and subject of the server's certificate would be equal, and OpenSSL would call it
    // self-signed.
    parameters.distinguished_name.push(DnType::CommonName, "Longshore authority of this installation");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    date(&mut parameters, kept.begins, kept.ends);
    let subtree = |host: &String| match host.parse::<IpAddr>() {
        Ok(address @ IpAddr::V4(_)) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, 32)),
        Ok(address @ IpAddr::V6(_)) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, 128)),
        Err(_) => GeneralSubtree::DnsName(host.clone()),
    };
    parameters.name_constraints = Some(NameConstraints {
        permitted_subtrees: kept.hosts.iter().map(subtree).collect(),
        excluded_subtrees: Vec::new(),
    });
    parameters
}

/// Says from when until when, in seconds since 1970, a certificate is valid.
fn date(parameters: &mut CertificateParams, begins: i64, ends: i64) {
    let since =
        |seconds: i64| std::time::Duration::from_secs(u64::try_from(seconds.min(LATEST)).unwrap_or(0));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + since(begins);
    parameters.not_after = epoch + since(ends);
}

/// Replaces a file as a whole, so that nobody reads half of it.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let folder = |source| TlsError::Folder { path: path.to_owned(), source };
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(folder(error)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).map_err(folder)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(folder)?;
    std::fs::rename(&new, path).map_err(folder)
}

#[cfg(test)]
mod tests;
