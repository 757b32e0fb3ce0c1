//! Overload: more clients, slower ones and larger bodies than a server likes. It answers all in time, takes little
//! memory, and is as before when they are gone.
//!
//! Short in CI; the variables of [`Size`] make it longer: `LONGSHORE_STORM_CLIENTS=20000`,
//! `LONGSHORE_STORM_PULLS=5000`, `LONGSHORE_STORM_BYTES=1073741824` for each of 64 pushes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use sha2::Digest as _;

use crate::faults::{Client, KEY_ID, SECRET};
use crate::harness::layout::digest;
use crate::harness::{Server, Settings, wait_for};

/// The most memory that the process may ever have had.
const PEAK_BYTES: u64 = 64 * 1024 * 1024;

/// What `queue-timeout-seconds` says by default, and how much later an answer may be read on a busy machine.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(5);

/// How many of something, from a variable or small.
struct Size(usize);

impl Size {
    fn of(variable: &str, small: usize) -> usize {
        std::env::var(variable).map_or(Size(small), |text| Size(text.parse().expect(variable))).0
    }
}

/// A server, and what it had open when it had nothing to do.
struct Watched {
    server: Server,
    open_at_first: usize,
}

impl Watched {
    fn start(flags: &[&str]) -> Watched {
        // Clients are here, in the process of the tests.
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
        let environment =
            [("LONGSHORE_ROOT_ACCESS_KEY_ID", KEY_ID), ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", SECRET)];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = Settings { environment, ..Settings::default() };
        let server = Server::start_with(settings.with_flags(&["--log-level", "error"]).with_flags(flags));
        let client = Client::of(server.address());
        assert_eq!(client.ecr("CreateRepository", &json!({ "repositoryName": "app" })).unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(500));
        let open_at_first = open_files(&server);
        Watched { server, open_at_first }
    }

    fn client(&self) -> Client {
        Client::of(self.server.address())
    }

    /// The storm is over: everything is as before, without a restart, and memory was never much; out: how much, in
    /// KiB.
    fn is_as_before(&self, what: &str) -> u64 {
        let peak = self.peak();
        assert!(peak <= PEAK_BYTES, "{what}: the process took {peak} bytes");
        let client = self.client();
        let begin = Instant::now();
        assert_eq!(client.registry("GET", "/v2/", &[], &[]).unwrap().status, 200);
        assert_eq!(client.iam("ListUsers", &[]).unwrap().status, 200);
        assert!(begin.elapsed() < Duration::from_secs(5), "{what}: {:?}", begin.elapsed());
        // Database connections that were opened under load stay open.
        let readers = 8 * 3;
        wait_for("descriptors to be closed", Duration::from_secs(20), || {
            (open_files(&self.server) <= self.open_at_first + readers).then_some(())
        });
        peak / 1024
    }

    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.process_id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }
}

fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.process_id())).unwrap().count()
}

/// Runs one client per thread, all at once.
fn at_once(count: usize, work: impl Fn(usize) + Send + Sync) {
    let begin = Barrier::new(count);
    std::thread::scope(|scope| {
        for number in 0..count {
            let (begin, work) = (&begin, &work);
            let builder = std::thread::Builder::new().stack_size(256 * 1024);
            builder
                .spawn_scoped(scope, move || {
                    begin.wait();
                    work(number);
                })
                .unwrap();
        }
    });
}

/// Basic credentials of root.
fn authorization(client: &Client) -> String {
    let answer = client.ecr("GetAuthorizationToken", &json!({})).unwrap();
    let token = answer.json()["authorizationData"][0]["authorizationToken"].as_str().unwrap().to_owned();
    format!("authorization: Basic {token}\r\n")
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, method: &str, path: &str, fields: &str) {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
}

/// Reads an answer's head; out: its status, its text, and what came of the body.
fn head(stream: &mut TcpStream) -> Option<(u16, String, Vec<u8>)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
            let status = text.split(' ').nth(1)?.parse().ok()?;
            return Some((status, text, bytes.split_off(end + 4)));
        }
        match stream.read(&mut piece) {
            Ok(read @ 1..) => bytes.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
}

/// How the clients of a storm fared.
#[derive(Debug, Default)]
struct Tally {
    served: AtomicUsize,
    refused: AtomicUsize,
    slowest: Mutex<Duration>,
}

