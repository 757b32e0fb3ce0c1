use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn rule(priority: i64, selection: Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

fn any_image() -> Value {
    json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 800})
}

fn untagged() -> Value {
    json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14})
}

fn prefixes(list: Value) -> Value {
    json!({"tagStatus": "tagged", "tagPrefixList": list, "countType": "imageCountMoreThan", "countNumber": 1})
}

fn patterns(list: Value) -> Value {
    json!({"tagStatus": "tagged", "tagPatternList": list, "countType": "imageCountMoreThan", "countNumber": 1})
}

/// The selection of an archived image, in the one form that the grammar allows.
fn archived(tag_status: &str, days: i64) -> Value {
    json!({"tagStatus": tag_status, "storageClass": "archive", "countType": "sinceImageTransitioned",
        "countUnit": "days", "countNumber": days})
}

fn transition(mut rule: Value) -> Value {
    rule["action"] = json!({"type": "transition", "targetStorageClass": "archive"});
    rule
}

/// A copy of `value` with one member set.
fn with(mut value: Value, pointer: &str, member: &str, new: Value) -> Value {
    let parent = value.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
    parent.insert(member.into(), new);
    value
}

fn without(mut value: Value, pointer: &str, member: &str) -> Value {
    assert!(value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(member).is_some());
    value
}

fn policy(rules: &[Value]) -> String {
    json!({ "rules": rules }).to_string()
}

fn message(text: &str) -> String {
    LifecyclePolicy::parse(text).expect_err(text).to_string()
}

#[test]
fn the_tutorials_policy_comes_back_in_canonical_order() {
    let text = r#"{ "rules": [ { "action": {"type": "expire"}, "rulePriority": 1,
        "selection": {"countNumber": 800, "countType": "imageCountMoreThan", "tagStatus": "any"},
        "description": "Keep last 800 \"images\"" } ] }"#;
    let policy = LifecyclePolicy::parse(text).unwrap();
    let [only] = policy.rules() else { panic!("one rule") };
    assert_eq!(only.priority, 1);
    assert_eq!(only.selection.tags, TagSelection::Any);
    assert_eq!(only.selection.count, Count::ImageCountMoreThan(800));
    assert_eq!(only.selection.storage_class(), StorageClass::Standard);
    assert_eq!(only.action, Action::Expire);
    assert_eq!(
        policy.canonical_text(),
        r#"{"rules":[{"rulePriority":1,"description":"Keep last 800 \"images\"","selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":800},"action":{"type":"expire"}}]}"#
    );
}

#[test]
fn canonical_text_sorts_rules_and_states_what_was_stated() {
    let text = policy(&[
        rule(30, archived("any", 90)),
        transition(rule(20, with(any_image(), "", "storageClass", json!("standard")))),
        rule(10, patterns(json!(["b*", "a*c"]))),
        rule(5, with(untagged(), "", "tagPrefixList", json!([]))),
    ]);
    assert_eq!(
        LifecyclePolicy::parse(&text).unwrap().canonical_text(),
        concat!(
            r#"{"rules":[{"rulePriority":5,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","#,
            r#""countUnit":"days","countNumber":14},"action":{"type":"expire"}},"#,
            r#"{"rulePriority":10,"selection":{"tagStatus":"tagged","tagPatternList":["b*","a*c"],"#,
            r#""countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}},"#,
            r#"{"rulePriority":20,"selection":{"tagStatus":"any","storageClass":"standard","#,
            r#""countType":"imageCountMoreThan","countNumber":800},"#,
            r#""action":{"type":"transition","targetStorageClass":"archive"}},"#,
            r#"{"rulePriority":30,"selection":{"tagStatus":"any","storageClass":"archive","#,
            r#""countType":"sinceImageTransitioned","countUnit":"days","countNumber":90},"#,
            r#""action":{"type":"expire"}}]}"#
        )
    );
}

