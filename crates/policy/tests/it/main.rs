//! Tests of the policy crate from outside: vectors as data, a second evaluator, and invariants.
//!
//! - `corpus`: every vector of iam.md §9 that the engine decides, from `tests/corpus/*.json`, on both evaluators.
//! - `validation`: documents and the sentences that refuse them, from `tests/validation/*.json`.
//! - `reference`: a slow evaluator written from iam.md without looking at the engine.
//! - `differential`, `invariants`: generated policies and requests.
//! - `managed`: snapshot of the AWS managed policies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    reason = "a test that meets the unexpected has to fail loudly"
)]

mod callers;
mod corpus;
mod differential;
mod generate;
mod invariants;
mod managed;
mod reference;
mod validation;