impl Tally {
    /// Counts one answer, and looks that it is one of those that are promised.
    fn count(&self, status: u16, head: &str, took: Duration, bound: Duration) {
        match status {
            200 | 404 => self.served.fetch_add(1, Ordering::Relaxed),
            429 | 503 => {
                assert!(head.contains("\r\nretry-after: "), "{head}");
                self.refused.fetch_add(1, Ordering::Relaxed)
            }
            _ => panic!("{head}"),
        };
        assert!(took <= bound, "an answer after {took:?}: {head}");
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = took.max(*slowest);
    }
}

#[test]
fn two_thousand_clients_are_all_answered_in_time() {
    let watched = Watched::start(&[]);
    let authorization = authorization(&watched.client());
    let (address, tally) = (watched.server.address(), Tally::default());
    let clients = Size::of("LONGSHORE_STORM_CLIENTS", 2000);
    at_once(clients, |number| {
        let begin = Instant::now();
        let mut stream = connect(address);
        let path = if number % 2 == 0 { "/v2/" } else { "/v2/app/manifests/none" };
        ask(&mut stream, "GET", path, &authorization);
        let (status, head, _) = head(&mut stream).expect("an answer");
        tally.count(status, &head, begin.elapsed(), QUEUE_TIMEOUT + SLACK);
    });
    println!("{clients} clients: {tally:?}");
    assert!(tally.served.load(Ordering::Relaxed) >= clients.min(2000) * 9 / 10, "{tally:?}");
    println!("clients: peak {} KiB", watched.is_as_before("clients"));
}

#[test]
fn what_is_too_much_is_told_to_come_again_and_nobody_waits_for_longer() {
    let watched = Watched::start(&[
        "--max-connections",
        "300",
        "--max-requests",
        "2",
        "--queue-timeout-seconds",
        "1",
        "--stall-timeout-seconds",
        "5",
    ]);
    let authorization = authorization(&watched.client());
    let (address, tally) = (watched.server.address(), Tally::default());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Calls whose bodies never end keep both places busy.
        for _ in 0..2 {
            scope.spawn(|| {
                let mut stream = connect(address);
                let fields = format!("{authorization}content-length: 1000000\r\ncontent-type: application/vnd.oci.image.manifest.v1+json\r\n");
                ask(&mut stream, "PUT", "/v2/app/manifests/slow", &fields);
                while !is_over.load(Ordering::Relaxed) && stream.write_all(b"{").is_ok() {
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        at_once(500, |_| {
            let begin = Instant::now();
            let mut stream = connect(address);
            ask(&mut stream, "GET", "/v2/", &authorization);
            // Beyond the connections that are told why, they are closed at once.
            if let Some((status, head, _)) = head(&mut stream) {
                tally.count(status, &head, begin.elapsed(), Duration::from_secs(1) + SLACK);
            }
        });
        is_over.store(true, Ordering::Relaxed);
    });
    println!("too much: {tally:?}");
    assert!(tally.refused.load(Ordering::Relaxed) > 50, "{tally:?}");
    println!("too much: peak {} KiB", watched.is_as_before("too much"));
}

/// Bytes without a pattern of the page's length, different for each number.
fn layer(number: usize, length: usize) -> Vec<u8> {
    let seed = sha2::Sha256::digest(format!("storm {number}"));
    let mut layer: Vec<u8> = seed.iter().copied().cycle().take(length).collect();
    for (index, byte) in layer.iter_mut().enumerate().step_by(4093) {
        *byte ^= index as u8;
    }
    layer
}

fn push(client: &Client, bytes: &[u8]) -> String {
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest(bytes));
    assert_eq!(client.registry("POST", &path, &[], bytes).unwrap().status, 201);
    format!("/v2/app/blobs/{}", digest(bytes))
}

/// Compares the rest of an answer with what it should be, a piece at a time.
fn compare(stream: &mut TcpStream, first: &[u8], expected: &[u8]) {
    assert!(expected.starts_with(first));
    let (mut at, mut piece) = (first.len(), vec![0; 64 * 1024]);
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            read => {
                assert!(expected[at..].starts_with(&piece[..read]), "other bytes at {at}");
                at += read;
            }
        }
    }
    assert_eq!(at, expected.len());
}

