//! The answer that carries a blob: whole, in part, or only its headers. Both places that serve blobs share it.

use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::request::Parts;
use http::{Method, StatusCode};
use oci::Digest;
use oci::range::{RangeOutcome, parse_range};

use super::{Body, Outgoing};
use crate::store::blob::Reader;

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// No byte of the blob lies in the range that was asked for: 416.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange {
    /// The length of the blob in bytes.
    pub length: u64,
}

/// Answers GET with the bytes of a blob, HEAD with what GET would say about them.
///
/// 200 with everything, 206 for one range, 304 when the client has it already: a blob never changes, so its
/// digest is its entity tag. The bytes are read while they are sent; a read error cuts the connection, so that
/// no client takes a part for the whole.
///
/// # Errors
/// [`OutOfRange`]
pub fn answer(head: &Parts, digest: &Digest, reader: Reader) -> Result<Outgoing, OutOfRange> {
    let length = reader.length();
    let etag = entity_tag(digest);
    let mut response = named(digest);
    if has_tag(&head.headers, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let range = match wanted(head, length, &etag) {
        RangeOutcome::Full => 0..length,
        RangeOutcome::Unsatisfiable => return Err(OutOfRange { length }),
        RangeOutcome::Partial(bytes) => {
            let (first, last) = bytes.into_inner();
            insert(headers, CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            first..last.saturating_add(1)
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, (range.end - range.start).into());
    if head.method != Method::HEAD {
        *response.body_mut() = Body::blob(reader, range);
    }
    Ok(response)
}

/// What HEAD says about a blob that nobody needs to open: 200, or 304 when the client has it already.
#[must_use]
pub fn headers_only(head: &Parts, digest: &Digest, length: u64) -> Outgoing {
    let mut response = named(digest);
    if has_tag(&head.headers, &entity_tag(digest)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, length.into());
    response
}

/// An answer without a body that says which blob it is about.
fn named(digest: &Digest) -> Outgoing {
    let mut response = Outgoing::new(Body::empty());
    let headers = response.headers_mut();
    insert(headers, DOCKER_CONTENT_DIGEST, digest.as_str());
    insert(headers, ETAG, &entity_tag(digest));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

fn entity_tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// The range that counts: only GET has one (RFC 9110 §14.2), and `If-Range` must name these very bytes.
fn wanted(head: &Parts, length: u64, etag: &str) -> RangeOutcome {
    let header = head.headers.get(RANGE).and_then(|value| value.to_str().ok());
    let is_same = head.headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    match header {
        Some(header) if is_same && head.method == Method::GET => parse_range(header, length),
        _ => RangeOutcome::Full,
    }
}

fn has_tag(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
    })
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // INVARIANT: digests and numbers are valid header text.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
