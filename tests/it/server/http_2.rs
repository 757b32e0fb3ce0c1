//! HTTP/2 without TLS, and what a client may not do with it.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::http_2::{self, ENHANCE_YOUR_CALM, GOAWAY, PREFACE, RST_STREAM, SETTINGS, frame};
use crate::harness::{Settings, TestServer};

#[tokio::test]
async fn one_port_speaks_both_versions_without_tls() {
    let server = TestServer::start(Settings::default()).await;
    let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request =
        || Request::get(format!("http://{}/v2/", server.host())).body(Full::<Bytes>::default()).unwrap();
    let many: Vec<_> = (0..50).map(|_| sender.send_request(request())).collect();
    for answer in many {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (401, http::Version::HTTP_2));
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "Not Authorized\n");
    }
    // Requests of HTTP/1.1 that begin like the preface, in pieces as small as they come.
    for method in ["P", "PR", "PRI"] {
        let mut wire = server.wire().await;
        wire.send(method).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        wire.send("X /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(wire.until("\r\n\r\n").await.starts_with("HTTP/1.1 4"), "{method}");
    }
    // A preface in two pieces.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&PREFACE[..10]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(&PREFACE[10..]).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], SETTINGS, "the server's settings come first");
    drop(stream);
    // Idle connections of both kinds end with the server.
    let idle = server.wire().await;
    server.stop().await;
    connection.await.unwrap().unwrap();
    drop(idle);
}

/// The SDK for Go speaks HTTP/2 whenever it is offered; there the host that was signed is no header.
#[tokio::test]
async fn a_signature_over_the_host_verifies_where_the_host_is_a_pseudo_header() {
    let server = TestServer::start(Settings::default()).await;
    let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let host = server.host();
    let fields = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry"),
    ];
    // The name that was signed, the one that is asked for, a `Host` header besides.
    for (signed, authority, header, status) in [
        (host.as_str(), host.as_str(), None, 200),
        (&host, &host, Some("elsewhere"), 200),
        ("elsewhere", &host, Some("elsewhere"), 400),
        (&host, "elsewhere", None, 400),
    ] {
        let signature = {
            let mut fields = fields.to_vec();
            fields.push(("host", signed));
            server.root.sign("POST", "/", &fields, b"{}", "ecr")
        };
        let mut request = Request::post(format!("http://{authority}/"));
        for (name, value) in fields.into_iter().chain(header.map(|host| ("host", host))) {
            request = request.header(name, value);
        }
        for (name, value) in signature {
            request = request.header(name, value);
        }
        let answer = sender.send_request(request.body(Full::<Bytes>::from("{}")).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{signed} {authority} {header:?}");
    }
}

#[tokio::test]
async fn half_a_preface_is_no_way_to_stay() {
    let server = TestServer::start(Settings::default().with("header-timeout-seconds", "1")).await;
    for begin in ["", "PRI * HTTP/2.0"] {
        let mut wire = server.wire().await;
        let (_, took) = wire.send(begin).await.rest().await;
        assert!(took > Duration::from_millis(900) && took < Duration::from_secs(10), "{begin:?}: {took:?}");
    }
}

/// CVE-2023-44487: a request costs its client two small frames and no waiting.
#[tokio::test]
async fn a_client_that_opens_and_resets_streams_is_sent_away() {
    let server = TestServer::start(Settings::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut bytes = http_2::beginning(65_535);
    for number in 0..500 {
        bytes.extend(http_2::request(number * 2 + 1, "GET", "/", ""));
        bytes.extend(frame(RST_STREAM, 0, number * 2 + 1, &http_2::CANCEL.to_be_bytes()));
    }
    // The server may close before it has read all of it.
    let _ = stream.write_all(&bytes).await;
    let mut reasons = Vec::new();
    let reading = async {
        while let Some(frame) = http_2::next(&mut stream).await {
            if frame.kind == GOAWAY {
                reasons.push(frame.reason());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap();
    assert_eq!(reasons.last(), Some(&ENHANCE_YOUR_CALM), "{reasons:?}");
    assert_eq!(server.get("/healthz").await.status, 200, "others are served as before");
}
