//! Time and randomness, injected so that the whole server runs deterministically in tests.
//!
//! Nothing else in the program may read the system clock or the kernel's random numbers.

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