#[test]
fn what_fits_together_is_accepted() {
    let pulled = with(untagged(), "", "countType", json!("sinceImagePulled"));
    for rules in [
        vec![],
        vec![rule(i64::from(i32::MAX), any_image())],
        vec![transition(rule(1, pulled))],
        vec![transition(rule(1, untagged()))],
        vec![rule(1, untagged()), rule(2, any_image())],
        vec![rule(7, any_image()), rule(3, untagged())],
        // One of each per storage class.
        vec![rule(1, any_image()), rule(2, archived("any", 90))],
        vec![rule(1, untagged()), rule(2, archived("untagged", 365))],
        vec![
            rule(1, prefixes(json!(["v"]))),
            rule(
                2,
                with(
                    with(archived("any", 90), "", "tagStatus", json!("tagged")),
                    "",
                    "tagPrefixList",
                    json!(["v"]),
                ),
            ),
        ],
        // Overlapping lists are not equal lists, and a prefix is not a pattern.
        vec![rule(1, prefixes(json!(["prod"]))), rule(2, prefixes(json!(["prod", "beta"])))],
        vec![rule(1, prefixes(json!(["prod"]))), rule(2, patterns(json!(["prod"])))],
        vec![rule(1, patterns(json!(["*a*b*c*"])))],
        // Terraform writes empty lists for absent ones.
        vec![rule(1, with(any_image(), "", "tagPatternList", json!([])))],
        vec![rule(1, with(prefixes(json!(["v"])), "", "tagPatternList", json!([])))],
    ] {
        let text = policy(&rules);
        let parsed = LifecyclePolicy::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parsed.rules().len(), rules.len());
    }
    let fifty: Vec<Value> =
        (1..=50).map(|number| rule(number, prefixes(json!([format!("v{number}")])))).collect();
    assert_eq!(LifecyclePolicy::parse(&policy(&fifty)).unwrap().rules().len(), 50);
}

#[test]
fn what_cannot_be_mapped() {
    let deep = format!("{{\"rules\":{}{}}}", "[".repeat(15_000), "]".repeat(15_000));
    let two_rules = r#"{"rules":[],"rules":[]}"#;
    let beyond_32_bits = policy(&[rule(1 << 31, any_image())]);
    let count_beyond = policy(&[rule(1, with(any_image(), "", "countNumber", json!(u64::MAX)))]);
    for text in [
        "",
        "{",
        "policy",
        "[]",
        "null",
        "\"x\"",
        "1",
        two_rules,
        &deep,
        &beyond_32_bits,
        &count_beyond,
        "{\"a\":1e999}",
    ] {
        assert_eq!(message(text), "Could not map policyString into LifecyclePolicy.", "{text:.60}");
    }
}

