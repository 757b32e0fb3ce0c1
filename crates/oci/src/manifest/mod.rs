//! Manifests: what an image, an artifact or a list of images consists of.
//!
//! Owns the intake of the accepted types (ecr.md §4.2) into one shape. Reading is tolerant where programs
//! differ (unknown members are ignored, `null` is absent) and strict where two readers could disagree about
//! the meaning: duplicate members, a document that says another type than its request, an image with
//! `manifests` or an index with `layers` (the confusion of CVE-2021-41190) are refused. The bytes
//! themselves are kept by the caller; nothing is ever written back from this shape.
//!
//! ```
//! use oci::{Manifest, ManifestKind, media_type};
//! let text = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
//! assert_eq!(Manifest::parse(text, None).unwrap().kind, ManifestKind::Index);
//! ```

mod error;
mod raw;
mod shape;

use std::collections::BTreeMap;

use crate::descriptor::Descriptor;
use crate::media_type;
use crate::strict_json::{self, Limits};

pub use error::ManifestError;
use raw::{RawDescriptor, RawManifest, RawMediaType, descriptors};
use shape::{List, Object};

/// Longest manifest in bytes: 4 MiB (ecr.md §9, "Manifest size").
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Real manifests nest 5 deep (index, manifests, descriptor, platform, features) and have few members.
const LIMITS: Limits = Limits { depth: 32, members: 4096 };

/// The three shapes of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// OCI image manifest or Docker schema 2: a configuration and layers.
    Image,
    /// OCI index or Docker manifest list: other manifests.
    Index,
    /// Docker schema 1: layers without sizes.
    Schema1,
}

/// A checked manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The type under which it is stored and served, one of those of [`media_type::is_manifest`].
    pub media_type: String,
    /// Which shape; says which members below can be filled.
    pub kind: ManifestKind,
    /// The configuration blob: always in an image, never otherwise.
    pub config: Option<Descriptor>,
    /// The layers of an image or of schema 1, base first; the same digest may stand here several times.
    pub layers: Vec<Descriptor>,
    /// The entries of an index.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about (signatures, attestations); OCI types only.
    pub subject: Option<Descriptor>,
    /// The kind of artifact as stated; OCI types only. See [`Manifest::effective_artifact_type`].
    pub artifact_type: Option<String>,
    /// Free notes; OCI types only.
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// `declared` is the type given beside the document, `imageManifestMediaType` or `Content-Type`;
    /// parameters after `;` are cut off, and an empty text counts as not given.
    ///
    /// # Errors
    /// In the order of judgement: [`ManifestError::TooLarge`]; [`ManifestError::NotJson`];
    /// [`ManifestError::Invalid`] for duplicate members, deep nesting and what is no object;
    /// [`ManifestError::MediaTypeMissing`], [`ManifestError::MediaTypeMismatch`],
    /// [`ManifestError::UnsupportedMediaType`]; [`ManifestError::Invalid`] for the rest.
    pub fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge { size_bytes: bytes.len() });
        }
        strict_json::check(bytes, LIMITS)?;
        let Object(said): Object<RawMediaType> =
            serde_json::from_slice(bytes).map_err(ManifestError::invalid)?;
        let media_type = settle_media_type(said.media_type, declared)?;
        let Object(raw): Object<RawManifest> =
            serde_json::from_slice(bytes).map_err(ManifestError::invalid)?;
        match media_type.as_str() {
            found if media_type::is_image(found) => image(media_type, raw),
            found if media_type::is_index(found) => index(media_type, raw),
            _ => schema1(media_type, raw),
        }
    }

    /// The blobs that must be in the repository before this manifest may be: configuration and layers, and of
    /// an index the entries that are no manifests, as BuildKit's cache lists its layers there.
    ///
    /// Foreign layers that state their `urls` are left out; the OCI empty descriptor is not, its two bytes
    /// are a blob like any other. A digest may come several times.
    pub fn referenced_blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let entries = self.manifests.iter().filter(|entry| !media_type::is_manifest(&entry.media_type));
        self.config.iter().chain(&self.layers).chain(entries).filter(|descriptor| !descriptor.is_foreign())
    }

    /// The manifests that must be in the repository before this one may be: the entries of an index whose type
    /// says that they are manifests. A digest may come several times.
    pub fn referenced_manifests(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().filter(|entry| media_type::is_manifest(&entry.media_type))
    }

    /// Size of the image in bytes: configuration, layers and the blobs that an index lists itself, as stated
    /// (`imageSizeInBytes`, ecr.md §4.5).
    ///
    /// 0 for schema 1, which states no sizes. An index is as large as the largest of its members besides, which
    /// only who holds those manifests can tell. Never above `i64::MAX`.
    #[must_use]
    pub fn image_size(&self) -> u64 {
        let entries = self.manifests.iter().filter(|entry| !media_type::is_manifest(&entry.media_type));
        let sizes = self.config.iter().chain(&self.layers).chain(entries).map(|descriptor| descriptor.size);
        sizes.fold(0, u64::saturating_add).min(i64::MAX.unsigned_abs())
    }

    /// The artifact type that referrers listings show: the stated one, else for an image the type of its
    /// configuration, else none (OCI distribution-spec, "Listing Referrers").
    #[must_use]
    pub fn effective_artifact_type(&self) -> Option<&str> {
        let stated = self.artifact_type.as_deref();
        stated.or_else(|| self.config.as_ref().map(|config| config.media_type.as_str()))
    }
}

