//! Manifests: pull, push, delete. The same room functions as BatchGetImage, PutImage and BatchDeleteImage.

use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION};
use http::{Method, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use oci::{MAX_MANIFEST_BYTES, Manifest, ManifestError, Reference, RepositoryName};

use super::Error;
use super::operation::PushTarget;
use crate::access::{Grant, action};
use crate::api::{Body, Incoming, Outgoing, Services};
use crate::catalog;
use crate::catalog::image::{FailureCode, ImageId, NewImage};

pub(super) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

/// `GET` and `HEAD`: the stored bytes under their stored type, whatever the client says it accepts.
pub(super) async fn get(
    services: &Services,
    grant: &Grant,
    reference: &Reference,
    incoming: &Incoming,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::BatchGetImage>()?;
    let image = services.catalog.get_image(&allowed, reference).await?;
    let etag = format!("\"{}\"", image.digest);
    let mut response = if matches_etag(&incoming.head.headers, &etag) {
        let mut response = Outgoing::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        if incoming.head.method == Method::GET {
            services.catalog.note_pull(&allowed, &image);
        }
        Outgoing::new(Body::full(image.manifest))
    };
    let headers = response.headers_mut();
    insert(headers, CONTENT_TYPE, &image.media_type);
    insert(headers, DOCKER_CONTENT_DIGEST, image.digest.as_str());
    insert(headers, ETAG, &etag);
    Ok(response)
}

/// `PUT`: stores the manifest and points the tags at it; 201 also when all is there already, as every client
/// expects of a repeated push.
pub(super) async fn put(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    target: PushTarget,
    incoming: Incoming,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::PutImage>()?;
    let declared = incoming.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let declared = declared.map(str::to_owned);
    let bytes = read(incoming).await?;
    let manifest = Manifest::parse(&bytes, declared.as_deref()).map_err(refuse)?;
    let (tags, expected_digest, is_confirmed) = match target {
        PushTarget::Tag(tag) => (vec![tag], None, false),
        PushTarget::Digest(digest, tags) => (tags, Some(digest.to_string()), true),
    };
    let subject = manifest.subject.as_ref().map(|subject| subject.digest.clone());
    let image = NewImage { bytes, manifest, tags, expected_digest };
    let digest = match services.catalog.put_image(&allowed, &image).await {
        Ok(pushed) => pushed.digest,
        Err(catalog::Error::ImageAlreadyExists { digest, .. }) => digest,
        Err(error) => return Err(error.into()),
    };
    let mut response = Outgoing::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    insert(headers, LOCATION, &format!("/v2/{name}/manifests/{digest}"));
    insert(headers, DOCKER_CONTENT_DIGEST, digest.as_str());
    if let Some(subject) = subject {
        // Tells the client that it need not maintain the fallback tag (distribution-spec 1.1, "Pushing
        // Manifests with Subject").
        insert(headers, OCI_SUBJECT, subject.as_str());
    }
    if is_confirmed && !image.tags.is_empty() {
        // Tells the client that it need not push the tags one by one (distribution-spec, "Pushing Manifests").
        let tags: Vec<&str> = image.tags.iter().map(oci::Tag::as_str).collect();
        insert(headers, OCI_TAG, &tags.join(", "));
    }
    Ok(response)
}

/// `DELETE`: by tag removes the tag, and the image with its last one unless an index needs it; by digest the
/// image with all tags.
pub(super) async fn delete(
    services: &Services,
    grant: &Grant,
    reference: &Reference,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::BatchDeleteImage>()?;
    match reference {
        Reference::Tag(tag) => services.catalog.delete_tag(&allowed, tag).await?,
        Reference::Digest(digest) => {
            let id = ImageId { digest: Some(digest.to_string()), tag: None };
            let outcome = services.catalog.delete_images(&allowed, std::slice::from_ref(&id)).await?;
            if let Some(failure) = outcome.failures.into_iter().next() {
                let place = catalog::Place::from(allowed.resource());
                return Err(match failure.code {
                    FailureCode::ImageReferencedByManifestList { indexes } => {
                        catalog::Error::ImageReferenced { place, digests: indexes }.into()
                    }
                    _ => catalog::Error::ImageNotFound { place, digest: id.digest, tag: None }.into(),
                });
            }
        }
    }
    let mut response = Outgoing::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Reads a body of at most 4 MiB; a larger one is refused before it is held.
async fn read(incoming: Incoming) -> Result<Vec<u8>, Error> {
    let mut body = incoming.body;
    let mut bytes = Vec::new();
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > MAX_MANIFEST_BYTES {
        return Err(Error::ManifestTooLarge);
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::Manifest("The manifest ended early".to_owned()))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len().saturating_add(data.len()) > MAX_MANIFEST_BYTES {
            return Err(Error::ManifestTooLarge);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn refuse(error: ManifestError) -> Error {
    match error {
        ManifestError::TooLarge { .. } => Error::ManifestTooLarge,
        other => Error::Manifest(other.to_string()),
    }
}

/// Whether `If-None-Match` names this tag; `W/` and lists are understood, `*` matches anything that exists.
pub(super) fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|text| {
        text.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag)
    })
}

/// Sets a header whose value is known to be printable; one that is not is left out.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