#[test]
fn each_schema_fault_has_its_sentence() {
    let missing = |names: &str| format!("object has missing required properties ([{names}])");
    let unknown = |names: &str| {
        format!("object instance has properties which are not allowed by the schema: ([{names}])")
    };
    let type_of = |found: &str, allowed: &str| {
        format!(
            "instance type ({found}) does not match any allowed primitive type (allowed: [\"{allowed}\"])"
        )
    };
    let minimum = |minimum: u32, found: i64| {
        format!("numeric instance is lower than the required minimum (minimum: {minimum}, found: {found})")
    };
    let not_in = |found: &str, possible: &str| {
        format!("instance value (\"{found}\") not found in enum (possible values: [{possible}])")
    };
    let one = |value: Value| policy(&[value]);
    let base = || rule(1, any_image());
    for (text, expected) in [
        ("{}".to_owned(), missing(r#""rules""#)),
        (r#"{"rules":[],"version":1,"a":2}"#.into(), unknown(r#""a","version""#)),
        (r#"{"rules":{}}"#.into(), type_of("object", "array")),
        (r#"{"rules":null}"#.into(), type_of("null", "array")),
        (one(json!("x")), type_of("string", "object")),
        (one(without(base(), "", "selection")), missing(r#""selection""#)),
        (one(json!({})), missing(r#""action","rulePriority","selection""#)),
        (one(with(base(), "", "x\"", json!(1))), unknown(r#""x\"""#)),
        (one(with(base(), "", "rulePriority", json!(0))), minimum(1, 0)),
        (one(with(base(), "", "rulePriority", json!(-5))), minimum(1, -5)),
        (one(with(base(), "", "rulePriority", json!("1"))), type_of("string", "integer")),
        (one(with(base(), "", "rulePriority", json!(1.5))), type_of("number", "integer")),
        (one(with(base(), "", "description", json!(true))), type_of("boolean", "string")),
        (one(with(base(), "", "selection", json!([]))), type_of("array", "object")),
        (one(rule(1, json!({}))), missing(r#""countNumber","countType","tagStatus""#)),
        (one(with(base(), "/selection", "extra", json!(1))), unknown(r#""extra""#)),
        (
            one(with(base(), "/selection", "tagStatus", json!("ANY"))),
            not_in("ANY", r#""any","tagged","untagged""#),
        ),
        (one(with(base(), "/selection", "tagPrefixList", Value::Null)), type_of("null", "array")),
        (one(with(base(), "/selection", "tagPatternList", json!("v*"))), type_of("string", "array")),
        (one(with(base(), "/selection", "tagPrefixList", json!([1]))), type_of("integer", "string")),
        (
            one(with(base(), "/selection", "storageClass", json!("cold"))),
            not_in("cold", r#""archive","standard""#),
        ),
        (
            one(with(base(), "/selection", "countType", json!("x"))),
            not_in(
                "x",
                r#""imageCountMoreThan","sinceImagePulled","sinceImagePushed","sinceImageTransitioned""#,
            ),
        ),
        (one(with(base(), "/selection", "countUnit", json!("weeks"))), not_in("weeks", r#""days""#)),
        (one(with(base(), "/selection", "countNumber", json!(0))), minimum(1, 0)),
        (one(with(base(), "/selection", "countNumber", json!("1"))), type_of("string", "integer")),
        (one(with(base(), "", "action", json!("expire"))), type_of("string", "object")),
        (one(with(base(), "", "action", json!({}))), missing(r#""type""#)),
        (one(with(base(), "/action", "x", json!(1))), unknown(r#""x""#)),
        (one(with(base(), "/action", "type", json!("delete"))), not_in("delete", r#""expire","transition""#)),
        (one(rule(1, archived("any", 89))), minimum(90, 89)),
    ] {
        assert_eq!(message(&text), expected, "{text}");
    }
    let many: Vec<Value> = (1..=51).map(|number| rule(number, json!("never looked at"))).collect();
    assert_eq!(
        message(&policy(&many)),
        "array is too long: must have at most 50 elements but instance has 51 elements"
    );
}

#[test]
fn combinations_that_match_no_alternative() {
    let pulled = || with(untagged(), "", "countType", json!("sinceImagePulled"));
    let transitioned = || rule(1, archived("any", 90));
    for value in [
        rule(1, with(any_image(), "", "countUnit", json!("days"))),
        rule(1, without(untagged(), "", "countUnit")),
        rule(1, pulled()),
        transition(transitioned()),
        rule(1, without(archived("any", 90), "", "storageClass")),
        rule(1, with(archived("any", 90), "", "storageClass", json!("standard"))),
        rule(1, with(any_image(), "", "storageClass", json!("archive"))),
        with(rule(1, any_image()), "/action", "targetStorageClass", Value::Null),
        with(rule(1, any_image()), "/action", "targetStorageClass", json!("archive")),
        with(rule(1, any_image()), "/action", "type", json!("transition")),
        with(transition(rule(1, any_image())), "/action", "targetStorageClass", Value::Null),
        with(transition(rule(1, any_image())), "/action", "targetStorageClass", json!("standard")),
        with(transition(rule(1, any_image())), "/action", "targetStorageClass", json!(5)),
    ] {
        let text = policy(&[value]);
        let expected = "instance failed to match exactly one schema (matched 0 out of 2)";
        assert_eq!(message(&text), expected, "{text}");
    }
}

#[test]
fn several_faults_are_joined_by_newlines_and_bounded() {
    let text = policy(&[
        with(without(rule(1, any_image()), "", "action"), "", "x", json!(1)),
        rule(2, with(any_image(), "", "countUnit", json!("days"))),
        rule(0, with(any_image(), "", "tagPrefixList", Value::Null)),
    ]);
    assert_eq!(
        message(&text).lines().collect::<Vec<_>>(),
        [
            "object has missing required properties ([\"action\"])",
            "object instance has properties which are not allowed by the schema: ([\"x\"])",
            "instance failed to match exactly one schema (matched 0 out of 2)",
            "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
            "instance type (null) does not match any allowed primitive type (allowed: [\"array\"])",
        ]
    );
    let numbers = policy(&[rule(1, prefixes(json!(vec![1; 10_000])))]);
    assert_eq!(message(&numbers).lines().count(), 20);
}

#[test]
fn each_conflict_of_rules_has_its_sentence() {
    let missing = "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.";
    let forbidden = "tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED.";
    let not_last = "Rule for tagStatus=ANY must have the lowest priority per storage class";
    let second_untagged = "Only one rule can select Untagged images per storage class";
    let five = "A tag pattern can contain at most 4 wildcards: \"*a*b*c*d*\"";
    let same = "Rules 1 and 2 select the same tags; tag lists must be unique per storage class.";
    for (rules, expected) in [
        (vec![rule(1, with(any_image(), "", "tagStatus", json!("tagged")))], missing),
        (vec![rule(1, prefixes(json!([])))], missing),
        (vec![rule(1, with(any_image(), "", "tagPrefixList", json!(["v"])))], forbidden),
        (vec![rule(1, with(untagged(), "", "tagPatternList", json!(["v*"])))], forbidden),
        (
            vec![rule(1, with(prefixes(json!(["v"])), "", "tagPatternList", json!(["v*"])))],
            "Only one of tagPrefixList and tagPatternList can be specified.",
        ),
        (vec![rule(1, patterns(json!(["ok", "*a*b*c*d*"])))], five),
        (
            vec![rule(3, untagged()), rule(3, any_image())],
            "Rule priorities must be unique: 3 is used by more than one rule.",
        ),
        // Priorities are unique in the whole policy, not per storage class.
        (
            vec![rule(3, any_image()), rule(3, archived("any", 90))],
            "Rule priorities must be unique: 3 is used by more than one rule.",
        ),
        (vec![rule(1, untagged()), rule(2, untagged())], second_untagged),
        (vec![rule(1, archived("untagged", 90)), rule(2, archived("untagged", 91))], second_untagged),
        (vec![rule(1, any_image()), rule(2, untagged())], not_last),
        (vec![rule(2, prefixes(json!(["v"]))), rule(1, any_image())], not_last),
        (vec![rule(1, any_image()), rule(2, any_image())], not_last),
        (vec![rule(1, archived("any", 90)), rule(2, archived("untagged", 90))], not_last),
        (vec![rule(1, prefixes(json!(["a", "b"]))), rule(2, prefixes(json!(["b", "a", "b"])))], same),
        (vec![rule(2, patterns(json!(["v*"]))), rule(1, patterns(json!(["v*"])))], same),
    ] {
        let text = policy(&rules);
        assert_eq!(message(&text), expected, "{text}");
    }
}

#[test]
fn an_over_long_text_is_refused_unread() {
    let text = policy(&[rule(1, any_image())]);
    let padded = |characters: usize| text.clone() + &" ".repeat(characters - text.chars().count());
    assert!(LifecyclePolicy::parse(&padded(MAX_TEXT_CHARACTERS)).is_ok());
    assert_eq!(LifecyclePolicy::parse(&padded(MAX_TEXT_CHARACTERS + 1)), Err(PolicyError::TooLong));
    // Characters, not bytes.
    let umlauts = with(rule(1, any_image()), "", "description", json!("ü".repeat(MAX_TEXT_CHARACTERS - 500)));
    assert!(LifecyclePolicy::parse(&policy(&[umlauts])).is_ok());
}

fn any_rule() -> impl Strategy<Value = Value> {
    let tags = prop_oneof![
        Just(("untagged", None)),
        prop::collection::vec("[a-z*]{0,4}", 1..4)
            .prop_map(|list| ("tagged", Some(("tagPatternList", list)))),
        prop::collection::vec(".{0,6}", 1..4).prop_map(|list| ("tagged", Some(("tagPrefixList", list)))),
    ];
    (tags, 0..4u8, 1..1000u32, any::<bool>(), any::<bool>(), prop::option::of(".{0,12}")).prop_map(
        |((status, list), kind, number, archive, stated, description)| {
            let (count, unit, number) = match kind {
                0 => ("imageCountMoreThan", None, number),
                1 => ("sinceImagePushed", Some("days"), number),
                2 => ("sinceImagePulled", Some("days"), number),
                _ => ("sinceImageTransitioned", Some("days"), number + MIN_ARCHIVE_DAYS),
            };
            let class = if kind == 3 { Some("archive") } else { stated.then_some("standard") };
            let mut rule = rule(1, json!({"tagStatus": status, "countType": count, "countNumber": number}));
            if let Some((member, list)) = list {
                rule["selection"][member] = json!(list);
            }
            if let Some(unit) = unit {
                rule["selection"]["countUnit"] = json!(unit);
            }
            if let Some(class) = class {
                rule["selection"]["storageClass"] = json!(class);
            }
            if let Some(description) = description {
                rule["description"] = json!(description);
            }
            if kind == 2 || (kind != 3 && archive) { transition(rule) } else { rule }
        },
    )
}

proptest! {
    #[test]
    fn canonical_text_reads_back_as_the_same_policy(
        mut rules in prop::collection::vec(any_rule(), 0..5),
        order in prop::collection::vec(1..1000i64, 5),
    ) {
        for (rule, priority) in rules.iter_mut().zip(order) {
            rule["rulePriority"] = json!(priority);
        }
        // Conflicts between the drawn rules are refused; what is accepted must be stable.
        if let Ok(first) = LifecyclePolicy::parse(&policy(&rules)) {
            let text = first.canonical_text();
            let second = LifecyclePolicy::parse(&text).unwrap();
            prop_assert_eq!(second.canonical_text(), text);
            prop_assert_eq!(second, first);
        }
    }

    #[test]
    fn every_drawn_rule_alone_is_valid(rule in any_rule()) {
        let policy = LifecyclePolicy::parse(&policy(&[rule]));
        prop_assert!(policy.is_ok(), "{:?}", policy);
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        prop_assert!(LifecyclePolicy::parse(&text).is_err());
    }

    #[test]
    fn a_changed_value_never_panics(place in 0usize..9, value in prop_oneof![
        Just(json!(null)), Just(json!(true)), Just(json!(-1)), Just(json!(1e300)), Just(json!(u64::MAX)),
        Just(json!([])), Just(json!([[null]])), Just(json!({})), Just(json!("")), Just(json!("any")),
    ]) {
        let (pointer, member) = [
            ("", "rulePriority"), ("", "description"), ("", "selection"), ("", "action"),
            ("/selection", "tagStatus"), ("/selection", "tagPrefixList"), ("/selection", "countType"),
            ("/selection", "countNumber"), ("/action", "type"),
        ][place];
        let rule = with(rule(1, prefixes(json!(["v"]))), pointer, member, value);
        if let Ok(parsed) = LifecyclePolicy::parse(&policy(&[rule])) {
            prop_assert_eq!(parsed.rules().len(), 1);
        }
    }
}
