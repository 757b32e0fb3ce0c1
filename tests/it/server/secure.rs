//! TLS: both HTTP versions, and what the doors learn of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::harness::{Settings, TestServer};

struct Secure {
    server: TestServer,
    roots: rustls::RootCertStore,
    folder: TempDir,
}

/// Writes a new certificate with its key.
fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

async fn start() -> Secure {
    let folder = tempfile::tempdir().unwrap();
    let served = write_certificate(folder.path());
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let settings = Settings::default()
        .with("tls-cert", certificate.to_str().unwrap())
        .with("tls-key", key.to_str().unwrap());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(served).unwrap();
    Secure { server: TestServer::start(settings).await, roots, folder }
}

impl Secure {
    async fn connect(&self, protocol: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        stream
    }

    /// The certificate that a new connection sees.
    async fn served(&self) -> CertificateDer<'static> {
        let stream = self.connect(b"http/1.1").await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let uri = format!("https://{}/v2/", self.server.host());
        Request::get(uri).body(Full::default()).unwrap()
    }
}

/// docker takes the realm's scheme for the one to log in with.
fn check_realm(answer: &http::Response<hyper::body::Incoming>, host: &str) {
    assert_eq!(answer.status(), 401);
    let realm = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(realm.contains(&format!("https://{host}/")), "{realm}");
}

#[tokio::test]
async fn http_1_and_2_are_served_over_tls() {
    let secure = start().await;
    let host = secure.server.host();

    let stream = TokioIo::new(secure.connect(b"http/1.1").await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = secure.request();
    request.headers_mut().insert("host", host.parse().unwrap());
    *request.uri_mut() = "/v2/".parse().unwrap();
    check_realm(&sender.send_request(request).await.unwrap(), &host);

    let stream = TokioIo::new(secure.connect(b"h2").await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    check_realm(&sender.send_request(secure.request()).await.unwrap(), &host);
    let many: Vec<_> = (0..50).map(|_| sender.send_request(secure.request())).collect();
    for answer in many {
        let answer = answer.await.unwrap();
        check_realm(&answer, &host);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "Not Authorized\n");
    }
    drop(sender);
    secure.server.stop().await;
}

#[tokio::test]
async fn an_idle_http_2_connection_ends_with_the_server() {
    let secure = start().await;
    let stream = TokioIo::new(secure.connect(b"h2").await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    check_realm(&sender.send_request(secure.request()).await.unwrap(), &secure.server.host());
    secure.server.stop().await;
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn plain_http_on_a_tls_port_disturbs_nobody() {
    let secure = start().await;
    let mut wire = secure.server.wire().await;
    let (answer, _) = wire.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.rest().await;
    assert!(!answer.contains("200"), "{answer:?}");
    secure.connect(b"h2").await;
}

#[tokio::test]
async fn a_changed_certificate_is_served_without_dropping_connections() {
    let mut secure = start().await;
    let host = secure.server.host();
    let stream = TokioIo::new(secure.connect(b"h2").await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    check_realm(&sender.send_request(secure.request()).await.unwrap(), &host);

    let first = secure.served().await;
    let second = write_certificate(secure.folder.path());
    secure.roots.add(second.clone()).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while secure.served().await == first {
        assert!(std::time::Instant::now() < deadline, "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(secure.served().await, second);
    check_realm(&sender.send_request(secure.request()).await.unwrap(), &host);

    // Three looks at files that cannot be used: the last good certificate stays.
    std::fs::write(secure.folder.path().join("cert.pem"), "nothing").unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(secure.served().await, second);
    check_realm(&sender.send_request(secure.request()).await.unwrap(), &host);
    let third = write_certificate(secure.folder.path());
    secure.roots.add(third.clone()).unwrap();
    while secure.served().await != third {
        assert!(std::time::Instant::now() < deadline, "the server did not recover");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(sender);
    connection.await.unwrap().unwrap();
    secure.server.stop().await;
}

#[tokio::test]
async fn a_certificate_of_our_own_is_trusted_through_its_authority() {
    let settings = Settings::default().with("tls", "self-signed");
    let server = TestServer::start(settings).await;
    let mut roots = rustls::RootCertStore::empty();
    let authority = server.folder.path().join("tls/ca.pem");
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let secure = Secure { server, roots, folder: tempfile::tempdir().unwrap() };
    let stream = TokioIo::new(secure.connect(b"h2").await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    check_realm(&sender.send_request(secure.request()).await.unwrap(), &secure.server.host());
    drop(sender);
    secure.server.stop().await;
}
