//! The registry door: what docker, containerd, podman, oras and cosign speak.
//!
//! One request goes through five steps: which operation is it, who sends it, may they, do it, answer. Nothing
//! about names is told before the password is checked, and nothing about existence before the guard agrees.

mod blobs;
mod checks;
mod creation;
mod error;
mod listings;
mod manifests;
mod operation;
mod uploads;

use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};

pub use error::Error;
pub use operation::{MAX_PAGE, MAX_TAG_PARAMETERS, Malformed, Operation, Page, PushTarget, Refusal};

use crate::access::{Arrival, Caller, Grant, Registry};
use crate::api::{Body, Incoming, Outgoing, Services};

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Answers one request of the registry face.
pub async fn handle(services: &Services, mut incoming: Incoming) -> Outgoing {
    // No operation of this face needs it.
    let base_url = std::mem::take(&mut incoming.base_url);
    let mut response = match serve(services, incoming).await {
        Ok(response) => response,
        Err(error) => {
            report(&error);
            error.answer(&base_url)
        }
    };
    mark(&mut response);
    response
}

/// Every answer of this face says which protocol it speaks, also those that are made before its door.
pub fn mark(response: &mut Outgoing) {
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
}

async fn serve(services: &Services, incoming: Incoming) -> Result<Outgoing, Error> {
    let uri = &incoming.head.uri;
    let operation = Operation::parse(&incoming.head.method, uri.path(), uri.query());
    if let Ok(operation) = &operation {
        incoming.operation.set(operation.name());
    }
    let arrival = Arrival {
        origin: incoming.origin.clone(),
        region: incoming.registry.region.clone(),
        request_id: incoming.request_id.clone(),
    };
    let caller = services.guard.basic(&incoming.head, arrival).await?;
    tracing::Span::current().record("caller.arn", caller.principal.arn());
    let operation = operation.map_err(Error::Refused)?;
    let grant = admit(services, &operation, &incoming.registry, &caller).await?;
    dispatch(services, &grant, operation, incoming).await
}

/// Asks the guard, and makes the repository that a push creates.
async fn admit(
    services: &Services,
    operation: &Operation,
    registry: &Registry,
    caller: &Arc<Caller>,
) -> Result<Grant, Error> {
    let grant = checks::checks(operation, registry).authorize(&services.guard, caller).await?;
    if creation::may_be_needed(operation, registry, &grant) {
        return Box::pin(creation::on_push(services, operation, registry, grant)).await;
    }
    Ok(grant)
}

/// All but the pulls are boxed: those are answered from memory and shall not carry the room of the others.
async fn dispatch(
    services: &Services,
    grant: &Grant,
    operation: Operation,
    incoming: Incoming,
) -> Result<Outgoing, Error> {
    match operation {
        Operation::Base => Ok(base()),
        Operation::Catalog(page) => Box::pin(listings::repositories(services, grant, &page)).await,
        Operation::ListTags(name, page) => Box::pin(listings::tags(services, grant, &name, &page)).await,
        Operation::GetManifest(_, reference) => manifests::get(services, grant, &reference, &incoming).await,
        Operation::PutManifest(name, target) => {
            Box::pin(manifests::put(services, grant, &name, target, incoming)).await
        }
        Operation::DeleteManifest(_, reference) => {
            Box::pin(manifests::delete(services, grant, &reference)).await
        }
        Operation::ListReferrers { name, subject, artifact_type, page } => {
            Box::pin(listings::referrers(services, grant, &name, &subject, artifact_type.as_deref(), &page))
                .await
        }
        Operation::GetBlob(_, digest) => blobs::get(services, grant, &digest, &incoming).await,
        Operation::HeadBlob(_, digest) => Box::pin(blobs::head(services, grant, &digest, &incoming)).await,
        Operation::DeleteBlob(_, digest) => Box::pin(blobs::delete(services, grant, &digest)).await,
        Operation::StartUpload(name) => Box::pin(uploads::start(services, grant, &name)).await,
        Operation::MountBlob { name, digest, from: Some(_) } => {
            Box::pin(uploads::mount(services, grant, &name, &digest)).await
        }
        Operation::MountBlob { name, digest, from: None } => {
            Box::pin(uploads::mount_from_any(services, grant, &name, &digest)).await
        }
        Operation::UploadWhole(name, digest) => {
            Box::pin(uploads::whole(services, grant, &name, &digest, incoming)).await
        }
        Operation::UploadStatus(name, upload) => {
            Box::pin(uploads::status(services, grant, &name, &upload)).await
        }
        Operation::AppendUpload(name, upload) => {
            Box::pin(uploads::append(services, grant, &name, &upload, incoming)).await
        }
        Operation::CompleteUpload(name, upload, digest) => {
            Box::pin(uploads::complete(services, grant, &name, &upload, &digest, incoming)).await
        }
        Operation::AbortUpload(_, upload) => Box::pin(uploads::abort(services, grant, &upload)).await,
    }
}

/// `GET /v2/`: the password is good; that is all `docker login` wants to know.
fn base() -> Outgoing {
    let mut response = Outgoing::new(Body::full("{}"));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

/// The log gets the cause once; the client gets the sentence.
fn report(error: &Error) {
    let is_internal = error.wire().is_some_and(|wire| wire.status.is_server_error());
    if is_internal {
        tracing::error!(error = %chain(error), "request failed");
    } else {
        tracing::debug!(error = %error, "request refused");
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
