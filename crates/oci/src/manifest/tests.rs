use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::digest::Digest;
use crate::media_type::{
    DOCKER_FOREIGN_LAYER, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED,
    OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST,
};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn descriptor(media_type: &str, content: &str, size: u64) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256_of(content.as_bytes()), "size": size})
}

fn image_json() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, "config", 10),
        "layers": [descriptor(LAYER, "one", 200), descriptor(LAYER, "two", 3000)],
    })
}

fn index_json() -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(OCI_MANIFEST, "a", 7)]})
}

/// A copy of `value` with the member at the JSON pointer's parent set, or removed for `None`.
fn with(mut value: Value, pointer: &str, member: &str, new: Option<Value>) -> Value {
    let parent = value.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
    match new {
        Some(new) => parent.insert(member.into(), new),
        None => parent.remove(member),
    };
    value
}

fn parse(value: &Value, declared: Option<&str>) -> Result<Manifest, ManifestError> {
    Manifest::parse(value.to_string().as_bytes(), declared)
}

fn reason(result: Result<Manifest, ManifestError>) -> String {
    match result {
        Err(ManifestError::Invalid { reason }) => reason,
        other => panic!("expected Invalid, got {other:?}"),
    }
}

#[test]
fn an_image() {
    let manifest = parse(&image_json(), Some(OCI_MANIFEST)).unwrap();
    assert_eq!((manifest.kind, manifest.media_type.as_str()), (ManifestKind::Image, OCI_MANIFEST));
    let blobs: Vec<&Digest> = manifest.referenced_blobs().map(|blob| &blob.digest).collect();
    let expected = ["config", "one", "two"].map(|content| Digest::sha256_of(content.as_bytes()));
    assert_eq!(blobs, expected.iter().collect::<Vec<_>>());
    assert_eq!(manifest.image_size(), 3210);
    assert_eq!(manifest.effective_artifact_type(), Some(OCI_CONFIG));
    assert_eq!(manifest.subject, None);
}

#[test]
fn an_index_with_platforms_and_unknown_members() {
    let mut entry = descriptor(OCI_MANIFEST, "child", 7);
    entry["platform"] = json!({"architecture": "arm64", "os": "linux", "variant": "v8", "features": ["x"]});
    entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    entry["artifactType"] = json!("application/x");
    entry["data"] = json!("e30=");
    let value = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry], "unknown": {"deep": [[1]]},
        "subject": descriptor(OCI_MANIFEST, "subject", 1), "annotations": {"k": "v"},
    });
    let manifest = parse(&value, None).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Index);
    let [child] = manifest.manifests.as_slice() else { panic!("one entry") };
    let platform = child.platform.as_ref().unwrap();
    assert_eq!((platform.architecture.as_str(), platform.variant.as_deref()), ("arm64", Some("v8")));
    assert_eq!(child.artifact_type.as_deref(), Some("application/x"));
    assert_eq!(child.annotations.len(), 1);
    assert_eq!(manifest.subject.as_ref().unwrap().digest, Digest::sha256_of(b"subject"));
    assert_eq!(manifest.annotations["k"], "v");
    assert_eq!((manifest.referenced_blobs().count(), manifest.image_size()), (0, 0));
    // An index without a stated type has none: there is no configuration to ask.
    assert_eq!(manifest.effective_artifact_type(), None);
}

#[test]
fn schema_1_lists_its_layers_newest_first() {
    let layer = |content: &str| json!({"blobSum": Digest::sha256_of(content.as_bytes())});
    let value = json!({
        "schemaVersion": 1, "name": "app", "tag": "v1", "architecture": "amd64",
        "fsLayers": [layer("top"), layer("empty"), layer("base")],
        "history": [{"v1Compatibility": "{}"}], "signatures": [{"header": {}}],
    });
    for declared in [DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED] {
        let manifest = parse(&value, Some(declared)).unwrap();
        assert_eq!(manifest.kind, ManifestKind::Schema1);
        assert_eq!(manifest.layers[0].digest, Digest::sha256_of(b"base"));
        assert_eq!((manifest.referenced_blobs().count(), manifest.image_size()), (3, 0));
        assert_eq!(manifest.effective_artifact_type(), None);
    }
    assert_eq!(parse(&value, None), Err(ManifestError::MediaTypeMissing));
}

#[test]
fn the_artifact_type_and_the_empty_configuration() {
    let config = with(image_json(), "", "config", Some(descriptor(OCI_EMPTY, "{}", 2)));
    let signed = with(config.clone(), "", "artifactType", Some(json!("application/x.signature")));
    let manifest = parse(&signed, None).unwrap();
    assert_eq!(manifest.effective_artifact_type(), Some("application/x.signature"));
    // The empty blob has to be pushed like any other.
    assert_eq!(manifest.referenced_blobs().next().unwrap().media_type, OCI_EMPTY);
    let empty_text = with(config, "", "artifactType", Some(json!("")));
    assert_eq!(parse(&empty_text, None).unwrap().effective_artifact_type(), Some(OCI_EMPTY));
}

