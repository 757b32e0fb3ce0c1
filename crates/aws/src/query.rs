//! The Query protocol, IAM's and STS's request wire (iam.md §2.1).
//!
//! A request is a set of parameters from the query string and a form body; lists are `Name.member.N`, nested
//! structures `Tags.member.1.Key`. Example: `Action=CreateUser&Version=2010-05-08&UserName=alice`.

mod decode;

use std::{collections::BTreeMap, fmt};

use serde::de::DeserializeOwned;

use crate::{decode::DecodeError, percent, shape::Shape};

/// Most parameters of one request.
pub const MOST_PARAMETERS: usize = 10_000;

/// Largest query string plus body, in bytes (iam.md §2.1).
pub const LARGEST_REQUEST: usize = 1 << 20;

/// Parameters of one request, decoded once; of two with the same name the later counts, the body's before the
/// query string's.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

/// Only the names: values can be passwords.
impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why parameters could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// More than [`LARGEST_REQUEST`] bytes.
    #[error("the parameters are larger than {LARGEST_REQUEST} bytes")]
    TooLarge,
    /// More than [`MOST_PARAMETERS`] parameters.
    #[error("there are more than {MOST_PARAMETERS} parameters")]
    TooMany,
    /// A percent escape without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("a parameter is not percent-encoded UTF-8")]
    Encoding,
}

impl Parameters {
    /// Reads a raw query string and a form body, either or both.
    ///
    /// # Errors
    /// Any [`ParseError`]; nothing is kept then.
    pub fn parse(query: Option<&str>, body: Option<&[u8]>) -> Result<Parameters, ParseError> {
        let sources = [query.map(str::as_bytes), body];
        if sources.iter().flatten().map(|source| source.len()).sum::<usize>() > LARGEST_REQUEST {
            return Err(ParseError::TooLarge);
        }
        let mut parameters = BTreeMap::new();
        let mut count = 0_usize;
        for source in sources.into_iter().flatten() {
            for pair in source.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
                count += 1;
                if count > MOST_PARAMETERS {
                    return Err(ParseError::TooMany);
                }
                let mut parts = pair.splitn(2, |&byte| byte == b'=');
                let name = text(parts.next().unwrap_or_default())?;
                let value = text(parts.next().unwrap_or_default())?;
                parameters.insert(name, value);
            }
        }
        Ok(Parameters(parameters))
    }

    /// Value of a parameter by its exact name, such as `Action` or `Tags.member.1.Key`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Number of distinct names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names that begin with `prefix`, in byte order.
    fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        use std::ops::Bound::{Included, Unbounded};
        self.0
            .range::<str, _>((Included(prefix), Unbounded))
            .map(|(name, _)| name.as_str())
            .take_while(move |name| name.starts_with(prefix))
    }
}

fn text(encoded: &[u8]) -> Result<String, ParseError> {
    let bytes = percent::decode(encoded, true).ok_or(ParseError::Encoding)?;
    String::from_utf8(bytes).map_err(|_| ParseError::Encoding)
}

/// Request struct of the parameters; constraints checked, all violations collected.
///
/// # Errors
/// [`DecodeError::Serialization`] for values of the wrong form, [`DecodeError::Invalid`] for constraints.
pub(crate) fn decode<T: DeserializeOwned>(
    shape: &'static Shape,
    parameters: &Parameters,
) -> Result<Box<T>, DecodeError> {
    crate::decode::finish(shape, decode::value(shape, parameters)?)
}

#[cfg(test)]
mod tests;
