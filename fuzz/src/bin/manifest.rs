//! Manifests with and without a declared type: one meaning or none.
//!
//! Input: the declared type up to the first line break (empty: none is declared), then the document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::{MAX_DESCRIPTOR_SIZE_BYTES, Manifest, ManifestError, ManifestKind, media_type};

const TYPES: [&str; 6] = [
    media_type::OCI_MANIFEST,
    media_type::OCI_INDEX,
    media_type::DOCKER_MANIFEST,
    media_type::DOCKER_MANIFEST_LIST,
    media_type::DOCKER_SCHEMA1,
    media_type::DOCKER_SCHEMA1_SIGNED,
];

fuzz_target!(|data: &[u8]| {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (first, rest) = data.split_at(line);
    let document = rest.strip_prefix(b"\n").unwrap_or(rest);
    let Ok(declared) = std::str::from_utf8(first) else { return };
    let declared = (!declared.is_empty()).then_some(declared);
    match Manifest::parse(document, declared) {
        Ok(manifest) => check(&manifest, document, declared),
        Err(error) => check_refusal(&error, document),
    }
});

fn check(manifest: &Manifest, document: &[u8], declared: Option<&str>) {
    assert!(media_type::is_manifest(&manifest.media_type));
    let said: serde_json::Value = serde_json::from_slice(document).expect("what is taken is JSON");
    let said = said.get("mediaType").and_then(|value| value.as_str()).filter(|text| !text.is_empty());
    if let Some(said) = said {
        assert_eq!(said, manifest.media_type, "the document's own word counts");
    }
    if let Some(declared) = declared.map(media_type::essence).filter(|text| !text.is_empty()) {
        assert_eq!(declared, manifest.media_type, "the request's word counts");
    }
    // The stored type with the stored bytes must give the same again, and the document a second meaning never.
    assert_eq!(Manifest::parse(document, Some(&manifest.media_type)).as_ref(), Ok(manifest));
    if said.is_some() {
        assert_eq!(Manifest::parse(document, None).as_ref(), Ok(manifest));
        for other in TYPES.into_iter().filter(|other| *other != manifest.media_type) {
            assert!(matches!(
                Manifest::parse(document, Some(other)),
                Err(ManifestError::MediaTypeMismatch { .. })
            ));
        }
    }
    let index = media_type::is_index(&manifest.media_type);
    let schema1 = media_type::is_schema1(&manifest.media_type);
    match manifest.kind {
        ManifestKind::Image => {
            assert!(!index && !schema1 && manifest.config.is_some() && manifest.manifests.is_empty());
        }
        ManifestKind::Index => {
            assert!(index && manifest.config.is_none() && manifest.layers.is_empty());
        }
        ManifestKind::Schema1 => {
            assert!(schema1 && manifest.config.is_none() && manifest.manifests.is_empty());
        }
    }
    let oci = matches!(manifest.media_type.as_str(), media_type::OCI_MANIFEST | media_type::OCI_INDEX);
    assert!(oci || (manifest.subject.is_none() && manifest.artifact_type.is_none()));
    assert!(i64::try_from(manifest.image_size()).is_ok());
    let header = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let descriptors = manifest.config.iter().chain(&manifest.layers).chain(&manifest.manifests);
    for descriptor in descriptors.chain(&manifest.subject) {
        assert!(descriptor.size <= MAX_DESCRIPTOR_SIZE_BYTES && header(&descriptor.media_type));
    }
    assert!(manifest.effective_artifact_type().is_none_or(header));
    for blob in manifest.referenced_blobs() {
        assert!(!media_type::is_manifest(&blob.media_type) || manifest.kind != ManifestKind::Index);
    }
    for member in manifest.referenced_manifests() {
        assert!(media_type::is_manifest(&member.media_type));
    }
}

fn check_refusal(error: &ManifestError, document: &[u8]) {
    let sentence = error.to_string();
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
    assert!(sentence.len() < 8192);
    if *error == ManifestError::NotJson {
        // A number that no f64 holds is JSON for some readers and for this one not.
        assert!(serde_json::from_slice::<serde_json::Value>(document).is_err());
    }
}
