//! JSON 1.1, ECR's wire (ecr.md §1.1, §1.2).
//!
//! Requests: unknown members are skipped without being kept, `null` is an absent member, an empty body is `{}`.
//! The caller bounds the body: 1 MiB serves every operation but UploadLayerPart (28 MiB of base64) and PutImage;
//! in lists without a largest length an element of three bytes takes some ten times its size.
//! Answers: the members in the model's order, absent ones left out.

mod decode;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{decode::DecodeError, shape::Shape};

/// Request struct of a body; constraints checked, all violations collected.
///
/// # Errors
/// [`DecodeError::Serialization`] for malformed JSON and wrong types, [`DecodeError::Invalid`] for constraints.
pub(crate) fn decode<T: DeserializeOwned>(shape: &'static Shape, body: &[u8]) -> Result<Box<T>, DecodeError> {
    crate::decode::finish(shape, decode::value(shape, body)?)
}

/// Body of an answer: the JSON text of a generated response struct.
///
/// Generated structs always serialise; a value that does not (a map with keys that are no text) gives `{}`.
#[must_use]
pub fn to_body<T: Serialize>(response: &T) -> Vec<u8> {
    serde_json::to_vec(response).unwrap_or_else(|_| b"{}".to_vec())
}

/// Body of an error: `{"__type":"RepositoryNotFoundException","message":"…"}` and the extra members, if any.
#[must_use]
pub fn error_body(kind: &str, message: &str, extra: &[(&str, Value)]) -> Vec<u8> {
    let mut object = Map::new();
    object.insert("__type".to_owned(), Value::from(kind));
    object.insert("message".to_owned(), Value::from(message));
    for (name, value) in extra {
        object.insert((*name).to_owned(), value.clone());
    }
    to_body(&object)
}

#[cfg(test)]
mod tests;
