//! AWS wire formats without I/O: shapes with their constraints, JSON 1.1, Query and XML, Signature Version 4.
//!
//! Owns everything between the bytes of a request and a typed operation, and back:
//! - [`ecr`], [`iam`], [`sts`]: generated request and response structs, one `Operation` enum per service,
//!   tables of operations and errors (`cargo xtask codegen` writes them; never edit `generated/`);
//! - [`shape`] and [`pattern`]: the static schema that the generic code below interprets;
//! - [`json`], [`query`], [`xml`]: decoding and encoding guided by the schema;
//! - [`constraint`] and [`message`]: checks of lengths, ranges, patterns, enums, and AWS's sentences for them;
//! - [`sigv4`]: verification of header and presigned signatures, and our own signer.
//!
//! Invariants: no I/O, no clock, no randomness; no input panics; memory stays a small multiple of the input;
//! secrets never appear in `Debug`.
//!
//! ```
//! let body = br#"{"repositoryName": "randserver"}"#;
//! let operation = aws::ecr::Operation::from_json("CreateRepository", body).unwrap();
//! let aws::ecr::Operation::CreateRepository(request) = operation else { panic!("another operation") };
//! assert_eq!(request.repository_name, "randserver");
//! ```

pub mod blob;
pub mod constraint;
pub mod decode;
mod generated;
pub mod json;
pub mod message;
pub mod pattern;
pub mod percent;
pub mod query;
pub mod secret;
pub mod service;
pub mod shape;
pub mod sigv4;
pub mod timestamp;
pub mod xml;

pub use blob::Blob;
pub use constraint::{Constraint, Violation};
pub use decode::DecodeError;
pub use generated::{ecr, iam, sts};
pub use message::{ecr_invalid_parameter, ecr_message, query_message};
pub use secret::Secret;
pub use service::{ErrorInfo, OperationInfo, Pagination, Service};
pub use timestamp::Timestamp;
