//! Medians over the rounds, ratios, and the table.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What all rounds have measured.
pub struct Results {
    rounds: usize,
    seconds: String,
    limits: Value,
    /// By work and server, one row of the generator's report per round.
    rows: BTreeMap<(String, String), Vec<Value>>,
}

impl Results {
    pub fn new(rounds: usize, seconds: &str, limits: Value) -> Results {
        Results { rounds, seconds: seconds.to_owned(), limits, rows: BTreeMap::new() }
    }

    pub fn add(&mut self, server: &str, work: &str, row: Value) {
        self.rows.entry((work.to_owned(), server.to_owned())).or_default().push(row);
    }

    /// The median over the rounds of the number at this JSON pointer; `None` when this server did not do this work.
    pub fn median(&self, work: &str, server: &str, pointer: &str) -> Option<f64> {
        let rows = self.rows.get(&(work.to_owned(), server.to_owned()))?;
        median(rows.iter().filter_map(|row| row.pointer(pointer)?.as_f64()).collect())
    }

    /// The median over the rounds of Longshore's number divided by another server's of the same round.
    pub fn ratio(&self, work: &str, other: &str, pointer: &str) -> Option<f64> {
        let of = |server: &str| {
            let rows = self.rows.get(&(work.to_owned(), server.to_owned()))?;
            Some(rows.iter().filter_map(|row| row.pointer(pointer)?.as_f64()).collect::<Vec<_>>())
        };
        let pairs = of("longshore")?.into_iter().zip(of(other)?).filter(|(_, other)| *other > 0.0);
        median(pairs.map(|(own, other)| own / other).collect())
    }

    /// The highest peak of a server over all rounds, in bytes.
    fn peak(&self, server: &str) -> Option<f64> {
        let rows = self.rows.iter().filter(|((_, name), _)| name == server).flat_map(|(_, rows)| rows);
        rows.filter_map(|row| row.pointer("/server/peak_memory_bytes")?.as_f64()).reduce(f64::max)
    }

    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|((work, server), rows)| json!({ "work": work, "server": server, "rounds": rows }))
            .collect();
        json!({ "rounds": self.rounds, "seconds": self.seconds, "limits": self.limits, "measured": rows })
    }

    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} rounds of {} s per work, medians.\n", self.rounds, self.seconds);
        let _ = writeln!(
            text,
            "| work | server | per s | MB/s | p50 ms | p99 ms | CPU s per 1,000 requests | CPU s/GB | rate, Longshore ÷ this | CPU, Longshore ÷ this |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
        );
        for (work, _) in super::WORKS {
            for server in ["longshore", "distribution", "nginx"] {
                let number = |pointer: &str| self.median(work, server, pointer);
                let Some(rate) = number("/operations_per_second") else { continue };
                let ratio = |pointer: &str| {
                    let ratio = self.ratio(work, server, pointer).filter(|_| server != "longshore");
                    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
                };
                let show = |value: Option<f64>, digits: usize| {
                    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
                };
                let _ = writeln!(
                    text,
                    "| {work} | {server} | {rate:.1} | {} | {} | {} | {} | {} | {} | {} |",
                    show(number("/bytes_per_second").map(|bytes| bytes / 1e6), 1),
                    show(number("/latency_milliseconds/p50"), 3),
                    show(number("/latency_milliseconds/p99"), 3),
                    show(number("/server/cpu_seconds_per_1000_requests"), 4),
                    show(number("/server/cpu_seconds_per_gigabyte"), 3),
                    ratio("/operations_per_second"),
                    ratio("/server/cpu_milliseconds_per_operation"),
                );
            }
        }
        let _ = writeln!(text, "\n| peak resident memory over all of it | MB |\n|---|--:|");
        for server in ["longshore", "distribution", "nginx"] {
            if let Some(peak) = self.peak(server) {
                let _ = writeln!(text, "| {server} | {:.1} |", peak / 1e6);
            }
        }
        let _ = writeln!(text, "\n| limit of the machine | |\n|---|--:|");
        for (name, key, unit) in LIMITS {
            let value = self.limits.get(*key).and_then(Value::as_f64);
            let value = value.map(|value| if *unit == "MB/s" { value / 1e6 } else { value });
            let value = value.map_or_else(|| "refused".to_owned(), |value| format!("{value:.2} {unit}"));
            let _ = writeln!(text, "| {name} | {value} |");
        }
        text
    }
}

const LIMITS: &[(&str, &str, &str)] = &[
    ("SHA-256 on one core", "sha256_bytes_per_second", "MB/s"),
    ("256 MiB written and synced", "write_synced_bytes_per_second", "MB/s"),
    ("256 MiB written with O_DIRECT", "write_direct_bytes_per_second", "MB/s"),
    ("4 KiB written and synced, p50", "synced_write_milliseconds_p50", "ms"),
    ("4 KiB written and synced, p99", "synced_write_milliseconds_p99", "ms"),
    ("read from the page cache", "read_cached_bytes_per_second", "MB/s"),
];

/// The middle one, of an even number the mean of the middle two; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::bench) fn results(own: &[f64], other: &[f64]) -> Results {
        let mut results = Results::new(own.len(), "1", Value::Null);
        for (server, rates) in [("longshore", own), ("distribution", other)] {
            for rate in rates {
                let row = json!({
                    "operations_per_second": rate,
                    "server": { "cpu_milliseconds_per_operation": 1.0 / rate, "peak_memory_bytes": 2e6 },
                });
                results.add(server, "manifest-get", row);
            }
        }
        results
    }

    #[test]
    fn medians_and_ratios() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
        assert_eq!(median(vec![]), None);
        let results = results(&[10.0, 40.0, 30.0], &[5.0, 10.0, 10.0]);
        assert_eq!(results.ratio("manifest-get", "distribution", "/operations_per_second"), Some(3.0));
        assert_eq!(results.ratio("manifest-get", "nginx", "/operations_per_second"), None);
        assert!(results.markdown().contains("| manifest-get | distribution | 10.0 |"));
    }
}
