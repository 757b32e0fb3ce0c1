//! The ECR door: JSON 1.1, as `aws ecr` and the SDKs speak it (ecr.md §1).
//!
//! The order of a request: target → body → signature → shape → guard → room. A caller without rights learns
//! neither whether a repository exists nor, beyond the shape of its own request, anything else.
//!
//! ```text
//! POST / X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.CreateRepository
//! {"repositoryName": "randserver"}   →   200 {"repository": {"repositoryArn": …}}
//! ```

mod body;
mod checks;
mod creation_templates;
mod dispatch;
mod error;
mod image_listings;
mod images;
mod layers;
mod lifecycle;
mod notes;
mod pages;
mod policies;
mod policy_text;
mod registry;
mod repositories;
mod tags;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

pub use dispatch::BUILT;
pub use error::Error;
pub use notes::NOTES;

use crate::access::Arrival;
use crate::api::{Body, Incoming, Outgoing, Services};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// Answers one request of the ECR API.
pub async fn handle(services: &Services, incoming: Incoming) -> Outgoing {
    let request_id = incoming.request_id.clone();
    let (status, body) = match serve(services, incoming).await {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            error.report();
            error.answer()
        }
    };
    let mut response = Outgoing::new(Body::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

async fn serve(services: &Services, incoming: Incoming) -> Result<Vec<u8>, Error> {
    let Incoming { head, body, origin, request_id, registry, operation: label, .. } = incoming;
    let name = target(&head.headers)?;
    label.set(name);
    if !is_signed(&head) {
        // Nobody is let in without a signature, so its body need not be read.
        return Err(Error::unsigned());
    }
    let body = body::read(body, body::limit(name)).await?;
    perform(services, &head, name, body, Arrival { origin, region: registry.region, request_id }).await
}

/// All steps that follow when the body is there: signature, shape, guard, room.
async fn perform(
    services: &Services,
    head: &http::request::Parts,
    name: &'static str,
    body: bytes::Bytes,
    arrival: Arrival,
) -> Result<Vec<u8>, Error> {
    let caller = services.guard.signed(head, &body, "ecr", arrival).await?;
    tracing::Span::current().record("caller.arn", caller.principal.arn());
    services.identity.note_use(
        &caller.credential.access_key_id,
        &caller.principal,
        "ecr",
        caller.region.as_str(),
    );
    let operation = aws::ecr::Operation::from_json(name, &body)?;
    // The largest part of a request's memory is not needed while the operation runs.
    drop(body);
    let checks = checks::checks(&operation, &caller)?;
    let grant = services.guard.authorize(&caller, checks).await?;
    dispatch::dispatch(services, &grant, operation).await
}

/// The operation's name in `X-Amz-Target`.
fn target(headers: &http::HeaderMap) -> Result<&'static str, Error> {
    let mut values = headers.get_all("x-amz-target").iter();
    let value = values.next().and_then(|value| value.to_str().ok()).ok_or(Error::UnknownOperation)?;
    if values.next().is_some() {
        return Err(Error::UnknownOperation);
    }
    let (service, name) = value.split_once('.').ok_or(Error::UnknownOperation)?;
    if service != aws::ecr::TARGET_PREFIX {
        return Err(Error::UnknownOperation);
    }
    let operation = aws::ecr::OPERATIONS.iter().find(|operation| operation.name == name);
    Ok(operation.ok_or(Error::UnknownOperation)?.name)
}

/// Whether the request carries anything that could be a signature.
fn is_signed(head: &http::request::Parts) -> bool {
    head.headers.contains_key(http::header::AUTHORIZATION)
        || head.uri.query().is_some_and(|query| query.contains("X-Amz-"))
}

#[cfg(test)]
mod tests;
