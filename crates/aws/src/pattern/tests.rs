use std::{collections::HashMap, time::Instant};

use serde_json::Value;

use super::*;
use crate::{
    Service, ecr,
    shape::{Kind, Shape},
};

/// All shapes of a service by name.
fn shapes(service: Service) -> HashMap<&'static str, &'static Shape> {
    let mut found = HashMap::new();
    let mut pending: Vec<&'static Shape> = service
        .operations()
        .iter()
        .flat_map(|operation| [operation.input, operation.output])
        .flatten()
        .collect();
    while let Some(shape) = pending.pop() {
        if found.insert(shape.name, shape).is_none() {
            pending.extend(shape.members().iter().map(|member| member.shape));
            match shape.kind {
                Kind::List { member, .. } => pending.push(member),
                Kind::Map { key, value, .. } => pending.extend([key, value]),
                _ => {}
            }
        }
    }
    found
}

fn pattern(shape: &Shape) -> &'static Pattern {
    match shape.kind {
        Kind::Text { pattern: Some(pattern), .. } => pattern,
        _ => panic!("{} has no pattern", shape.name),
    }
}

/// Every pattern of the models agrees with Python's `re` (tests/vectors/generate.py).
#[test]
fn languages_are_those_of_the_models() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/vectors/patterns.json")).unwrap();
    let mut judged = 0;
    for case in &cases {
        let service =
            Service::ALL.into_iter().find(|service| case["service"] == service.signing_name()).unwrap();
        let name = case["shape"].as_str().unwrap();
        let shape = shapes(service)[name];
        for (list, expected) in [("inside", true), ("outside", false)] {
            for word in case[list].as_array().unwrap() {
                let word = word.as_str().unwrap();
                assert_eq!(pattern(shape).matches(word), expected, "{name} on {word:?}");
                judged += 1;
            }
        }
    }
    assert!(cases.len() >= 56 && judged > 7_000, "{} patterns, {judged} words", cases.len());
}

#[test]
fn repository_names_are_accepted_by_the_model_and_printed_as_before() {
    let name = pattern(&ecr::schema::REPOSITORY_NAME);
    assert_eq!(name.text, "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*");
    for accepted in ["a", "team/app", "a__b", "a--b", "a.b_c-d/e"] {
        assert!(name.matches(accepted), "{accepted}");
    }
    for refused in
        ["", "A", "a/", "/a", "a//b", "a..b", "a___b", "a._b", "-a", "a-", "a b", "a\n", "a/../b", "a%2e"]
    {
        assert!(!name.matches(refused), "{refused:?}");
    }
}

/// `^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$` takes a backtracking engine 2^n steps.
#[test]
fn hostile_values_take_linear_time() {
    let filter = pattern(shapes(Service::Ecr)["ScanningRepositoryFilterValue"]);
    let good = "a".repeat(100_000);
    let start = Instant::now();
    assert!(filter.matches(&good));
    assert!(!filter.matches(&(good + "!")));
    assert!(start.elapsed().as_secs() < 10);
}

#[test]
fn values_beyond_any_length_are_refused_unmatched() {
    let any = pattern(shapes(Service::Iam)["policyDocumentType"]);
    assert!(any.matches(&"a".repeat(131_072)));
    assert!(!any.matches(&"a".repeat(LONGEST_MATCHED_BYTES + 1)));
}

#[test]
fn account_aliases() {
    for accepted in ["abc", "a-b", "1-2-3", &"a".repeat(63)] {
        assert!(account_alias(accepted), "{accepted}");
    }
    for refused in ["", "ab", "-ab", "ab-", "a--b", "Abc", "a_b", "a.b", "äbc", &"a".repeat(64)] {
        assert!(!account_alias(refused), "{refused}");
    }
}
