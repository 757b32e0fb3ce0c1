//! Why a request could not become an operation, and the last step from a checked value to a struct.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    constraint::{self, Violation},
    shape::Shape,
};

/// Failure of `Operation::from_json` and `Operation::from_query`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The service has no operation of that name (JSON: UnknownOperationException, Query: InvalidAction).
    #[error("unknown operation")]
    UnknownOperation,
    /// The bytes do not have the form of the request (JSON: SerializationException, Query: ValidationError).
    #[error("{}expected {expected}, found {found}", At(path))]
    Serialization {
        /// Wire path of the member, such as `imageIds.2.imageTag`; empty for the request as a whole.
        path: String,
        /// What the member takes, such as `a string`.
        expected: &'static str,
        /// What came, never the value itself.
        found: String,
    },
    /// The request has the form, but breaks constraints: at least one, in the model's order of members.
    #[error("{} constraint violations", .0.len())]
    Invalid(Vec<Violation>),
}

/// Prefix of a message: nothing for the whole request.
struct At<'a>(&'a str);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(formatter, "{}: ", self.0) }
    }
}

/// Checks the constraints of `shape` on a value of its form and makes the request struct of it.
pub(crate) fn finish<T: DeserializeOwned>(
    shape: &'static Shape,
    value: Value,
) -> Result<Box<T>, DecodeError> {
    let violations = constraint::check(shape, &value);
    if !violations.is_empty() {
        return Err(DecodeError::Invalid(violations));
    }
    // Cannot fail for generated structs: form, required members and base64 are checked above.
    serde_json::from_value(value).map(Box::new).map_err(|error| DecodeError::Serialization {
        path: String::new(),
        expected: shape.name,
        found: error.to_string(),
    })
}
