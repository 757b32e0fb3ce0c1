//! Blobs: is it there, give it to me, remove it (ecr.md §8.4).
//!
//! GET answers with the bytes themselves, not with ECR's redirect to a bucket: they lie here, and a client that
//! forwards its password to the target, or one behind a proxy, has nothing to get wrong.

use http::StatusCode;
use oci::Digest;

use super::Error;
use crate::access::{Grant, Repository, action};
use crate::api::{Body, Incoming, Outgoing, Services, blob_answer};
use crate::catalog;
use crate::catalog::layer::LayerQuestion;

/// `GET /v2/<name>/blobs/<digest>`
pub(super) async fn get(
    services: &Services,
    grant: &Grant,
    digest: &Digest,
    incoming: &Incoming,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::GetDownloadUrlForLayer>()?;
    let reader = services.catalog.open_layer(&allowed, digest).await?;
    let reader = reader.ok_or_else(|| unknown(allowed.resource(), digest))?;
    blob_answer::answer(&incoming.head, digest, reader)
        .map_err(|out| Error::RangeNotSatisfiable { length: out.length })
}

/// `HEAD /v2/<name>/blobs/<digest>`: asked before a push, under the right to push or the right to pull.
pub(super) async fn head(
    services: &Services,
    grant: &Grant,
    digest: &Digest,
    incoming: &Incoming,
) -> Result<Outgoing, Error> {
    let (length, repository) = match grant.take::<action::BatchCheckLayerAvailability>() {
        Ok(allowed) => {
            let length = services.catalog.layer_length(LayerQuestion::Push(&allowed), digest).await?;
            (length, allowed.resource().clone())
        }
        Err(_) => {
            let allowed = grant.take::<action::GetDownloadUrlForLayer>()?;
            let length = services.catalog.layer_length(LayerQuestion::Pull(&allowed), digest).await?;
            (length, allowed.resource().clone())
        }
    };
    let length = length.ok_or_else(|| unknown(&repository, digest))?;
    Ok(blob_answer::headers_only(&incoming.head, digest, length))
}

/// `DELETE /v2/<name>/blobs/<digest>`: of a blob that no image of the repository needs.
pub(super) async fn delete(services: &Services, grant: &Grant, digest: &Digest) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::BatchDeleteImage>()?;
    services.catalog.delete_layer(&allowed, digest).await?;
    let mut response = Outgoing::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn unknown(repository: &Repository, digest: &Digest) -> Error {
    catalog::Error::LayerNotFound { place: repository.into(), digest: digest.to_string() }.into()
}