/// One of the accepted types, from the document or its request, which must not disagree.
fn settle_media_type(found: Option<String>, declared: Option<&str>) -> Result<String, ManifestError> {
    let bounded = |text: &str| text.chars().take(raw::MAX_MEDIA_TYPE_CHARACTERS).collect::<String>();
    let declared = declared.map(media_type::essence).filter(|text| !text.is_empty());
    let media_type = match (found.filter(|text| !text.is_empty()), declared) {
        (None, None) => return Err(ManifestError::MediaTypeMissing),
        (Some(found), Some(declared)) if found != declared => {
            return Err(ManifestError::MediaTypeMismatch {
                declared: bounded(declared),
                found: bounded(&found),
            });
        }
        (Some(found), _) => found,
        (None, Some(declared)) => declared.to_owned(),
    };
    if media_type::is_manifest(&media_type) {
        Ok(media_type)
    } else {
        Err(ManifestError::UnsupportedMediaType { media_type: bounded(&media_type) })
    }
}

fn image(media_type: String, raw: RawManifest) -> Result<Manifest, ManifestError> {
    expect_schema_version(&raw, 2)?;
    if raw.manifests.is_some() || raw.fs_layers.is_some() {
        return Err(ManifestError::invalid("an image has neither manifests nor fsLayers"));
    }
    let config = raw.config.ok_or_else(|| ManifestError::invalid("config is missing"))?.0;
    let (config, layers) = (config.check("config")?, descriptors("layers", raw.layers)?);
    let about = About::read(&media_type, raw.subject, raw.artifact_type, raw.annotations)?;
    Ok(about.manifest(media_type, ManifestKind::Image, Some(config), layers, Vec::new()))
}

fn index(media_type: String, raw: RawManifest) -> Result<Manifest, ManifestError> {
    expect_schema_version(&raw, 2)?;
    if raw.config.is_some() || raw.layers.is_some() || raw.fs_layers.is_some() {
        return Err(ManifestError::invalid("an index has no config, layers or fsLayers"));
    }
    if raw.manifests.is_none() {
        return Err(ManifestError::invalid("manifests is missing"));
    }
    let manifests = descriptors("manifests", raw.manifests)?;
    let about = About::read(&media_type, raw.subject, raw.artifact_type, raw.annotations)?;
    Ok(about.manifest(media_type, ManifestKind::Index, None, Vec::new(), manifests))
}

fn schema1(media_type: String, raw: RawManifest) -> Result<Manifest, ManifestError> {
    expect_schema_version(&raw, 1)?;
    if raw.config.is_some() || raw.layers.is_some() || raw.manifests.is_some() {
        return Err(ManifestError::invalid("schema 1 has no config, layers or manifests"));
    }
    let List(newest_first) = raw.fs_layers.ok_or_else(|| ManifestError::invalid("fsLayers is missing"))?;
    let checked = newest_first.into_iter().enumerate().map(|(index, Object(layer))| layer.check(index));
    let mut layers = checked.collect::<Result<Vec<_>, _>>()?;
    layers.reverse();
    Ok(About::default().manifest(media_type, ManifestKind::Schema1, None, layers, Vec::new()))
}

fn expect_schema_version(raw: &RawManifest, expected: u64) -> Result<(), ManifestError> {
    match raw.schema_version {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(ManifestError::invalid(format_args!("schemaVersion is {found}, not {expected}"))),
        None => Err(ManifestError::invalid("schemaVersion is missing")),
    }
}

/// The members that only OCI types have; in Docker types they are unknown members and mean nothing.
#[derive(Default)]
struct About {
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    annotations: BTreeMap<String, String>,
}

impl About {
    fn read(
        media_type: &str,
        subject: Option<Object<RawDescriptor>>,
        artifact_type: Option<String>,
        annotations: Option<BTreeMap<String, String>>,
    ) -> Result<Self, ManifestError> {
        if !matches!(media_type, media_type::OCI_MANIFEST | media_type::OCI_INDEX) {
            return Ok(Self::default());
        }
        let artifact_type = artifact_type.filter(|text| !text.is_empty());
        Ok(Self {
            subject: subject.map(|Object(subject)| subject.check("subject")).transpose()?,
            artifact_type: match artifact_type {
                Some(text) => Some(raw::checked_media_type("artifactType", Some(text))?),
                None => None,
            },
            annotations: annotations.unwrap_or_default(),
        })
    }

    fn manifest(
        self,
        media_type: String,
        kind: ManifestKind,
        config: Option<Descriptor>,
        layers: Vec<Descriptor>,
        manifests: Vec<Descriptor>,
    ) -> Manifest {
        let Self { subject, artifact_type, annotations } = self;
        Manifest { media_type, kind, config, layers, manifests, subject, artifact_type, annotations }
    }
}

#[cfg(test)]
mod tests;
