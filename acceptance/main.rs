//! The acceptance suite: every promise of the tutorial kept with the real `aws` and a real Docker Engine.
//!
//! Runs the binary that `LONGSHORE_BIN` names (CI: the release build); without it the one that cargo has just
//! built. Nothing is skipped: a missing client fails the test that needs it, and `cargo xtask setup` installs it.
//! The Engine needs root. Each file is one promise; `harness` starts servers, engines and users' terminals.
//!
//! Example: `cargo xtask setup && cargo test --test acceptance tutorial`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails loudly, with the reason in its message"
)]
#![allow(missing_docs, unreachable_pub, reason = "a test binary has no public interface")]

mod faults;
mod harness;

mod artifact_semantics;
mod buildah;
mod buildkit;
mod collector;
mod conformance;
mod containerd;
mod cosign;
mod crane;
mod credential_helper;
mod disk_full;
mod ecr_login;
mod full_volume;
mod harness_itself;
mod helm;
mod http_2;
mod http_manners;
mod image_shapes;
mod kill_anywhere;
mod kubernetes_role;
mod layer_url;
mod literal_host;
mod oras;
mod permission_matrix;
mod podman;
mod postgres;
mod power_loss;
mod python_oras;
mod readme;
mod regctl;
mod restart;
mod reverse_proxy;
mod revocation;
mod skopeo;
mod soak;
mod storm;
mod tutorial;
