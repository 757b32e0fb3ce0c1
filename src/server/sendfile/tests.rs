//! What goes over the wire is byte for byte what the files hold, and it was the kernel that sent it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oci::Digest;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::api::body::Body;
use crate::server::observe::testing::observed;
use crate::store::blob::{Append, Blobs, Generation, Location, Object, Reader};

const LENGTH: usize = 3_500_000;

fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(LENGTH + 8);
    while bytes.len() < LENGTH {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(LENGTH);
    bytes
}

async fn stored(bytes: &[u8]) -> (tempfile::TempDir, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&Location::Disk(folder.path().join("blobs"))).await.unwrap();
    let held = blobs.hold(&oci::UploadId::from_bytes([1; 16])).await.unwrap();
    let rules = Append { maximum_length: u64::MAX, exactly: None, note: 0, keeps_interrupted: false };
    let piece = futures_util::stream::iter([Ok(bytes::Bytes::copy_from_slice(bytes))]);
    let (held, _) = held.append(piece, rules).await.unwrap();
    let verified = held.verify(&[Digest::sha256_of(bytes)]).await.unwrap().unwrap();
    let generation = Generation::from_random([1; 8]);
    held.publish(&verified, &generation).await.unwrap().discard().await;
    let size_bytes = verified.size_bytes();
    let reader =
        blobs.get(&Object { digest: verified.digest().clone(), generation, size_bytes }).await.unwrap();
    (folder, reader)
}

/// A server of one connection at a time: `GET /<from>-<to>` answers these bytes.
async fn serve(reader: Reader) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let reader = reader.clone();
            let line = Arc::new(Line::default());
            let stream = TokioIo::new(Sending::new(stream, Arc::clone(&line)));
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let (from, to) = request.uri().path().trim_start_matches('/').split_once('-').unwrap();
                let body = Body::blob(reader.clone(), from.parse().unwrap()..to.parse().unwrap());
                let response = http::Response::new(Plain::new(observed(body), Arc::clone(&line)));
                async move { Ok::<_, Infallible>(response) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(stream, service));
        }
    });
    address
}

async fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    body
}

/// Bytes that this process has sent from files; other tests may add to it.
fn sent_from_files() -> u64 {
    let text = crate::server::Measures::install().unwrap().render();
    let line = text.lines().find_map(|line| line.strip_prefix("longshore_sendfile_bytes_total "));
    line.map_or(0, |number| number.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Pipelined requests for any ranges on one connection, read in pieces of any size.
    #[test]
    fn answers_are_the_bytes_of_the_file_in_order(
        ranges in prop::collection::vec((0..LENGTH, 0..LENGTH), 1..6),
        together in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let bytes = noise();
            let (_folder, reader) = stored(&bytes).await;
            let mut stream = TcpStream::connect(serve(reader).await).await.unwrap();
            let ranges: Vec<Range<usize>> =
                ranges.into_iter().map(|(one, other)| one.min(other)..one.max(other)).collect();
            let request = |range: &Range<usize>| format!("GET /{}-{} HTTP/1.1\r\nhost: x\r\n\r\n", range.start, range.end);
            if together {
                let all: String = ranges.iter().map(request).collect();
                stream.write_all(all.as_bytes()).await.unwrap();
            }
            for range in ranges {
                // Before the request: the kernel may be done with most of it before this task goes on.
                let before = sent_from_files();
                if !together {
                    stream.write_all(request(&range).as_bytes()).await.unwrap();
                }
                prop_assert!(answer(&mut stream).await == bytes[range.clone()], "{range:?}");
                if !together && range.len() >= 32 * 1024 {
                    // An upgrade of hyper that loses the way through the kernel must not go unnoticed.
                    // The last bytes may be here before they are counted.
                    let enough = before + range.len() as u64;
                    for _ in 0..200 {
                        if sent_from_files() >= enough {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    prop_assert!(sent_from_files() >= enough, "{range:?}");
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn slow_readers_get_everything_and_those_that_leave_harm_nobody() {
    let bytes = noise();
    let (_folder, reader) = stored(&bytes).await;
    let address = serve(reader).await;
    let request = format!("GET /0-{LENGTH} HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut leaving = TcpStream::connect(address).await.unwrap();
    leaving.write_all(request.as_bytes()).await.unwrap();
    leaving.read_exact(&mut [0; 1000]).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(request.as_bytes()).await.unwrap();
    drop(leaving);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(answer(&mut slow).await, bytes);
}

#[tokio::test]
async fn a_file_that_is_cut_ends_the_connection() {
    let (folder, reader) = stored(&noise()).await;
    let address = serve(reader).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut files = vec![folder.path().join("blobs/blobs/sha256")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1_000_000).unwrap();
        }
    }
    stream.write_all(format!("GET /0-{LENGTH} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut received = Vec::new();
    // A reset or an end; never as many bytes as were announced.
    let _end = stream.read_to_end(&mut received).await;
    assert!(received.len() < LENGTH);
}

async fn piece(reader: Reader, line: &Arc<Line>, range: Range<u64>) -> piece::Piece {
    let mut body = Plain::new(observed(Body::blob(reader, range)), Arc::clone(line));
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn who_reads_a_piece_gets_the_bytes_of_the_file() {
    let bytes = noise();
    let (_folder, reader) = stored(&bytes).await;
    let line = Arc::new(Line::default());
    let mut piece = piece(reader, &line, 5..900_005).await;
    let mut read = Vec::new();
    while piece.has_remaining() {
        let length = piece.chunk().len().min(10_000);
        read.extend_from_slice(&piece.chunk()[..length]);
        piece.advance(length);
    }
    assert_eq!(read, bytes[5..900_005]);
    assert!(!line.is_broken.load(Ordering::Relaxed));
}

#[tokio::test]
async fn copied_stand_ins_end_the_connection() {
    let (_folder, reader) = stored(&noise()).await;
    let line = Arc::new(Line::default());
    let mut piece = piece(reader, &line, 0..100_000).await;
    let mut slices = [IoSlice::new(&[])];
    assert_eq!(piece.chunks_vectored(&mut slices), 1);
    assert_eq!((slices[0].len(), place_of(&slices[0])), (100_000, Some(0)));
    piece.advance(100_000);
    assert!(line.is_broken.load(Ordering::Relaxed));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    assert!(Sending::new(stream, line).write_all(b"anything").await.is_err());
}

#[tokio::test]
async fn a_small_body_is_sent_as_bytes() {
    let (_folder, reader) = stored(&noise()).await;
    let line = Arc::new(Line::default());
    assert!(matches!(piece(reader.clone(), &line, 0..1000).await, piece::Piece::Bytes(_)));
    assert_eq!(Plain::new(observed(Body::blob(reader, 7..500_000)), line).size_hint().exact(), Some(499_993));
}
