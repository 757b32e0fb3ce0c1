//! Connections stay open whatever was answered on them, no answer belongs to another request, and what closes a
//! connection is what docs/reference/errors.md says.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::harness::{Answer, Settings, TestServer};
use crate::registry::uploads::{digest_of, logged_in};

const CONNECTIONS: u32 = 16;
const ROUNDS: u32 = 9;
const LENGTH: usize = 200_000;

/// Bytes that differ from place to place and, by `seed`, from blob to blob.
fn content(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(length).collect()
}

/// One client with one connection. hyper's own is none for this test: it may forget to wake whoever waits to send
/// the next request when an answer came before the end of a body.
struct Client {
    reading: BufReader<OwnedReadHalf>,
    writing: OwnedWriteHalf,
    host: String,
    authorization: String,
    requests: u32,
}

impl Client {
    async fn connect(server: &TestServer, authorization: &str) -> Self {
        let (reading, writing) = TcpStream::connect(server.address).await.unwrap().into_split();
        let (reading, authorization) = (BufReader::new(reading), authorization.to_owned());
        Self { reading, writing, host: server.host(), authorization, requests: 0 }
    }

    /// Sends a request over the one connection, which must take all of it and be open afterwards.
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let what = format!("{method} {path} {fields:?} after {} requests", self.requests);
        let (body, host) = (body.as_ref(), &self.host);
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
        if !fields.iter().any(|(name, _)| *name == "x-amz-target") {
            head += &format!("authorization: {}\r\n", self.authorization);
        }
        for (name, value) in fields {
            head += &format!("{name}: {value}\r\n");
        }
        let sent = async {
            self.writing.write_all((head + "\r\n").as_bytes()).await?;
            self.writing.write_all(body).await
        };
        let (sent, answer) = tokio::join!(sent, answer(&mut self.reading, method == "HEAD"));
        sent.unwrap_or_else(|error| panic!("{what}: {error}: {answer:?}"));
        assert!(!answer.headers.contains_key("connection"), "{what}: {answer:?}");
        self.requests += 1;
        answer
    }

    async fn refused(&mut self, method: &str, path: &str, body: impl AsRef<[u8]>, status: u16, code: &str) {
        let answer = self.send(method, path, &[], body).await;
        let document: Value = answer.json();
        assert_eq!(
            (answer.status, &document["errors"][0]["code"]),
            (status, &json!(code)),
            "{method} {path}"
        );
    }
}

