//! The request log and the request metrics: one line and one count per request, when its last byte is out or its
//! client is gone.
//!
//! Written: method, path without query, status, bytes, duration, caller, request id. Never written: headers, query
//! strings, bodies.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use http_body::{Frame, SizeHint};

use super::dispatch::Received;
use super::face::Face;
use super::measure::{InFlight, Measures, Request};
use crate::api::body::{Failure, Part};
use crate::api::{Body, OperationName};

/// Longer paths are cut in the log; a line stays a line.
const MAX_PATH_CHARACTERS: usize = 1024;

/// What is known of one request; dropping it writes the line.
#[derive(Debug)]
pub(super) struct Record {
    measures: Measures,
    span: tracing::Span,
    face: Face,
    operation: OperationName,
    method: http::Method,
    target: Option<http::uri::PathAndQuery>,
    client: Option<IpAddr>,
    status: Option<StatusCode>,
    received: Received,
    sent: u64,
    is_complete: bool,
    began: Instant,
    _in_flight: InFlight,
}

impl Record {
    pub(super) fn begin(
        measures: &Measures,
        face: Face,
        head: &Parts,
        received: Received,
        operation: OperationName,
        span: tracing::Span,
    ) -> Self {
        Self {
            measures: measures.clone(),
            span,
            face,
            operation,
            method: head.method.clone(),
            target: head.uri.path_and_query().cloned(),
            client: None,
            status: None,
            received,
            sent: 0,
            is_complete: false,
            began: Instant::now(),
            _in_flight: measures.in_flight(face),
        }
    }

    fn path(&self) -> &str {
        let path = self.target.as_ref().map_or("", |target| target.path());
        // Hardly any is that long; then its characters are counted.
        let end = path.char_indices().nth(MAX_PATH_CHARACTERS).map_or(path.len(), |(end, _)| end);
        path.get(..end).unwrap_or_default()
    }

    pub(super) fn from(&mut self, client: IpAddr) {
        self.client = Some(client);
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.began.elapsed();
        let operation = self.operation.get();
        let received = self.received.load(Ordering::Relaxed);
        let status = self.status.map_or(0, |status| status.as_u16());
        self.measures.request(&Request {
            door: self.face.name(),
            operation,
            status: self.status,
            duration,
            received,
            sent: self.sent,
        });
        let _inside = self.span.enter();
        // Probes come every second and say nothing.
        let is_probe = matches!(self.face, Face::Health | Face::Ready | Face::Metrics);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    method = %self.method,
                    path = self.path(),
                    operation,
                    status,
                    client = self.client.map(tracing::field::display),
                    bytes_in = received,
                    bytes_out = self.sent,
                    duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                    is_complete = self.is_complete,
                    "served"
                )
            };
        }
        if is_probe {
            line!(debug);
        } else {
            line!(info);
        }
    }
}

/// The body of an answer that counts what is sent and ends the record.
#[derive(Debug)]
pub(super) struct Observed {
    inner: Body,
    expected: Option<u64>,
    record: Record,
}

impl Observed {
    pub(super) fn new(inner: Body, mut record: Record) -> Self {
        let expected = http_body::Body::size_hint(&inner).exact();
        record.is_complete = expected == Some(0);
        Self { inner, expected, record }
    }
}

impl Observed {
    /// As `poll_frame`, for a connection that can send from files.
    pub(super) fn poll_part(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, Failure>>> {
        self.observe(|inner| inner.poll_part(context), Part::length)
    }

    fn observe<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut Body>) -> Poll<Option<Result<Frame<T>, Failure>>>,
        length: impl FnOnce(&T) -> usize,
    ) -> Poll<Option<Result<Frame<T>, Failure>>> {
        let span = self.record.span.clone();
        let _inside = span.enter();
        let inner = Pin::new(&mut self.inner);
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| poll(inner))) else {
            self.record.measures.panicked();
            return Poll::Ready(Some(Err(Failure::other("the answer's source panicked"))));
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, length);
                self.record.sent += u64::try_from(length).unwrap_or(0);
                // With a known length hyper does not ask for the end after the last byte.
                self.record.is_complete = self.expected.is_some_and(|expected| self.record.sent >= expected);
            }
            Poll::Ready(Some(Err(error))) => tracing::error!(%error, "an answer was cut short"),
            Poll::Ready(None) => self.record.is_complete = true,
            Poll::Pending => {}
        }
        polled
    }
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.get_mut().observe(|inner| inner.poll_frame(context), Bytes::len)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An observed body for tests of what sends it.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub(in crate::server) fn observed(body: Body) -> Observed {
        let measures = Measures::install().unwrap();
        let (head, ()) = http::Request::get("/v2/").body(()).unwrap().into_parts();
        let operation = OperationName::default();
        let span = tracing::Span::none();
        Observed::new(
            body,
            Record::begin(&measures, Face::Registry, &head, Received::default(), operation, span),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::testing::observed;
    use super::*;
    use http_body_util::{BodyExt as _, StreamBody};

    #[tokio::test]
    async fn a_source_that_panics_cuts_the_answer_and_not_the_server() {
        let mut left = 1;
        let stream = futures_util::stream::poll_fn(move |_| {
            assert!(left > 0, "the source breaks");
            left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"abc")))))
        });
        let mut body = observed(Body::stream(StreamBody::new(stream)));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        assert!(body.frame().await.unwrap().is_err());
        assert!(!body.record.is_complete);
        assert_eq!(body.record.sent, 3);
        assert!(body.record.measures.render().contains("longshore_panics_total"));
    }

    #[tokio::test]
    async fn an_answer_is_complete_with_its_last_byte() {
        let mut body = observed(Body::full("abc"));
        assert!(!body.record.is_complete);
        body.frame().await.unwrap().unwrap();
        assert!(body.record.is_complete);
        assert!(observed(Body::empty()).record.is_complete);
    }
}
