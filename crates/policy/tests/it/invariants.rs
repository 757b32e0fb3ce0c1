//! What must hold for every policy and request (iam.md §8.6), and that no input can make the crate panic.

use std::time::{Duration, Instant};

use policy::{
    Arn, Decision, Document, DocumentKind, Request, compact_size, evaluate, evaluate_trust, simulate,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::corpus::describe;
use crate::generate::{World, document, world};

fn decide(world: &World) -> Decision {
    let context = world.context();
    let request = Request {
        principal: &world.caller,
        action: &world.action,
        resource: &world.resource,
        resource_account: &world.owner,
        context: &context,
    };
    match world.trust() {
        Some(trust) => evaluate_trust(&trust, &world.set(), &request),
        None => evaluate(&world.set(), &request),
    }
}

fn allowed(world: &World) -> bool {
    decide(world).is_allowed()
}

/// Only the statements with this effect; `None` when none is left.
fn only(effect: &str, document: Value) -> Option<Value> {
    let statements: Vec<Value> = match &document["Statement"] {
        Value::Array(statements) => {
            statements.iter().filter(|one| one["Effect"] == effect).cloned().collect()
        }
        _ => Vec::new(),
    };
    (!statements.is_empty()).then(|| json!({ "Version": document["Version"], "Statement": statements }))
}

/// Reverses every list of a document: statements, actions, resources, operands, principals.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().rev().map(reversed).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect())
        }
        other => other.clone(),
    }
}

fn with_reversed_order(world: &World) -> World {
    let mut other = world.clone();
    for list in [&mut other.policies.identity, &mut other.policies.resource] {
        *list = list.iter().rev().map(reversed).collect();
    }
    other.policies.boundary = other.policies.boundary.as_ref().map(reversed);
    other.policies.trust = other.policies.trust.as_ref().map(reversed);
    if let Some(session) = &mut other.policies.session {
        *session = session.iter().rev().map(reversed).collect();
    }
    other
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_an_allow_never_takes_anything_away(world in world(false), added in document(DocumentKind::Inline)) {
        if let Some(added) = only("Allow", added) {
            let mut richer = world.clone();
            richer.policies.identity.push(added);
            prop_assert!(!allowed(&world) || allowed(&richer));
        }
    }

    #[test]
    fn adding_a_deny_never_grants(world in world(false), added in document(DocumentKind::Inline)) {
        if let Some(added) = only("Deny", added) {
            let mut poorer = world.clone();
            poorer.policies.identity.push(added);
            prop_assert!(allowed(&world) || !allowed(&poorer));
        }
    }

    #[test]
    fn a_deny_of_the_resource_never_grants(world in world(false), added in document(DocumentKind::Repository)) {
        if let Some(added) = only("Deny", added) {
            let mut poorer = world.clone();
            poorer.policies.resource.push(added);
            prop_assert!(allowed(&world) || !allowed(&poorer));
        }
    }

    #[test]
    fn a_boundary_only_shrinks(world in world(false), added in document(DocumentKind::Boundary)) {
        let mut free = world.clone();
        free.policies.boundary = None;
        let mut bounded = world.clone();
        bounded.policies.boundary = Some(added);
        prop_assert!(allowed(&free) || !allowed(&bounded));
    }

    #[test]
    fn a_session_policy_only_shrinks(world in world(false), added in document(DocumentKind::Session)) {
        // A federated session without session policies is the exception that has its own vectors (79, 80).
        prop_assume!(!matches!(world.caller, policy::Principal::FederatedUser { .. }));
        let mut free = world.clone();
        free.policies.session = None;
        let mut limited = world.clone();
        limited.policies.session = Some(vec![added]);
        prop_assert!(allowed(&free) || !allowed(&limited));
    }

    #[test]
    fn a_guard_rail_only_shrinks(world in world(false), added in document(DocumentKind::Inline)) {
        let mut railed = world.clone();
        railed.policies.guard_rail.push(added);
        prop_assert!(allowed(&world) || !allowed(&railed));
    }

    #[test]
    fn order_does_not_matter(world in prop_oneof![world(false), world(true)]) {
        prop_assert_eq!(describe(&decide(&world)), describe(&decide(&with_reversed_order(&world))));
    }

    #[test]
    fn the_case_of_an_action_does_not_matter(world in world(false), upper in any::<bool>()) {
        let mut other = world.clone();
        other.action = if upper { world.action.to_uppercase() } else { world.action.to_lowercase() };
        prop_assert_eq!(describe(&decide(&world)), describe(&decide(&other)));
    }

    #[test]
    fn denials_are_sentences_and_allows_have_reasons(world in world(false)) {
        match decide(&world) {
            Decision::Denied(denial) => {
                let sentence = denial.sentence(&world.caller.arn(), &world.action, &world.resource);
                prop_assert!(sentence.starts_with("User: ") && sentence.contains(&world.action));
                prop_assert_eq!(denial.explicit, denial.statement.is_some());
            }
            Decision::Allowed(reason) => {
                if let policy::Reason::Statement(matched) = reason {
                    prop_assert_eq!(matched.effect(), Some(policy::Effect::Allow));
                    prop_assert!(matched.span().is_some());
                }
            }
        }
    }

    #[test]
    fn simulation_decides_as_evaluation(world in world(false)) {
        let context = world.context();
        let request = Request {
            principal: &world.caller,
            action: &world.action,
            resource: &world.resource,
            resource_account: &world.owner,
            context: &context,
        };
        let simulation = simulate(&world.set(), &request);
        prop_assert_eq!(describe(&simulation.decision), describe(&decide(&world)));
        if simulation.outcome == policy::Outcome::ExplicitDeny {
            prop_assert!(!simulation.matched.is_empty());
        }
        prop_assert_eq!(simulation.allowed_by_boundary.is_some(), world.policies.boundary.is_some());
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        try_everything(&text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        try_everything(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_damaged_document_makes_it_panic(
        document in document(DocumentKind::Inline),
        place in any::<proptest::sample::Index>(),
        with in any::<char>(),
    ) {
        let mut letters: Vec<char> = document.to_string().chars().collect();
        let index = place.index(letters.len());
        letters[index] = with;
        try_everything(&letters.iter().collect::<String>());
    }

    #[test]
    fn no_pattern_makes_it_panic_or_hang(
        pattern in "[ab:*?/${},'äé]{0,60}",
        text in "[ab:*/äé]{0,60}",
    ) {
        let inside = format!("arn:aws:ecr:{pattern}");
        let document = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "*", "Resource": [inside, format!("arn:aws:ecr:a:b:{pattern}"), "arn:aws:x"],
            "Condition": { "StringLikeIfExists": { "foo:bar": pattern }, "ArnLikeIfExists": { "foo:bar": pattern } } } });
        let document = Document::load(&document.to_string(), DocumentKind::Inline);
        let started = Instant::now();
        let set = one_policy(document);
        let caller = crate::callers::all().remove("alice").unwrap();
        let mut context = policy::Context::new();
        context.set("foo:bar", text.as_str());
        let resource = format!("arn:aws:ecr:{text}");
        let request = Request {
            principal: &caller,
            action: "ecr:PutImage",
            resource: &resource,
            resource_account: caller.account(),
            context: &context,
        };
        let _ = evaluate(&set, &request);
        let _ = simulate(&set, &request);
        prop_assert!(started.elapsed() < Duration::from_secs(5));
    }
}

