//! Ranges, entity tags and HEAD of blob answers.

use http::Request;
use http_body_util::BodyExt as _;

use super::*;
use crate::store::blob::{Append, Blobs, Generation, Location, Object};

const BYTES: &[u8] = b"0123456789";

async fn stored(bytes: &[u8]) -> (tempfile::TempDir, Digest, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&Location::Disk(folder.path().join("blobs"))).await.unwrap();
    let held = blobs.hold(&oci::UploadId::from_bytes([1; 16])).await.unwrap();
    let rules = Append { maximum_length: 100, exactly: None, note: 0, keeps_interrupted: false };
    let piece = futures_util::stream::iter([Ok(bytes::Bytes::copy_from_slice(bytes))]);
    let (held, _) = held.append(piece, rules).await.unwrap();
    let verified = held.verify(&[Digest::sha256_of(bytes)]).await.unwrap().unwrap();
    let generation = Generation::from_random([1; 8]);
    held.publish(&verified, &generation).await.unwrap().discard().await;
    let digest = verified.digest().clone();
    let object = Object { digest: digest.clone(), generation, size_bytes: verified.size_bytes() };
    let reader = blobs.get(&object).await.unwrap();
    (folder, digest, reader)
}

fn head(method: Method, headers: &[(HeaderName, &str)]) -> Parts {
    let mut request = Request::builder().method(method);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn text(response: &Outgoing, name: HeaderName) -> Option<&str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn bytes_of(response: Outgoing) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn get_and_head_say_the_same_and_only_get_sends() {
    let (_folder, digest, reader) = stored(BYTES).await;
    for (method, sent) in [(Method::GET, BYTES), (Method::HEAD, b"")] {
        // HEAD ignores ranges (RFC 9110 §14.2).
        let range = if method == Method::HEAD { "bytes=2-3" } else { "lines=1-2" };
        let response = answer(&head(method, &[(RANGE, range)]), &digest, reader.clone()).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(&response, CONTENT_LENGTH), Some("10"));
        assert_eq!(text(&response, CONTENT_TYPE), Some("application/octet-stream"));
        assert_eq!(text(&response, ACCEPT_RANGES), Some("bytes"));
        assert_eq!(text(&response, DOCKER_CONTENT_DIGEST), Some(digest.as_str()));
        assert_eq!(text(&response, ETAG), Some(format!("\"{digest}\"").as_str()));
        assert_eq!(bytes_of(response).await, sent);
    }
}

#[tokio::test]
async fn one_range_gives_its_bytes() {
    let (_folder, digest, reader) = stored(BYTES).await;
    let etag = format!("\"{digest}\"");
    for (range, first, last) in
        [("bytes=0-0", 0, 0), ("bytes=3-", 3, 9), ("bytes=-4", 6, 9), ("bytes=8-1000", 8, 9)]
    {
        let request = head(Method::GET, &[(RANGE, range), (IF_RANGE, &etag)]);
        let response = answer(&request, &digest, reader.clone()).unwrap();
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(text(&response, CONTENT_RANGE), Some(format!("bytes {first}-{last}/10").as_str()));
        assert_eq!(text(&response, CONTENT_LENGTH), Some((last - first + 1).to_string().as_str()));
        assert_eq!(bytes_of(response).await, BYTES[first..=last]);
    }
    for range in ["bytes=10-", "bytes=11-12", "bytes=-0"] {
        let refused = answer(&head(Method::GET, &[(RANGE, range)]), &digest, reader.clone()).unwrap_err();
        assert_eq!(refused, OutOfRange { length: 10 }, "{range}");
    }
    let other = head(Method::GET, &[(RANGE, "bytes=1-2"), (IF_RANGE, "\"sha256:other\"")]);
    let response = answer(&other, &digest, reader).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(bytes_of(response).await, BYTES);
}

#[tokio::test]
async fn who_has_it_already_gets_nothing() {
    let (_folder, digest, reader) = stored(BYTES).await;
    let etag = format!("\"{digest}\"");
    for value in [etag.clone(), "*".to_owned(), format!("\"x\", W/{etag}")] {
        let response =
            answer(&head(Method::GET, &[(IF_NONE_MATCH, &value)]), &digest, reader.clone()).unwrap();
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{value}");
        assert_eq!(text(&response, ETAG), Some(etag.as_str()));
        assert_eq!(bytes_of(response).await, b"");
    }
    let response = answer(&head(Method::GET, &[(IF_NONE_MATCH, "\"x\"")]), &digest, reader).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_empty_blob_has_no_ranges() {
    let (_folder, digest, reader) = stored(b"").await;
    for range in ["", "bytes=-5"] {
        let response = answer(&head(Method::GET, &[(RANGE, range)]), &digest, reader.clone()).unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{range}");
        assert_eq!(text(&response, CONTENT_LENGTH), Some("0"));
        assert_eq!(bytes_of(response).await, b"");
    }
    assert!(answer(&head(Method::GET, &[(RANGE, "bytes=0-")]), &digest, reader).is_err());
}

#[test]
fn head_alone_answers_as_get_does() {
    let digest = Digest::sha256_of(BYTES);
    let response = headers_only(&head(Method::HEAD, &[]), &digest, 10);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(&response, CONTENT_LENGTH), Some("10"));
    assert_eq!(text(&response, ETAG), Some(format!("\"{digest}\"").as_str()));
    let known = format!("\"sha256:other\", \"{digest}\"");
    let response = headers_only(&head(Method::HEAD, &[(IF_NONE_MATCH, &known)]), &digest, 10);
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(text(&response, CONTENT_LENGTH), None);
}
