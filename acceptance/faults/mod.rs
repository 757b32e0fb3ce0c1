//! Faults for the real binary: killed at any call, a disk that loses power, calls that fail.
//!
//! ```text
//! shim.c ── preloaded into the unmodified server ── counts, records, fails or ends it at a call of libc
//!    ↑ orders (control.rs)         ↓ records (trace.rs) ── disk.rs: what a power cut at any record leaves
//! step.rs: one request each ── client.rs        driver.rs: what was acknowledged, what is there, going on
//! ```
//!
//! Invariant: the server under test has no code for faults; what it does here it does everywhere.

mod client;
mod control;
mod disk;
mod driver;
mod installation;
mod random;
mod step;
mod trace;

pub use client::{Answer, Client, KEY_ID, SECRET};
pub use control::{Control, Order};
pub use disk::{Disk, Sync};
pub use driver::{Driver, World};
pub use installation::{Installation, When};
pub use random::Random;
pub use step::{Request, Step, long_script, script};
pub use trace::{Kind, Trace};
