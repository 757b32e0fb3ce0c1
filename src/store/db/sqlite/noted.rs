//! Which statements a test's flow runs, for tests that look at their plans. Compiled for tests only.

use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    static NOTED: RefCell<Option<BTreeSet<&'static str>>> = const { RefCell::new(None) };
}

/// Remembers a statement when this thread's test asked for it.
pub(super) fn note(sql: &'static str) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.insert(sql);
        }
    });
}

/// The statements that `work` runs on the thread of a test, which is all of them but those that a flow repeats or runs
/// on the blocking pool.
pub(in crate::store::db) async fn statements_of(work: impl Future<Output = ()>) -> BTreeSet<&'static str> {
    NOTED.with_borrow_mut(|noted| *noted = Some(BTreeSet::new()));
    work.await;
    NOTED.with_borrow_mut(Option::take).unwrap_or_default()
}