#[test]
fn five_hundred_pulls_of_one_cold_image_are_all_whole() {
    let mut watched = Watched::start(&[]);
    let layers = [layer(0, 3_000_000), layer(1, 700_000), layer(2, 2000)];
    let paths = layers.each_ref().map(|bytes| push(&watched.client(), bytes));
    // A new process has compared nothing with its digest yet.
    watched.server.stop("TERM");
    watched.server = Server::start_with(watched.server.settings());
    let authorization = authorization(&watched.client());
    let address = watched.server.address();
    at_once(Size::of("LONGSHORE_STORM_PULLS", 500), |number| {
        for step in 0..layers.len() {
            let which = (number + step) % layers.len();
            let mut stream = connect(address);
            ask(&mut stream, "GET", &paths[which], &authorization);
            let (status, text, first) = head(&mut stream).expect("an answer");
            assert_eq!(status, 200, "{text}");
            compare(&mut stream, &first, &layers[which]);
        }
    });
    println!("pulls: peak {} KiB", watched.is_as_before("pulls"));
}

#[test]
fn slow_readers_keep_nobody_out_and_are_ended() {
    let watched = Watched::start(&["--stall-timeout-seconds", "3"]);
    let bytes = layer(3, 8_000_000);
    let path = push(&watched.client(), &bytes);
    let authorization = authorization(&watched.client());
    let address = watched.server.address();
    let readers: Vec<_> = (0..400)
        .map(|_| {
            let mut stream = connect(address);
            ask(&mut stream, "GET", &path, &authorization);
            // The head, and then nothing more.
            head(&mut stream).expect("an answer").0
        })
        .collect();
    assert!(readers.iter().all(|status| *status == 200));
    let streams: Vec<_> = (0..400)
        .map(|_| {
            let mut stream = connect(address);
            ask(&mut stream, "GET", &path, &authorization);
            stream
        })
        .collect();
    let begin = Instant::now();
    for _ in 0..20 {
        let mut stream = connect(address);
        ask(&mut stream, "GET", &path, &authorization);
        let (status, _, first) = head(&mut stream).expect("an answer");
        assert_eq!(status, 200);
        compare(&mut stream, &first, &bytes);
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "20 pulls beside slow readers: {:?}", begin.elapsed());
    wait_for("slow readers to be ended", Duration::from_secs(30), || {
        (open_files(&watched.server) <= watched.open_at_first + 24 + 20).then_some(())
    });
    drop(streams);
    println!("slow readers: peak {} KiB", watched.is_as_before("slow readers"));
}

#[test]
fn sixty_four_large_pushes_take_little_memory() {
    let watched = Watched::start(&[]);
    let length = Size::of("LONGSHORE_STORM_BYTES", 4 * 1024 * 1024);
    let authorization = authorization(&watched.client());
    let address = watched.server.address();
    // One mebibyte that begins with the client's number, again and again.
    let piece = Arc::new(layer(4, 1024 * 1024));
    at_once(64, |number| {
        let first = |at: usize| if at == 0 { (number as u64).to_be_bytes() } else { [0; 8] };
        let mut hasher = sha2::Sha256::new();
        let client = Client::of(address);
        let answer = client.registry("POST", "/v2/app/blobs/uploads/", &[], &[]).unwrap();
        let location = answer.header("location").unwrap().to_owned();
        let mut stream = connect(address);
        let fields =
            format!("{authorization}content-length: {length}\r\ncontent-type: application/octet-stream\r\n");
        ask(&mut stream, "PATCH", &location, &fields);
        let mut sent = 0;
        while sent < length {
            let size = piece.len().min(length - sent);
            for part in [&first(sent)[..size.min(8)], &piece[8.min(size)..size]] {
                hasher.update(part);
                stream.write_all(part).unwrap();
            }
            sent += size;
        }
        let (status, text, _) = head(&mut stream).expect("an answer");
        assert_eq!(status, 202, "{text}");
        let digest = format!("sha256:{}", hex::encode(hasher.finalize()));
        let answer = client.registry("PUT", &format!("{location}?digest={digest}"), &[], &[]).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    });
    println!("pushes: peak {} KiB", watched.is_as_before("pushes"));
}
