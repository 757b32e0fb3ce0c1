//! Many large bodies in both directions over one connection of HTTP/2: all of them whole, in bounded memory, and none
//! starves because of another.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sha2::Digest as _;
use tokio::net::TcpStream;

use crate::harness::{Process, Settings, TestServer};
use crate::registry::uploads::{digest_of, logged_in};

const MEBIBYTE: usize = 1024 * 1024;
const PULLS: u8 = 8;
const PUSHES: u8 = 8;
const LENGTH: usize = 32 * MEBIBYTE;
/// A quarter of what is under way, and far above what windows and pieces take.
const MOST_GROWTH_BYTES: u64 = 128 * 1024 * 1024;

/// One connection that many tasks share.
#[derive(Clone)]
struct Client {
    sender: SendRequest<BoxBody<Bytes, std::io::Error>>,
    host: String,
    authorization: String,
}

impl Client {
    async fn connect(server: &TestServer, authorization: &str) -> Self {
        let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
        let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self { sender, host: server.host(), authorization: authorization.to_owned() }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: BoxBody<Bytes, std::io::Error>,
    ) -> Response<Incoming> {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.host));
        let request = request.header("authorization", &self.authorization).body(body).unwrap();
        self.sender.clone().send_request(request).await.unwrap()
    }

    async fn empty(&self, method: &str, path: &str) -> Response<Incoming> {
        self.send(method, path, Full::default().map_err(|never| match never {}).boxed()).await
    }

    /// Pulls a blob; out: the digest of what came.
    async fn pull(&self, digest: &str) -> String {
        let answer = self.empty("GET", &format!("/v2/app/blobs/{digest}")).await;
        assert_eq!(answer.status(), 200);
        let (mut body, mut hasher) = (answer.into_body(), sha2::Sha256::new());
        while let Some(frame) = body.frame().await {
            hasher.update(frame.unwrap().into_data().unwrap());
        }
        format!("sha256:{}", hex::encode(hasher.finalize()))
    }

    /// Pushes `length` bytes as one chunk of unknown length; out: their digest.
    async fn push(&self, seed: u8, length: usize) -> String {
        let begun = self.empty("POST", "/v2/app/blobs/uploads/").await;
        let upload = begun.headers()["location"].to_str().unwrap().to_owned();
        let pieces = (0..length / MEBIBYTE).map(move |number| Ok(Frame::data(piece(seed, number))));
        let body = StreamBody::new(futures_util::stream::iter(pieces)).boxed();
        let answer = self.send("PATCH", &upload, body).await;
        assert_eq!(answer.status(), 202, "push {seed}");
        let mut hasher = sha2::Sha256::new();
        for number in 0..length / MEBIBYTE {
            hasher.update(piece(seed, number));
        }
        let digest = format!("sha256:{}", hex::encode(hasher.finalize()));
        assert_eq!(
            self.empty("PUT", &format!("{upload}?digest={digest}")).await.status(),
            201,
            "push {seed}"
        );
        digest
    }
}

/// The `number`th mebibyte of a blob.
fn piece(seed: u8, number: usize) -> Bytes {
    let mut bytes = vec![seed; MEBIBYTE];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_and_pushes_share_one_connection_and_a_slow_one_holds_nobody_up() {
    let process = Process::start(&[]);
    let docker = logged_in(&process.server).await;
    let client = Client::connect(&process.server, &docker.authorization).await;
    let mut digests = Vec::new();
    for seed in 0..PULLS {
        digests.push(client.push(seed, LENGTH).await);
    }
    let before = process.resident_bytes();
    // Asked for and not read while the others go on.
    let slow = client.empty("GET", &format!("/v2/app/blobs/{}", digests[0])).await;
    let mut tasks = tokio::task::JoinSet::new();
    for digest in &digests {
        let (client, digest) = (client.clone(), digest.clone());
        tasks.spawn(async move { assert_eq!(client.pull(&digest).await, digest) });
    }
    for seed in 0..PUSHES {
        let client = client.clone();
        tasks.spawn(async move {
            client.push(100 + seed, LENGTH).await;
        });
    }
    let mut most = before;
    loop {
        match tokio::time::timeout(Duration::from_millis(50), tasks.join_next()).await {
            Ok(None) => break,
            Ok(Some(done)) => done.unwrap(),
            Err(_) => most = most.max(process.resident_bytes()),
        }
    }
    eprintln!("resident {before} → {most} bytes");
    assert!(most < before + MOST_GROWTH_BYTES, "{before} → {most}");
    let whole = slow.into_body().collect().await.unwrap().to_bytes();
    assert!(digest_of(&whole) == digests[0], "the slow one gets everything too");
    // What was pushed beside all this is what was sent.
    let pushed = client.push(100, LENGTH).await;
    assert_eq!(client.pull(&pushed).await, pushed);
}

/// More uploads than places on one connection: those that wait must not take the room of those that are received.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_wait_for_a_place_leave_room_for_those_that_have_one() {
    let server = TestServer::start(Settings::default().with("max-uploads", "2")).await;
    let docker = logged_in(&server).await;
    let client = Client::connect(&server, &docker.authorization).await;
    let mut tasks = tokio::task::JoinSet::new();
    for seed in 0..12 {
        let client = client.clone();
        tasks.spawn(async move { client.push(seed, 4 * MEBIBYTE).await });
    }
    let all = tokio::time::timeout(Duration::from_secs(60), tasks.join_all()).await.expect("all end");
    assert_eq!(all.len(), 12);
    server.stop().await;
}
