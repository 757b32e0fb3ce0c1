//! The sentences of ECR's exceptions, the same on the JSON face and the registry face (ecr.md §1.4, §1.5).
//!
//! The wording is ECR's, with its own inconsistency of `in the registry` and `in registry`: clients and
//! scripts match on it.

use crate::catalog::{Error, Place};

/// `Invalid parameter at '<member>' failed to satisfy constraint: '<constraint>'`
#[must_use]
pub fn constraint(member: &str, constraint: &str) -> String {
    format!("Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'")
}

fn of_repository(place: &Place) -> String {
    format!("the repository with name '{}' in the registry with id '{}'", place.name, place.account)
}

fn or_null(text: Option<&str>) -> &str {
    text.unwrap_or("null")
}

fn required_for_push(what: &str, digests: &[String], place: &Place) -> String {
    format!(
        "{what} with digests '[{}]' required for pushing image into repository with name '{}' in the registry \
         with id '{}' do not exist",
        digests.join(", "),
        place.name,
        place.account
    )
}

/// The sentence of a refusal by the catalog. Internal causes are never part of it.
#[must_use]
pub fn catalog(error: &Error) -> String {
    match error {
        Error::RepositoryNotFound(place) => format!(
            "The repository with name '{}' does not exist in the registry with id '{}'",
            place.name, place.account
        ),
        Error::RepositoryAlreadyExists(place) => format!(
            "The repository with name '{}' already exists in the registry with id '{}'",
            place.name, place.account
        ),
        Error::RepositoryNotEmpty(place) => format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains \
             images",
            place.name, place.account
        ),
        Error::RepositoryPolicyNotFound(place) => {
            format!("Repository policy does not exist for {}", of_repository(place))
        }
        Error::LifecyclePolicyNotFound(place) => {
            format!("Lifecycle policy does not exist for {}", of_repository(place))
        }
        // (unverified) by analogy with its neighbours.
        Error::TemplateAlreadyExists { account, prefix } => format!(
            "The repository creation template with prefix '{prefix}' already exists in the registry with id \
             '{account}'"
        ),
        // (unverified)
        Error::TemplateNotFound { account, prefix } => format!(
            "The repository creation template with prefix '{prefix}' does not exist in the registry with id \
             '{account}'"
        ),
        Error::ImageNotFound { place, digest, tag } => format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with \
             name '{}' in the registry with id '{}'",
            or_null(digest.as_deref()),
            or_null(tag.as_deref()),
            place.name,
            place.account
        ),
        Error::ImageAlreadyExists { place, digest, tag } => format!(
            "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{}' in registry \
             with id '{}'",
            or_null(tag.as_ref().map(oci::Tag::as_str)),
            place.name,
            place.account
        ),
        Error::ImageTagAlreadyExists { place, tag } => format!(
            "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the tag \
             is immutable.",
            place.name
        ),
        Error::ImageDigestDoesNotMatch { place, digest } => format!(
            "The image with digest '{digest}' in repository '{}' and registry ID '{}' does not match the image \
             digest that Amazon ECR has calculated.",
            place.name, place.account
        ),
        Error::LayersNotFound { place, digests } => required_for_push("Layers", digests, place),
        Error::ReferencedImagesNotFound { place, digests } => required_for_push("Images", digests, place),
        Error::ImageReferenced { digests, .. } => {
            format!("Requested image referenced by manifest list: [{}]", digests.join(", "))
        }
        // (unverified) by analogy with its neighbours, like the next.
        Error::LayerNotFound { place, digest } => {
            format!("Layer with digest '{digest}' does not exist in {}", of_repository(place))
        }
        Error::LayerInaccessible { place, digest } => {
            format!("Layer with digest '{digest}' is not accessible in {}", of_repository(place))
        }
        Error::LayerReferenced { place, digest, images } => format!(
            "Layer with digest '{digest}' cannot be deleted because images with digests '[{}]' in {} refer to it",
            images.join(", "),
            of_repository(place)
        ),
        // (unverified)
        Error::LayerAlreadyExists { place, digest } => format!(
            "Layer with digest '{digest}' already exists in the repository with name '{}' in registry with id '{}'",
            place.name, place.account
        ),
        Error::InvalidLayer { .. } => {
            "None of the provided layer digests match the calculated layer digest".to_owned()
        }
        Error::InvalidLayerPart { first, expected, .. } => {
            format!("First byte of the layer part is {first} instead of {expected}")
        }
        // (unverified)
        Error::InvalidLayerPartLength { received, declared, .. } => {
            format!("The layer part has {received} bytes instead of {declared}")
        }
        Error::LayerPartTooSmall { .. } => {
            "All layer parts except the last part should be at least 5MB".to_owned()
        }
        // (unverified)
        Error::EmptyUpload { upload, .. } => {
            format!("The upload with ID '{upload}' does not contain any layer parts")
        }
        // (unverified)
        Error::UploadNotFound { place, upload } => format!(
            "The upload with ID '{upload}' in the repository with name '{}' in registry with id '{}' does not exist",
            place.name, place.account
        ),
        Error::LayerTooLarge { limit_bytes, .. } => {
            format!("The layer is larger than {limit_bytes} bytes, the most that this registry accepts")
        }
        Error::BodyInterrupted => "The request's body ended before its declared length".to_owned(),
        Error::LimitExceeded { limit, maximum } => {
            format!("The limit of {maximum} {limit} would be exceeded")
        }
        Error::TooManyTags => {
            "The list of tags on the repository is over the limit. The maximum number of tags \
                               that can be applied to a repository is 50."
                .to_owned()
        }
        Error::InvalidTagParameter { reason } => reason.clone(),
        Error::InvalidParameter { parameter, constraint: failed } => constraint(parameter, failed),
        Error::InvalidParameterMessage(message) => message.clone(),
        Error::NotSupported { what } => {
            format!("{what} is not supported by this server; docs/reference/compatibility.md lists what is")
        }
        Error::InvalidCursor => constraint("nextToken", "Invalid token"),
        Error::Damaged(digest) => {
            format!("The stored bytes of '{digest}' are damaged; push the layer again to heal it")
        }
        Error::StorageFull => "The registry's storage is full; its operator must make room".to_owned(),
        Error::Busy => "Rate exceeded".to_owned(),
        Error::Internal(_) => "The server failed; its log has the reason under the request id.".to_owned(),
    }
}
