//! Hundreds of clients that take next to nothing of a large answer, at the real program: memory, threads and
//! descriptors stay bounded, others are served meanwhile, and the limits of docs/how-to/limits.md end what lies about.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::http_2::{self, CANCEL, ENDS, Frame, HEADERS, RST_STREAM, WINDOW_UPDATE, frame};
use crate::harness::{Process, Settings, TestServer};
use crate::registry::uploads::logged_in;

const LENGTH: usize = 16 * 1024 * 1024;
const READERS: usize = 200;
/// Connections of HTTP/2, each with this many streams.
const CONNECTIONS: usize = 20;
const STREAMS: u32 = 40;
const STALL: Duration = Duration::from_secs(3);
/// A thousand answers begin at once, and each looks for its file; none of them keeps a thread.
const MOST_THREADS: u64 = 128;
/// A stream holds a piece of 64 KiB, and the memory allocator some of what it gave back.
const MOST_GROWTH_BYTES: u64 = 160 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection whose client side holds no more than a few kilobytes.
async fn narrow(server: &TestServer) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// Others: the start of the large blob, an API call and a small blob, each in good time.
async fn good_client(process: &Process, small: &str, large: &str) {
    let begin = Instant::now();
    let server = &process.server;
    server.ecr(&server.root, "DescribeRegistry", json!({})).await.ok();
    let docker = server.docker(&server.root).await;
    assert_eq!(docker.get(small).await.ok().text(), "small");
    let part = docker.send("GET", large, &[("range", "bytes=0-999999")], "").await;
    assert_eq!((part.status, part.body.len()), (206, 1_000_000));
    assert!(begin.elapsed() < STALL, "a good client waited {:?}", begin.elapsed());
}

