//! Reading: requests that are put together once and sent again and again.

use anyhow::bail;

use super::http::Connection;
use super::measure::{Done, Worker};

/// One request and what its answer must look like.
#[derive(Clone)]
pub(super) struct Request {
    /// The whole head.
    pub(super) head: Vec<u8>,
    /// Whether it is a HEAD.
    pub(super) is_head: bool,
    /// The length that the body of its answer must have, when it is known.
    pub(super) body_bytes: Option<u64>,
}

/// Sends lists of requests in turn; one list is one operation.
pub(super) struct Pulls {
    connection: Connection,
    operations: Vec<Vec<Request>>,
    next: usize,
}

impl Pulls {
    /// `first` is the list to begin with, so that workers do not ask for the same at the same time.
    pub(super) fn new(connection: Connection, operations: Vec<Vec<Request>>, first: usize) -> Self {
        let next = first % operations.len().max(1);
        Self { connection, operations, next }
    }
}

impl Worker for Pulls {
    fn run(&mut self) -> anyhow::Result<Done> {
        let mut done = Done::default();
        for request in self.operations.get(self.next).into_iter().flatten() {
            let answer = self.connection.exchange(&[&request.head], request.is_head)?;
            if answer.status != 200 || request.body_bytes.is_some_and(|bytes| bytes != answer.body_bytes) {
                let line = request.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
                let line = String::from_utf8_lossy(line);
                bail!("{line}: answered with {} and {} bytes", answer.status, answer.body_bytes);
            }
            done.requests += 1;
            done.bytes += answer.body_bytes;
        }
        self.next = (self.next + 1) % self.operations.len().max(1);
        Ok(done)
    }
}
