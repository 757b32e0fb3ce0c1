//! The members of a manifest as they stand in the JSON, and their way into checked values.
//!
//! Every member is optional and `null` counts as absent, because programs in Go write empty lists and
//! missing objects as `null`. Members that are not named here are ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Number;

use super::ManifestError;
use super::shape::{List, Object};
use crate::descriptor::{Descriptor, MAX_DESCRIPTOR_SIZE_BYTES, Platform};
use crate::digest::Digest;
use crate::media_type;

/// Longest media type in characters (RFC 6838 §4.2 gives 127 to each half).
pub(super) const MAX_MEDIA_TYPE_CHARACTERS: usize = 255;

/// Only what tells which kind of manifest this is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawMediaType {
    pub(super) media_type: Option<String>,
}

/// Members of all kinds together.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawManifest {
    pub(super) schema_version: Option<u64>,
    pub(super) config: Option<Object<RawDescriptor>>,
    pub(super) layers: Option<List<Object<RawDescriptor>>>,
    pub(super) manifests: Option<List<Object<RawDescriptor>>>,
    pub(super) subject: Option<Object<RawDescriptor>>,
    pub(super) artifact_type: Option<String>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
    pub(super) fs_layers: Option<List<Object<RawSchema1Layer>>>,
}

/// A layer of schema 1, newest first in its list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawSchema1Layer {
    blob_sum: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawDescriptor {
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<Number>,
    urls: Option<List<String>>,
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
    platform: Option<Object<RawPlatform>>,
}

#[derive(Deserialize)]
struct RawPlatform {
    architecture: Option<String>,
    os: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<List<String>>,
    variant: Option<String>,
}

/// A list of descriptors; `member` is the name that errors show.
pub(super) fn descriptors(
    member: &str,
    raw: Option<List<Object<RawDescriptor>>>,
) -> Result<Vec<Descriptor>, ManifestError> {
    let numbered = raw.map_or_else(Vec::new, |list| list.0).into_iter().enumerate();
    numbered.map(|(index, Object(raw))| raw.check(&format!("{member}[{index}]"))).collect()
}

impl RawDescriptor {
    /// `place` is the path that errors show, such as `layers[3]`.
    pub(super) fn check(self, place: &str) -> Result<Descriptor, ManifestError> {
        Ok(Descriptor {
            media_type: checked_media_type(&format!("{place}.mediaType"), self.media_type)?,
            digest: checked_digest(&format!("{place}.digest"), self.digest)?,
            size: checked_size(place, self.size)?,
            urls: strings(self.urls),
            artifact_type: self.artifact_type.filter(|text| !text.is_empty()),
            annotations: self.annotations.unwrap_or_default(),
            platform: self.platform.map(|Object(raw)| Platform {
                architecture: raw.architecture.unwrap_or_default(),
                os: raw.os.unwrap_or_default(),
                os_version: raw.os_version,
                os_features: strings(raw.os_features),
                variant: raw.variant,
            }),
        })
    }
}

impl RawSchema1Layer {
    pub(super) fn check(self, index: usize) -> Result<Descriptor, ManifestError> {
        Ok(Descriptor {
            media_type: media_type::DOCKER_LAYER.into(),
            digest: checked_digest(&format!("fsLayers[{index}].blobSum"), self.blob_sum)?,
            size: 0,
            urls: Vec::new(),
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
        })
    }
}

fn strings(list: Option<List<String>>) -> Vec<String> {
    list.map_or_else(Vec::new, |list| list.0)
}

/// A media type goes into response headers, so control characters and blanks are refused here, once.
pub(super) fn checked_media_type(place: &str, text: Option<String>) -> Result<String, ManifestError> {
    let text = text.unwrap_or_default();
    if text.is_empty() {
        return Err(ManifestError::invalid(format_args!("{place} is missing")));
    }
    if text.len() > MAX_MEDIA_TYPE_CHARACTERS || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ManifestError::invalid(format_args!("{place} is not a media type")));
    }
    Ok(text)
}

fn checked_digest(place: &str, text: Option<String>) -> Result<Digest, ManifestError> {
    let text = text.ok_or_else(|| ManifestError::invalid(format_args!("{place} is missing")))?;
    Digest::parse(&text).map_err(|error| ManifestError::invalid(format_args!("{place}: {error}")))
}

fn checked_size(place: &str, size: Option<Number>) -> Result<u64, ManifestError> {
    let size = size.ok_or_else(|| ManifestError::invalid(format_args!("{place}.size is missing")))?;
    size.as_u64().filter(|bytes| *bytes <= MAX_DESCRIPTOR_SIZE_BYTES).ok_or_else(|| {
        ManifestError::invalid(format_args!(
            "{place}.size is {size}, not a whole number from 0 to {MAX_DESCRIPTOR_SIZE_BYTES}"
        ))
    })
}
