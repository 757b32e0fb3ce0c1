use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::*;

const NOW: Micros = 1_800_000_000 * SECOND;

fn authority(folder: &tempfile::TempDir, hosts: &[&str]) -> Authority {
    Authority::new(folder.path().join("tls"), hosts.iter().map(|&host| host.to_owned()).collect())
}

/// Whether a client that trusts `ca.pem` accepts this certificate for `host` at `now`.
fn is_accepted(authority: &Authority, certificate: &CertificateDer<'_>, host: &str, now: Micros) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.certificate()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_micros(now.try_into().unwrap()));
    verifier.verify_server_cert(certificate, &[], &name, &[], now).is_ok()
}

fn served(authority: &Authority) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(authority.files().certificate).unwrap()
}

#[test]
fn clients_that_trust_the_authority_accept_its_hosts_for_397_days() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(&folder, &["registry.example.com", "localhost", "127.0.0.1", "::1"]);
    authority.issue(NOW).unwrap();
    super::super::read(&authority.files()).unwrap();
    let certificate = served(&authority);
    for host in ["registry.example.com", "localhost", "127.0.0.1", "::1"] {
        assert!(is_accepted(&authority, &certificate, host, NOW), "{host}");
        assert!(is_accepted(&authority, &certificate, host, NOW + 396 * DAY * SECOND), "{host}");
        assert!(!is_accepted(&authority, &certificate, host, NOW + 398 * DAY * SECOND), "{host}");
    }
    assert!(!is_accepted(&authority, &certificate, "example.com", NOW));
    for (name, mode) in [("authority.json", 0o600), ("key.pem", 0o600), ("ca.pem", 0o644), ("", 0o700)] {
        let data = std::fs::metadata(authority.folder.join(name)).unwrap();
        assert_eq!(data.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn the_authority_cannot_sign_for_other_hosts() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(&folder, &["localhost", "127.0.0.1"]);
    authority.issue(NOW).unwrap();
    let kept: Kept =
        serde_json::from_slice(&std::fs::read(authority.folder.join("authority.json")).unwrap()).unwrap();
    let issuer = Issuer::new(authority_parameters(&kept), KeyPair::from_pem(&kept.key).unwrap());
    for (host, is_expected) in [("localhost", true), ("example.com", false), ("127.0.0.2", false)] {
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
        date(&mut parameters, NOW / SECOND, NOW / SECOND + DAY);
        let certificate = parameters.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        assert_eq!(is_accepted(&authority, certificate.der(), host, NOW), is_expected, "{host}");
    }
}

#[test]
fn the_authority_is_kept_while_it_can_sign() {
    let folder = tempfile::tempdir().unwrap();
    let ca = |authority: &Authority| std::fs::read_to_string(authority.certificate()).unwrap();
    let first = authority(&folder, &["a.example", "localhost"]);
    first.issue(NOW).unwrap();
    let (trusted, certificate) = (ca(&first), served(&first));

    let again = authority(&folder, &["localhost", "a.example", "localhost"]);
    again.issue(NOW).unwrap();
    assert_eq!(ca(&again), trusted);
    assert_ne!(served(&again), certificate);
    again.issue(NOW + (AUTHORITY_DAYS - SERVER_DAYS) * DAY * SECOND).unwrap();
    assert_eq!(ca(&again), trusted);
    let late = NOW + (AUTHORITY_DAYS - SERVER_DAYS + 1) * DAY * SECOND;
    again.issue(late).unwrap();
    assert_ne!(ca(&again), trusted, "it would end before what it signs");
    assert!(is_accepted(&again, &served(&again), "a.example", late));

    let other = authority(&folder, &["b.example"]);
    other.issue(late).unwrap();
    assert!(is_accepted(&other, &served(&other), "b.example", late));
}

#[test]
fn a_certificate_is_renewed_when_thirty_days_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(&folder, &["localhost"]);
    authority.issue(NOW).unwrap();
    let first = served(&authority);
    authority.renew(NOW + (SERVER_DAYS - RENEW_DAYS) * DAY * SECOND).unwrap();
    assert_eq!(served(&authority), first);
    let due = NOW + (SERVER_DAYS - RENEW_DAYS + 1) * DAY * SECOND;
    authority.renew(due).unwrap();
    let second = served(&authority);
    assert_ne!(second, first);
    authority.renew(due).unwrap();
    assert_eq!(served(&authority), second);
}

#[test]
fn a_damaged_authority_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(&folder, &["localhost"]);
    authority.issue(NOW).unwrap();
    let path = authority.folder.join("authority.json");
    for text in ["", "{}", "nothing"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(authority.issue(NOW), Err(TlsError::Damaged(named)) if named == path));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
