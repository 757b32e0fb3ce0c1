//! The room of lifecycle policies: which images a repository lets go of by itself.
//!
//! Owns the language of a policy, [`policy`]: reading it, refusing what the service refuses in the service's
//! words, and printing the canonical text that clients get back (ecr.md §5.1–5.3, §5.7). It is pure: text
//! in, value out, no clock and no tables.
//!
//! Not here yet: evaluating a policy against images and running it on a schedule (ecr.md §5.4–5.7). A stored
//! policy is validated and returned, and removes nothing.
//!
//! Invariants:
//! * a [`LifecyclePolicy`] that exists obeys the grammar and the constraints between rules;
//! * its rules are sorted by priority, the most important (lowest number) first;
//! * reading its canonical text gives an equal policy.
//!
//! Example: `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan",`
//! `"countNumber":800},"action":{"type":"expire"}}]}` is one rule that keeps the 800 newest images.

pub mod policy;

pub use policy::{LifecyclePolicy, PolicyError};
