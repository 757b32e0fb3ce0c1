//! Servers to test against and a client that signs.
//!
//! ```ignore
//! for server in servers().await {
//!     server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "app"})).await.ok();
//!     let docker = server.docker(&server.root).await;
//!     assert_eq!(docker.get("/v2/app/tags/list").await.status, 200);
//! }
//! ```

mod answer;
mod client;
mod docker;
pub mod http_2;
mod process;
#[path = "../../../src/store/db/testing/schema.rs"]
mod schema;
mod server;
mod wire;

pub use answer::Answer;
pub use client::Key;
pub use docker::Docker;
pub use process::Process;
pub use server::{Settings, TestServer, servers};
pub use wire::Wire;
