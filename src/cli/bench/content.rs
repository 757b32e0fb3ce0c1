//! The bytes that are pushed and pulled: random, reproducible, and with digests that cost the machine nothing.
//!
//! A blob is a long body that many blobs share and a short stamp that makes it unique. The body is hashed once;
//! each further digest continues from there, so that hashing for the client takes nothing from the server that is
//! measured on the same cores.

use sha2::{Digest as _, Sha256};

/// Length of a piece of a large layer, one mebibyte.
pub(super) const PIECE_BYTES: usize = 1024 * 1024;

/// Length of the stamp at the end of each blob.
pub(super) const STAMP_BYTES: usize = 64;

/// One blob of a small image, whole.
pub(super) struct Blob {
    /// `sha256:…`
    pub(super) digest: String,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Makes blobs of one length that differ in their stamps.
pub(super) struct Template {
    body: Vec<u8>,
    state: Sha256,
}

impl Template {
    /// For blobs of `length` bytes, at least [`STAMP_BYTES`], with a body that depends on `seed` alone.
    pub(super) fn new(seed: u64, length: usize) -> Self {
        let body = random_bytes(seed, length.saturating_sub(STAMP_BYTES));
        let state = Sha256::new_with_prefix(&body);
        Self { body, state }
    }

    /// The blob of a stamp.
    pub(super) fn blob(&self, stamp: &str) -> Blob {
        let stamp = padded(stamp);
        let digest = text(self.state.clone().chain_update(stamp));
        let mut bytes = Vec::with_capacity(self.body.len() + STAMP_BYTES);
        bytes.extend_from_slice(&self.body);
        bytes.extend_from_slice(&stamp);
        Blob { digest, bytes }
    }
}

/// A large layer: the same random mebibyte again and again, and a stamp in place of its last bytes.
pub(super) struct LargeTemplate {
    /// The mebibyte.
    pub(super) piece: Vec<u8>,
    /// How many there are.
    pub(super) mebibytes: u64,
    state: Sha256,
}

impl LargeTemplate {
    /// Hashes the whole layer but for its stamp; half a second per gigabyte.
    pub(super) fn new(seed: u64, mebibytes: u64) -> Self {
        let piece = random_bytes(seed, PIECE_BYTES);
        let mut state = Sha256::new();
        for _ in 1..mebibytes {
            state.update(&piece);
        }
        state.update(piece.get(..PIECE_BYTES - STAMP_BYTES).unwrap_or_default());
        Self { piece, mebibytes, state }
    }

    /// Length of each layer.
    pub(super) fn length(&self) -> u64 {
        self.mebibytes * PIECE_BYTES as u64
    }

    /// The stamp's bytes and the digest of the layer that ends with them.
    pub(super) fn stamp(&self, stamp: &str) -> ([u8; STAMP_BYTES], String) {
        let stamp = padded(stamp);
        (stamp, text(self.state.clone().chain_update(stamp)))
    }
}

/// An image configuration of at least `length` bytes for these layers.
pub(super) fn configuration(layers: &[Blob], comment: &str, length: usize) -> Blob {
    let identities: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    let document = |padding: usize| {
        let comment = format!("{comment}{}", " ".repeat(padding));
        serde_json::json!({
            "architecture": "amd64", "os": "linux", "comment": comment,
            "config": { "Env": ["PATH=/bin"] }, "rootfs": { "type": "layers", "diff_ids": identities },
        })
    };
    let short = document(0).to_string().len();
    let bytes = document(length.saturating_sub(short)).to_string().into_bytes();
    Blob { digest: digest_of(&bytes), bytes }
}

/// The media type of [`manifest`].
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// The manifest of a configuration and layers, each digest and length.
pub(super) fn manifest(configuration: (&str, u64), layers: &[(&str, u64)]) -> Blob {
    let layers: Vec<_> = layers
        .iter()
        .map(|(digest, size)| {
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": size
            })
        })
        .collect();
    let document = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": configuration.0, "size": configuration.1
        },
        "layers": layers,
    });
    let bytes = document.to_string().into_bytes();
    Blob { digest: digest_of(&bytes), bytes }
}

/// A small image.
pub(super) struct SmallImage {
    /// Three layers.
    pub(super) layers: Vec<Blob>,
    /// Their configuration.
    pub(super) configuration: Blob,
    /// Their manifest.
    pub(super) manifest: Blob,
}

/// Layers of a small image.
pub(super) const SMALL_LAYERS: usize = 3;

impl SmallImage {
    /// The image of a name; `configuration_bytes` is the least length of its configuration.
    pub(super) fn new(template: &Template, name: &str, configuration_bytes: usize) -> Self {
        let layers: Vec<Blob> =
            (0..SMALL_LAYERS).map(|layer| template.blob(&format!("{name} layer {layer}"))).collect();
        let configuration = configuration(&layers, name, configuration_bytes);
        let described: Vec<(&str, u64)> =
            layers.iter().map(|layer| (layer.digest.as_str(), layer.bytes.len() as u64)).collect();
        let manifest = manifest((&configuration.digest, configuration.bytes.len() as u64), &described);
        Self { layers, configuration, manifest }
    }

    /// Layers and configuration.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().chain([&self.configuration])
    }
}

/// `sha256:…` of the bytes.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    text(Sha256::new_with_prefix(bytes))
}

fn text(state: Sha256) -> String {
    format!("sha256:{}", hex::encode(state.finalize()))
}

fn padded(stamp: &str) -> [u8; STAMP_BYTES] {
    let mut bytes = [b' '; STAMP_BYTES];
    for (place, byte) in bytes.iter_mut().zip(stamp.bytes()) {
        *place = byte;
    }
    bytes
}

/// Bytes that no compression shortens, the same for the same seed (SplitMix64).
pub(super) fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_that_continue_are_the_digests_of_the_whole() {
        let blob = Template::new(1, 16 * 1024).blob("one");
        assert_eq!((blob.bytes.len(), &blob.digest), (16 * 1024, &digest_of(&blob.bytes)));
        assert_ne!(blob.digest, Template::new(1, 16 * 1024).blob("two").digest);
        assert_eq!(blob.digest, Template::new(1, 16 * 1024).blob("one").digest);

        let large = LargeTemplate::new(2, 3);
        let (stamp, digest) = large.stamp("x");
        let mut whole = large.piece.repeat(3);
        whole.truncate(whole.len() - STAMP_BYTES);
        whole.extend_from_slice(&stamp);
        assert_eq!((whole.len() as u64, digest_of(&whole)), (large.length(), digest));
    }

    #[test]
    fn an_image_names_its_blobs() {
        let image = SmallImage::new(&Template::new(1, 16 * 1024), "a", 16 * 1024);
        assert_eq!(image.configuration.bytes.len(), 16 * 1024);
        let text = String::from_utf8(image.manifest.bytes.clone()).unwrap();
        assert_eq!(image.blobs().filter(|blob| text.contains(&blob.digest)).count(), 4);
    }
}
