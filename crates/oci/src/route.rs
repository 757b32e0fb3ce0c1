//! The paths under `/v2`.
//!
//! Owns which endpoint a path names. Paths are read from the right, because a repository name has any
//! number of components and may itself contain the words of the endpoints: `/v2/a/blobs/tags/list` lists
//! the tags of `a/blobs`. The path is taken raw. Nothing a name, tag or digest may contain needs
//! percent-encoding, so an encoded path is refused by the grammar of the part it stands in instead of being
//! decoded: there is no second spelling that another layer could understand differently.
//!
//! | path after `/v2/` | route |
//! |---|---|
//! | (nothing) | [`Route::Base`] |
//! | `_catalog` | [`Route::Catalog`] |
//! | `<name>/tags/list` | [`Route::Tags`] |
//! | `<name>/manifests/<reference>` | [`Route::Manifest`] |
//! | `<name>/blobs/<digest>` | [`Route::Blob`] |
//! | `<name>/blobs/uploads/` (also without the last slash) | [`Route::Uploads`] |
//! | `<name>/blobs/uploads/<id>` | [`Route::Upload`] |
//! | `<name>/referrers/<digest>` | [`Route::Referrers`] |
//!
//! ```
//! use oci::{Route, route};
//! assert_eq!(route("/v2/_catalog"), Ok(Route::Catalog));
//! ```

use crate::digest::{Digest, DigestError};
use crate::name::{NameError, RepositoryName};
use crate::reference::{Reference, ReferenceError};
use crate::tag::TagError;
use crate::upload_id::UploadId;

/// Longest path that is looked at, in bytes: name, digest and words together stay far below.
pub const MAX_PATH_BYTES: usize = 1024;

/// An endpoint with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`: is this a registry, and am I logged in.
    Base,
    /// The repositories of the registry.
    Catalog,
    /// The tags of a repository.
    Tags(RepositoryName),
    /// One manifest.
    Manifest(RepositoryName, Reference),
    /// One blob.
    Blob(RepositoryName, Digest),
    /// Where uploads and mounts begin.
    Uploads(RepositoryName),
    /// One running upload.
    Upload(RepositoryName, UploadId),
    /// The manifests whose subject is this digest.
    Referrers(RepositoryName, Digest),
}

/// Why a path names no endpoint.
///
/// The texts are parts of the path as sent, at most [`MAX_PATH_BYTES`] long, and may hold any character:
/// `Display` escapes them, and so must whoever prints them otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No endpoint looks like this, or the path is over-long.
    #[error("no such path")]
    NotFound,
    /// The part before the endpoint is not a repository name.
    #[error("{name:?} is not a repository name: {error}")]
    InvalidName {
        /// The part as sent.
        name: String,
        /// What is wrong with it.
        error: NameError,
    },
    /// The part is, or has the colon of, a digest and is none.
    #[error("{digest:?} is not a digest: {error}")]
    InvalidDigest {
        /// The part as sent.
        digest: String,
        /// What is wrong with it.
        error: DigestError,
    },
    /// The reference of a manifest is not a tag (and has no colon).
    #[error("{reference:?} is not a tag: {error}")]
    InvalidReference {
        /// The part as sent.
        reference: String,
        /// What is wrong with it.
        error: TagError,
    },
    /// The id of an upload is not one that was ever given out.
    #[error("{upload:?} is not an upload id")]
    InvalidUpload {
        /// The part as sent.
        upload: String,
    },
}

impl Route {
    /// The repository that the route is about; none for [`Route::Base`] and [`Route::Catalog`].
    #[must_use]
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Referrers(name, _) => Some(name),
        }
    }
}

/// Reads the raw path of a request (without query) that begins with `/v2`.
///
/// # Errors
/// All variants of [`RouteError`]. When both the name and the last part are wrong, the name is reported.
pub fn route(path: &str) -> Result<Route, RouteError> {
    if path.len() > MAX_PATH_BYTES {
        return Err(RouteError::NotFound);
    }
    let rest = match path.strip_prefix("/v2") {
        Some("" | "/") => return Ok(Route::Base),
        Some(rest) => rest.strip_prefix('/').ok_or(RouteError::NotFound)?,
        None => return Err(RouteError::NotFound),
    };
    if rest == "_catalog" {
        return Ok(Route::Catalog);
    }
    // Before the general case: from the right these would read as a blob or an upload with an empty id.
    for ending in ["/blobs/uploads/", "/blobs/uploads"] {
        if let Some(name) = rest.strip_suffix(ending) {
            return Ok(Route::Uploads(repository(name)?));
        }
    }
    let (before, last) = rest.rsplit_once('/').ok_or(RouteError::NotFound)?;
    let (before, word) = before.rsplit_once('/').ok_or(RouteError::NotFound)?;
    match word {
        "tags" if last == "list" => Ok(Route::Tags(repository(before)?)),
        "manifests" => Ok(Route::Manifest(repository(before)?, reference(last)?)),
        "blobs" => Ok(Route::Blob(repository(before)?, digest(last)?)),
        "referrers" => Ok(Route::Referrers(repository(before)?, digest(last)?)),
        "uploads" => {
            let name = before.strip_suffix("/blobs").ok_or(RouteError::NotFound)?;
            Ok(Route::Upload(repository(name)?, upload(last)?))
        }
        _ => Err(RouteError::NotFound),
    }
}

fn repository(text: &str) -> Result<RepositoryName, RouteError> {
    RepositoryName::parse(text).map_err(|error| RouteError::InvalidName { name: text.into(), error })
}

fn digest(text: &str) -> Result<Digest, RouteError> {
    Digest::parse(text).map_err(|error| RouteError::InvalidDigest { digest: text.into(), error })
}

fn reference(text: &str) -> Result<Reference, RouteError> {
    Reference::parse(text).map_err(|error| match error {
        ReferenceError::Tag(error) => RouteError::InvalidReference { reference: text.into(), error },
        ReferenceError::Digest(error) => RouteError::InvalidDigest { digest: text.into(), error },
    })
}

fn upload(text: &str) -> Result<UploadId, RouteError> {
    UploadId::parse(text).map_err(|_| RouteError::InvalidUpload { upload: text.into() })
}

#[cfg(test)]
mod tests;
