//! Numbers for Prometheus. Labels have few values by construction: doors, operations of the models, status classes.
//!
//! | metric | labels | what |
//! |---|---|---|
//! | `longshore_requests_total` | door, operation, status (`2xx`…, `none` when the client left first) | requests |
//! | `longshore_request_duration_seconds` | door, operation | until the last byte is out |
//! | `longshore_request_bytes_total`, `longshore_response_bytes_total` | door, operation | bodies |
//! | `longshore_requests_in_flight` | door | requests being served |
//! | `longshore_connections`, `longshore_connections_refused_total` | | connections |
//! | `longshore_scrub_checked_total` | kind (`blob`, `manifest`) | compared with their digests |
//! | `longshore_scrub_bytes_total` | | bytes read for that |
//! | `longshore_damage_found_total` | kind | found damaged, also while serving; an alarm |
//! | `longshore_damaged_blobs` | | blobs that count as missing until they are pushed again |
//! | `longshore_requests_waiting` | class (`call`, `upload`) | waiting for a place |
//! | `longshore_requests_refused_total` | class | told to come again |
//! | `longshore_sendfile_bytes_total` | | bytes of blobs that the kernel sent from their files |
//! | `longshore_panics_total` | | requests that broke |
//! | `process_resident_memory_bytes` | | memory of the process |

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use foldhash::fast::RandomState;
use http::StatusCode;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use super::face::Face;

const DURATION_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The process's counters. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Measures {
    handle: PrometheusHandle,
}

/// One request that has ended.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) door: &'static str,
    pub(super) operation: &'static str,
    pub(super) status: Option<StatusCode>,
    pub(super) duration: Duration,
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Measures {
    /// The counters of this process; several servers in one process (tests) share them.
    ///
    /// # Errors
    /// [`BuildError`] when the recorder cannot be made.
    pub fn install() -> Result<Self, BuildError> {
        static INSTALLED: OnceLock<Measures> = OnceLock::new();
        if let Some(installed) = INSTALLED.get() {
            return Ok(installed.clone());
        }
        let recorder = PrometheusBuilder::new().set_buckets(DURATION_SECONDS)?.build_recorder();
        let measures = Self { handle: recorder.handle() };
        // Whoever comes second keeps the first one's recorder.
        let installed = INSTALLED.get_or_init(|| measures);
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::debug!("the metrics recorder was installed before");
        }
        Ok(installed.clone())
    }

    /// All numbers in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            gauge!("process_resident_memory_bytes").set(bytes);
        }
        gauge!("longshore_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        self.handle.render()
    }

    /// Moves finished samples into their buckets, so that memory does not grow between two scrapes.
    pub fn tidy_up(&self) {
        self.handle.run_upkeep();
    }

    pub(super) fn request(&self, request: &Request) {
        let status = match request.status.map(|status| status.as_u16() / 100) {
            Some(1) => "1xx",
            Some(2) => "2xx",
            Some(3) => "3xx",
            Some(4) => "4xx",
            Some(5) => "5xx",
            _ => "none",
        };
        KNOWN.with_borrow_mut(|known| {
            let of = known
                .requests
                .entry((request.door, request.operation, status))
                .or_insert_with(|| OfRequests::new(request.door, request.operation, status));
            of.requests.increment(1);
            of.duration.record(request.duration.as_secs_f64());
            of.received.increment(request.received);
            of.sent.increment(request.sent);
        });
    }

    pub(super) fn in_flight(&self, face: Face) -> InFlight {
        let gauge = KNOWN.with_borrow_mut(|known| {
            let door = face.name();
            let gauge = || gauge!("longshore_requests_in_flight", "door" => door);
            known.in_flight.entry(door).or_insert_with(gauge).clone()
        });
        gauge.increment(1.0);
        InFlight(gauge)
    }

    pub(super) fn connection(&self) -> Connected {
        gauge!("longshore_connections").increment(1.0);
        Connected(())
    }

    pub(super) fn refused_connection(&self) {
        counter!("longshore_connections_refused_total").increment(1);
    }

    pub(super) fn panicked(&self) {
        counter!("longshore_panics_total").increment(1);
    }
}

thread_local! {
    /// To find a counter by its labels takes the recorder as long as to evaluate a policy.
    static KNOWN: RefCell<Known> = RefCell::new(Known::default());
}

/// Counters that this thread has used. Bounded: labels have few values.
#[derive(Default)]
struct Known {
    requests: HashMap<(&'static str, &'static str, &'static str), OfRequests, RandomState>,
    in_flight: HashMap<&'static str, Gauge, RandomState>,
}

/// The counters of one door, operation and class of status.
struct OfRequests {
    requests: Counter,
    duration: Histogram,
    received: Counter,
    sent: Counter,
}

impl OfRequests {
    fn new(door: &'static str, operation: &'static str, status: &'static str) -> Self {
        Self {
            requests: counter!(
                "longshore_requests_total", "door" => door, "operation" => operation, "status" => status
            ),
            duration: histogram!(
                "longshore_request_duration_seconds", "door" => door, "operation" => operation
            ),
            received: counter!("longshore_request_bytes_total", "door" => door, "operation" => operation),
            sent: counter!("longshore_response_bytes_total", "door" => door, "operation" => operation),
        }
    }
}

/// One request in flight, until it is dropped.
pub(super) struct InFlight(Gauge);

impl std::fmt::Debug for InFlight {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("InFlight")
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// One open connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Connected(());

impl Drop for Connected {
    fn drop(&mut self) {
        gauge!("longshore_connections").decrement(1.0);
    }
}

/// The resident memory of this process, where the system tells it.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}