#[test]
fn only_a_foreign_layer_with_urls_may_be_missing() {
    let urls = || Some(json!(["https://example.com/layer"]));
    for (media_type, urls, required) in [
        (DOCKER_FOREIGN_LAYER, urls(), 1),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", urls(), 1),
        (DOCKER_FOREIGN_LAYER, None, 2),
        (DOCKER_FOREIGN_LAYER, Some(json!([])), 2),
        (LAYER, urls(), 2),
    ] {
        let mut layer = descriptor(media_type, "layer", 1);
        layer["urls"] = urls.unwrap_or_default();
        let value = with(image_json(), "", "layers", Some(json!([layer])));
        assert_eq!(parse(&value, None).unwrap().referenced_blobs().count(), required, "{media_type}");
    }
}

#[test]
fn null_is_absent() {
    let mut value = image_json();
    for member in ["layers", "manifests", "subject", "artifactType", "annotations", "fsLayers"] {
        value = with(value, "", member, Some(Value::Null));
    }
    for member in ["urls", "annotations", "platform", "artifactType"] {
        value = with(value, "/config", member, Some(Value::Null));
    }
    let manifest = parse(&value, None).unwrap();
    assert_eq!((manifest.layers.len(), manifest.referenced_blobs().count()), (0, 1));
}

#[test]
fn members_of_oci_mean_nothing_in_docker_types() {
    let value = with(image_json(), "", "mediaType", Some(json!(DOCKER_MANIFEST)));
    let value = with(value, "", "subject", Some(descriptor(OCI_MANIFEST, "subject", 1)));
    let value = with(value, "", "artifactType", Some(json!("application/x")));
    let manifest = parse(&value, None).unwrap();
    assert_eq!((manifest.subject.as_ref(), manifest.artifact_type.as_ref()), (None, None));
}

