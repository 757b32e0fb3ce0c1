//! How many files the process may have open.
//!
//! The usual soft limit of 1,024 is there for programs that call `select`; this one does not. So a start raises it
//! to the hard limit, and says when even that does not fit the connections that are allowed.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// The database's connections, the log and the audit trail, listeners, refused connections, background work.
const FIXED: u64 = 192;

/// Raises the soft limit to the hard one; warns when `limits` allow more than fits.
pub fn raise_descriptor_limit(limits: &Limits) {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if before.current != before.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let limit = getrlimit(Resource::Nofile).current;
    let needed = needed(limits);
    if limit.is_some_and(|limit| limit < needed) {
        tracing::warn!(
            limit,
            needed,
            "max-connections needs more open files than this process may have: raise LimitNOFILE or lower it"
        );
    }
}

/// A connection is a socket and, while it sends a layer, a file; an upload has its bytes and their state open.
fn needed(limits: &Limits) -> u64 {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX / 4);
    number(limits.connections).saturating_mul(2).saturating_add(number(limits.uploads)).saturating_add(FIXED)
}
