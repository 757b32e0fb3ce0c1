//! What must hold inside a rule beyond its schema, and between rules (ecr.md §5.2).

use std::collections::BTreeSet;

use super::schema::{DraftRule, TagStatus};
use super::{MAX_PATTERN_WILDCARDS, RuleError};

/// The first contradiction: single rules in the order of the document, then pairs.
pub(super) fn check(rules: &[DraftRule]) -> Result<(), RuleError> {
    rules.iter().try_for_each(one)?;
    let mut by_priority: Vec<&DraftRule> = rules.iter().collect();
    by_priority.sort_by_key(|rule| rule.priority);
    let mut later = by_priority.as_slice();
    // At most 50 rules, so comparing each with all later ones is cheap.
    while let Some((rule, rest)) = later.split_first() {
        rest.iter().try_for_each(|other| two(rule, other))?;
        later = rest;
    }
    Ok(())
}

fn one(rule: &DraftRule) -> Result<(), RuleError> {
    let listed = !rule.prefixes.is_empty() || !rule.patterns.is_empty();
    match rule.tag_status {
        TagStatus::Tagged if !listed => return Err(RuleError::TagListMissing),
        TagStatus::Untagged | TagStatus::Any if listed => return Err(RuleError::TagListForbidden),
        TagStatus::Tagged | TagStatus::Untagged | TagStatus::Any => {}
    }
    if !rule.prefixes.is_empty() && !rule.patterns.is_empty() {
        return Err(RuleError::TwoTagLists);
    }
    let wildcards = |pattern: &&String| pattern.bytes().filter(|byte| *byte == b'*').count();
    match rule.patterns.iter().find(|pattern| wildcards(pattern) > MAX_PATTERN_WILDCARDS) {
        Some(pattern) => Err(RuleError::TooManyWildcards { pattern: pattern.clone() }),
        None => Ok(()),
    }
}

/// `rule` has the lower or the same number as `other`.
fn two(rule: &DraftRule, other: &DraftRule) -> Result<(), RuleError> {
    if rule.priority == other.priority {
        return Err(RuleError::DuplicatePriority { priority: rule.priority });
    }
    if rule.storage_class() != other.storage_class() {
        return Ok(());
    }
    match (rule.tag_status, other.tag_status) {
        // Of two rules for any image the first is not last, so this covers "at most one" as well.
        (TagStatus::Any, _) => Err(RuleError::AnyNotLast),
        (TagStatus::Untagged, TagStatus::Untagged) => Err(RuleError::SecondUntagged),
        (TagStatus::Tagged, TagStatus::Tagged) if tags(rule) == tags(other) => {
            Err(RuleError::SameTags { first: rule.priority, second: other.priority })
        }
        _ => Ok(()),
    }
}

/// The two lists as sets: order and repetition say nothing, and a prefix is not a pattern.
fn tags(rule: &DraftRule) -> (BTreeSet<&str>, BTreeSet<&str>) {
    (rule.prefixes.iter().map(String::as_str).collect(), rule.patterns.iter().map(String::as_str).collect())
}
