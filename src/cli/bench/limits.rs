//! What the machine can do at all, measured beside the servers: no registry can be faster than these.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::fs::OFlags;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::content::random_bytes;
use super::measure::percentile;

const PIECE_BYTES: usize = 1024 * 1024;

/// Bytes that each of the sequential measurements moves.
const PIECES: usize = 256;

/// Small synced writes.
const SYNCED_WRITES: usize = 200;

/// Alignment that every block device accepts for O_DIRECT.
const ALIGNMENT: usize = 4096;

/// The limits of a machine and a folder on it.
#[derive(Debug, Serialize)]
pub(super) struct Limits {
    /// SHA-256 on one core.
    pub(super) sha256_bytes_per_second: f64,
    /// 256 MiB written in pieces of 1 MiB and synced at the end.
    pub(super) write_synced_bytes_per_second: f64,
    /// The same past the page cache; `None` where the file system refuses O_DIRECT.
    pub(super) write_direct_bytes_per_second: Option<f64>,
    /// 4 KiB appended and synced, again and again.
    pub(super) synced_write_milliseconds_p50: f64,
    /// The slow ones of them.
    pub(super) synced_write_milliseconds_p99: f64,
    /// 256 MiB read that the page cache holds.
    pub(super) read_cached_bytes_per_second: f64,
}

/// Removes the file when the measurement is over, also when it failed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may not exist yet, or not be removable; either way the measurement stands.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Measures with files in `folder`, which must exist.
pub(super) fn measure(folder: &Path) -> anyhow::Result<Limits> {
    let scratch = Scratch(folder.join(format!("longshore-bench-{}", std::process::id())));
    let path = scratch.0.as_path();
    let piece = random_bytes(7, PIECE_BYTES);
    let sha256 = rate(|| {
        let mut state = Sha256::new();
        (0..PIECES).for_each(|_| state.update(&piece));
        std::hint::black_box(state.finalize());
        Ok(())
    })?;
    let synced = rate(|| {
        let mut file = File::create(path)?;
        (0..PIECES).try_for_each(|_| file.write_all(&piece))?;
        file.sync_all()
    })
    .with_context(|| format!("write {}", path.display()))?;
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut buffer = vec![0; PIECE_BYTES];
    let mut read = || {
        file.rewind()?;
        (0..PIECES).try_for_each(|_| file.read_exact(&mut buffer))
    };
    // The first time fills the cache where the system has thrown the pages away.
    read().context("read back")?;
    let cached = rate(read).context("read back")?;
    std::fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
    let direct = rate(|| write_direct(path, &piece)).ok();
    let latencies = synced_writes(path).with_context(|| format!("write {}", path.display()))?;
    let milliseconds = |share| percentile(&latencies, share).as_secs_f64() * 1000.0;
    Ok(Limits {
        sha256_bytes_per_second: sha256,
        write_synced_bytes_per_second: synced,
        write_direct_bytes_per_second: direct,
        synced_write_milliseconds_p50: milliseconds(0.5),
        synced_write_milliseconds_p99: milliseconds(0.99),
        read_cached_bytes_per_second: cached,
    })
}

/// Bytes per second of work that moves [`PIECES`] pieces.
fn rate(work: impl FnOnce() -> std::io::Result<()>) -> std::io::Result<f64> {
    let begin = Instant::now();
    work()?;
    #[expect(clippy::cast_precision_loss, reason = "256 MiB is far below 2^53")]
    let bytes = (PIECES * PIECE_BYTES) as f64;
    Ok(bytes / begin.elapsed().as_secs_f64())
}

fn write_direct(path: &Path, piece: &[u8]) -> std::io::Result<()> {
    // O_DIRECT wants aligned memory, and a Vec promises none: take an aligned part of a larger one.
    let mut room = vec![0; PIECE_BYTES + ALIGNMENT];
    let offset = room.as_ptr().align_offset(ALIGNMENT);
    let aligned = room.get_mut(offset..offset + PIECE_BYTES).ok_or(std::io::ErrorKind::Unsupported)?;
    aligned.copy_from_slice(piece);
    let flags = i32::try_from(OFlags::DIRECT.bits()).map_err(std::io::Error::other)?;
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).custom_flags(flags).open(path)?;
    (0..PIECES).try_for_each(|_| file.write_all(aligned))?;
    file.sync_all()
}

fn synced_writes(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = File::create(path)?;
    let block = [0; ALIGNMENT];
    let mut latencies = Vec::with_capacity(SYNCED_WRITES);
    for _ in 0..SYNCED_WRITES {
        let begin = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        latencies.push(begin.elapsed());
    }
    latencies.sort_unstable();
    Ok(latencies)
}

impl Limits {
    /// Lines for people.
    pub(super) fn table(&self) -> String {
        let megabytes = |bytes: f64| format!("{:.0} MB/s", bytes / 1e6);
        let direct = self.write_direct_bytes_per_second.map_or_else(|| "refused".to_owned(), megabytes);
        format!(
            "SHA-256 on one core           {}\nwrite, synced at the end      {}\nwrite, O_DIRECT               \
             {direct}\n4 KiB written and synced      p50 {:.3} ms, p99 {:.3} ms\nread from the page cache      {}\n\n",
            megabytes(self.sha256_bytes_per_second),
            megabytes(self.write_synced_bytes_per_second),
            self.synced_write_milliseconds_p50,
            self.synced_write_milliseconds_p99,
            megabytes(self.read_cached_bytes_per_second),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_measured_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let limits = measure(folder.path()).unwrap();
        for rate in [
            limits.sha256_bytes_per_second,
            limits.write_synced_bytes_per_second,
            limits.read_cached_bytes_per_second,
            limits.synced_write_milliseconds_p99,
        ] {
            assert!(rate.is_finite() && rate > 0.0);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
