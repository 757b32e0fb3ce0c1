//! Time and randomness, injected so that the whole server runs deterministically in tests.
//!
//! Nothing else in the program may read the system clock or the kernel's random numbers.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in microseconds since 1970-01-01T00:00:00Z, as every `*_at` column stores it.
pub type Micros = i64;

/// Microseconds in one second.
pub const SECOND: Micros = 1_000_000;

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment.
    fn now(&self) -> Micros;
}

/// Where unpredictable bytes come from.
pub trait Random: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` with bytes that nobody can guess.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails; callers must refuse their operation, never go on with zeros.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness>;

    /// As [`Random::fill`], for what is shown to everybody, such as the id of a request: the bytes may have lain in
    /// memory for a while. Never for secrets.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    fn fill_public(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        self.fill(buffer)
    }
}

/// The kernel gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system's source of random bytes failed")]
pub struct NoRandomness;

/// The clock and the random source that one server uses.
#[derive(Debug, Clone)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Environment {
    /// The machine's own clock and random numbers.
    #[must_use]
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
    }

    /// A chosen clock and random source, for tests.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random }
    }

    /// The present moment in microseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// `N` unpredictable bytes.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The id of a request: a UUID of version 4. Nobody may take it for a secret.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn request_id(&self) -> Result<uuid::Uuid, NoRandomness> {
        let mut bytes = [0; 16];
        self.random.fill_public(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// A new row id: UUID version 7 as text, so that ids sort by the time of their creation.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new_id(&self) -> Result<String, NoRandomness> {
        let milliseconds = u64::try_from(self.now() / 1000).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &self.random::<10>()?).into_uuid();
        Ok(id.hyphenated().to_string())
    }
}

#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        // A clock before 1970 is broken; zero makes every signature too old, which fails closed.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_micros()).ok())
            .unwrap_or(0)
    }
}

#[derive(Debug)]
struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(buffer).map_err(|_| NoRandomness)
    }

    fn fill_public(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        POOL.with_borrow_mut(|pool| pool.fill(buffer))
    }
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
}

/// Thirty-two ids: a system call for each request is a percent of a small pull.
const POOL_BYTES: usize = 512;

/// Random bytes of one thread that were not given out yet.
struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

impl Pool {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        if buffer.len() > POOL_BYTES.saturating_sub(self.used) {
            if buffer.len() > POOL_BYTES {
                return SystemRandom.fill(buffer);
            }
            // Used up first, so that a failure never gives bytes out twice.
            self.used = POOL_BYTES;
            SystemRandom.fill(&mut self.bytes)?;
            self.used = 0;
        }
        let end = self.used.saturating_add(buffer.len());
        buffer.copy_from_slice(self.bytes.get(self.used..end).ok_or(NoRandomness)?);
        self.used = end;
        Ok(())
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Micros) -> Self {
        Self(AtomicI64::new(now))
    }

    /// Moves the clock forward by `by` microseconds.
    pub fn advance(&self, by: Micros) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_id_comes_twice() {
        let environment = Environment::system();
        let ids: std::collections::HashSet<_> =
            (0..1_000).map(|_| environment.request_id().unwrap()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
        let mut large = vec![0; POOL_BYTES + 1];
        SystemRandom.fill_public(&mut large).unwrap();
        assert!(large.iter().any(|byte| *byte != 0));
    }
}
