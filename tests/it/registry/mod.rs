//! The registry face, as docker and its relatives speak it.

mod blobs;
mod memory;
pub mod uploads;