#[test]
fn the_media_type_is_settled_between_document_and_request() {
    let silent = with(image_json(), "", "mediaType", None);
    let empty = with(image_json(), "", "mediaType", Some(json!("")));
    let null = with(image_json(), "", "mediaType", Some(Value::Null));
    for value in [&silent, &empty, &null] {
        assert_eq!(parse(value, None), Err(ManifestError::MediaTypeMissing));
        assert_eq!(parse(value, Some("")), Err(ManifestError::MediaTypeMissing));
        assert_eq!(parse(value, Some(DOCKER_MANIFEST)).unwrap().media_type, DOCKER_MANIFEST);
    }
    let with_parameter = format!("{OCI_MANIFEST}; charset=utf-8");
    assert_eq!(parse(&silent, Some(&with_parameter)).unwrap().media_type, OCI_MANIFEST);
    assert_eq!(parse(&image_json(), Some(&with_parameter)).unwrap().media_type, OCI_MANIFEST);
    assert_eq!(
        parse(&image_json(), Some(DOCKER_MANIFEST)),
        Err(ManifestError::MediaTypeMismatch {
            declared: DOCKER_MANIFEST.into(),
            found: OCI_MANIFEST.into()
        })
    );
    for unknown in ["application/json", "application/vnd.oci.artifact.manifest.v1+json", OCI_CONFIG, LAYER] {
        let expected = Err(ManifestError::UnsupportedMediaType { media_type: unknown.into() });
        assert_eq!(parse(&silent, Some(unknown)), expected);
        assert_eq!(parse(&with(image_json(), "", "mediaType", Some(json!(unknown))), None), expected);
    }
    let long = "x".repeat(100_000);
    match parse(&silent, Some(&long)) {
        Err(ManifestError::UnsupportedMediaType { media_type }) => assert_eq!(media_type.len(), 255),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_document_cannot_be_two_things() {
    // CVE-2021-41190: without these checks the request's type would choose what the digest means.
    let entries = || Some(json!([descriptor(OCI_MANIFEST, "a", 7)]));
    for (value, declared) in [
        (with(image_json(), "", "manifests", entries()), None),
        (with(image_json(), "", "manifests", Some(json!([]))), None),
        (with(with(image_json(), "", "manifests", entries()), "", "mediaType", None), Some(OCI_INDEX)),
        (with(index_json(), "", "layers", Some(json!([]))), None),
        (with(index_json(), "", "config", Some(descriptor(OCI_CONFIG, "c", 1))), None),
        (with(index_json(), "", "mediaType", Some(json!(OCI_MANIFEST))), None),
        (with(image_json(), "", "mediaType", Some(json!(DOCKER_MANIFEST_LIST))), None),
        (with(image_json(), "", "fsLayers", Some(json!([]))), None),
    ] {
        assert!(matches!(parse(&value, declared), Err(ManifestError::Invalid { .. })), "{value}");
    }
}

#[test]
fn each_broken_rule_is_named() {
    let cases = [
        (with(image_json(), "", "schemaVersion", None), "schemaVersion is missing"),
        (with(image_json(), "", "schemaVersion", Some(json!(1))), "schemaVersion is 1, not 2"),
        (with(image_json(), "", "schemaVersion", Some(json!("2"))), "invalid type: string"),
        (with(image_json(), "", "schemaVersion", Some(json!(2.0))), "invalid type: floating point"),
        (with(image_json(), "", "mediaType", Some(json!(5))), "invalid type: integer"),
        (with(image_json(), "", "config", None), "config is missing"),
        (with(image_json(), "", "config", Some(json!(["a", "b", 1]))), "expected an object"),
        (with(image_json(), "", "layers", Some(json!({}))), "expected an array"),
        (with(image_json(), "", "layers", Some(json!([["a", "b", 1]]))), "expected an object"),
        (with(image_json(), "", "layers", Some(json!([null]))), "expected an object"),
        (with(image_json(), "/layers/1", "digest", None), "layers[1].digest is missing"),
        (
            with(image_json(), "/layers/1", "digest", Some(json!("latest"))),
            "layers[1].digest: a digest names",
        ),
        (with(image_json(), "/layers/0", "digest", Some(json!("md5:00"))), "layers[0].digest: a digest is a"),
        (with(image_json(), "/config", "size", None), "config.size is missing"),
        (with(image_json(), "/config", "size", Some(json!(-1))), "config.size is -1, not a whole number"),
        (with(image_json(), "/config", "size", Some(json!(1.5))), "config.size is 1.5, not a whole number"),
        (with(image_json(), "/config", "size", Some(json!(1u64 << 53))), "config.size is 9007199254740992"),
        (with(image_json(), "/config", "size", Some(json!(u64::MAX))), "config.size is 18446744073709551615"),
        (with(image_json(), "/config", "size", Some(json!("5"))), "invalid type: string"),
        (with(image_json(), "/config", "mediaType", None), "config.mediaType is missing"),
        (with(image_json(), "/config", "mediaType", Some(json!("a\r\nX: y"))), "config.mediaType is not a"),
        (with(image_json(), "/config", "mediaType", Some(json!("a".repeat(256)))), "config.mediaType is not"),
        (with(image_json(), "/config", "urls", Some(json!("x"))), "expected an array"),
        (with(image_json(), "", "artifactType", Some(json!("a b"))), "artifactType is not a media type"),
        (with(image_json(), "", "subject", Some(json!({}))), "subject.mediaType is missing"),
        (with(image_json(), "", "annotations", Some(json!({"a": 1}))), "invalid type: integer"),
        (with(image_json(), "", "annotations", Some(json!([]))), "expected a map"),
        (with(index_json(), "", "manifests", None), "manifests is missing"),
        (with(index_json(), "/manifests/0", "size", Some(json!(-7))), "manifests[0].size is -7"),
    ];
    for (value, expected) in cases {
        let reason = reason(parse(&value, None));
        assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
    }
}

#[test]
fn an_index_of_layers_references_blobs() {
    // What BuildKit exports with `cache-to type=registry` without `image-manifest=true`.
    let value = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        descriptor(LAYER, "layer", 100),
        descriptor("application/vnd.buildkit.cacheconfig.v0", "config", 7),
        descriptor(OCI_MANIFEST, "child", 5),
    ]});
    let manifest = parse(&value, None).unwrap();
    let digests = |found: Vec<&Descriptor>| found.iter().map(|one| one.digest.clone()).collect::<Vec<_>>();
    let blobs = digests(manifest.referenced_blobs().collect());
    assert_eq!(blobs, [Digest::sha256_of(b"layer"), Digest::sha256_of(b"config")]);
    assert_eq!(digests(manifest.referenced_manifests().collect()), [Digest::sha256_of(b"child")]);
    assert_eq!(manifest.image_size(), 107);
}

#[test]
fn what_is_no_json_object() {
    for text in ["", " ", "{", "x", "{}{}", "\u{feff}{}", "{\"a\":01}"] {
        assert_eq!(Manifest::parse(text.as_bytes(), None), Err(ManifestError::NotJson), "{text:?}");
    }
    assert_eq!(Manifest::parse(b"{\"a\":\"\xff\"}", None), Err(ManifestError::NotJson));
    for text in ["[]", "[\"application/vnd.oci.image.index.v1+json\"]", "5", "null", "\"text\"", "true"] {
        assert!(reason(Manifest::parse(text.as_bytes(), Some(OCI_INDEX))).contains("expected an object"));
    }
    assert_eq!(Manifest::parse(b"{}", None), Err(ManifestError::MediaTypeMissing));
}

