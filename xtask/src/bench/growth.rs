//! `cargo xtask bench growth`: what a push and a pull cost as the catalog grows.
//!
//! At each size the catalog of the stopped server is filled by `bench/fill.py` with copies of rows that real pushes
//! have written, the server starts, and real requests are measured. Writes `target/bench/growth.md`.

use super::report::median;
use super::{Place, servers};
use crate::setup;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The works whose cost must not grow.
const WORKS: [&str; 5] = ["push-small", "manifest-get", "manifest-head", "pull-small", "list-tags"];

/// How often each is measured; the median counts.
const ROUNDS: usize = 3;

/// Flat means: at most this many times the cost at the smallest size.
const FLAT: f64 = 1.5;

/// What the catalog holds at one size.
struct Size {
    name: &'static str,
    images: usize,
    tags: usize,
    repositories: usize,
}

const SIZES: [Size; 4] = [
    Size { name: "1,000 images", images: 1_000, tags: 2_000, repositories: 0 },
    Size { name: "100,000 images", images: 100_000, tags: 100_000, repositories: 0 },
    Size { name: "1,000,000 images", images: 1_000_000, tags: 1_000_000, repositories: 0 },
    Size { name: "and 100,000 repositories", images: 1_000_000, tags: 1_000_000, repositories: 100_000 },
];

/// Measures at every size. Errors: a server or script that fails; what is not flat is reported, not an error.
pub fn run(arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        bail!("bench growth takes no flags");
    }
    setup::bench()?;
    let place = Place::new()?;
    let data = place.data().join("growth");
    let flags = ["--max-images", "100000000", "--max-repositories", "100000000"];
    let mut server = servers::longshore(&place, &data, &flags)?;
    place.generator(&server).arg("--only-prepare").stdout(Stdio::null()).must()?;
    place.measure(&server, "push-small", "0.5", "0")?;
    let login = server.login.take();
    drop(server);
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for size in &SIZES {
        println!("bench: filling up to {}", size.name);
        fill(&data, "images", "bench/push", size.images)?;
        fill(&data, "tags", "bench/tags", size.tags)?;
        if size.repositories > 0 {
            fill(&data, "repositories", "bench/read", size.repositories)?;
        }
        // The first start after the filling pays for the cold cache of the file; the median of three is told.
        let mut starts = Vec::new();
        for _ in 0..ROUNDS {
            let (server, took) = servers::longshore_started(&place, &data, &flags)?;
            starts.push(took.as_secs_f64() * 1000.0);
            drop(server);
        }
        let (mut server, _) = servers::longshore_started(&place, &data, &flags)?;
        server.login.clone_from(&login);
        let mut column = vec![median(starts).context("no start")?];
        for work in WORKS {
            let mut costs = Vec::new();
            for _ in 0..ROUNDS {
                let row = place.measure(&server, work, "2", "0")?;
                let cost = row.pointer("/server/cpu_milliseconds_per_operation");
                costs.push(cost.and_then(serde_json::Value::as_f64).context("no cost")?);
            }
            column.push(median(costs).context("no cost")?);
        }
        println!("bench: {}: {column:.3?}", size.name);
        columns.push(column);
    }
    let table = table(&columns);
    std::fs::write(place.folder.join("growth.md"), &table)?;
    print!("{table}");
    place.clean()
}

fn fill(data: &Path, what: &str, repository: &str, count: usize) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/fill.py");
    let mut command = Command::new(setup::python());
    command.arg(script).arg(data.join("catalog.db")).args([what, repository, &count.to_string()]);
    setup::must(&mut command)
}

fn table(columns: &[Vec<f64>]) -> String {
    let mut text = String::from("| |");
    // Writing to a String cannot fail.
    for size in &SIZES {
        let _ = write!(text, " {} |", size.name);
    }
    text.push_str(" largest ÷ smallest |\n|---|--:|--:|--:|--:|--:|\n");
    let names = ["start until `ready`, ms".to_owned()];
    let works = WORKS.iter().map(|work| format!("{work}, server CPU ms per operation"));
    for (row, name) in names.into_iter().chain(works).enumerate() {
        let values: Vec<f64> = columns.iter().filter_map(|column| column.get(row).copied()).collect();
        let cells: Vec<String> = values.iter().map(|value| format!("{value:.3}")).collect();
        let first = values.first().copied().unwrap_or(f64::NAN);
        let growth = values.iter().copied().fold(f64::NAN, f64::max) / first;
        let verdict = if growth <= FLAT { "flat" } else { "grows" };
        let _ = writeln!(text, "| {name} | {} | {growth:.2} ({verdict}) |", cells.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told() {
        let columns = vec![vec![100.0; 6], vec![120.0; 6], vec![140.0; 6], vec![160.0; 6]];
        let table = table(&columns);
        assert!(
            table.contains(
                "| start until `ready`, ms | 100.000 | 120.000 | 140.000 | 160.000 | 1.60 (grows) |"
            )
        );
        assert_eq!(table.lines().count(), 2 + 1 + WORKS.len());
    }
}
