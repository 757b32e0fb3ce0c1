//! The writer of the audit trail: a thread behind a bounded buffer, and the segments that it writes.
//!
//! Callers append whole lines to one buffer under a lock. The writer takes everything that is there and writes it with
//! one system call; then it pauses for [`PAUSE`], so that under load a wake-up, a change of threads and a system call
//! serve many requests. When nothing was to do it sleeps until it is woken, so a lone line is written at once.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Settings;
use crate::environment::Environment;

/// Bytes that may wait for the disk before callers do.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// How long lines are gathered after a write: what a killed process may lose of the trail.
const PAUSE: Duration = Duration::from_millis(2);

/// A buffer that one burst has grown larger than this is given back.
const KEPT_BYTES: usize = 256 * 1024;

/// The writing end. When the last holder drops it, what is queued is written and the thread ends.
#[derive(Debug)]
pub(super) struct Trail {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    /// The writer waits here for lines.
    arrived: Condvar,
    /// Callers wait here for room.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    writer_sleeps: bool,
    callers_wait: bool,
    /// No caller is left.
    is_closed: bool,
    /// The writer's thread has ended, which only a panic does while callers are left.
    has_ended: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer has ended; the line is not recorded.
#[derive(Debug)]
pub(super) struct Ended;

impl Trail {
    /// Opens the first segment and starts the writer.
    pub(super) fn open(settings: Settings, environment: Environment) -> io::Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let mut segment = Segment::create(settings, environment)?;
        let queue = Arc::new(Queue::default());
        let thread = {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
                let _ending = Ending(&queue);
                write(&mut segment, &queue);
            })?
        };
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Queues whole lines; waits while the disk is behind by [`BUFFER_BYTES`].
    pub(super) fn append(&self, lines: &[u8]) -> Result<(), Ended> {
        let mut state = self.queue.lock();
        while state.lines.len() >= BUFFER_BYTES && !state.has_ended {
            state.callers_wait = true;
            state = self.queue.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.has_ended {
            return Err(Ended);
        }
        state.lines.extend_from_slice(lines);
        let must_wake = std::mem::take(&mut state.writer_sleeps);
        drop(state);
        if must_wake {
            self.queue.arrived.notify_one();
        }
        Ok(())
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.arrived.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the audit trail's writer has panicked");
        }
    }
}

/// Tells waiting callers that nobody will make room any more, also after a panic.
struct Ending<'a>(&'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.room.notify_all();
    }
}

fn write(segment: &mut Segment, queue: &Queue) {
    let mut lines = Vec::new();
    loop {
        let mut state = queue.lock();
        while state.lines.is_empty() {
            if state.is_closed {
                return;
            }
            state.writer_sleeps = true;
            state = queue.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.lines, &mut lines);
        let is_closed = state.is_closed;
        let callers_wait = std::mem::take(&mut state.callers_wait);
        drop(state);
        if callers_wait {
            queue.room.notify_all();
        }
        if let Err(error) = segment.append(&lines) {
            tracing::error!(%error, "audit records could not be written");
        }
        lines.clear();
        lines.shrink_to(KEPT_BYTES);
        if !is_closed {
            std::thread::sleep(PAUSE);
        }
    }
}

/// The open file of the trail.
struct Segment {
    settings: Settings,
    environment: Environment,
    file: File,
    bytes: u64,
    number: u64,
}

impl Segment {
    fn create(settings: Settings, environment: Environment) -> io::Result<Self> {
        let file = Self::next(&settings.folder, &environment, 0)?;
        Ok(Self { settings, environment, file, bytes: 0, number: 1 })
    }

    fn next(folder: &Path, environment: &Environment, number: u64) -> io::Result<File> {
        // Microseconds since the epoch have sixteen digits until the year 2286, so names sort by time.
        let name = format!("{:016}-{number:06}.jsonl", environment.now());
        OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(name))
    }

    /// In: whole lines. They go to one segment, which may exceed its size by as much.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.bytes >= self.settings.segment_bytes {
            self.file = Self::next(&self.settings.folder, &self.environment, self.number)?;
            self.number += 1;
            self.bytes = 0;
            self.remove_oldest()?;
        }
        self.file.write_all(lines)?;
        self.bytes += u64::try_from(lines.len()).unwrap_or(0);
        Ok(())
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let mut names: Vec<PathBuf> = std::fs::read_dir(&self.settings.folder)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
            .collect();
        names.sort();
        let excess = names.len().saturating_sub(self.settings.keep_segments.max(1));
        for path in names.into_iter().take(excess) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path, segment_bytes: u64) -> Settings {
        Settings { folder: folder.to_owned(), segment_bytes, keep_segments: 3 }
    }

    fn written(folder: &Path) -> String {
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn segments_rotate_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(settings(folder.path(), 10), Environment::system()).unwrap();
        for _ in 0..20 {
            segment.append(b"0123456789\n").unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn every_line_of_every_thread_is_written_whole_when_the_last_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let trail = Arc::new(Trail::open(settings(folder.path(), 1 << 30), Environment::system()).unwrap());
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let trail = Arc::clone(&trail);
                std::thread::spawn(move || {
                    for number in 0..5_000 {
                        trail.append(format!("{thread} {number}\n").as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(trail);
        let text = written(folder.path());
        for thread in 0..4 {
            let prefix = format!("{thread} ");
            let numbers: Vec<usize> = text
                .lines()
                .filter_map(|line| line.strip_prefix(&prefix))
                .map(|number| number.parse().unwrap())
                .collect();
            assert!(numbers.iter().copied().eq(0..5_000), "thread {thread}");
        }
    }

    #[test]
    fn a_lone_line_is_written_without_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail::open(settings(folder.path(), 1 << 30), Environment::system()).unwrap();
        trail.append(b"one\n").unwrap();
        let begin = std::time::Instant::now();
        while written(folder.path()) != "one\n" {
            assert!(begin.elapsed() < Duration::from_secs(20), "the line was not written");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn callers_wait_for_a_disk_that_is_behind_and_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail::open(settings(folder.path(), 1 << 30), Environment::system()).unwrap();
        let line = [b'x'; 1 << 20];
        for _ in 0..24 {
            trail.append(&line).unwrap();
            assert!(trail.queue.lock().lines.len() <= BUFFER_BYTES + line.len());
        }
        drop(trail);
        assert_eq!(written(folder.path()).len(), 24 << 20);
    }
}