/// The resets that came, until `many` streams have ended or the connection has.
async fn resets(stream: &mut TcpStream, many: usize) -> Vec<u32> {
    let mut reasons = Vec::new();
    while reasons.len() < many {
        let Some(Frame { kind, payload, .. }) = http_2::next(stream).await else { break };
        if kind == RST_STREAM {
            reasons.push(u32::from_be_bytes(payload[..4].try_into().unwrap()));
        }
    }
    reasons
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_cost_little_hold_nobody_up_and_are_ended() {
    let seconds = STALL.as_secs().to_string();
    let process =
        Process::start(&["--stall-timeout-seconds", &seconds, "--header-timeout-seconds", &seconds]);
    let server = &process.server;
    let docker = logged_in(server).await;
    let bytes: Vec<u8> = (0..LENGTH).map(|place| (place / 3 % 251) as u8).collect();
    let large = format!("/v2/app/blobs/{}", docker.push_blob("app", &bytes).await);
    let small = format!("/v2/app/blobs/{}", docker.push_blob("app", b"small").await);
    for _ in 0..5 {
        good_client(&process, &small, &large).await;
    }
    let (memory, descriptors, threads) = (process.resident_bytes(), process.descriptors(), process.threads());

    let fields = format!("host: localhost\r\nauthorization: {}\r\n", docker.authorization);
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = narrow(server).await;
        reader.write_all(format!("GET {large} HTTP/1.1\r\n{fields}\r\n").as_bytes()).await.unwrap();
        readers.push(reader);
    }
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = TcpStream::connect(server.address).await.unwrap();
        let mut bytes = http_2::beginning(1);
        for number in 0..STREAMS {
            bytes.extend(http_2::request(number * 2 + 1, "GET", &large, &docker.authorization));
        }
        connection.write_all(&bytes).await.unwrap();
        connections.push(connection);
    }
    let mut most = process.resident_bytes();
    // A byte a second, which is never a long pause.
    for _ in 0..STALL.as_secs() - 1 {
        for reader in &mut readers {
            assert!(reader.read_u8().await.is_ok(), "a reader is ended early");
        }
        for connection in &mut connections {
            let updates =
                (0..STREAMS).flat_map(|number| frame(WINDOW_UPDATE, 0, number * 2 + 1, &[0, 0, 0, 1]));
            connection.write_all(&updates.collect::<Vec<u8>>()).await.unwrap();
        }
        good_client(&process, &small, &large).await;
        most = most.max(process.resident_bytes());
        assert!(process.threads() < MOST_THREADS, "{threads} → {} threads", process.threads());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    eprintln!("resident {memory} → {most} bytes, {threads} threads, {descriptors} descriptors before");
    assert!(most < memory + MOST_GROWTH_BYTES, "{memory} → {most}");

    // Over HTTP/1.1 the connection ends; over HTTP/2 the streams do, and the connection goes on until it is idle.
    let ended = async {
        for connection in &mut connections {
            let reasons = resets(connection, STREAMS as usize).await;
            assert_eq!(reasons, vec![CANCEL; STREAMS as usize]);
        }
        for reader in &mut readers {
            let mut taken = Vec::new();
            let _reset = reader.read_to_end(&mut taken).await;
            assert!(taken.len() < LENGTH, "a slow reader got everything");
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("slow readers are ended");
    drop((readers, connections));
    let begin = Instant::now();
    while process.descriptors() > descriptors + 2 {
        assert!(begin.elapsed() < PATIENCE, "{descriptors} → {} descriptors", process.descriptors());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    good_client(&process, &small, &large).await;
}

/// One connection of HTTP/2 with a stream that is never read beside one that is, and the end that it comes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_cut_leaves_its_connection_to_the_others() {
    let settings = Settings::default().with("stall-timeout-seconds", "1").with("header-timeout-seconds", "2");
    let server = TestServer::start(settings).await;
    let docker = logged_in(&server).await;
    let large = format!("/v2/app/blobs/{}", docker.push_blob("app", &vec![7; 300_000]).await);
    let small = format!("/v2/app/blobs/{}", docker.push_blob("app", b"small").await);
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let mut bytes = http_2::beginning(1);
    bytes.extend(http_2::request(1, "GET", &large, &docker.authorization));
    // Its last piece is given to the library at once, where it stays: one byte of it may be sent.
    bytes.extend(http_2::request(3, "GET", &small, &docker.authorization));
    connection.write_all(&bytes).await.unwrap();
    let cut = async {
        loop {
            let frame = http_2::next(&mut connection).await.expect("the connection goes on");
            if frame.kind == RST_STREAM {
                return (frame.stream, frame.reason());
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, cut).await.unwrap(), (1, CANCEL));
    connection.write_all(&http_2::request(5, "HEAD", &large, &docker.authorization)).await.unwrap();
    let head = http_2::next(&mut connection).await.unwrap();
    assert_eq!((head.kind, head.stream, head.flags & ENDS), (HEADERS, 5, ENDS));
    // Nothing is asked any more and nothing is taken: it ends, although it answers pings.
    let end = async { while http_2::next(&mut connection).await.is_some() {} };
    tokio::time::timeout(PATIENCE, end).await.expect("an idle connection ends");
    server.stop().await;
}

/// Slow but above the limit: 1 KiB in a second where 1 KiB is asked for, in a time of many pauses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_as_much_as_is_asked_for_gets_everything() {
    let server = TestServer::start(Settings::default().with("stall-timeout-seconds", "1")).await;
    let docker = logged_in(&server).await;
    let large = format!("/v2/app/blobs/{}", docker.push_blob("app", &vec![7; 8_000]).await);
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let mut bytes = http_2::beginning(0);
    bytes.extend(http_2::request(1, "GET", &large, &docker.authorization));
    connection.write_all(&bytes).await.unwrap();
    let mut taken = 0;
    for _ in 0..16 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        connection.write_all(&frame(WINDOW_UPDATE, 0, 1, &500_u32.to_be_bytes())).await.unwrap();
    }
    while taken < 8_000 {
        let frame = http_2::next(&mut connection).await.expect("more");
        assert_ne!(frame.kind, RST_STREAM, "after {taken} bytes");
        taken += if frame.kind == http_2::DATA { frame.payload.len() } else { 0 };
    }
    server.stop().await;
}
