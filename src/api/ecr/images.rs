//! PutImage, BatchGetImage, BatchDeleteImage (ecr.md §4.3, §4.4): the same room functions as `docker push`,
//! `docker pull` and the deletion of a manifest.

use aws::ecr::{
    BatchDeleteImageRequest, BatchDeleteImageResponse, BatchGetImageRequest, BatchGetImageResponse, Image,
    ImageFailure, ImageIdentifier, PutImageRequest, PutImageResponse, enums::image_failure_code,
};
use oci::{MAX_MANIFEST_BYTES, Manifest, ManifestError, Tag};

use super::Error;
use crate::access::{Grant, Repository, action};
use crate::api::Services;
use crate::catalog;
use crate::catalog::image::{Failure, FailureCode, ImageId, NewImage};

pub(super) async fn put_image(
    services: &Services,
    grant: &Grant,
    input: PutImageRequest,
) -> Result<PutImageResponse, Error> {
    let allowed = grant.take::<action::PutImage>()?;
    let tag = input.image_tag.as_deref().map(Tag::parse).transpose().map_err(|_| {
        Error::parameter("imageTag", format!("must satisfy regular expression '{}'", Tag::PRINTED_PATTERN))
    })?;
    let bytes = input.image_manifest.into_bytes();
    let manifest = Manifest::parse(&bytes, input.image_manifest_media_type.as_deref()).map_err(refuse)?;
    let tags = tag.into_iter().collect();
    let image = NewImage { bytes, manifest, tags, expected_digest: input.image_digest };
    let pushed = services.catalog.put_image(&allowed, &image).await?;
    let id = ImageIdentifier {
        image_digest: Some(pushed.digest.to_string()),
        image_tag: image.tags.first().map(Tag::to_string),
    };
    let shown = shown(allowed.resource(), id, image.bytes.into(), image.manifest.media_type)?;
    Ok(PutImageResponse { image: Some(shown) })
}

/// `acceptedMediaTypes` has no effect: the stored manifest is given, under its own type, as
/// docs/decisions/0004-no-manifest-conversion.md says.
pub(super) async fn batch_get_image(
    services: &Services,
    grant: &Grant,
    input: BatchGetImageRequest,
) -> Result<BatchGetImageResponse, Error> {
    let allowed = grant.take::<action::BatchGetImage>()?;
    let found = services.catalog.get_images(&allowed, &ids(input.image_ids)).await?;
    let mut images = Vec::with_capacity(found.images.len());
    for (image, tag) in found.images {
        services.catalog.note_pull(&allowed, &image);
        let id = ImageIdentifier { image_digest: Some(image.digest.to_string()), image_tag: tag };
        images.push(shown(allowed.resource(), id, image.manifest, image.media_type)?);
    }
    let failures = found.failures.into_iter().map(failure).collect();
    Ok(BatchGetImageResponse { images: Some(images), failures: Some(failures) })
}

pub(super) async fn batch_delete_image(
    services: &Services,
    grant: &Grant,
    input: BatchDeleteImageRequest,
) -> Result<BatchDeleteImageResponse, Error> {
    let allowed = grant.take::<action::BatchDeleteImage>()?;
    let deletion = services.catalog.delete_images(&allowed, &ids(input.image_ids)).await?;
    let deleted = deletion.deleted.into_iter().map(|(digest, tag)| ImageIdentifier {
        image_digest: Some(digest.to_string()),
        image_tag: tag.map(|tag| tag.to_string()),
    });
    Ok(BatchDeleteImageResponse {
        image_ids: Some(deleted.collect()),
        failures: Some(deletion.failures.into_iter().map(failure).collect()),
    })
}

/// Ids as they were sent; the room judges each.
pub(super) fn ids(sent: Vec<ImageIdentifier>) -> Vec<ImageId> {
    sent.into_iter().map(|id| ImageId { digest: id.image_digest, tag: id.image_tag }).collect()
}

/// The documented sentences of what is no manifest (ecr.md §1.4, §4.2).
fn refuse(error: ManifestError) -> Error {
    match error {
        ManifestError::TooLarge { .. } => Error::parameter(
            "imageManifest",
            format!("Member must have length less than or equal to {MAX_MANIFEST_BYTES}"),
        ),
        ManifestError::MediaTypeMissing => catalog::Error::InvalidParameterMessage(error.to_string()).into(),
        ManifestError::NotJson
        | ManifestError::MediaTypeMismatch { .. }
        | ManifestError::UnsupportedMediaType { .. }
        | ManifestError::Invalid { .. } => Error::parameter("ImageManifest", error.to_string()),
    }
}

fn shown(
    repository: &Repository,
    id: ImageIdentifier,
    manifest: bytes::Bytes,
    media_type: String,
) -> Result<Image, Error> {
    // Only JSON, which is UTF-8, was ever stored.
    let manifest =
        String::from_utf8(manifest.into()).map_err(|error| catalog::Error::Internal(error.into()))?;
    Ok(Image {
        registry_id: Some(repository.registry.account.to_string()),
        repository_name: Some(repository.name.to_string()),
        image_id: Some(id),
        image_manifest: Some(manifest),
        image_manifest_media_type: Some(media_type),
    })
}

/// Code and reason of one id that failed (ecr.md §4.4).
fn failure(failure: Failure) -> ImageFailure {
    let (code, reason) = match failure.code {
        FailureCode::MissingDigestAndTag => (
            image_failure_code::MISSING_DIGEST_AND_TAG,
            "Invalid request parameters: both tag and digest cannot be null".to_owned(),
        ),
        FailureCode::InvalidImageDigest => (
            image_failure_code::INVALID_IMAGE_DIGEST,
            "Invalid request parameters: image digest should satisfy the regex \
             '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
                .to_owned(),
        ),
        // (unverified) by analogy.
        FailureCode::InvalidImageTag => (
            image_failure_code::INVALID_IMAGE_TAG,
            format!(
                "Invalid request parameters: image tag should satisfy the regex '{}'",
                Tag::PRINTED_PATTERN
            ),
        ),
        FailureCode::ImageNotFound => {
            (image_failure_code::IMAGE_NOT_FOUND, "Requested image not found".to_owned())
        }
        // (unverified)
        FailureCode::ImageTagDoesNotMatchDigest => (
            image_failure_code::IMAGE_TAG_DOES_NOT_MATCH_DIGEST,
            "Requested image tag does not match the image digest".to_owned(),
        ),
        // (unverified) that the indexes are listed.
        FailureCode::ImageReferencedByManifestList { indexes } => (
            image_failure_code::IMAGE_REFERENCED_BY_MANIFEST_LIST,
            format!("Requested image referenced by manifest list: [{}]", indexes.join(", ")),
        ),
    };
    ImageFailure {
        image_id: Some(ImageIdentifier { image_digest: failure.id.digest, image_tag: failure.id.tag }),
        failure_code: Some(code.to_owned()),
        failure_reason: Some(reason),
    }
}