#[test]
fn duplicate_members_are_refused_at_any_depth() {
    let text = image_json().to_string();
    for (from, to) in [
        ("{\"config\"", "{\"mediaType\":\"x\",\"config\""),
        ("{\"config\"", "{\"\\u006dediaType\":\"x\",\"config\""),
        ("\"size\":10", "\"size\":10,\"size\":11"),
        ("{\"config\"", "{\"annotations\":{\"a\":\"1\",\"a\":\"2\"},\"config\""),
        ("{\"config\"", "{\"unknown\":{\"a\":1,\"a\":2},\"config\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let reason = reason(Manifest::parse(changed.as_bytes(), None));
        assert_eq!(reason, "an object has two members of the same name");
    }
}

#[test]
fn size_has_a_limit_in_bytes() {
    let mut text = image_json().to_string();
    text += &" ".repeat(MAX_MANIFEST_BYTES - text.len());
    assert!(Manifest::parse(text.as_bytes(), None).is_ok());
    text.push(' ');
    let expected = ManifestError::TooLarge { size_bytes: MAX_MANIFEST_BYTES + 1 };
    assert_eq!(Manifest::parse(text.as_bytes(), None), Err(expected));
}

#[test]
fn deep_nesting_is_refused_wherever_it_stands() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = 300 * 1024 / open.len();
        let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let inside = image_json().to_string().replacen('{', &format!("{{\"unknown\":{nested},"), 1);
        for text in [nested.as_str(), &open.repeat(depth), &inside] {
            assert_eq!(reason(Manifest::parse(text.as_bytes(), None)), "nested too deeply");
        }
    }
}

#[test]
fn huge_lists_and_objects_end_early() {
    let start = Instant::now();
    let entries = MAX_MANIFEST_BYTES / 3 - 100;
    let text = format!("{{\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[{}{{}}]}}", "{},".repeat(entries));
    assert!(reason(Manifest::parse(text.as_bytes(), None)).contains("more than 10000 entries"));
    let members: String = (0..5000).map(|number| format!("\"{number}\":\"\",")).collect();
    let text = format!("{{{members}\"mediaType\":\"{OCI_INDEX}\"}}");
    assert_eq!(reason(Manifest::parse(text.as_bytes(), None)), "an object has too many members");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn reasons_are_one_short_line() {
    let value = with(image_json(), "", "layers", Some(json!("\n\u{1b}[2J é".repeat(50_000))));
    let reason = reason(parse(&value, None));
    assert!(reason.chars().count() <= 200 && !reason.chars().any(char::is_control), "{reason:?}");
}

#[test]
fn the_sum_of_sizes_cannot_overflow() {
    let layer = descriptor(LAYER, "layer", crate::MAX_DESCRIPTOR_SIZE_BYTES);
    let value = with(image_json(), "", "layers", Some(json!(vec![layer; 3000])));
    assert_eq!(parse(&value, None).unwrap().image_size(), i64::MAX.unsigned_abs());
}

#[test]
fn documented_sentences() {
    assert_eq!(ManifestError::NotJson.to_string(), "Invalid JSON syntax");
    assert_eq!(
        ManifestError::MediaTypeMissing.to_string(),
        "image manifest mediatype not provided in manifest or parameter"
    );
}

proptest! {
    #[test]
    fn descriptors_survive_a_round_trip(
        size in 0..=crate::MAX_DESCRIPTOR_SIZE_BYTES,
        content in any::<u64>(),
        urls in prop::collection::vec("[a-z:/]{0,9}", 0..3),
        annotations in prop::collection::btree_map(".{0,6}", ".{0,6}", 0..4),
        artifact_type in prop::option::of("[a-z]{1,5}/[a-z.+]{1,9}"),
        os_features in prop::option::of(prop::collection::vec("[a-z]{0,5}", 0..3)),
    ) {
        let descriptor = Descriptor {
            media_type: OCI_MANIFEST.into(),
            digest: Digest::sha256_of(&content.to_be_bytes()),
            size, urls, annotations, artifact_type,
            platform: os_features.map(|os_features| crate::Platform {
                os: "windows".into(), os_version: Some("10.0".into()), os_features, ..Default::default()
            }),
        };
        let value = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [&descriptor]});
        let again = parse(&value, None).unwrap();
        prop_assert_eq!(&again.manifests, &[descriptor]);
    }

    #[test]
    fn a_changed_byte_never_panics(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = image_json().to_string().into_bytes();
        let place = place.index(text.len());
        text[place] = byte;
        if let Ok(manifest) = Manifest::parse(&text, Some(OCI_MANIFEST)) {
            prop_assert_eq!(manifest.kind, ManifestKind::Image);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(Manifest::parse(&bytes, Some(OCI_INDEX)).is_err());
    }
}
