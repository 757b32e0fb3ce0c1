//! The Query protocol as IAM and STS share it: form in, XML out (iam.md §2.1–2.3).
//!
//! Owns the order of a request: body → parameters → signature → version → operation. What follows, guard and
//! rooms, is each door's own. Example: `Action=CreateUser&Version=2010-05-08&UserName=alice`.

mod error;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;

use aws::Service;
use aws::query::Parameters;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;

pub use error::{Error, Wire};

use crate::access::{Arrival, Caller};
use crate::api::{Body, Incoming, OperationName, Outgoing, RequestBody, Services};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("text/xml");

/// A request whose body has been read.
#[derive(Debug)]
pub struct Request {
    /// Method, target, headers.
    pub head: http::request::Parts,
    /// The form.
    pub body: Bytes,
    /// Where it came from and what it is for.
    pub arrival: Arrival,
    /// Where the operation's name goes, for log and metrics.
    pub label: OperationName,
}

/// A request whose caller is known.
#[derive(Debug)]
pub struct Received {
    /// Who sends it.
    pub caller: Arc<Caller>,
    /// Query string and form together.
    pub parameters: Parameters,
    /// The operation's name, which the service's model has.
    pub operation: &'static str,
}

/// Reads a request.
///
/// # Errors
/// [`Error::TooLarge`] as soon as it is known, [`Error::Interrupted`]; [`Error::Signature`] when there is no
/// signature at all: nobody is let in without one, so that body need not be read.
pub async fn read(incoming: Incoming) -> Result<Request, Error> {
    let Incoming { head, body, origin, request_id, registry, operation: label, .. } = incoming;
    if !is_signed(&head) {
        return Err(Error::unsigned());
    }
    let body = read_body(body).await?;
    Ok(Request { head, body, arrival: Arrival { origin, region: registry.region, request_id }, label })
}

/// Authenticates a request to `service` and finds its operation.
///
/// # Errors
/// [`Error::Malformed`] parameters; [`Error::Signature`]; [`Error::UnknownOperation`], told only to those who
/// are known.
pub async fn receive(services: &Services, request: Request, service: Service) -> Result<Received, Error> {
    let Request { head, body, arrival, label } = request;
    let form = (!body.is_empty()).then_some(body.as_ref());
    let parameters = Parameters::parse(head.uri.query(), form)?;
    let caller = services.guard.signed(&head, &body, service.signing_name(), arrival).await?;
    tracing::Span::current().record("caller.arn", caller.principal.arn());
    let version = parameters.get("Version").unwrap_or_default();
    let action = parameters.get("Action").unwrap_or_default();
    let known = service.operation(action).filter(|_| version == service.version());
    let Some(operation) = known else {
        return Err(Error::UnknownOperation { name: clip(action), version: clip(version) });
    };
    label.set(operation.name);
    Ok(Received { caller, parameters, operation: operation.name })
}

/// Whether the request carries anything that could be a signature.
fn is_signed(head: &http::request::Parts) -> bool {
    head.headers.contains_key(http::header::AUTHORIZATION)
        || head.uri.query().is_some_and(|query| query.contains("X-Amz-"))
}

/// The answer to a request: `Ok` holds the XML of a success.
pub fn answer(service: Service, request_id: &str, result: Result<Vec<u8>, Error>) -> Outgoing {
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            error.report();
            let wire = error.wire(service);
            let is_sender = !wire.status.is_server_error();
            (wire.status, aws::xml::error(service, is_sender, wire.code, &wire.message, request_id))
        }
    };
    let mut response = Outgoing::new(Body::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

/// The whole body, at most as long as parameters may be.
async fn read_body(mut body: RequestBody) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::Interrupted)?;
        if let Some(data) = frame.data_ref() {
            if bytes.len().saturating_add(data.len()) > aws::query::LARGEST_REQUEST {
                return Err(Error::TooLarge);
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.freeze())
}

/// What a refusal echoes of a client's text.
fn clip(text: &str) -> String {
    text.chars().take(128).collect()
}
