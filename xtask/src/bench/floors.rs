//! Floors under the ratios: far below what was measured, so that noise never fails them and a lost fast path does.

use super::report::Results;
use anyhow::{Context, Result, bail};

const FLOORS: &str = include_str!("../../../bench/floors.txt");

/// One line of the file.
#[derive(Debug, PartialEq)]
struct Floor {
    work: String,
    other: String,
    /// The rate of Longshore divided by that of the other is at least this.
    rate: f64,
    /// The CPU time per operation of Longshore divided by that of the other is at most this.
    cpu: f64,
}

/// Fails with every ratio that is beyond its floor.
pub fn check(results: &Results) -> Result<()> {
    let mut broken = Vec::new();
    for floor in parse(FLOORS)? {
        broken.extend(complaints(results, &floor)?);
    }
    if !broken.is_empty() {
        bail!("slower than bench/floors.txt allows:\n{}", broken.join("\n"));
    }
    println!("bench: every ratio is within bench/floors.txt");
    Ok(())
}

/// Whether a floor compares this server's work with Longshore's, or it is Longshore itself.
pub fn needs(work: &str, server: &str) -> Result<bool> {
    let is_named = parse(FLOORS)?.iter().any(|floor| floor.work == work && floor.other == server);
    Ok(is_named || server == "longshore")
}

/// Errors: the pair was not measured, which must not count as good.
fn complaints(results: &Results, floor: &Floor) -> Result<Vec<String>> {
    let Floor { work, other, rate, cpu } = floor;
    let ratio = |pointer: &str| {
        let ratio = results.ratio(work, other, pointer);
        ratio.with_context(|| format!("{work} against {other} was not measured"))
    };
    let (own_rate, own_cpu) =
        (ratio("/operations_per_second")?, ratio("/server/cpu_milliseconds_per_operation")?);
    let mut found = Vec::new();
    if own_rate < *rate {
        found.push(format!("{work}: the rate is {own_rate:.2} times that of {other}, the floor is {rate}"));
    }
    if own_cpu > *cpu {
        found
            .push(format!("{work}: an operation costs {own_cpu:.2} times the CPU of {other}, at most {cpu}"));
    }
    Ok(found)
}

fn parse(text: &str) -> Result<Vec<Floor>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [work, other, rate, cpu] => Ok(Floor {
                work: work.to_owned(),
                other: other.to_owned(),
                rate: rate.parse().with_context(|| line.to_owned())?,
                cpu: cpu.parse().with_context(|| line.to_owned())?,
            }),
            _ => bail!("{line:?}: work, server, least rate, most CPU"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::Results;
    use super::*;
    use serde_json::json;

    fn results(own: f64) -> Results {
        let mut results = Results::new(1, "1", serde_json::Value::Null);
        for (server, rate) in [("longshore", own), ("distribution", 10.0)] {
            let server_part = json!({ "cpu_milliseconds_per_operation": 1.0 / rate });
            results.add(server, "list-tags", json!({ "operations_per_second": rate, "server": server_part }));
        }
        results
    }

    #[test]
    fn the_file_is_read_and_wrong_lines_are_not() {
        assert!(!parse(FLOORS).unwrap().is_empty());
        assert!(needs("pull-large", "nginx").unwrap() && needs("list-tags", "longshore").unwrap());
        assert!(!needs("list-tags", "nginx").unwrap());
        assert!(parse("list-tags distribution 2").is_err());
        assert!(parse("list-tags distribution two 1").is_err());
    }

    #[test]
    fn what_is_slower_or_missing_fails() {
        let floor = Floor { work: "list-tags".into(), other: "distribution".into(), rate: 2.0, cpu: 0.5 };
        assert_eq!(complaints(&results(30.0), &floor).unwrap(), Vec::<String>::new());
        assert_eq!(complaints(&results(15.0), &floor).unwrap().len(), 2);
        assert!(complaints(&results(30.0), &Floor { other: "nginx".into(), ..floor }).is_err());
    }
}
