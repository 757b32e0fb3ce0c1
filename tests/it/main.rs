//! The whole server, as clients on the network see it: one binary, so that the house is linked once.
//!
//! `harness` starts the real application in this process, on a free port of the loopback address, with a folder of its
//! own, on SQLite and, with `LONGSHORE_TEST_POSTGRES_URL`, on PostgreSQL too. A test is one `async fn` that begins with
//! `for server in servers().await`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that cannot go on fails loudly, with the reason in its message"
)]
#![allow(missing_docs, unreachable_pub, reason = "a test binary has no public interface")]

mod harness;

mod command_line;
mod ecr;
mod fsck;
mod registry;
mod server;
