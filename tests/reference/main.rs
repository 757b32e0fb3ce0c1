//! Reference pages are generated from the code and must be current.
//!
//! `LONGSHORE_BLESS=1 cargo test --test reference` rewrites them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test should fail loudly"
)]

mod compatibility;

use std::path::Path;

/// Compares a page with what the code says, or rewrites it when asked to.
fn check(page: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("LONGSHORE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{page} is not current; rewrite it with `LONGSHORE_BLESS=1 cargo test --test reference`"
    );
}
