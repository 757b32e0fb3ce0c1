//! Condition context: what is known about a request, by condition key (iam.md §3.8).
//!
//! Keys are compared without regard to case, also behind the `/` of tag keys. All values are text (numbers,
//! booleans, dates and addresses in their usual spelling); the operator of a condition decides how to read them.
//! Only binary values are a kind of their own, because `BinaryEquals` never matches text.
//!
//! INVARIANT: a key is present exactly when it has at least one value; an empty list means absent.

use std::borrow::Cow;
use std::collections::BTreeMap;

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
    entries: BTreeMap<Cow<'static, str>, Values>,
}

/// The values of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    One(String),
    Many(Vec<String>),
    Binary(Vec<u8>),
}

/// Folds a condition key for comparison.
pub(crate) fn fold(key: &str) -> Cow<'_, str> {
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
        self.entries.insert(fold(key).into_owned().into(), Values::One(value.into()));
    }

    /// As [`Context::set`], for a key that the program knows, written in lower case: it is not copied.
    pub fn set_known(&mut self, folded: &'static str, value: impl Into<String>) {
        debug_assert_eq!(folded, fold(folded), "a known key is written in lower case");
        self.entries.insert(Cow::Borrowed(folded), Values::One(value.into()));
    }

    /// Sets a multi-valued key such as `aws:TagKeys`; an empty list removes the key.
    ///
    /// A key set here has no value as a policy variable, even with one element (iam.md §3.6).
    pub fn set_list<T: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            self.entries.remove(fold(key).as_ref());
        } else {
            self.entries.insert(fold(key).into_owned().into(), Values::Many(values));
        }
    }

    /// Takes over all keys of another context; keys of both have the other's values afterwards.
    pub fn extend(&mut self, other: &Context) {
        self.entries.extend(other.entries.iter().map(|(key, values)| (key.clone(), values.clone())));
    }

    /// Sets a binary key; only `BinaryEquals` and `Null` see it.
    pub fn set_binary(&mut self, key: &str, value: impl Into<Vec<u8>>) {
        self.entries.insert(fold(key).into_owned().into(), Values::Binary(value.into()));
    }

    /// Removes a key; absent keys are no error.
    pub fn remove(&mut self, key: &str) {
        self.entries.remove(fold(key).as_ref());
    }

    /// The value of a single-valued text key; `None` when absent, multi-valued or binary.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.single(&fold(key))
    }

    /// All text values of a key: one, several, or none when it is absent or binary.
    pub fn list(&self, key: &str) -> Vec<&str> {
        match self.values(&fold(key)) {
            Some(Values::One(value)) => vec![value],
            Some(Values::Many(values)) => values.iter().map(String::as_str).collect(),
            Some(Values::Binary(_)) | None => Vec::new(),
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

    /// As [`Context::get`] for a key that is folded already.
    pub(crate) fn single(&self, folded: &str) -> Option<&str> {
        match self.entries.get(folded) {
            Some(Values::One(value)) => Some(value),
            _ => None,
        }
    }

    /// The values of a key that is folded already.
    pub(crate) fn values(&self, folded: &str) -> Option<&Values> {
        self.entries.get(folded)
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
