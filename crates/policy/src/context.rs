//! Condition context: what is known about a request, by condition key (iam.md §3.8).
//!
//! Keys are compared without regard to case, also behind the `/` of tag keys. All values are text (numbers,
//! booleans, dates and addresses in their usual spelling); the operator of a condition decides how to read them.
//! Only binary values are a kind of their own, because `BinaryEquals` never matches text.
//!
//! Evaluation asks [`Keys`] and not a [`Context`]: few of the keys that a request has stand in a condition, so whoever
//! decides about many requests puts a value together only when it is asked for.
//!
//! INVARIANT: a key is present exactly when it has at least one value; an empty list means absent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Where a condition looks its key up.
pub trait Keys: Debug {
    /// The values of a key, which is given in lower case ([`fold`]); `None` when it is absent.
    fn values(&self, folded: &str) -> Option<Values<'_>>;
}

/// The values of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// A single value.
    One(Cow<'a, str>),
    /// Of a multi-valued key such as `aws:TagKeys`; at least one.
    Many(&'a [String]),
    /// Bytes, which only `BinaryEquals` and `Null` see.
    Binary(&'a [u8]),
}

/// The condition keys of one request and their values.
///
/// ```
/// let mut context = policy::Context::new();
/// context.set("aws:SourceIp", "203.0.113.7");
/// context.set_list("aws:TagKeys", ["env", "team"]);
/// assert_eq!(context.get("AWS:sourceIP"), Some("203.0.113.7"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Context {
    entries: BTreeMap<Cow<'static, str>, Stored>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stored {
    One(String),
    Many(Vec<String>),
    Binary(Vec<u8>),
}

/// Folds a condition key, or the tag key behind its `/`, for comparison.
pub fn fold(key: &str) -> Cow<'_, str> {
    // What the program asks for is folded already, and nothing is copied then.
    if key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(key.to_lowercase())
    }
}

impl Context {
    /// A context without any key.
    pub fn new() -> Context {
        Context::default()
    }

    /// Sets a single-valued key; replaces what the key had before. An empty text is a value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.entries.insert(fold(key).into_owned().into(), Stored::One(value.into()));
    }

    /// As [`Context::set`], for a key that the program knows, written in lower case: it is not copied.
    pub fn set_known(&mut self, folded: &'static str, value: impl Into<String>) {
        debug_assert_eq!(folded, fold(folded), "a known key is written in lower case");
        self.entries.insert(Cow::Borrowed(folded), Stored::One(value.into()));
    }

    /// Sets a multi-valued key such as `aws:TagKeys`; an empty list removes the key.
    ///
    /// A key set here has no value as a policy variable, even with one element (iam.md §3.6).
    pub fn set_list<T: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            self.entries.remove(fold(key).as_ref());
        } else {
            self.entries.insert(fold(key).into_owned().into(), Stored::Many(values));
        }
    }

    /// Takes over all keys of another context; keys of both have the other's values afterwards.
    pub fn extend(&mut self, other: &Context) {
        self.entries.extend(other.entries.iter().map(|(key, values)| (key.clone(), values.clone())));
    }

    /// Sets a binary key; only `BinaryEquals` and `Null` see it.
    pub fn set_binary(&mut self, key: &str, value: impl Into<Vec<u8>>) {
        self.entries.insert(fold(key).into_owned().into(), Stored::Binary(value.into()));
    }

    /// Removes a key; absent keys are no error.
    pub fn remove(&mut self, key: &str) {
        self.entries.remove(fold(key).as_ref());
    }

    /// The value of a single-valued text key; `None` when absent, multi-valued or binary.
    pub fn get(&self, key: &str) -> Option<&str> {
        match self.entries.get(fold(key).as_ref()) {
            Some(Stored::One(value)) => Some(value),
            _ => None,
        }
    }

    /// All text values of a key: one, several, or none when it is absent or binary.
    pub fn list(&self, key: &str) -> Vec<&str> {
        match self.entries.get(fold(key).as_ref()) {
            Some(Stored::One(value)) => vec![value],
            Some(Stored::Many(values)) => values.iter().map(String::as_str).collect(),
            Some(Stored::Binary(_)) | None => Vec::new(),
        }
    }

    /// True when the key has any value.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(fold(key).as_ref())
    }

    /// The keys present, folded to lower case, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(AsRef::as_ref)
    }
}

impl Keys for Context {
    fn values(&self, folded: &str) -> Option<Values<'_>> {
        Some(match self.entries.get(folded)? {
            Stored::One(value) => Values::One(Cow::Borrowed(value)),
            Stored::Many(values) => Values::Many(values),
            Stored::Binary(bytes) => Values::Binary(bytes),
        })
    }
}

/// The value of a single-valued text key; `None` when it is absent, multi-valued or binary.
pub(crate) fn single<'a>(keys: &'a dyn Keys, folded: &str) -> Option<Cow<'a, str>> {
    match keys.values(folded) {
        Some(Values::One(value)) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Context;

    #[test]
    fn folds_keys_and_treats_an_empty_list_as_absent() {
        let mut context = Context::new();
        context.set("aws:RequestTag/Env", "prod");
        assert_eq!(context.get("AWS:REQUESTTAG/env"), Some("prod"));
        context.set_list("aws:TagKeys", ["a"]);
        assert!(context.contains("aws:tagkeys"));
        assert_eq!((context.get("aws:TagKeys"), context.list("AWS:tagkeys")), (None, vec!["a"]));
        context.set_list("aws:TagKeys", Vec::<String>::new());
        assert!(!context.contains("aws:TagKeys"));
        context.set_binary("k:b", [1, 2]);
        assert!(context.contains("k:b") && context.get("k:b").is_none());
        context.remove("K:B");
        assert_eq!(context.keys().collect::<Vec<_>>(), ["aws:requesttag/env"]);
    }
}
