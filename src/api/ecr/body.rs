//! Reading a request's body into memory: bounded, because the signature covers it as a whole.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::Error;

/// UploadLayerPart carries up to 20,971,520 bytes as base64, and a little JSON around them.
const PART_BYTES: usize = 30 * 1024 * 1024;
/// The next largest is PutImage: a manifest of 4 MiB, escaped as a JSON string.
const ORDINARY_BYTES: usize = 10 * 1024 * 1024;
/// What is set aside before the first byte has come, whatever the length header promises.
const FIRST_BYTES: usize = 64 * 1024;

/// The most that an operation's body may have.
pub(super) fn limit(operation: &str) -> usize {
    if operation == "UploadLayerPart" { PART_BYTES } else { ORDINARY_BYTES }
}

/// The whole body, at most `limit` bytes.
///
/// # Errors
/// [`Error::BodyTooLarge`], as soon as it is known; [`Error::BodyInterrupted`] when the client goes away.
pub(super) async fn read(mut body: crate::api::RequestBody, limit: usize) -> Result<Bytes, Error> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit {
        return Err(Error::BodyTooLarge { limit });
    }
    let mut bytes = BytesMut::with_capacity(declared.min(FIRST_BYTES));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::BodyInterrupted)?;
        if let Some(data) = frame.data_ref() {
            if bytes.len().saturating_add(data.len()) > limit {
                return Err(Error::BodyTooLarge { limit });
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.freeze())
}
