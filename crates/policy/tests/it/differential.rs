//! The engine against the reference evaluator on generated situations.

use policy::{Request, evaluate, evaluate_trust};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::corpus::describe;
use crate::generate::{World, world};
use crate::reference;

fn compare(world: &World) -> Result<String, TestCaseError> {
    let context = world.context();
    let request = Request {
        principal: &world.caller,
        action: &world.action,
        resource: &world.resource,
        resource_account: &world.owner,
        context: &context,
    };
    let decision = match world.trust() {
        Some(trust) => evaluate_trust(&trust, &world.set(), &request),
        None => evaluate(&world.set(), &request),
    };
    let expected = reference::decide(&world.policies, &request);
    prop_assert_eq!(describe(&decision), expected.clone());
    Ok(expected)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_agree(world in world(false)) {
        compare(&world)?;
    }

    #[test]
    fn both_evaluators_agree_on_trust(world in world(true)) {
        compare(&world)?;
    }
}

/// Without this, a generator that only ever makes denials would let the comparison prove nothing.
#[test]
fn generated_situations_reach_every_decision() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for trust in [false, true] {
        let strategy = world(trust);
        for _ in 0..3000 {
            let world = strategy.new_tree(&mut runner).unwrap().current();
            *seen.entry(compare(&world).unwrap()).or_default() += 1;
        }
    }
    for decision in [
        "allow",
        "explicit boundary",
        "explicit guard rail",
        "explicit identity",
        "explicit resource",
        "explicit session",
        "explicit trust",
        "implicit boundary",
        "implicit guard rail",
        "implicit identity",
        "implicit resource",
        "implicit session",
        "implicit trust",
    ] {
        assert!(seen.get(decision).is_some_and(|count| *count >= 5), "{decision} is rare: {seen:?}");
    }
}