/// One of each kind of request, with ranges and contents that occur once.
async fn round(client: &mut Client, digest: &str, whole: &[u8], seed: u32) {
    let blob = format!("/v2/app/blobs/{digest}");
    let missing = format!("/v2/app/blobs/{}", digest_of(&seed.to_le_bytes()));
    let answer = client.send("GET", &blob, &[], "").await;
    assert!(answer.status == 200 && answer.body == whole);
    let etag = answer.header("etag").to_owned();

    let first = seed as usize * 977 % (LENGTH - 1);
    let last = (first + seed as usize * 31 % 90_000).min(LENGTH - 1);
    let range = format!("bytes={first}-{last}");
    let answer = client.send("GET", &blob, &[("range", &range)], "").await;
    assert!(answer.status == 206 && answer.body == whole[first..=last], "{range}");
    let answer = client.send("GET", &blob, &[("range", "bytes=9999999-")], "").await;
    assert_eq!((answer.status, answer.header("content-range")), (416, format!("bytes */{LENGTH}").as_str()));
    let answer = client.send("GET", &blob, &[("if-none-match", &etag)], "").await;
    assert_eq!((answer.status, answer.body.len()), (304, 0));
    let answer = client.send("HEAD", &blob, &[], "").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, LENGTH.to_string().as_str()));
    assert_eq!(client.send("HEAD", &missing, &[], "").await.status, 404);

    client.refused("GET", &missing, "", 404, "BLOB_UNKNOWN").await;
    client.refused("GET", &format!("/v2/app/manifests/none-{seed}"), "", 404, "MANIFEST_UNKNOWN").await;
    client.refused("PUT", "/v2/app/manifests/1", "{}", 400, "MANIFEST_INVALID").await;
    // Refusals that come before the body does.
    let large = content(seed, 300_000);
    let nowhere = format!("/v2/absent-{seed}/blobs/uploads/?digest={digest}");
    client.refused("POST", &nowhere, &large, 404, "NAME_UNKNOWN").await;
    let unknown = format!("/v2/app/blobs/uploads/{seed:08x}-0000-4000-8000-000000000000");
    client.refused("PATCH", &unknown, &large, 404, "BLOB_UPLOAD_UNKNOWN").await;
    client.refused("DELETE", "/v2/", &large, 405, "UNSUPPORTED").await;
    let target = [("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.PutImage")];
    let answer = client.send("POST", "/", &target, &large).await;
    assert_eq!(
        (answer.status, &answer.json()["__type"]),
        (400, &json!("MissingAuthenticationTokenException"))
    );
    if seed.is_multiple_of(4) {
        let manifest = vec![b' '; 5_000_000];
        client.refused("PUT", "/v2/app/manifests/1", manifest, 413, "MANIFEST_INVALID").await;
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = client.send("POST", "/", &form, vec![b'a'; 2_000_000]).await;
        assert!(answer.status == 413 && answer.text().contains("<Code>RequestEntityTooLarge</Code>"));
    }
    assert_eq!(client.send("POST", "/nothing", &[], &large).await.status, 404);
    assert_eq!(client.send("GET", "/healthz", &[], &large).await.status, 200);
    let correct = std::mem::replace(&mut client.authorization, "Basic QVdTOm5v".to_owned());
    assert_eq!(client.send("PUT", "/v2/app/manifests/1", &[], content(seed, 50_000)).await.status, 401);
    client.authorization = correct;

    // A push in two chunks and what it has made.
    let bytes = content(seed, 3_000 + seed as usize * 41 % 90_000);
    let (name, half) = (digest_of(&bytes), bytes.len() / 2);
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], "").await;
    assert_eq!(begun.status, 202);
    let upload = begun.header("location").to_owned();
    let answer = client.send("PATCH", &upload, &[], &bytes[..half]).await;
    assert_eq!((answer.status, answer.header("range")), (202, format!("0-{}", half - 1).as_str()));
    let out_of_order = [("content-range", "0-2")];
    assert_eq!(client.send("PATCH", &upload, &out_of_order, "abc").await.status, 416);
    let answer = client.send("PUT", &format!("{upload}?digest={name}"), &[], &bytes[half..]).await;
    assert_eq!((answer.status, answer.header("docker-content-digest")), (201, name.as_str()));
    let answer = client.send("GET", &format!("/v2/app/blobs/{name}"), &[], "").await;
    assert!(answer.status == 200 && answer.body == bytes, "another blob's bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_connections_carry_thousands_of_answers_of_every_kind() {
    let server = TestServer::start(Settings::default()).await;
    let docker = logged_in(&server).await;
    let whole = Arc::new(content(7, LENGTH));
    let digest = docker.push_blob("app", &whole).await;
    let mut tasks = Vec::new();
    for number in 0..CONNECTIONS {
        let mut client = Client::connect(&server, &docker.authorization).await;
        let (whole, digest) = (Arc::clone(&whole), digest.clone());
        tasks.push(tokio::spawn(async move {
            for turn in 0..ROUNDS {
                round(&mut client, &digest, &whole, 1000 + turn * CONNECTIONS + number).await;
            }
            client.requests
        }));
    }
    let mut requests = 0;
    for task in tasks {
        requests += task.await.unwrap();
    }
    assert!(requests > 3000, "{requests}");
    server.stop().await;
}

