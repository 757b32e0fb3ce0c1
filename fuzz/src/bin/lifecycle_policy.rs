//! Lifecycle policies: what is taken reads back from its canonical text as the same policy.
//!
//! Input: the policy text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifecycle::policy::{LifecyclePolicy, MAX_PATTERN_WILDCARDS, MAX_RULES, TagList, TagSelection};

/// Taken in by its path: the language is pure, and linking the server would make every build here take minutes.
#[path = "../../../src/lifecycle"]
mod lifecycle {
    #[allow(dead_code, reason = "the server uses more of it")]
    pub mod policy;
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let policy = match LifecyclePolicy::parse(text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(policy.rules().len() <= MAX_RULES);
    assert!(policy.rules().windows(2).all(|pair| pair[0].priority < pair[1].priority));
    for rule in policy.rules() {
        assert!(rule.priority >= 1);
        match &rule.selection.tags {
            TagSelection::Tagged(TagList::Patterns(patterns)) => {
                assert!(!patterns.is_empty());
                assert!(patterns.iter().all(|pattern| pattern.matches('*').count() <= MAX_PATTERN_WILDCARDS));
            }
            TagSelection::Tagged(TagList::Prefixes(prefixes)) => assert!(!prefixes.is_empty()),
            TagSelection::Untagged | TagSelection::Any => {}
        }
    }
    let canonical = policy.canonical_text();
    let again = LifecyclePolicy::parse(&canonical).expect("its own text is a policy");
    assert_eq!(again, policy);
    assert_eq!(again.canonical_text(), canonical);
});
