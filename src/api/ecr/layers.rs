//! BatchCheckLayerAvailability, InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload,
//! GetDownloadUrlForLayer (ecr.md §4.6).

use aws::Secret;
use aws::ecr::{
    BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse, CompleteLayerUploadRequest,
    CompleteLayerUploadResponse, GetDownloadUrlForLayerRequest, GetDownloadUrlForLayerResponse,
    InitiateLayerUploadRequest, InitiateLayerUploadResponse, Layer, LayerFailure, UploadLayerPartRequest,
    UploadLayerPartResponse, enums::layer_availability, enums::layer_failure_code,
};
use oci::{Digest, UploadId};

use super::Error;
use crate::access::{Allowed, Grant, Repository, action};
use crate::api::{Services, layer_url};
use crate::catalog::upload::Source;
use crate::catalog::{self, Place};

/// The size of parts that clients are told to send: 10 MiB.
const PART_BYTES: i64 = 10 * 1024 * 1024;

pub(super) async fn batch_check_layer_availability(
    services: &Services,
    grant: &Grant,
    input: BatchCheckLayerAvailabilityRequest,
) -> Result<BatchCheckLayerAvailabilityResponse, Error> {
    let allowed = grant.take::<action::BatchCheckLayerAvailability>()?;
    let mut failures = Vec::new();
    let mut asked = Vec::new();
    for text in input.layer_digests {
        match refusal(&text) {
            Some(failure) => failures.push(failure),
            None => asked.push(text),
        }
    }
    // A digest of a form that nothing stored here can have is well-formed for ECR: it is just not there.
    let digests: Vec<Digest> = asked.iter().filter_map(|text| Digest::parse(text).ok()).collect();
    let lengths = services.catalog.layer_lengths(&allowed, &digests).await?;
    let found = |text: &str| {
        let index = digests.iter().position(|digest| digest.as_str() == text)?;
        lengths.get(index).copied().flatten()
    };
    let layers = asked.iter().map(|text| layer(text, found(text))).collect();
    Ok(BatchCheckLayerAvailabilityResponse { layers: Some(layers), failures: Some(failures) })
}

fn refusal(text: &str) -> Option<LayerFailure> {
    let (code, reason) = if text.is_empty() {
        (layer_failure_code::MISSING_LAYER_DIGEST, "Invalid request parameters: layer digest cannot be empty")
    } else if oci::is_ecr_digest_form(text) {
        return None;
    } else {
        (
            layer_failure_code::INVALID_LAYER_DIGEST,
            "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        )
    };
    Some(LayerFailure {
        layer_digest: Some(text.to_owned()),
        failure_code: Some(code.to_owned()),
        // (unverified) after the words that BatchGetImage uses for digests of images.
        failure_reason: Some(reason.to_owned()),
    })
}

fn layer(text: &str, length: Option<u64>) -> Layer {
    let availability = match length {
        Some(_) => layer_availability::AVAILABLE,
        None => layer_availability::UNAVAILABLE,
    };
    Layer {
        layer_digest: Some(text.to_owned()),
        layer_availability: Some(availability.to_owned()),
        layer_size: length.and_then(|length| i64::try_from(length).ok()),
        media_type: None,
    }
}

pub(super) async fn initiate_layer_upload(
    services: &Services,
    grant: &Grant,
    _input: InitiateLayerUploadRequest,
) -> Result<InitiateLayerUploadResponse, Error> {
    let allowed = grant.take::<action::InitiateLayerUpload>()?;
    let upload = services.catalog.start_upload(&allowed).await?;
    Ok(InitiateLayerUploadResponse { upload_id: Some(upload.to_string()), part_size: Some(PART_BYTES) })
}

pub(super) async fn upload_layer_part(
    services: &Services,
    grant: &Grant,
    input: UploadLayerPartRequest,
) -> Result<UploadLayerPartResponse, Error> {
    let allowed = grant.take::<action::UploadLayerPart>()?;
    let upload = upload(&input.upload_id, &allowed)?;
    // The shape's constraints have refused negative numbers.
    let bounds = (input.part_first_byte.unsigned_abs(), input.part_last_byte.unsigned_abs());
    let last =
        services.catalog.append_part(&allowed, &upload, bounds, input.layer_part_blob.0.into()).await?;
    let repository = allowed.resource();
    Ok(UploadLayerPartResponse {
        registry_id: Some(repository.registry.account.to_string()),
        repository_name: Some(repository.name.to_string()),
        upload_id: Some(upload.to_string()),
        last_byte_received: i64::try_from(last).ok(),
    })
}

pub(super) async fn complete_layer_upload(
    services: &Services,
    grant: &Grant,
    input: CompleteLayerUploadRequest,
) -> Result<CompleteLayerUploadResponse, Error> {
    let allowed = grant.take::<action::CompleteLayerUpload>()?;
    let upload = upload(&input.upload_id, &allowed)?;
    // Bytes cannot have a digest that cannot exist; when none is left the answer is InvalidLayer.
    let digests: Vec<Digest> = input
        .layer_digests
        .iter()
        .filter_map(|text| Digest::parse(&text.to_ascii_lowercase()).ok())
        .collect();
    let completed = services.catalog.complete_upload(&allowed, &upload, &digests, Source::Parts).await?;
    let repository = allowed.resource();
    if completed.was_present {
        let (place, digest) = (repository.into(), completed.digest);
        return Err(catalog::Error::LayerAlreadyExists { place, digest }.into());
    }
    Ok(CompleteLayerUploadResponse {
        registry_id: Some(repository.registry.account.to_string()),
        repository_name: Some(repository.name.to_string()),
        upload_id: Some(upload.to_string()),
        layer_digest: Some(completed.digest.to_string()),
    })
}

pub(super) async fn get_download_url_for_layer(
    services: &Services,
    grant: &Grant,
    input: GetDownloadUrlForLayerRequest,
) -> Result<GetDownloadUrlForLayerResponse, Error> {
    let allowed = grant.take::<action::GetDownloadUrlForLayer>()?;
    let digest = Digest::parse(&input.layer_digest).map_err(|_| catalog::Error::LayerNotFound {
        place: allowed.resource().into(),
        digest: input.layer_digest.clone(),
    })?;
    let ticket = services.catalog.layer_ticket(&allowed, &digest).await?;
    Ok(GetDownloadUrlForLayerResponse {
        download_url: Some(Secret::from(layer_url::url(services, &ticket))),
        layer_digest: Some(digest.to_string()),
    })
}

/// An id that no upload can have names none.
fn upload(
    text: &str,
    allowed: &Allowed<impl action::Action<Resource = Repository>>,
) -> Result<UploadId, Error> {
    UploadId::parse(text).map_err(|_| {
        let place = Place::from(allowed.resource());
        catalog::Error::UploadNotFound { place, upload: text.to_owned() }.into()
    })
}
