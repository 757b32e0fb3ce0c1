//! What every acceptance test stands on.
//!
//! - [`Server`]: the binary under test on a free port with a data folder of its own.
//! - [`Engine`]: a private Docker Engine, started once for all tests.
//! - [`Repository`]: a repository at a server, as clients name it.
//! - [`Postgres`]: a database server of its own.
//! - [`layout`], [`shapes`]: images made by hand, checked byte by byte.
//! - [`Terminal`]: one user's shell with nothing but the environment that was pasted into it.
//! - [`Namespace`]: mounts and network of its own, for the tutorial's literal host name.
//!
//! Invariant: everything lies in temporary folders and ends with the test process, even when that is killed.

mod engine;
mod guardian;
mod http;
mod image;
pub mod layout;
mod libpod;
mod namespace;
mod people;
mod postgres;
mod repository;
mod server;
pub mod shapes;
mod terminal;
pub mod tools;
mod volume;

pub use engine::Engine;
pub use guardian::Guardian;
pub use http::Response;
pub use image::{TUTORIAL_LABELS, TUTORIAL_REVISION, build, unique_context};
pub use libpod::{PLAIN, libpod};
pub use namespace::Namespace;
pub use people::{People, TUTORIAL_POLICY, denied, repository_arn, user_arn};
pub use postgres::Postgres;
pub use repository::Repository;
pub use server::{Server, Settings, pasted};
pub use terminal::Terminal;
pub use volume::Volume;

use std::time::{Duration, Instant};

/// Asks again and again until `question` has an answer. Panics with `what` after the limit.
pub fn wait_for<T>(what: &str, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(begin.elapsed() < limit, "no {what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
