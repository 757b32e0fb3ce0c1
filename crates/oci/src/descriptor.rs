//! Descriptors: typed, sized pointers from one document to other content.
//!
//! Source: OCI image-spec descriptor.md; Docker manifests use the same members. Written as JSON, a
//! descriptor leaves out what is empty:
//! `{"mediaType":"application/…","digest":"sha256:…","size":123,"annotations":{"k":"v"}}`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::digest::Digest;
use crate::media_type;

/// Largest size in bytes that a descriptor may state: 2^53 - 1, what every JSON reader holds exactly.
///
/// Far above any layer (52 000 MiB is the most the service takes, ecr.md §9).
pub const MAX_DESCRIPTOR_SIZE_BYTES: u64 = (1 << 53) - 1;

/// A pointer to a blob or to another manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Type of the content; printable ASCII without blanks, at most 255 characters, never empty.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content in bytes, at most [`MAX_DESCRIPTOR_SIZE_BYTES`]. A claim of whoever wrote the
    /// document; 0 in schema 1, which states no sizes.
    pub size: u64,
    /// Other places to fetch the content from; only foreign layers have a use for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Kind of artifact that the content is, when the writer of an index says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Free notes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What the image runs on; in an index only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Whether the content may be missing from the registry: a foreign layer that says where it is.
    ///
    /// Both are asked for. `urls` on an ordinary layer excuse nothing, else any push could skip its layers.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        media_type::is_foreign_layer(&self.media_type) && !self.urls.is_empty()
    }
}

/// What an image runs on (OCI image-spec image-index.md, `platform`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Platform {
    /// Processor in Go's words, such as `amd64`; empty when the index leaves it out.
    pub architecture: String,
    /// Operating system in Go's words, such as `linux`; empty when the index leaves it out.
    pub os: String,
    /// Version of the operating system (Windows).
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Required features of the operating system (Windows).
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// Variant of the processor, such as `v8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}
