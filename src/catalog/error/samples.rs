//! One of each error, for the doors' tables: both faces show them in a snapshot. Compiled for tests only.

use oci::{Digest, RepositoryName};
use policy::AccountId;

use super::{Error, Place};

fn place() -> Place {
    Place {
        account: AccountId::parse("012345678901").unwrap(),
        name: RepositoryName::parse("team/app").unwrap(),
    }
}

fn digest() -> Digest {
    Digest::sha256_of(b"")
}

/// Every variant, some with and without what they may carry.
pub(crate) fn all() -> Vec<Error> {
    use Error as E;
    let tag = || "v1".parse().unwrap();
    let digests = || vec!["sha256:a".to_owned(), "sha256:b".to_owned()];
    let upload = || "u-1".to_owned();
    vec![
        E::RepositoryNotFound(place()),
        E::RepositoryAlreadyExists(place()),
        E::RepositoryNotEmpty(place()),
        E::RepositoryPolicyNotFound(place()),
        E::LifecyclePolicyNotFound(place()),
        E::TemplateAlreadyExists { account: place().account, prefix: "team/".to_owned() },
        E::TemplateNotFound { account: place().account, prefix: "ROOT".to_owned() },
        E::ImageNotFound { place: place(), digest: None, tag: Some("v1".to_owned()) },
        E::ImageNotFound { place: place(), digest: Some("sha256:a".to_owned()), tag: None },
        E::ImageAlreadyExists { place: place(), digest: digest(), tag: None },
        E::ImageAlreadyExists { place: place(), digest: digest(), tag: Some(tag()) },
        E::ImageTagAlreadyExists { place: place(), tag: tag() },
        E::ImageDigestDoesNotMatch { place: place(), digest: "sha256:a".to_owned() },
        E::LayersNotFound { place: place(), digests: digests() },
        E::ReferencedImagesNotFound { place: place(), digests: digests() },
        E::ImageReferenced { place: place(), digests: digests() },
        E::LayerNotFound { place: place(), digest: "sha256:a".to_owned() },
        E::LayerInaccessible { place: place(), digest: digest() },
        E::LayerReferenced { place: place(), digest: digest(), images: digests() },
        E::LayerAlreadyExists { place: place(), digest: digest() },
        E::InvalidLayer { place: place() },
        E::InvalidLayerPart { place: place(), upload: upload(), first: 7, expected: 5 },
        E::InvalidLayerPartLength { place: place(), upload: upload(), received: 1, declared: 2, expected: 0 },
        E::LayerPartTooSmall { place: place() },
        E::EmptyUpload { place: place(), upload: upload() },
        E::UploadNotFound { place: place(), upload: upload() },
        E::LayerTooLarge { place: place(), limit_bytes: 52_000 << 20 },
        E::BodyInterrupted,
        E::LimitExceeded { limit: "tags per image", maximum: 1000 },
        E::TooManyTags,
        E::InvalidTagParameter { reason: "the reason".to_owned() },
        E::InvalidParameter { parameter: "PolicyText", constraint: "Principal not found".to_owned() },
        E::InvalidParameterMessage("a fixed message".to_owned()),
        E::NotSupported { what: "Scanning".to_owned() },
        E::InvalidCursor,
        E::Damaged(digest()),
        E::StorageFull,
        E::Busy,
        E::Internal(anyhow::anyhow!("a secret cause")),
    ]
}
