//! Runs workers at the same time and measures what they do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::process::{self, Usage};
use super::progress::Progress;

/// What one operation has done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    /// HTTP requests.
    pub(super) requests: u64,
    /// Bytes of bodies, sent and received.
    pub(super) bytes: u64,
}

/// One connection's share of a work.
pub(super) trait Worker: Send {
    /// Does one operation.
    fn run(&mut self) -> anyhow::Result<Done>;
}

/// When a work ends: whichever comes first. A running operation is always finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Time.
    pub(super) duration: Duration,
    /// Operations of all workers together.
    pub(super) count: u64,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// From the first operation's beginning to the last one's end.
    pub(super) seconds: f64,
    /// Of all operations, sorted.
    pub(super) latencies: Vec<Duration>,
    /// Of all operations together.
    pub(super) done: Done,
    /// What the server used meanwhile; its peak is since its start.
    pub(super) server: Option<Usage>,
    /// What this process used meanwhile.
    pub(super) own_cpu_seconds: f64,
}

/// Runs one thread per worker until the bounds are reached; `server` is the process to watch.
///
/// # Errors
/// The first error of a worker, which ends the others too.
pub(super) fn run(
    workers: Vec<Box<dyn Worker>>,
    bounds: Bounds,
    server: Option<u32>,
    progress: &Progress,
) -> anyhow::Result<Measured> {
    let shared = Shared::new(workers.len(), bounds);
    let own_before = process::usage(std::process::id())?.cpu_seconds;
    let server_before = server.map(process::usage).transpose()?;
    let all_shares = std::thread::scope(|scope| {
        let threads: Vec<_> =
            workers.into_iter().map(|worker| scope.spawn(|| repeat(worker, &shared))).collect();
        shared.start.wait();
        let begin = Instant::now();
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            progress.show(shared.operations.load(Ordering::Relaxed), begin.elapsed(), bounds);
        }
        threads.into_iter().map(|thread| thread.join().ok()).collect::<Option<Vec<_>>>()
    });
    progress.clear();
    if let Some(error) = shared.failure.into_inner().ok().flatten() {
        return Err(error);
    }
    let server = match (server, server_before) {
        (Some(id), Some(before)) => {
            let after = process::usage(id)?;
            Some(Usage { cpu_seconds: after.cpu_seconds - before.cpu_seconds, ..after })
        }
        _ => None,
    };
    let own_cpu_seconds = process::usage(std::process::id())?.cpu_seconds - own_before;
    let shares = all_shares.context("a thread of the load generator has panicked")?;
    // The workers' own clocks: the thread that watches them may be woken long after they have begun.
    let begin = shares.iter().filter_map(|share| share.begin).min();
    let end = shares.iter().filter_map(|share| share.end).max();
    let mut latencies: Vec<Duration> =
        shares.iter().flat_map(|share| share.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    if latencies.is_empty() {
        bail!("nothing was done");
    }
    let done = shares.iter().fold(Done::default(), |sum, share| Done {
        requests: sum.requests + share.done.requests,
        bytes: sum.bytes + share.done.bytes,
    });
    let seconds = begin.zip(end).map_or(0.0, |(begin, end)| end.duration_since(begin).as_secs_f64());
    Ok(Measured { seconds, latencies, done, server, own_cpu_seconds })
}

struct Shared {
    start: Barrier,
    bounds: Bounds,
    /// Operations that were begun.
    begun: AtomicU64,
    /// Operations that have ended, for the progress.
    operations: AtomicU64,
    must_stop: AtomicBool,
    failure: Mutex<Option<anyhow::Error>>,
}

impl Shared {
    fn new(workers: usize, bounds: Bounds) -> Self {
        Self {
            // The workers and the thread that watches them.
            start: Barrier::new(workers + 1),
            bounds,
            begun: AtomicU64::new(0),
            operations: AtomicU64::new(0),
            must_stop: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }
}

#[derive(Default)]
struct Share {
    latencies: Vec<Duration>,
    done: Done,
    begin: Option<Instant>,
    end: Option<Instant>,
}

fn repeat(mut worker: Box<dyn Worker>, shared: &Shared) -> Share {
    let mut share = Share::default();
    shared.start.wait();
    let begin = Instant::now();
    share.begin = Some(begin);
    let mut last = begin;
    while last.duration_since(begin) < shared.bounds.duration
        && !shared.must_stop.load(Ordering::Relaxed)
        && shared.begun.fetch_add(1, Ordering::Relaxed) < shared.bounds.count
    {
        match worker.run() {
            Ok(done) => {
                share.done.requests += done.requests;
                share.done.bytes += done.bytes;
            }
            Err(error) => {
                shared.must_stop.store(true, Ordering::Relaxed);
                if let Ok(mut failure) = shared.failure.lock() {
                    failure.get_or_insert(error);
                }
                return share;
            }
        }
        let now = Instant::now();
        share.latencies.push(now.duration_since(last));
        last = now;
        shared.operations.fetch_add(1, Ordering::Relaxed);
    }
    share.end = Some(last);
    share
}

/// The latency below which `share` (0 to 1) of the operations lie; `sorted` must be sorted.
pub(super) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position in a list that fits into memory, of a share between 0 and 1"
    )]
    let position = (last as f64 * share).ceil() as usize;
    sorted.get(position.min(last)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper(Option<u64>);

    impl Worker for Sleeper {
        fn run(&mut self) -> anyhow::Result<Done> {
            std::thread::sleep(Duration::from_millis(1));
            if let Some(left) = &mut self.0 {
                *left = left.checked_sub(1).context("worn out")?;
            }
            Ok(Done { requests: 2, bytes: 10 })
        }
    }

    fn workers(lives: Option<u64>) -> Vec<Box<dyn Worker>> {
        (0..3).map(|_| Box::new(Sleeper(lives)) as Box<dyn Worker>).collect()
    }

    #[test]
    fn a_count_is_exact() {
        let bounds = Bounds { duration: Duration::from_secs(60), count: 20 };
        let measured = run(workers(None), bounds, Some(std::process::id()), &Progress::silent()).unwrap();
        assert_eq!((measured.latencies.len(), measured.done.requests, measured.done.bytes), (20, 40, 200));
        // Of 20 operations of a millisecond or more one of three workers has done seven, however late it was.
        assert!(measured.server.is_some() && measured.seconds >= 0.007, "{measured:?}");
        assert!(measured.latencies[0] >= Duration::from_millis(1));
    }

    #[test]
    fn time_ends_it() {
        let bounds = Bounds { duration: Duration::from_millis(30), count: u64::MAX };
        let measured = run(workers(None), bounds, None, &Progress::silent()).unwrap();
        assert!(measured.latencies.len() >= 3 && measured.seconds < 5.0);
    }

    #[test]
    fn an_error_ends_all() {
        let bounds = Bounds { duration: Duration::from_secs(60), count: u64::MAX };
        let error = run(workers(Some(3)), bounds, None, &Progress::silent()).unwrap_err();
        assert_eq!(error.to_string(), "worn out");
    }

    #[test]
    fn percentiles_are_positions() {
        let sorted: Vec<Duration> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&sorted, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }
}
