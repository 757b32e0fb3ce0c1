//! The context keys of tags that a request gives to a resource: `aws:RequestTag/<key>` and `aws:TagKeys`.

use policy::Context;

/// The keys for these pairs of tag key and value; none at all without tags, as conditions with `Null` expect.
#[must_use]
pub fn context<'a>(tags: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Context {
    let mut context = Context::new();
    for (key, value) in tags.clone() {
        context.set(&format!("aws:RequestTag/{key}"), value);
    }
    if tags.clone().next().is_some() {
        context.set_list("aws:TagKeys", tags.map(|(key, _)| key));
    }
    context
}

#[cfg(test)]
mod tests {
    use super::context;

    #[test]
    fn no_tags_are_no_keys() {
        assert_eq!(context(std::iter::empty()).keys().count(), 0);
        let pairs = [("team", "a"), ("stage", "")];
        let some = context(pairs.iter().copied());
        let mut keys: Vec<&str> = some.keys().collect();
        keys.sort_unstable();
        assert_eq!(keys.len(), 3, "{keys:?}");
    }
}
