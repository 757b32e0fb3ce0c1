//! The vocabulary of the Docker and OCI registries: pure values and the languages they are written in.
//!
//! Owns names, tags, digests, references, media types, manifests, the `/v2` paths, byte ranges and tag
//! filters. Each type has one constructor that validates, so an invalid value does not exist past a door.
//! Nothing here does input or output, reads a clock, or knows that a server exists.
//!
//! Invariants:
//! * every parser is total: any input gives a value or a named error, never a panic;
//! * work and memory are linear in the input, and inputs have stated maxima;
//! * a digest is always computed over the bytes as received, never over a re-serialisation.
//!
//! ```
//! use oci::{Reference, Route, route};
//!
//! let Ok(Route::Manifest(name, Reference::Tag(tag))) = route("/v2/team/app/manifests/v1.7.3") else {
//!     panic!("not a manifest path");
//! };
//! assert_eq!((name.as_str(), tag.as_str()), ("team/app", "v1.7.3"));
//! ```
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        reason = "a failing test should fail loudly"
    )
)]

mod text;

mod descriptor;
mod digest;
mod hasher;
mod manifest;
pub mod media_type;
mod name;
pub mod range;
mod reference;
mod referrers;
mod route;
pub mod strict_json;
mod tag;
pub mod tag_filter;
mod upload_id;
pub mod wildcard;

pub use descriptor::{Descriptor, MAX_DESCRIPTOR_SIZE_BYTES, Platform};
pub use digest::{Algorithm, Digest, DigestError, is_ecr_digest_form};
pub use hasher::Hasher;
pub use manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestError, ManifestKind};
pub use name::{NameError, RepositoryName};
pub use reference::{Reference, ReferenceError};
pub use referrers::{ReferrerDescriptor, referrers_index};
pub use route::{MAX_PATH_BYTES, Route, RouteError, route};
pub use tag::{Tag, TagError};
pub use tag_filter::{TagFilter, TagFilterError};
pub use upload_id::{UploadId, UploadIdError};
