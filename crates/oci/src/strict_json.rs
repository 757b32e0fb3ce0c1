//! A first look at JSON from outside, before anything is built from it.
//!
//! `serde_json` alone takes the last of two equal members and skips unknown values of any depth. Documents
//! that a registry stores are read again by other programs, so one that two parsers understand differently
//! must not get in. This pass walks the text once, builds nothing, and refuses duplicate members, deep
//! nesting and objects with very many members.
//!
//! ```
//! use oci::strict_json::{JsonFault, Limits, check};
//! let limits = Limits { depth: 16, members: 100 };
//! assert_eq!(check(br#"{"a":[1,2]}"#, limits), Ok(()));
//! assert_eq!(check(br#"{"a":1,"\u0061":2}"#, limits), Err(JsonFault::DuplicateMember));
//! ```

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What a document may not exceed.
///
/// Memory of the check is bounded by the names of the objects that are open at one time: about
/// `depth * members` names, and never more than a small multiple of the text.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Arrays and objects inside each other; a scalar alone has depth 0. At most 100, where the recursion of
    /// the parser itself ends.
    pub depth: usize,
    /// Members of one object.
    pub members: usize,
}

/// Why a document is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// It is not one JSON value in UTF-8.
    #[error("not valid JSON")]
    Syntax,
    /// Nested deeper than [`Limits::depth`].
    #[error("nested too deeply")]
    TooDeep,
    /// An object has more than [`Limits::members`] members.
    #[error("an object has too many members")]
    TooManyMembers,
    /// An object has two members of one name, compared after resolving escapes.
    #[error("an object has two members of the same name")]
    DuplicateMember,
}

/// Checks that `bytes` are one JSON value within `limits`.
///
/// # Errors
/// The first [`JsonFault`] from the left.
pub fn check(bytes: &[u8], limits: Limits) -> Result<(), JsonFault> {
    let fault = Cell::new(None);
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let walked =
        Walk { limits, depth: 0, fault: &fault }.deserialize(&mut parser).and_then(|()| parser.end());
    walked.map_err(|_| fault.get().unwrap_or(JsonFault::Syntax))
}

/// Visits one value and what is in it.
#[derive(Clone, Copy)]
struct Walk<'a> {
    limits: Limits,
    /// Containers around the value.
    depth: usize,
    /// The serde error carries only text, so our own reasons travel beside it.
    fault: &'a Cell<Option<JsonFault>>,
}

impl Walk<'_> {
    fn refuse<E: Error>(self, fault: JsonFault) -> E {
        self.fault.set(Some(fault));
        E::custom(fault)
    }

    fn enter<E: Error>(self) -> Result<Self, E> {
        if self.depth >= self.limits.depth {
            return Err(self.refuse(JsonFault::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let inside = self.enter()?;
        while elements.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inside = self.enter()?;
        let mut names = HashSet::new();
        while let Some(name) = members.next_key_seed(Name)? {
            if names.len() >= self.limits.members {
                return Err(self.refuse(JsonFault::TooManyMembers));
            }
            if !names.insert(name) {
                return Err(self.refuse(JsonFault::DuplicateMember));
            }
            members.next_value_seed(inside)?;
        }
        Ok(())
    }
}

/// Reads the name of a member, borrowed from the input unless it has escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { depth: 3, members: 3 };

    #[test]
    fn table() {
        let cases: &[(&[u8], Result<(), JsonFault>)] = &[
            (b"1", Ok(())),
            (b"null", Ok(())),
            (b" {\"a\" : [ {\"b\": 1.5e3} , \"\" ], \"c\": true} ", Ok(())),
            (b"[[[]]]", Ok(())),
            (b"[[[[]]]]", Err(JsonFault::TooDeep)),
            (b"{\"a\":{\"b\":{\"c\":{}}}}", Err(JsonFault::TooDeep)),
            (b"{\"a\":1,\"b\":2,\"c\":3}", Ok(())),
            (b"{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", Err(JsonFault::TooManyMembers)),
            (b"{\"a\":1,\"a\":1}", Err(JsonFault::DuplicateMember)),
            (b"[{\"x\":{\"a\":1,\"a\":1}}]", Err(JsonFault::DuplicateMember)),
            (b"{\"a\":{\"a\":1}}", Ok(())),
            (b"[{\"a\":1},{\"a\":1}]", Ok(())),
            (b"", Err(JsonFault::Syntax)),
            (b"{", Err(JsonFault::Syntax)),
            (b"{}x", Err(JsonFault::Syntax)),
            (b"{} {}", Err(JsonFault::Syntax)),
            (b"{'a':1}", Err(JsonFault::Syntax)),
            (b"{\"a\":1,}", Err(JsonFault::Syntax)),
            (b"[01]", Err(JsonFault::Syntax)),
            (b"[NaN]", Err(JsonFault::Syntax)),
            (b"[1e999]", Err(JsonFault::Syntax)),
            (b"\"\xff\"", Err(JsonFault::Syntax)),
            (b"\"\\ud800\"", Err(JsonFault::Syntax)),
            (b"\"a\nb\"", Err(JsonFault::Syntax)),
            (b"\xef\xbb\xbf{}", Err(JsonFault::Syntax)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(check(bytes, LIMITS), *expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn very_deep_nesting_ends_at_the_limit_and_not_at_the_stack() {
        for open in ["[", "{\"a\":"] {
            let text = open.repeat(300_000);
            assert_eq!(check(text.as_bytes(), Limits { depth: 100, members: 10 }), Err(JsonFault::TooDeep));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = check(&bytes, LIMITS);
        }

        #[test]
        fn accepted_text_is_json(text in "[\\[\\]{}\",:a1 ]{0,16}") {
            if check(text.as_bytes(), LIMITS).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
