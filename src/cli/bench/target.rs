//! The registry that is measured: where it is and how requests to it begin.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// Where Debian, Ubuntu and Alpine keep the certificates of public authorities.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A registry and how to log in to it.
pub(super) struct Target {
    /// Name or address.
    pub(super) host: String,
    /// TCP port.
    pub(super) port: u16,
    /// The value of `Host`.
    pub(super) authority: String,
    /// The value of `Authorization`, when there is one.
    pub(super) authorization: Option<String>,
    /// With `https://`.
    pub(super) tls: Option<Tls>,
}

/// What an encrypted connection needs.
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Target {
    /// Reads `http://host[:port]` or `https://host[:port]`; `authorities` is a PEM file instead of the system's.
    pub(super) fn parse(url: &str, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let uri: http::Uri = url.parse().with_context(|| format!("{url:?} is no URL"))?;
        let (is_secure, usual_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => bail!("{url:?} must begin with http:// or https://"),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            bail!("{url:?} must end behind the host and port: registries answer below /v2/");
        }
        let authority = uri.authority().with_context(|| format!("{url:?} names no host"))?;
        if authority.as_str().contains('@') {
            bail!("the user belongs into --user, its password into the variable of --password-env");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if is_secure { Some(Tls::new(&host, authorities)?) } else { None };
        let port = authority.port_u16().unwrap_or(usual_port);
        Ok(Self { host, port, authority: authority.as_str().to_owned(), authorization: None, tls })
    }

    /// A request's head with these further fields, each `name: value`.
    pub(super) fn head(&self, method: &str, path: &str, fields: &[&str]) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.authority);
        if let Some(authorization) = &self.authorization {
            text.push_str("authorization: ");
            text.push_str(authorization);
            text.push_str("\r\n");
        }
        for field in fields {
            text.push_str(field);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// The path and query of a `Location`, which may be a whole URL of this registry.
    pub(super) fn path_of<'a>(&self, location: &'a str) -> anyhow::Result<&'a str> {
        if location.starts_with('/') {
            return Ok(location);
        }
        let rest = location.split_once("://").map(|(_, rest)| rest);
        let slash = rest.and_then(|rest| rest.find('/').and_then(|slash| rest.get(slash..)));
        slash.with_context(|| format!("{location:?} is no address of an upload"))
    }
}

impl Tls {
    fn new(host: &str, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let path = authorities.unwrap_or(Path::new(SYSTEM_AUTHORITIES));
        let certificates = CertificateDer::pem_file_iter(path)
            .with_context(|| format!("no certificates of authorities in {}", path.display()))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let certificate = certificate.with_context(|| format!("{} is no PEM file", path.display()))?;
            roots.add(certificate).with_context(|| format!("a certificate of {}", path.display()))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).with_context(|| format!("{host:?} is no name"))?;
        Ok(Self { config: Arc::new(config), name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_refused_with_the_reason() {
        let target = Target::parse("http://[::1]:5000/", None).unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.authority.as_str()),
            ("::1", 5000, "[::1]:5000")
        );
        assert_eq!(Target::parse("http://registry", None).unwrap().port, 80);
        for (url, reason) in [
            ("localhost:5000", "must begin with http"),
            ("ftp://a", "must begin with http"),
            ("http://a/v2/", "must end behind the host"),
            ("http://u:p@a", "--user"),
            ("http://", "no URL"),
        ] {
            let error = format!("{:#}", Target::parse(url, None).err().unwrap());
            assert!(error.contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn locations_may_be_whole_urls() {
        let target = Target::parse("http://a:1", None).unwrap();
        assert_eq!(target.path_of("/v2/x?y=z").unwrap(), "/v2/x?y=z");
        assert_eq!(target.path_of("http://a:1/v2/x?y=z").unwrap(), "/v2/x?y=z");
        assert!(target.path_of("v2/x").is_err());
    }
}
