//! The answer of the referrers endpoint: an OCI index of the manifests that point at a subject.
//!
//! Source: OCI distribution-spec, "Listing Referrers". Paging and the `artifactType` filter are the
//! caller's; this writes what is given.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::media_type;

/// One manifest that has the asked digest as its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrerDescriptor {
    /// Type of the referring manifest.
    pub media_type: String,
    /// Digest of the referring manifest.
    pub digest: Digest,
    /// Size of the referring manifest in bytes.
    pub size: u64,
    /// [`crate::Manifest::effective_artifact_type`] of it; left out when none.
    pub artifact_type: Option<String>,
    /// Annotations of the referring manifest; left out when empty.
    pub annotations: BTreeMap<String, String>,
}

/// The body, type [`media_type::OCI_INDEX`], in the order of `items`; an empty list when there are none:
///
/// `{"manifests":[{"annotations":{…},"artifactType":"…","digest":"sha256:…","mediaType":"…","size":1}],
/// "mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}`
pub fn referrers_index(items: impl Iterator<Item = ReferrerDescriptor>) -> Vec<u8> {
    let manifests: Vec<Value> = items.map(entry).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": manifests,
    })
    .to_string()
    .into_bytes()
}

fn entry(item: ReferrerDescriptor) -> Value {
    let mut members = Map::new();
    members.insert("mediaType".into(), item.media_type.into());
    members.insert("digest".into(), item.digest.as_str().into());
    members.insert("size".into(), item.size.into());
    if let Some(artifact_type) = item.artifact_type {
        members.insert("artifactType".into(), artifact_type.into());
    }
    if !item.annotations.is_empty() {
        let annotations = item.annotations.into_iter().map(|(key, value)| (key, value.into())).collect();
        members.insert("annotations".into(), Value::Object(annotations));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Manifest;

    #[test]
    fn nothing_refers_is_an_empty_list() {
        let body: Value = serde_json::from_slice(&referrers_index(std::iter::empty())).unwrap();
        let expected = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []});
        assert_eq!(body, expected);
    }

    #[test]
    fn the_answer_is_an_index_that_we_read_ourselves() {
        let item = |text: &str, artifact_type: Option<&str>| ReferrerDescriptor {
            media_type: media_type::OCI_MANIFEST.into(),
            digest: Digest::sha256_of(text.as_bytes()),
            size: text.len() as u64,
            artifact_type: artifact_type.map(Into::into),
            annotations: artifact_type.iter().map(|_| ("k\"\n".to_owned(), "v\\".to_owned())).collect(),
        };
        let body = referrers_index([item("one", Some("application/x")), item("two", None)].into_iter());
        let index = Manifest::parse(&body, Some(media_type::OCI_INDEX)).unwrap();
        assert_eq!(index.manifests.len(), 2);
        assert_eq!(index.manifests[0].artifact_type.as_deref(), Some("application/x"));
        assert_eq!(index.manifests[0].annotations["k\"\n"], "v\\");
        assert_eq!(index.manifests[1].digest, Digest::sha256_of(b"two"));
        assert_eq!(index.manifests[1].size, 3);
        let text = String::from_utf8(body).unwrap();
        assert_eq!(text.matches("artifactType").count(), 1);
        assert_eq!(text.matches("annotations").count(), 1);
    }
}