fn one_policy(document: Document) -> policy::PolicySet {
    let source = policy::PolicySource::Inline { name: "p".into(), on: "x".into() };
    policy::PolicySet {
        identity: vec![std::sync::Arc::new(policy::SourcedDocument { source, document })],
        ..policy::PolicySet::default()
    }
}

fn try_everything(text: &str) {
    let _ = Arn::parse(text);
    let _ = policy::AccountId::parse(text);
    let _ = policy::Region::parse(text);
    let _ = compact_size(text);
    for kind in DocumentKind::ALL {
        if let Err(error) = Document::parse(text, kind) {
            assert!(!error.to_string().is_empty() && error.position().line >= 1);
        }
        let mut document = Document::load(text, kind);
        document.bind_principals(&mut |_| Some("AIDA".to_owned()));
        let _ = document.text_with_principals(&mut |principal| Some(principal.text().to_owned()));
        let _ = document.context_keys();
        let _ = document.span(0);
    }
}

/// Twice the policy may not cost much more than twice the time, however it is built.
#[test]
fn time_is_linear_in_the_policy() {
    let caller = crate::callers::all().remove("alice").unwrap();
    let context = policy::Context::new();
    let time = |stars: usize| {
        let pattern = format!("arn:aws:ecr:*:*:repository/{}b", "*a".repeat(stars));
        let text =
            json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": vec![pattern; 20] } });
        let set = one_policy(Document::parse(&text.to_string(), DocumentKind::Inline).unwrap());
        let resource = format!("arn:aws:ecr:eu-west-1:111122223333:repository/{}", "a".repeat(2000));
        let request = Request {
            principal: &caller,
            action: "ecr:PutImage",
            resource: &resource,
            resource_account: caller.account(),
            context: &context,
        };
        let started = Instant::now();
        assert!(!evaluate(&set, &request).is_allowed());
        started.elapsed()
    };
    assert!(time(1500) < Duration::from_secs(10));
    let short = (0..5).map(|_| time(200)).min().unwrap();
    let long = (0..5).map(|_| time(1600)).min().unwrap();
    // Eight times as many stars; quadratic growth would be sixty-four times.
    assert!(long < short * 30 + Duration::from_millis(5), "{short:?} and {long:?}");
}
