//! Blobs: content-addressed bytes on a disk. Cannot express a repository's name.
//!
//! ```text
//! <root>/
//! ├── blobs/sha256/ab/<64 hex>.<generation>   one stored object, immutable once it has this name
//! └── uploads/<id>/{data,state}               bytes being received, their offset and hash state
//! ```

/// The blob store of one installation.
#[derive(Debug)]
pub struct Blobs {
    root: std::path::PathBuf,
}

impl Blobs {
    /// The folder under which everything lies.
    #[must_use]
    pub fn root(&self) -> &std::path::Path {
        &self.root
    }
}
