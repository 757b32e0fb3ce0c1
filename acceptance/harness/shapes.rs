//! Images of every shape that registries meet, made by hand into a [`Layout`].
//!
//! All of them can be unpacked: configurations name the digests of the uncompressed layers. Every layer holds the
//! image's name, so that two images share a layer only where a test wants that.

use super::layout::{
    Layout, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST, digest,
    digest_of_file, tar, tar_header, through,
};
use serde_json::{Value, json};
use std::io::Write;

/// How layers are stored, and with it the media types of the whole image.
#[derive(Clone, Copy)]
pub enum Form {
    OciGzip,
    OciZstd,
    /// Docker's image manifest version 2, schema 2.
    Schema2,
}

impl Form {
    fn manifest(self) -> &'static str {
        match self {
            Form::OciGzip | Form::OciZstd => OCI_MANIFEST,
            Form::Schema2 => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Form::OciGzip | Form::OciZstd => OCI_CONFIG,
            Form::Schema2 => "application/vnd.docker.container.image.v1+json",
        }
    }

    fn layer(self) -> &'static str {
        match self {
            Form::OciGzip => OCI_LAYER_GZIP,
            Form::OciZstd => OCI_LAYER_ZSTD,
            Form::Schema2 => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }

    fn compress(self, archive: &[u8]) -> Vec<u8> {
        match self {
            Form::OciGzip | Form::Schema2 => through("gzip", &["-1", "-n"], archive),
            Form::OciZstd => through("zstd", &["-1", "-q"], archive),
        }
    }
}

/// An image of `count` layers with one small file each. Gives the manifest's descriptor.
pub fn image(layout: &Layout, name: &str, form: Form, processor: &str, count: usize) -> Value {
    let mut layers = Vec::new();
    let mut unpacked = Vec::new();
    for number in 0..count {
        let (file, content) = (format!("layer-{number}"), format!("{name} {processor} {number}\n"));
        let archive = tar(&[(&file, content.as_bytes())]);
        unpacked.push(digest(&archive));
        layers.push(layout.put(form.layer(), form.compress(&archive)));
    }
    let config = put_config(layout, form.config(), processor, &unpacked);
    put_manifest(layout, form.manifest(), &config, &layers)
}

/// An image with one uncompressed layer of this many bytes, which holds noise that no client can compress.
pub fn large_image(layout: &Layout, bytes: u64) -> Value {
    let file = layout.blob("sha256:large-layer-in-the-making");
    let mut archive = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&file).unwrap());
    archive.write_all(&tar_header("noise", bytes)).unwrap();
    // A xorshift generator: as good as random for a compressor, and quick.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id());
    for _ in 0..bytes / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        archive.write_all(&state.to_le_bytes()).unwrap();
    }
    assert_eq!(bytes % 512, 0, "the archive has no padding then");
    archive.write_all(&[0; 1024]).unwrap();
    archive.flush().unwrap();
    drop(archive);
    let unpacked = digest_of_file(&file).0;
    let layer = layout.put_file(OCI_LAYER, &file);
    let config = put_config(layout, OCI_CONFIG, "amd64", &[unpacked]);
    put_manifest(layout, OCI_MANIFEST, &config, &[layer])
}

/// What `docker buildx build --platform linux/amd64,linux/arm64 --provenance --sbom` has made for years: an index of
/// two images and, for each, an attestation manifest that names its image in an annotation. (The newest BuildKit
/// gives attestations a subject besides; `buildkit.rs` runs it.)
pub fn attested_index(layout: &Layout, name: &str) -> Value {
    let mut members = Vec::new();
    let mut attestations = Vec::new();
    for processor in ["amd64", "arm64"] {
        let mut descriptor = image(layout, name, Form::OciGzip, processor, 2);
        descriptor["platform"] = json!({ "architecture": processor, "os": "linux" });
        let mut statements = Vec::new();
        for predicate in ["https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"] {
            let statement = json!({
                "_type": "https://in-toto.io/Statement/v0.1",
                "predicateType": predicate,
                "subject": [{ "name": name, "digest": { "sha256": hex_of(&descriptor) } }],
                "predicate": {},
            });
            let mut layer = layout.put("application/vnd.in-toto+json", statement.to_string());
            layer["annotations"] = json!({ "in-toto.io/predicate-type": predicate });
            statements.push(layer);
        }
        let unpacked: Vec<String> =
            statements.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect();
        let config = put_config(layout, OCI_CONFIG, "unknown", &unpacked);
        let mut attestation = put_manifest(layout, OCI_MANIFEST, &config, &statements);
        attestation["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
        attestation["annotations"] = json!({
            "vnd.docker.reference.digest": descriptor["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        });
        members.push(descriptor);
        attestations.push(attestation);
    }
    members.extend(attestations);
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": members });
    layout.put(OCI_INDEX, index.to_string())
}

/// An artifact as the OCI specification's guidance has it: `artifactType`, and the two bytes `{}` as configuration.
pub fn empty_config_artifact(layout: &Layout, name: &str) -> Value {
    let config = layout.put("application/vnd.oci.empty.v1+json", "{}");
    let layer = layout.put("application/vnd.example.report", format!("report of {name}\n"));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.report.v1",
        "config": config,
        "layers": [layer],
    });
    layout.put(OCI_MANIFEST, manifest.to_string())
}

/// What BuildKit writes with `--cache-to type=registry,mode=max,image-manifest=false`: an index whose `manifests`
/// are the layers of every build step, and its own configuration as the last of them.
pub fn build_cache(layout: &Layout, name: &str) -> Value {
    let mut members = Vec::new();
    let mut records = Vec::new();
    for number in 0..3 {
        let archive = tar(&[("step", format!("{name} {number}\n").as_bytes())]);
        let mut layer = layout.put(OCI_LAYER_GZIP, Form::OciGzip.compress(&archive));
        layer["annotations"] = json!({ "containerd.io/uncompressed": digest(&archive) });
        records.push(json!({ "blob": layer["digest"], "parent": number - 1 }));
        members.push(layer);
    }
    let config = json!({ "layers": records, "records": [] });
    members.push(layout.put("application/vnd.buildkit.cacheconfig.v0", config.to_string()));
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": members });
    layout.put(OCI_INDEX, index.to_string())
}

fn put_config(layout: &Layout, media_type: &str, processor: &str, unpacked: &[String]) -> Value {
    let config = json!({
        "architecture": processor,
        "os": if processor == "unknown" { "unknown" } else { "linux" },
        "config": { "Entrypoint": ["/layer-0"] },
        "rootfs": { "type": "layers", "diff_ids": unpacked },
        "history": unpacked.iter().map(|_| json!({ "created_by": "by hand" })).collect::<Vec<_>>(),
    });
    layout.put(media_type, config.to_string())
}

fn put_manifest(layout: &Layout, media_type: &str, config: &Value, layers: &[Value]) -> Value {
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers });
    layout.put(media_type, manifest.to_string())
}

fn hex_of(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:")
}