/// Reads one answer; `is_head` says that it has no body.
async fn answer(stream: &mut (impl AsyncRead + Unpin), is_head: bool) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&head)),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let (line, fields) = head.split_once("\r\n").unwrap();
    let status: u16 =
        line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("{head}"))[..3].parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in fields.lines().filter_map(|field| field.split_once(": ")) {
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let mut answer = Answer { status, headers, body: Bytes::new() };
    let length = answer.header("content-length");
    if !is_head && !length.is_empty() {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap_or_else(|error| panic!("{error} in the body of {head}"));
        answer.body = body.into();
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = TestServer::start(Settings::default()).await;
    let docker = logged_in(&server).await;
    let whole = content(9, LENGTH);
    let digest = docker.push_blob("app", &whole).await;
    let fields = format!("host: {}\r\nauthorization: {}\r\n", server.host(), docker.authorization);
    let mut requests = String::new();
    for number in 0..100 {
        let (first, last) = (number * 100, number * 100 + number * 600);
        let blob = format!("/v2/app/blobs/{digest}");
        requests += &format!("GET {blob} HTTP/1.1\r\n{fields}range: bytes={first}-{last}\r\n\r\n");
        requests += &format!("HEAD {blob} HTTP/1.1\r\n{fields}\r\n");
        requests += &format!("GET /v2/absent-{number}/tags/list HTTP/1.1\r\n{fields}\r\n");
        requests += &format!(
            "PUT /v2/app/manifests/t{number}! HTTP/1.1\r\n{fields}content-length: 9\r\n\r\nGET /v2/ "
        );
    }
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (reading, mut writing) = stream.into_split();
    // The server may not read on before its answers are taken.
    let sending = tokio::spawn(async move { writing.write_all(requests.as_bytes()).await.map(|()| writing) });
    let mut reading = BufReader::new(reading);
    for number in 0..100 {
        let (first, last) = (number * 100, (number * 100 + number * 600).min(LENGTH - 1));
        let part = answer(&mut reading, false).await;
        assert!(part.status == 206 && part.body == whole[first..=last], "range {number}");
        let head = answer(&mut reading, true).await;
        assert_eq!((head.status, head.header("content-length")), (200, LENGTH.to_string().as_str()));
        let missing = answer(&mut reading, false).await;
        assert!(
            missing.status == 404 && missing.text().contains(&format!("'absent-{number}'")),
            "{missing:?}"
        );
        let refused = answer(&mut reading, false).await;
        assert!(refused.status == 400 && refused.text().contains("TAG_INVALID"), "{refused:?}");
    }
    sending.await.unwrap().unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_to_come_again_hears_it_after_its_whole_body_and_goes_on() {
    let settings = Settings::default().with("max-uploads", "1").with("queue-timeout-seconds", "1");
    let server = TestServer::start(settings).await;
    let docker = logged_in(&server).await;
    let (one, two) = (docker.start_upload("app").await, docker.start_upload("app").await);
    let mut holder = server.wire().await;
    let fields = format!("host: a\r\nauthorization: {}\r\n", docker.authorization);
    holder.send(format!("PATCH {one} HTTP/1.1\r\n{fields}content-length: 8\r\n\r\nhalf")).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let mut client = Client::connect(&server, &docker.authorization).await;
    for _ in 0..2 {
        let answer = client.send("PATCH", &two, &[], vec![b'x'; 20_000_000]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
    }
    assert_eq!(client.send("GET", "/v2/", &[], "").await.status, 200);
    drop(holder);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_after_which_the_connection_ends_says_so() {
    let server = TestServer::start(Settings::default()).await;
    let docker = logged_in(&server).await;
    let fields = format!("host: a\r\nauthorization: {}\r\n", docker.authorization);
    let push = format!("POST /v2/absent/blobs/uploads/ HTTP/1.1\r\n{fields}");
    // A body that was not asked for, and one of which more is left than anybody wants to read.
    for (rest, ends) in [
        ("expect: 100-continue\r\ncontent-length: 5\r\n\r\n", true),
        ("content-length: 100000000000\r\n\r\n", true),
        ("content-length: 5\r\n\r\nabcde", false),
        ("transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", false),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(format!("{push}{rest}").as_bytes()).await.unwrap();
        let refused = answer(&mut stream, false).await;
        assert!(refused.status == 404 && !refused.body.is_empty(), "{rest}: {refused:?}");
        assert_eq!(refused.header("connection"), if ends { "close" } else { "" }, "{rest}: {refused:?}");
        if ends {
            stream.shutdown().await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "{rest}: more than one answer");
        } else {
            stream.write_all(format!("GET /v2/ HTTP/1.1\r\n{fields}\r\n").as_bytes()).await.unwrap();
            assert_eq!(answer(&mut stream, false).await.status, 200, "{rest}: the connection goes on");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_has_said_all_gets_its_answer_and_the_end() {
    let server = TestServer::start(Settings::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /v2/ HTTP/1.1\r\nhost: {}\r\n\r\n", server.host());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    server.stop().await;
}
