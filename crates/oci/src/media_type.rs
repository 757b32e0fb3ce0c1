//! Media types of manifests, configurations and layers.
//!
//! Sources: OCI image-spec media-types.md; Docker distribution, "Image Manifest Version 2, Schema 2"; which
//! of them the service takes: ecr.md §4.2.
//!
//! ```
//! use oci::media_type;
//! assert!(media_type::is_index(media_type::OCI_INDEX));
//! assert_eq!(media_type::essence("application/json; charset=utf-8"), "application/json");
//! ```

/// Docker image manifest, schema 1, unsigned.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker image manifest, schema 1, with signatures.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker layer, compressed.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker layer that is fetched from its `urls`, not from the registry.
pub const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

/// OCI image manifest; also the shape of artifacts, Helm charts and signatures.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The OCI empty object `{}`: what an artifact without a configuration points at. It is a blob like any other.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Prefix of OCI layers that need not be in the registry, in all their compressions.
pub const OCI_NONDISTRIBUTABLE_LAYER_PREFIX: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";

/// The type without its parameters: what stands before the first `;`, trimmed.
#[must_use]
pub fn essence(media_type: &str) -> &str {
    media_type.split_once(';').map_or(media_type, |(essence, _)| essence).trim()
}

/// Whether this is a list of manifests: OCI index or Docker manifest list.
#[must_use]
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_MANIFEST_LIST)
}

/// Whether this is the manifest of one image with configuration and layers: OCI or Docker schema 2.
#[must_use]
pub fn is_image(media_type: &str) -> bool {
    matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
}

/// Whether this is a Docker schema 1 manifest, signed or not.
#[must_use]
pub fn is_schema1(media_type: &str) -> bool {
    matches!(media_type, DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED)
}

/// Whether the service stores manifests of this type (ecr.md §4.2).
#[must_use]
pub fn is_manifest(media_type: &str) -> bool {
    is_image(media_type) || is_index(media_type) || is_schema1(media_type)
}

/// Whether layers of this type may live outside the registry, under their descriptor's `urls`.
#[must_use]
pub fn is_foreign_layer(media_type: &str) -> bool {
    media_type == DOCKER_FOREIGN_LAYER || media_type.starts_with(OCI_NONDISTRIBUTABLE_LAYER_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_type_has_exactly_one_family() {
        for media_type in [
            DOCKER_SCHEMA1,
            DOCKER_SCHEMA1_SIGNED,
            DOCKER_MANIFEST,
            DOCKER_MANIFEST_LIST,
            OCI_MANIFEST,
            OCI_INDEX,
        ] {
            let families = [is_image(media_type), is_index(media_type), is_schema1(media_type)];
            assert_eq!(families.iter().filter(|yes| **yes).count(), 1, "{media_type}");
            assert!(is_manifest(media_type));
        }
        for media_type in
            ["", "application/json", OCI_CONFIG, OCI_EMPTY, "application/vnd.oci.artifact.manifest.v1+json"]
        {
            assert!(!is_manifest(media_type), "{media_type}");
        }
    }

    #[test]
    fn parameters_are_cut_off() {
        assert_eq!(essence(" text/plain ;charset=utf-8;x=y"), "text/plain");
        assert_eq!(essence(OCI_INDEX), OCI_INDEX);
        assert_eq!(essence(";"), "");
    }

    #[test]
    fn foreign_layers() {
        assert!(is_foreign_layer(DOCKER_FOREIGN_LAYER));
        assert!(is_foreign_layer("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"));
        assert!(!is_foreign_layer(DOCKER_LAYER));
    }
}
