//! What the hall itself answers: nothing there, too much, or a door that broke, each in the words of its face.

use aws::Service;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use super::face::Face;
use crate::api::{Body, Outgoing, registry};

/// Why a form was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormRefusal {
    /// More than a form may have.
    TooLarge,
    /// The client went away or stalled.
    Interrupted,
}

impl FormRefusal {
    pub(super) fn answer(self, request_id: &str) -> Outgoing {
        let (status, code, message) = match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "The request is larger than 1048576 bytes.",
            ),
            Self::Interrupted => {
                (StatusCode::BAD_REQUEST, "MalformedInput", "The request's body ended before its time.")
            }
        };
        let body = aws::xml::error(Service::Iam, true, code, message, request_id);
        answer(status, "text/xml", body)
    }
}

/// Nothing lies here.
pub(super) fn not_found() -> Outgoing {
    answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n")
}

/// The door panicked: the server's fault, without details for the client.
pub(super) fn broken(face: Face, request_id: &str) -> Outgoing {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let codes = Codes { registry: "UNKNOWN", ecr: "ServerException", query: "InternalFailure" };
    in_words_of(face, status, &codes, "The server failed on this request.", request_id)
}

/// Too much is asked for at once; the clients of AWS try again by themselves.
pub(super) fn busy(face: Face, request_id: &str) -> Outgoing {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let codes = Codes { registry: "UNAVAILABLE", ecr: "ServiceUnavailable", query: "ServiceUnavailable" };
    again_later(in_words_of(
        face,
        status,
        &codes,
        "The server has no memory left for this request.",
        request_id,
    ))
}

/// The request has waited for a place for too long. Codes and sentence as AWS throttles (ecr.md §8.3, iam.md §1.5);
/// clients of AWS look at the code and try again by themselves, those of docker at the status.
pub(super) fn throttled(face: Face, request_id: &str) -> Outgoing {
    let status = match face {
        Face::Ecr | Face::Query => StatusCode::BAD_REQUEST,
        Face::Registry => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let codes = Codes { registry: "TOOMANYREQUESTS", ecr: "ThrottlingException", query: "Throttling" };
    again_later(in_words_of(face, status, &codes, "Rate exceeded", request_id))
}

fn again_later(mut answer: Outgoing) -> Outgoing {
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// What one failure is called by each face.
struct Codes {
    registry: &'static str,
    ecr: &'static str,
    query: &'static str,
}

fn in_words_of(face: Face, status: StatusCode, codes: &Codes, message: &str, request_id: &str) -> Outgoing {
    match face {
        Face::Registry => {
            let body = serde_json::json!({ "errors": [{ "code": codes.registry, "message": message }] });
            let mut response = answer(status, "application/json; charset=utf-8", body.to_string());
            registry::mark(&mut response);
            response
        }
        Face::Ecr => {
            let body = aws::json::error_body(codes.ecr, message, &[]);
            answer(status, "application/x-amz-json-1.1", body)
        }
        Face::Query => {
            let body = aws::xml::error(Service::Iam, false, codes.query, message, request_id);
            answer(status, "text/xml", body)
        }
        Face::LayerUrl | Face::Health | Face::Ready | Face::Metrics | Face::Unknown => {
            answer(status, "text/plain; charset=utf-8", format!("{message}\n"))
        }
    }
}

/// An answer with a body in memory.
pub(super) fn answer(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<bytes::Bytes>,
) -> Outgoing {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn each_face_fails_in_its_own_words() {
        for (face, media_type, contains) in [
            (Face::Registry, "application/json; charset=utf-8", r#"{"errors":[{"code":"UNKNOWN","#),
            (Face::Ecr, "application/x-amz-json-1.1", r#""__type":"ServerException""#),
            (Face::Query, "text/xml", "<Type>Receiver</Type><Code>InternalFailure</Code>"),
            (Face::LayerUrl, "text/plain; charset=utf-8", "The server failed"),
        ] {
            let response = broken(face, "the-id");
            assert_eq!(response.status(), 500);
            assert_eq!(response.headers()[CONTENT_TYPE], media_type);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = std::str::from_utf8(&body).unwrap();
            assert!(text.contains(contains), "{text}");
        }
    }
}
