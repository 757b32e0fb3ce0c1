//! ListImages, DescribeImages, ListImageReferrers (ecr.md §4.1, §4.5, §4.7).

use aws::Timestamp;
use aws::ecr::{
    DescribeImagesRequest, DescribeImagesResponse, ImageDetail, ImageIdentifier, ImageReferrer,
    ListImageReferrersRequest, ListImageReferrersResponse, ListImagesRequest, ListImagesResponse,
    enums::{artifact_status, artifact_status_filter, image_status, image_status_filter},
};
use oci::{Digest, ReferrerDescriptor};

use super::{Error, images, pages};
use crate::access::{Grant, Repository, action};
use crate::api::{Services, cursor};
use crate::catalog::image::{DescribedImage, ImageFilter, Position, TagStatus};

/// Referrers on a page when the request does not say.
const REFERRERS_PAGE: u32 = 20;

pub(super) async fn list_images(
    services: &Services,
    grant: &Grant,
    input: ListImagesRequest,
) -> Result<ListImagesResponse, Error> {
    let allowed = grant.take::<action::ListImages>()?;
    let sent = input.filter.unwrap_or_default();
    let filter = filter(sent.tag_status.as_deref(), sent.image_status.as_deref())?;
    let about = listing("ListImages", allowed.resource(), filter);
    let after = match &input.next_token {
        Some(token) => Position::parse(&cursor::open(&services.sealer, &about, token)?)?,
        None => Position::default(),
    };
    let limit = pages::size(input.max_results);
    let page = services.catalog.list_images(&allowed, filter, &after, limit).await?;
    let next_token = page.next.map(|next| cursor::seal(&services.sealer, &about, &next.key())).transpose()?;
    let names = page.names.into_iter().map(|(digest, tag)| ImageIdentifier {
        image_digest: Some(digest.to_string()),
        image_tag: tag.map(|tag| tag.to_string()),
    });
    Ok(ListImagesResponse { image_ids: Some(names.collect()), next_token })
}

pub(super) async fn describe_images(
    services: &Services,
    grant: &Grant,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Error> {
    let allowed = grant.take::<action::DescribeImages>()?;
    let sent = input.filter.unwrap_or_default();
    let filter = filter(sent.tag_status.as_deref(), sent.image_status.as_deref())?;
    let repository = allowed.resource();
    let shown = |images: Vec<DescribedImage>| {
        Some(images.into_iter().map(|image| detail(repository, image)).collect())
    };
    if let Some(ids) = input.image_ids {
        pages::refuse_with("imageIds", input.max_results, input.next_token.as_ref())?;
        let found = services.catalog.describe_named_images(&allowed, &images::ids(ids), filter).await?;
        return Ok(DescribeImagesResponse { image_details: shown(found), next_token: None });
    }
    let about = listing("DescribeImages", repository, filter);
    let after = match &input.next_token {
        Some(token) => cursor::open(&services.sealer, &about, token)?,
        None => String::new(),
    };
    let limit = pages::size(input.max_results);
    let page = services.catalog.describe_images(&allowed, filter, &after, limit).await?;
    let next_token =
        page.next.map(|last| cursor::seal(&services.sealer, &about, last.as_str())).transpose()?;
    Ok(DescribeImagesResponse { image_details: shown(page.images), next_token })
}

pub(super) async fn list_image_referrers(
    services: &Services,
    grant: &Grant,
    input: ListImageReferrersRequest,
) -> Result<ListImageReferrersResponse, Error> {
    let allowed = grant.take::<action::BatchGetImage>()?;
    let subject = Digest::parse(&input.subject_id.image_digest)
        .map_err(|fault| Error::parameter("imageDigest", fault.to_string()))?;
    let sent = input.filter.unwrap_or_default();
    let status = sent.artifact_status.unwrap_or_else(|| artifact_status_filter::ACTIVE.to_owned());
    let types = sent.artifact_types.unwrap_or_default();
    let about = format!(
        "ListImageReferrers|{}|{subject}|{status}|{}",
        allowed.resource().arn(),
        serde_json::Value::from(types.clone())
    );
    let after = match &input.next_token {
        Some(token) => cursor::open(&services.sealer, &about, token)?,
        None => String::new(),
    };
    let limit = u64::from(pages::size_or(REFERRERS_PAGE, input.max_results));
    let mut found = services.catalog.referrers(&allowed, &subject, &types, &after, limit).await?;
    if !matches!(status.as_str(), artifact_status_filter::ACTIVE | artifact_status_filter::ANY) {
        // There is no archive, so nothing is in it.
        found.referrers.clear();
    }
    let next = found.referrers.last().filter(|_| found.has_more);
    let next_token =
        next.map(|last| cursor::seal(&services.sealer, &about, last.digest.as_str())).transpose()?;
    let referrers = found.referrers.into_iter().map(referrer).collect();
    Ok(ListImageReferrersResponse { referrers: Some(referrers), next_token })
}

/// What a cursor is bound to: it goes on in the same listing only.
fn listing(operation: &str, repository: &Repository, filter: ImageFilter) -> String {
    let (tags, active) = (filter.tag_status.as_str(), filter.includes_active);
    format!("{operation}|{}|{tags}|{active}", repository.arn())
}

/// The filter of a request; without an image status only active images are meant, and all are.
fn filter(tag_status: Option<&str>, image_status: Option<&str>) -> Result<ImageFilter, Error> {
    let tag_status = match tag_status {
        // The shape has checked the enum; a value that it knows and we do not must not become a default.
        Some(text) => TagStatus::parse(text)
            .ok_or_else(|| Error::parameter("tagStatus", "Member must satisfy enum value set"))?,
        None => TagStatus::Any,
    };
    let includes_active =
        matches!(image_status, None | Some(image_status_filter::ACTIVE | image_status_filter::ANY));
    Ok(ImageFilter { tag_status, includes_active })
}

fn detail(repository: &Repository, image: DescribedImage) -> ImageDetail {
    ImageDetail {
        registry_id: Some(repository.registry.account.to_string()),
        repository_name: Some(repository.name.to_string()),
        image_digest: Some(image.digest.to_string()),
        image_tags: (!image.tags.is_empty()).then_some(image.tags),
        image_size_in_bytes: Some(image.size_bytes),
        image_pushed_at: Some(Timestamp::from_microseconds(image.pushed_at)),
        image_manifest_media_type: Some(image.media_type),
        artifact_media_type: image.artifact_type,
        last_recorded_pull_time: image.last_pulled_at.map(Timestamp::from_microseconds),
        subject_manifest_digest: image.subject,
        image_status: Some(image_status::ACTIVE.to_owned()),
        ..ImageDetail::default()
    }
}

fn referrer(found: ReferrerDescriptor) -> ImageReferrer {
    ImageReferrer {
        digest: Some(found.digest.to_string()),
        media_type: Some(found.media_type),
        artifact_type: found.artifact_type,
        size: i64::try_from(found.size).ok(),
        annotations: (!found.annotations.is_empty()).then_some(found.annotations),
        artifact_status: Some(artifact_status::ACTIVE.to_owned()),
    }
}
