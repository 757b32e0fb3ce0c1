//! The report: JSON for programs, a table for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::limits::Limits;
use super::measure::{Measured, percentile};
use super::push::Framing;

/// Everything that one run has measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Version of the generator.
    pub(super) version: &'static str,
    /// The registry.
    pub(super) url: Option<String>,
    /// How the bodies of pushes were delimited.
    pub(super) framing: Framing,
    /// What the machine can do at all, when that was asked for.
    pub(super) limits: Option<Limits>,
    /// In the order of the runs.
    pub(super) work: Vec<Row>,
}

/// One work.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// `manifest-get` and so on.
    pub(super) name: &'static str,
    /// What is counted by `operations`.
    pub(super) unit: &'static str,
    pub(super) connections: usize,
    pub(super) operations: usize,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) operations_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) latency_milliseconds: Latency,
    /// CPU time of this process: it competes with the server for the cores.
    pub(super) generator_cpu_seconds: f64,
    pub(super) server: Option<Server>,
}

#[derive(Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Server {
    pub(super) cpu_seconds: f64,
    /// `None` where nothing but heads was moved.
    pub(super) cpu_seconds_per_gigabyte: Option<f64>,
    pub(super) cpu_seconds_per_1000_requests: f64,
    pub(super) cpu_milliseconds_per_operation: f64,
    /// Since the start of the server.
    pub(super) peak_memory_bytes: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes of one run are far below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

impl Row {
    /// The row of a measured work.
    pub(super) fn new(
        name: &'static str,
        unit: &'static str,
        connections: usize,
        measured: &Measured,
    ) -> Self {
        let operations = measured.latencies.len();
        let (requests, bytes) = (measured.done.requests, measured.done.bytes);
        let per_second = |number: f64| if measured.seconds > 0.0 { number / measured.seconds } else { 0.0 };
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let latencies = &measured.latencies;
        let server = measured.server.map(|usage| Server {
            cpu_seconds: usage.cpu_seconds,
            cpu_seconds_per_gigabyte: (bytes > 0).then(|| usage.cpu_seconds * 1e9 / float(bytes)),
            cpu_seconds_per_1000_requests: usage.cpu_seconds * 1e3 / float(requests.max(1)),
            cpu_milliseconds_per_operation: usage.cpu_seconds * 1e3 / float(operations.max(1) as u64),
            peak_memory_bytes: usage.peak_memory_bytes,
        });
        Self {
            name,
            unit,
            connections,
            operations,
            requests,
            bytes,
            seconds: measured.seconds,
            operations_per_second: per_second(float(operations as u64)),
            bytes_per_second: per_second(float(bytes)),
            latency_milliseconds: Latency {
                p50: milliseconds(percentile(latencies, 0.5)),
                p99: milliseconds(percentile(latencies, 0.99)),
                max: latencies.last().copied().map_or(0.0, milliseconds),
            },
            generator_cpu_seconds: measured.own_cpu_seconds,
            server,
        }
    }
}

impl Report {
    /// The table for people, one line per work.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if let Some(limits) = &self.limits {
            let _ = write!(text, "{}", limits.table());
        }
        if self.work.is_empty() {
            return text.trim_end().to_owned();
        }
        let _ = writeln!(
            text,
            "{:<13} {:>5} {:>10} {:<10} {:>9} {:>9} {:>8} {:>12} {:>10} {:>9}",
            "work", "conn.", "per s", "", "p50 ms", "p99 ms", "MB/s", "CPU s/1000rq", "CPU s/GB", "peak MB"
        );
        for row in &self.work {
            let server = row.server.as_ref();
            let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let _ = writeln!(
                text,
                "{:<13} {:>5} {:>10.1} {:<10} {:>9.3} {:>9.3} {:>8.1} {:>12} {:>10} {:>9}",
                row.name,
                row.connections,
                row.operations_per_second,
                row.unit,
                row.latency_milliseconds.p50,
                row.latency_milliseconds.p99,
                row.bytes_per_second / 1e6,
                or_dash(server.map(|server| format!("{:.4}", server.cpu_seconds_per_1000_requests))),
                or_dash(
                    server
                        .and_then(|server| server.cpu_seconds_per_gigabyte)
                        .map(|cost| format!("{cost:.3}"))
                ),
                or_dash(server.map(|server| format!("{:.1}", float(server.peak_memory_bytes) / 1e6))),
            );
        }
        text.trim_end().to_owned()
    }
}
