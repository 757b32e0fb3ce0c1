//! Pure crate.
