//! Longshore: Amazon ECR that you run yourself.
//!
//! One binary that is ECR, IAM and STS to `aws` and the SDKs and a Docker/OCI registry to everything that
//! pulls images. `ARCHITECTURE.md` walks through a push and a pull. From the top: [`server`] listens and
//! finds the door, [`api`] holds the doors, [`access`] the guard, [`catalog`] and [`identity`] the rooms,
//! [`store`] bytes and rows.

pub mod access;
pub mod api;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod environment;
pub mod identity;
pub mod lifecycle;
pub mod server;
pub mod store;
