//! One HTTP request to one host: hyper's client on a connection of its own, with rustls.
//!
//! Two small requests in the life of the process need no pool, no redirects, no HTTP/2.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;

/// From the look-up of the name to the last byte of the answer. Docker itself waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// A token with a long session is some kilobytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// Sends a request to the endpoint and reads the whole answer.
///
/// `authorities` is a file of certificates to trust instead of the system's and docker's.
///
/// # Errors
/// No connection, no trust, no HTTP, an answer that is too long or takes too long.
pub(super) async fn send(
    endpoint: &Endpoint,
    authorities: Option<&Path>,
    request: http::Request<Full<Bytes>>,
) -> anyhow::Result<http::Response<Bytes>> {
    let answered = async {
        let stream = TcpStream::connect(endpoint.address()).await?;
        if !endpoint.is_secure {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(endpoint.authority.host().to_owned())?;
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(trusted(endpoint, authorities)?)
                .with_no_client_auth();
        exchange(TlsConnector::from(Arc::new(config)).connect(name, stream).await?, request).await
    };
    let in_time = tokio::time::timeout(PATIENCE, answered).await;
    in_time
        .unwrap_or_else(|_| bail!("no answer within {} seconds", PATIENCE.as_secs()))
        .with_context(|| format!("{endpoint} cannot be asked"))
}

async fn exchange<S>(stream: S, request: http::Request<Full<Bytes>>) -> anyhow::Result<http::Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        Ok(http::Response::from_parts(head, body))
    };
    // The connection must be driven beside the request; when it ends first, the request tells why.
    let driven = async {
        if connection.await.is_err() {
            tracing::debug!("the connection ended with an error");
        }
        std::future::pending().await
    };
    tokio::select! {
        answer = exchange => answer,
        () = driven => bail!("the connection ended"),
    }
}

/// The given file alone; else what the system trusts, and for this host what docker trusts.
fn trusted(endpoint: &Endpoint, authorities: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = authorities {
        if add(&mut roots, file)? == 0 {
            bail!("{} holds no certificate that can be used", file.display());
        }
        return Ok(roots);
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    // Where `--tls self-signed` tells people to put our authority; see dockerd's own rules for the folder.
    let folder = Path::new("/etc/docker/certs.d").join(endpoint.authority.to_string());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            add(&mut roots, &path)?;
        }
    }
    Ok(roots)
}

/// Adds the certificates of a PEM file; gives how many could be used.
fn add(roots: &mut RootCertStore, file: &Path) -> anyhow::Result<usize> {
    let unusable = || format!("{} holds no usable certificates", file.display());
    let found = CertificateDer::pem_file_iter(file).with_context(unusable)?;
    let found = found.collect::<Result<Vec<_>, _>>().with_context(unusable)?;
    Ok(roots.add_parsable_certificates(found).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::parse("https://localhost:1").unwrap();
        let file = folder.path().join("bundle.pem");
        for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            let error = trusted(&endpoint, Some(&file)).unwrap_err().to_string();
            assert!(error.contains("bundle.pem"), "{error}");
        }
    }
}
