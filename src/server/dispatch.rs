//! One request: its id, its face, its door; what comes back gets an id and is watched until its last byte.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use tracing::Instrument as _;

use super::face::{Face, QueryService, face, query_service};
use super::observe::{Observed, Record};
use super::origin::{self, Connection};
use super::{Faces, Hall, failure, operations};
use crate::api::{self, BaseUrl, Incoming, OperationName, Outgoing, RequestBody};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The most that a form may have: the largest parameter is a policy of 131,072 characters (iam.md §2.1).
const MAX_FORM_BYTES: usize = 1024 * 1024;

/// Answers one request. Never fails and never panics.
pub(super) async fn answer(
    hall: &Hall,
    connection: Connection,
    request: http::Request<hyper::body::Incoming>,
) -> Response<Observed> {
    let (head, wire) = request.into_parts();
    let request_id = request_id(hall);
    let face = visible(hall, face(&head.method, head.uri.path(), head.uri.query(), &head.headers));
    let span = tracing::info_span!(
        "request",
        request.id = %request_id,
        door = face.name(),
        caller.arn = tracing::field::Empty,
    );
    let (is_head, is_http_1) = (head.method == Method::HEAD, head.version < Version::HTTP_2);
    let waits =
        head.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let body = RequestBody::new(wire, hall.settings.limits.body_pace(), waits);
    let leftover = body.leftover();
    let operation = OperationName::default();
    let mut record =
        Record::begin(&hall.measures, face, &head, body.received(), operation.clone(), span.clone());
    let origin = origin::origin(connection, &head.headers, &hall.settings.trusted_proxies);
    record.from(origin.address);
    // Boxed, because what wraps it would copy it, and it has kilobytes.
    let answered = Box::pin(async {
        match face {
            Face::Registry | Face::Ecr | Face::LayerUrl | Face::Query => {
                let host = origin::host(&head);
                let registry = host
                    .as_deref()
                    .map_or_else(|| hall.hosts.default().clone(), |host| hall.hosts.registry(host));
                let host = host.unwrap_or_else(|| hall.services.names.host(&registry));
                let base_url = BaseUrl { is_secure: origin.is_secure, host };
                let request_id = request_id.clone();
                let place = hall.admission.place(face, &head.method, head.uri.path(), &body).await;
                let Some(place) = place else { return failure::throttled(face, &request_id) };
                let work = door(
                    hall,
                    face,
                    Incoming { head, body, origin, request_id, registry, base_url, operation },
                );
                place.hold(work).await
            }
            Face::Health => operations::health(),
            Face::Ready => operations::ready(&hall.readiness).await,
            Face::Metrics => operations::metrics(&hall.measures),
            Face::Unknown => failure::not_found(),
        }
    });
    let answered = AssertUnwindSafe(answered.instrument(span.clone())).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        // The panic hook has logged where and why.
        hall.measures.panicked();
        failure::broken(face, &request_id)
    });
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().entry(REQUEST_ID).or_insert(value);
    }
    if is_head {
        empty(&mut response);
    }
    // Over HTTP/2 nothing but the stream ends.
    if is_http_1 && leftover.ends_connection() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    record.answered(response.status());
    response.map(|body| Observed::new(body, record))
}

/// The answer to HEAD: the headers are those of GET, also the length.
fn empty(response: &mut Outgoing) {
    use http_body::Body as _;
    let has_length = !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = response.body().size_hint().exact().filter(|_| has_length) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
    *response.body_mut() = api::Body::empty();
}

/// What this listener shows of a face.
fn visible(hall: &Hall, face: Face) -> Face {
    let is_operations = matches!(face, Face::Health | Face::Ready | Face::Metrics);
    match hall.settings.faces {
        Faces::WithoutMetrics if face == Face::Metrics => Face::Unknown,
        Faces::OperationsOnly if !is_operations => Face::Unknown,
        Faces::All | Faces::WithoutMetrics | Faces::OperationsOnly => face,
    }
}

/// Boxed, because the futures of the doors are large and a connection keeps room for one all its life.
async fn door(hall: &Hall, face: Face, incoming: Incoming) -> Outgoing {
    let services = &hall.services;
    match face {
        Face::Registry => Box::pin(api::registry::handle(services, incoming)).await,
        Face::Ecr => {
            let Some(_share) = hall.budget.share(&incoming.body).await else {
                return failure::busy(face, &incoming.request_id);
            };
            Box::pin(api::ecr::handle(services, incoming)).await
        }
        Face::LayerUrl => Box::pin(api::layer_url::handle(services, incoming)).await,
        Face::Query => {
            let Some(_share) = hall.budget.share(&incoming.body).await else {
                return failure::busy(face, &incoming.request_id);
            };
            query(hall, incoming).await
        }
        Face::Health | Face::Ready | Face::Metrics | Face::Unknown => failure::not_found(),
    }
}

/// IAM or STS: the form is read here, because it alone says which.
async fn query(hall: &Hall, incoming: Incoming) -> Outgoing {
    let Incoming { head, body, origin, request_id, registry, base_url, operation } = incoming;
    let received = body.received();
    let form = match read_form(body).await {
        Ok(form) => form,
        Err(refusal) => return refusal.answer(&request_id),
    };
    let service = service(&head, &form);
    let body = RequestBody::buffered(form, received);
    let incoming = Incoming { head, body, origin, request_id, registry, base_url, operation };
    match service {
        QueryService::Iam => Box::pin(api::iam::handle(&hall.services, incoming)).await,
        QueryService::Sts => Box::pin(api::sts::handle(&hall.services, incoming)).await,
    }
}

fn service(head: &Parts, form: &[u8]) -> QueryService {
    query_service(head.uri.query(), form, &head.headers)
}

async fn read_form(mut body: RequestBody) -> Result<Bytes, failure::FormRefusal> {
    use failure::FormRefusal;
    use http_body::Body as _;
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > MAX_FORM_BYTES {
        return Err(FormRefusal::TooLarge);
    }
    let mut form = BytesMut::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FormRefusal::Interrupted)?;
        let Some(data) = frame.data_ref() else { continue };
        if form.len().saturating_add(data.len()) > MAX_FORM_BYTES {
            return Err(FormRefusal::TooLarge);
        }
        form.extend_from_slice(data);
    }
    Ok(form.freeze())
}

/// A UUID of version 4. Without randomness the id is nil: nothing that needs secrets will succeed then anyway.
fn request_id(hall: &Hall) -> String {
    hall.environment.request_id().unwrap_or_default().hyphenated().to_string()
}

/// Shared with the record, so that the log knows the bytes of a body that its door gave away.
pub(super) type Received = Arc<AtomicU64>;
