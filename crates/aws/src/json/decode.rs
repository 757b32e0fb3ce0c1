//! JSON text to a value of the shape's form, in one pass.
//!
//! What the schema does not know is never built in memory, and a list with a largest length is kept only one
//! element beyond it (enough for the constraint check to see the breach): a body of two-byte elements must not
//! become thirty times its size.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::{
    blob,
    decode::DecodeError,
    shape::{Kind, Shape},
};

/// Value of the form of `shape`: unknown members and nulls of structures left out.
pub(super) fn value(shape: &'static Shape, body: &[u8]) -> Result<Value, DecodeError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    // Members that are skipped are text as well: left to itself the parser looks at the encoding of kept ones only.
    let body = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
    let mut place = Place::default();
    let mut text = serde_json::Deserializer::from_str(body);
    let result = Seed { shape, nullable: false, place: &mut place }
        .deserialize(&mut text)
        .and_then(|value| text.end().map(|()| value));
    result.map_err(|error| match place.mismatch {
        Some((expected, found)) => {
            DecodeError::Serialization { path: place.path.join("."), expected, found: found.to_owned() }
        }
        None => malformed(&error),
    })
}

fn malformed(error: &dyn fmt::Display) -> DecodeError {
    DecodeError::Serialization {
        path: String::new(),
        expected: "a JSON object",
        found: format!("malformed JSON: {error}"),
    }
}

/// Where the reader is, and what was wrong there.
#[derive(Default)]
struct Place {
    /// Left as it was when an element fails, so that it names the culprit.
    path: Vec<String>,
    mismatch: Option<(&'static str, &'static str)>,
}

struct Seed<'p> {
    shape: &'static Shape,
    /// `null` stands for an absent member, but not for the whole request.
    nullable: bool,
    place: &'p mut Place,
}

impl Seed<'_> {
    fn mismatch<T, E: de::Error>(self, found: &'static str) -> Result<T, E> {
        let expected = match self.shape.kind {
            Kind::Structure(_) | Kind::Map { .. } => "an object",
            Kind::List { .. } => "a list",
            Kind::Text { .. } => "a string",
            Kind::Integer { .. } => "an integer of 32 bits",
            Kind::Long { .. } => "an integer of 64 bits",
            Kind::Double => "a number",
            Kind::Boolean => "a boolean",
            Kind::Timestamp => "a number of seconds",
            Kind::Blob { .. } => "a base64 string",
        };
        self.place.mismatch = Some((expected, found));
        Err(E::custom("mismatch"))
    }

    fn text<E: de::Error>(self, text: String) -> Result<Value, E> {
        match self.shape.kind {
            Kind::Text { .. } => Ok(Value::String(text)),
            Kind::Blob { .. } if blob::decoded_length(&text).is_some() => Ok(Value::String(text)),
            Kind::Blob { .. } => self.mismatch("other text"),
            _ => self.mismatch("a string"),
        }
    }

    fn whole<E: de::Error>(self, number: Number) -> Result<Value, E> {
        let value = number.as_i64();
        match self.shape.kind {
            Kind::Integer { .. } if value.is_some_and(|value| i32::try_from(value).is_ok()) => {}
            Kind::Long { .. } if value.is_some() => {}
            Kind::Double | Kind::Timestamp => {}
            Kind::Integer { .. } | Kind::Long { .. } => return self.mismatch("a number out of range"),
            _ => return self.mismatch("a number"),
        }
        Ok(Value::Number(number))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.shape.name)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        match self.shape.kind {
            Kind::Boolean => Ok(Value::Bool(value)),
            _ => self.mismatch("a boolean"),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.whole(Number::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.whole(Number::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        match (&self.shape.kind, Number::from_f64(value)) {
            (Kind::Double | Kind::Timestamp, Some(number)) => Ok(Value::Number(number)),
            _ => self.mismatch("a number with a fraction"),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.text(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        self.text(text)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        if self.nullable { Ok(Value::Null) } else { self.mismatch("null") }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let Kind::List { member, max, .. } = self.shape.kind else { return self.mismatch("a list") };
        let most =
            max.and_then(|max| usize::try_from(max).ok()).map_or(usize::MAX, |max| max.saturating_add(1));
        let mut list = Vec::new();
        loop {
            if list.len() >= most {
                if elements.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(Value::Array(list));
                }
                continue;
            }
            self.place.path.push((list.len() + 1).to_string());
            match elements.next_element_seed(Seed {
                shape: member,
                nullable: true,
                place: &mut *self.place,
            })? {
                Some(element) => list.push(element),
                None => {
                    self.place.path.pop();
                    return Ok(Value::Array(list));
                }
            }
            self.place.path.pop();
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let shape = match self.shape.kind {
                Kind::Structure(_) => self.shape.member(&key).map(|member| member.shape),
                Kind::Map { value, .. } => Some(value),
                _ => return self.mismatch("an object"),
            };
            let Some(shape) = shape else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            self.place.path.push(key.clone());
            let value = entries.next_value_seed(Seed { shape, nullable: true, place: &mut *self.place })?;
            self.place.path.pop();
            if value.is_null() && matches!(self.shape.kind, Kind::Structure(_)) {
                // A repeated member: the last one counts, also when it takes an earlier value back.
                object.remove(&key);
            } else {
                object.insert(key, value);
            }
        }
        match self.shape.kind {
            Kind::Structure(_) | Kind::Map { .. } => Ok(Value::Object(object)),
            _ => self.mismatch("an object"),
        }
    }
}
