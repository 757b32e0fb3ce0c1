//! CPU time and memory of the server, from `/proc`: its process and all that it has started.

use std::collections::BTreeMap;

use anyhow::Context as _;

/// What a tree of processes has used so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// User and system time.
    pub(super) cpu_seconds: f64,
    /// The sum of the processes' own peaks, which may lie at different moments.
    pub(super) peak_memory_bytes: u64,
}

/// What `process` and its descendants have used.
///
/// # Errors
/// There is no such process.
pub(super) fn usage(process: u32) -> anyhow::Result<Usage> {
    let mut parents = BTreeMap::new();
    let mut ticks = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").context("/proc cannot be read")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that ended in between is not an error.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some((parent, used)) = parse_stat(&stat) {
            parents.insert(id, parent);
            ticks.insert(id, used);
        }
    }
    let own = ticks.get(&process).with_context(|| format!("there is no process {process}"))?;
    let family = ticks.keys().copied().filter(|id| *id != process && descends(*id, process, &parents));
    let (mut total, mut peak) = (*own, peak_memory(process));
    for id in family {
        total += ticks.get(&id).copied().unwrap_or(0);
        peak += peak_memory(id);
    }
    #[expect(clippy::cast_precision_loss, reason = "a double counts ticks exactly for millions of years")]
    let cpu_seconds = total as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(Usage { cpu_seconds, peak_memory_bytes: peak })
}

fn descends(mut id: u32, ancestor: u32, parents: &BTreeMap<u32, u32>) -> bool {
    while let Some(parent) = parents.get(&id) {
        if *parent == ancestor {
            return true;
        }
        id = *parent;
    }
    false
}

/// The parent and the clock ticks of user and system time (fields 4, 14 and 15 of proc(5)).
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    // The name, field 2, may hold blanks and brackets itself; it ends at the last bracket.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let user: u64 = fields.nth(9)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((parent, user + system))
}

fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "7 (a ) b) S 3 7 7 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 1 0 5 6 7";
        assert_eq!(parse_stat(stat), Some((3, 300)));
    }

    #[test]
    fn this_process_has_used_something_and_no_process_has_not() {
        let used = usage(std::process::id()).unwrap();
        assert!(used.peak_memory_bytes > 100_000);
        assert!(usage(u32::MAX).is_err());
    }
}
