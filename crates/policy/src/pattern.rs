//! Text patterns: globs, policy variables, and the ARN patterns of resources and conditions.
//!
//! A pattern is compiled once into [`Piece`]s; matching never builds a regular expression and never backtracks
//! (see `glob`), so a policy like `*a*a*a*b` costs pattern length times text length at worst.
//!
//! INVARIANT: a variable expands to a literal piece. A tag value `*` is the character `*`, not a wildcard;
//! substituting text first and globbing afterwards would let a caller's tag widen a policy (iam.md §3.6).

mod arn;
mod glob;
mod template;

pub(crate) use arn::{ArnOperand, ResourcePattern};
pub(crate) use template::{Template, Wildcards};
