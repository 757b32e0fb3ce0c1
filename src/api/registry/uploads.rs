//! Uploads and mounts: POST, PATCH, PUT, GET, DELETE below `/v2/<name>/blobs/uploads/` (ecr.md §8.4, §8.5;
//! distribution-spec, "Pushing blobs").
//!
//! Answers are the specification's, not ECR's own deviations: PATCH is 202 and `Range` is what really came.
//! `Location` is relative, so it works behind any proxy.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE};
use http_body::Body as _;
use http_body_util::BodyDataStream;
use oci::range::parse_content_range;
use oci::{Digest, RepositoryName, UploadId};

use super::Error;
use super::manifests::DOCKER_CONTENT_DIGEST;
use crate::access::{Check, Grant, action};
use crate::api::{Body, Incoming, Outgoing, Services};
use crate::catalog;
use crate::catalog::upload::{Chunk, Source};

const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// `POST`: begins an upload.
pub(super) async fn start(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::InitiateLayerUpload>()?;
    let upload = services.catalog.start_upload(&allowed).await?;
    Ok(progress(StatusCode::ACCEPTED, name, &upload, 0))
}

/// `POST ?mount=…&from=…`: makes a blob of another repository readable here, or begins an upload when that
/// repository does not have it or the caller may not read it; which of the two is not told.
pub(super) async fn mount(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Outgoing, Error> {
    let here = grant.take::<action::InitiateLayerUpload>()?;
    if let Ok(from) = grant.take::<action::GetDownloadUrlForLayer>()
        && services.catalog.mount_layer(&here, &from, digest).await?.is_some()
    {
        return Ok(created(name, digest));
    }
    start(services, grant, name).await
}

/// `POST ?mount=…` without a source: the same from any repository of the registry that holds the blob and that
/// the caller may read. One answer for "nobody has it" and "you may not read it".
pub(super) async fn mount_from_any(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Outgoing, Error> {
    let here = grant.take::<action::InitiateLayerUpload>()?;
    let sources = services.catalog.mount_sources(&here, digest).await?;
    let checks = sources.into_iter().map(Check::new::<action::GetDownloadUrlForLayer>).collect();
    if let Some(readable) = services.guard.authorize_first(grant.caller(), checks).await? {
        let from = readable.take::<action::GetDownloadUrlForLayer>()?;
        if services.catalog.mount_layer(&here, &from, digest).await?.is_some() {
            return Ok(created(name, digest));
        }
    }
    start(services, grant, name).await
}

/// `POST ?digest=…`: a whole blob in one request.
pub(super) async fn whole(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    digest: &Digest,
    incoming: Incoming,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::InitiateLayerUpload>()?;
    let upload = services.catalog.start_upload(&allowed).await?;
    let stored = async {
        receive(services, grant, name, &upload, incoming).await?;
        finish(services, grant, &upload, digest).await
    };
    if let Err(error) = stored.await {
        // The client never learns the upload's id, so nobody could go on with it.
        let allowed = grant.take::<action::UploadLayerPart>()?;
        if let Err(error) = services.catalog.abort_upload(&allowed, &upload).await {
            tracing::debug!(%error, upload.id = %upload, "a failed upload is left to the collector");
        }
        return Err(error);
    }
    Ok(created(name, digest))
}

/// `PATCH`: the next chunk, or with one request all of them.
pub(super) async fn append(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    upload: &UploadId,
    incoming: Incoming,
) -> Result<Outgoing, Error> {
    let length = receive(services, grant, name, upload, incoming).await?;
    Ok(progress(StatusCode::ACCEPTED, name, upload, length))
}

/// `PUT ?digest=…`: ends the upload, after a last chunk when the request has a body.
pub(super) async fn complete(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    upload: &UploadId,
    digest: &Digest,
    incoming: Incoming,
) -> Result<Outgoing, Error> {
    if !incoming.body.is_end_stream() {
        receive(services, grant, name, upload, incoming).await?;
    }
    finish(services, grant, upload, digest).await?;
    Ok(created(name, digest))
}

/// `GET`: how far the upload has come.
pub(super) async fn status(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    upload: &UploadId,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::UploadLayerPart>()?;
    let length = services.catalog.upload_length(&allowed, upload).await?;
    Ok(progress(StatusCode::NO_CONTENT, name, upload, length))
}

/// `DELETE`: gives the upload up.
pub(super) async fn abort(services: &Services, grant: &Grant, upload: &UploadId) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::UploadLayerPart>()?;
    services.catalog.abort_upload(&allowed, upload).await?;
    let mut response = Outgoing::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Appends the body; returns the length of the upload.
async fn receive(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    upload: &UploadId,
    incoming: Incoming,
) -> Result<u64, Error> {
    let allowed = grant.take::<action::UploadLayerPart>()?;
    let chunk = chunk(&incoming.head.headers)?;
    let chunks = BodyDataStream::new(incoming.body);
    services.catalog.append_chunk(&allowed, upload, chunk, chunks).await.map_err(|error| match error {
        catalog::Error::InvalidLayerPart { upload, first, expected, .. } => {
            Error::ChunkOutOfOrder { first, name: name.clone(), upload, received: expected }
        }
        other => other.into(),
    })
}

async fn finish(services: &Services, grant: &Grant, upload: &UploadId, digest: &Digest) -> Result<(), Error> {
    let allowed = grant.take::<action::CompleteLayerUpload>()?;
    let digests = std::slice::from_ref(digest);
    // A layer that was there already is as good as a new one: every client pushes layers again.
    services.catalog.complete_upload(&allowed, upload, digests, Source::Stream).await?;
    Ok(())
}

/// Where the body belongs: at the end, or where `Content-Range` says.
fn chunk(headers: &HeaderMap) -> Result<Chunk, Error> {
    let Some(header) = headers.get(CONTENT_RANGE) else { return Ok(Chunk::default()) };
    let bounds = header.to_str().ok().and_then(parse_content_range);
    let malformed = || Error::BadHeader("Content-Range is not <first byte>-<last byte>".to_owned());
    let (first, last) = bounds.ok_or_else(malformed)?;
    let length = (last - first).checked_add(1).ok_or_else(malformed)?;
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared != length) {
        return Err(Error::BadHeader("Content-Range and Content-Length contradict each other".to_owned()));
    }
    Ok(Chunk { offset: Some(first), length: Some(length) })
}

/// An answer about a running upload.
fn progress(status: StatusCode, name: &RepositoryName, upload: &UploadId, length: u64) -> Outgoing {
    let mut response = Outgoing::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    insert(headers, LOCATION, &format!("/v2/{name}/blobs/uploads/{upload}"));
    insert(headers, DOCKER_UPLOAD_UUID, upload.as_str());
    // Nothing received is also `0-0`: the header has no other way to say it, and clients know that.
    insert(headers, RANGE, &format!("0-{}", length.saturating_sub(1)));
    response
}

/// The answer that a blob is here now.
fn created(name: &RepositoryName, digest: &Digest) -> Outgoing {
    let mut response = Outgoing::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    insert(response.headers_mut(), LOCATION, &format!("/v2/{name}/blobs/{digest}"));
    insert(response.headers_mut(), DOCKER_CONTENT_DIGEST, digest.as_str());
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // INVARIANT: names, ids, digests and numbers are valid header text.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
