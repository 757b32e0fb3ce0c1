//! Parameters and columns, the same for both engines.

use super::Error;

/// The type of a NULL: PostgreSQL wants to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `BIGINT`
    Integer,
    /// `TEXT`
    Text,
    /// `BYTEA`
    Bytes,
}

/// One parameter or one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// NULL of a type.
    Null(Kind),
    /// `BIGINT`; booleans are 0 and 1.
    Integer(i64),
    /// `TEXT`
    Text(String),
    /// `BYTEA`
    Bytes(Vec<u8>),
}

/// One row of an answer.
#[derive(Debug, Clone)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    /// The column at `index`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the column is missing or of another type.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, Error> {
        let value = self.0.get(index).ok_or_else(|| Error::Corrupt(format!("no column {index}")))?;
        T::from_value(value).ok_or_else(|| Error::Corrupt(format!("column {index} has another type")))
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// The Rust value, or `None` when the column has another type.
    fn from_value(value: &Value) -> Option<Self>;
    /// The type of a NULL of this kind.
    const KIND: Kind;
}

impl FromValue for i64 {
    const KIND: Kind = Kind::Integer;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl FromValue for bool {
    const KIND: Kind = Kind::Integer;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            _ => None,
        }
    }
}

impl FromValue for String {
    const KIND: Kind = Kind::Text;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    const KIND: Kind = Kind::Bytes;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const KIND: Kind = T::KIND;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null(_) => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Integer(i64::from(truth))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Value> + NullKind> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::NULL), Into::into)
    }
}

/// The NULL that stands for an absent value of a parameter type.
pub trait NullKind {
    /// The column type.
    const NULL: Kind;
}

impl NullKind for i64 {
    const NULL: Kind = Kind::Integer;
}
impl NullKind for bool {
    const NULL: Kind = Kind::Integer;
}
impl NullKind for &str {
    const NULL: Kind = Kind::Text;
}
impl NullKind for String {
    const NULL: Kind = Kind::Text;
}
impl NullKind for &String {
    const NULL: Kind = Kind::Text;
}
impl NullKind for Vec<u8> {
    const NULL: Kind = Kind::Bytes;
}
