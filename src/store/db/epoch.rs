//! Which rows may have changed? What the rooms keep in memory is exact as long as this says so.
//!
//! Every write transaction says which [`Scope`]s it touches; one that says nothing touches all of them, so that
//! forgetting costs a cache its entries and never its truth. A reader takes a [`Stamp`] of the scopes that its
//! value comes from *before* it reads the rows, and keeps the value under it; the value may be given out while a
//! new stamp is equal.
//!
//! ```text
//! reader  stamp ── read rows ── keep (stamp, value)          later: stamp equal? → value
//! writer  … ── mark scopes ── COMMIT ── new epoch, unmark ── answer
//! ```
//!
//! INVARIANT: while a commit is under way its scopes have no stamp, and afterwards they have another one. So a
//! stamp that was taken before the rows were read and is equal now proves that nothing was committed in between,
//! and no answer comes from before a commit that somebody else has seen already.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that scopes share. Two scopes that meet in one counter only lose entries to each other.
const COUNTERS: usize = 4096;

/// The lower bits of a counter say how many commits are under way, the upper ones how many there were.
const EPOCH: u64 = 1 << 16;

/// A part of the database that changes together: a repository, a blob, all identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(usize);

impl Scope {
    /// The scope with this name; the parts need not differ from those of other scopes in how they are cut.
    #[must_use]
    pub fn named(parts: &[&str]) -> Self {
        // Without a secret key: whoever finds names that meet can make two entries alternate, nothing more.
        let hash = foldhash::fast::FixedState::default().hash_one(parts);
        Self(usize::try_from(hash % COUNTERS as u64).unwrap_or(0))
    }
}

/// What one transaction may have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Touched {
    /// Nobody has said.
    #[default]
    Everything,
    /// These scopes and no other rows that are kept in memory.
    Only(Vec<Scope>),
}

impl Touched {
    /// Nothing yet.
    pub(super) fn nothing() -> Self {
        Self::Only(Vec::new())
    }

    /// Says that `scopes` are touched and, when nothing was said before, that they are all.
    pub(super) fn name(&mut self, scopes: &[Scope]) {
        match self {
            Self::Everything => *self = Self::Only(scopes.to_vec()),
            Self::Only(known) => known.extend_from_slice(scopes),
        }
    }

    /// Adds what another transaction of the same commit has touched.
    pub(super) fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Everything, _) => {}
            (known, Self::Everything) => *known = Self::Everything,
            (Self::Only(known), Self::Only(more)) => known.extend(more),
        }
    }
}

/// The state of up to two scopes at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    all: u64,
    scopes: [u64; 2],
}

/// The counters of one database.
#[derive(Debug, Clone)]
pub(super) struct Epochs(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    all: AtomicU64,
    scopes: Box<[AtomicU64]>,
}

impl Default for Epochs {
    fn default() -> Self {
        let scopes = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Counters { all: AtomicU64::new(0), scopes }))
    }
}

impl Epochs {
    /// The present stamp of a scope or two; `None` while a commit that touches one is under way.
    pub(super) fn stamp(&self, first: Scope, second: Option<Scope>) -> Option<Stamp> {
        let still = |counter: &AtomicU64| {
            let value = counter.load(Ordering::SeqCst);
            value.is_multiple_of(EPOCH).then_some(value)
        };
        let of = |scope: Scope| self.0.scopes.get(scope.0).and_then(still);
        let second = match second {
            Some(scope) => of(scope)?,
            None => 0,
        };
        Some(Stamp { all: still(&self.0.all)?, scopes: [of(first)?, second] })
    }

    /// Marks what a commit touches; the new epoch begins when the value is dropped.
    pub(super) fn commit(&self, touched: Touched) -> UnderWay {
        let under_way = UnderWay { epochs: self.clone(), touched };
        under_way.each(|counter| counter.fetch_add(1, Ordering::SeqCst));
        under_way
    }

    /// Makes every stamp an old one.
    pub(super) fn forget_everything(&self) {
        drop(self.commit(Touched::Everything));
    }
}

/// A commit between its beginning and its end.
#[derive(Debug)]
pub(super) struct UnderWay {
    epochs: Epochs,
    touched: Touched,
}

impl UnderWay {
    fn each(&self, change: impl Fn(&AtomicU64) -> u64) {
        match &self.touched {
            Touched::Everything => {
                change(&self.epochs.0.all);
            }
            Touched::Only(scopes) => {
                for counter in scopes.iter().filter_map(|scope| self.epochs.0.scopes.get(scope.0)) {
                    change(counter);
                }
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.each(|counter| counter.fetch_add(EPOCH - 1, Ordering::SeqCst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_has_no_stamp_and_leaves_another_one() {
        let epochs = Epochs::default();
        let (app, web) = (Scope::named(&["app"]), Scope::named(&["web"]));
        let before = epochs.stamp(app, None).unwrap();
        assert_eq!(epochs.stamp(app, None), Some(before));
        let under_way = epochs.commit(Touched::Only(vec![app]));
        assert_eq!(epochs.stamp(app, None), None);
        assert_eq!(epochs.stamp(web, Some(app)), None);
        let other = epochs.stamp(web, None).unwrap();
        drop(under_way);
        assert_ne!(epochs.stamp(app, None), Some(before));
        assert_eq!(epochs.stamp(web, None), Some(other));

        let under_way = epochs.commit(Touched::Everything);
        assert_eq!(epochs.stamp(web, None), None);
        drop(under_way);
        assert_ne!(epochs.stamp(web, None), Some(other));
    }

    #[test]
    fn two_commits_at_once_are_both_waited_for() {
        let epochs = Epochs::default();
        let app = Scope::named(&["app"]);
        let (first, second) =
            (epochs.commit(Touched::Only(vec![app, app])), epochs.commit(Touched::Only(vec![app])));
        drop(first);
        assert_eq!(epochs.stamp(app, None), None);
        drop(second);
        assert!(epochs.stamp(app, None).is_some());
    }

    #[test]
    fn whoever_says_nothing_touches_everything() {
        let mut touched = Touched::default();
        assert_eq!(touched, Touched::Everything);
        let app = Scope::named(&["app"]);
        touched.name(&[app]);
        touched.name(&[]);
        assert_eq!(touched, Touched::Only(vec![app]));
        touched.add(Touched::nothing());
        assert_eq!(touched, Touched::Only(vec![app]));
        touched.add(Touched::Everything);
        touched.add(Touched::Only(vec![app]));
        assert_eq!(touched, Touched::Everything);
    }
}
