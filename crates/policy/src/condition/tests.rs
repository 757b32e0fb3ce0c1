//! Operators one by one: present, absent and unreadable values, sets, variables.

use super::{Condition, Operator};
use crate::context::Context;

fn holds(operator: &str, key: &str, values: &[&str], context: &Context) -> bool {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    Condition::compile(Operator::parse(operator).unwrap(), key, &values, true).holds(context)
}

fn with(value: &str) -> Context {
    let mut context = Context::new();
    context.set("k:v", value);
    context.set("aws:username", "alice");
    context
}

#[test]
fn operators_on_one_value() {
    for (operator, operands, value, expected) in [
        ("StringEquals", &["a"][..], "a", true),
        ("StringEquals", &["a"], "A", false),
        ("StringEquals", &["a*"], "ab", false),
        ("StringEquals", &[""], "", true),
        ("StringEquals", &["${aws:username}"], "alice", true),
        ("StringEquals", &[], "a", false),
        ("StringNotEquals", &[], "a", true),
        ("StringNotEquals", &["a", "b"], "a", false),
        ("StringNotEquals", &["a", "b"], "c", true),
        ("StringEqualsIgnoreCase", &["ÄB"], "äb", true),
        ("StringNotEqualsIgnoreCase", &["AB"], "ab", false),
        ("StringLike", &["a?c*"], "abc:/d", true),
        ("StringLike", &["A*"], "a", false),
        ("StringNotLike", &["a*"], "b", true),
        ("NumericEquals", &["1.50"], "1.5", true),
        ("NumericNotEquals", &["1"], "x", true),
        ("NumericLessThan", &["10"], "9", true),
        ("NumericLessThan", &["10"], "10", false),
        ("NumericLessThanEquals", &["10"], "10", true),
        ("NumericGreaterThan", &["10"], "10.0", false),
        ("NumericGreaterThanEquals", &["10"], "10.0", true),
        ("NumericGreaterThan", &["abc"], "1", false),
        ("DateEquals", &["2026-11-23"], "1795392000", true),
        ("DateNotEquals", &["2026-11-23"], "2026-11-24", true),
        ("DateLessThan", &["2026-11-23"], "2026-11-22T23:59:59Z", true),
        ("DateLessThanEquals", &["2026-11-23"], "2026-11-23T00:00:00Z", true),
        ("DateGreaterThan", &["2026-11-23"], "2026-11-23T00:00:00Z", false),
        ("DateGreaterThanEquals", &["2026-11-23"], "2026-11-23T00:00:00Z", true),
        ("Bool", &["TRUE"], "true", true),
        ("Bool", &["yes"], "yes", false),
        ("Bool", &["false"], "true", false),
        ("BinaryEquals", &["YQ=="], "a", false),
        ("IpAddress", &["10.1.2.3/8"], "10.9.9.9", true),
        ("IpAddress", &["::ffff:10.0.0.0/104"], "10.9.9.9", true),
        ("IpAddress", &["::ffff:10.0.0.0/95"], "10.9.9.9", false),
        ("IpAddress", &["10.0.0.0/8"], "::ffff:10.1.1.1", true),
        ("IpAddress", &["10.0.0.0/33"], "10.1.1.1", false),
        ("IpAddress", &["0.0.0.0/0"], "2001:db8::1", false),
        ("IpAddress", &["2001:db8::1"], "2001:DB8:0::1", true),
        ("NotIpAddress", &["10.0.0.0/8"], "no address", true),
        ("ArnLike", &["arn:aws:iam::*:user/*"], "arn:aws:iam::1:user/a/b", true),
        ("ArnEquals", &["arn:aws:iam::1:user/?"], "arn:aws:iam::1:user/a", true),
        ("ArnNotLike", &["arn:aws:iam::*:user/*"], "x", true),
        ("ArnNotEquals", &["arn:aws:iam::1:user/a"], "arn:aws:iam::1:user/a", false),
        ("Null", &["true"], "x", false),
        ("Null", &["false"], "x", true),
    ] {
        assert_eq!(
            holds(operator, "K:V", operands, &with(value)),
            expected,
            "{operator} {operands:?} {value}"
        );
    }
}

#[test]
fn an_absent_key() {
    let empty = Context::new();
    for (operator, expected) in [
        ("StringEquals", false),
        ("StringNotEquals", true),
        ("StringEqualsIfExists", true),
        ("StringNotEqualsIfExists", true),
        ("ForAllValues:StringEquals", true),
        ("ForAllValues:StringNotEquals", true),
        ("ForAnyValue:StringEquals", false),
        ("ForAnyValue:StringNotEquals", false),
        ("ForAnyValue:StringEqualsIfExists", true),
        ("IpAddress", false),
        ("NotIpAddress", true),
        ("Bool", false),
        ("BoolIfExists", true),
        ("NumericLessThanIfExists", true),
        ("ArnNotLike", true),
    ] {
        assert_eq!(holds(operator, "k:v", &["a"], &empty), expected, "{operator}");
    }
    assert!(holds("Null", "k:v", &["true"], &empty) && !holds("Null", "k:v", &["false"], &empty));
    assert!(!holds("Null", "k:v", &["maybe"], &empty));
}

#[test]
fn several_values() {
    let mut context = Context::new();
    context.set_list("k:v", ["a", "b"]);
    for (operator, operands, expected) in [
        ("ForAllValues:StringEquals", &["a", "b", "c"][..], true),
        ("ForAllValues:StringEquals", &["a"], false),
        ("ForAllValues:StringNotEquals", &["c"], true),
        ("ForAllValues:StringNotEquals", &["a"], false),
        ("ForAnyValue:StringEquals", &["a"], true),
        ("ForAnyValue:StringEquals", &["c"], false),
        ("ForAnyValue:StringNotEquals", &["a"], true),
        ("ForAnyValue:StringNotEquals", &["a", "b"], false),
        ("StringEquals", &["b"], true),
        ("StringNotEquals", &["b"], false),
        ("StringNotEquals", &["c"], true),
    ] {
        assert_eq!(holds(operator, "k:v", operands, &context), expected, "{operator} {operands:?}");
    }
}

#[test]
fn binary_values_match_binary_operands_only() {
    let mut context = Context::new();
    context.set_binary("k:v", "alice");
    assert!(holds("BinaryEquals", "k:v", &["YWxpY2U="], &context));
    assert!(!holds("BinaryEquals", "k:v", &["YWxpY2"], &context));
    assert!(!holds("StringEquals", "k:v", &["alice"], &context));
    assert!(holds("Null", "k:v", &["false"], &context));
}

#[test]
fn a_variable_without_value_is_a_null_operand() {
    assert!(!holds("StringEquals", "k:v", &["${aws:none}"], &with("")));
    assert!(holds("StringNotEquals", "k:v", &["${aws:none}"], &with("")));
    assert!(holds("StringEquals", "k:v", &["${aws:none}", "x"], &with("x")));
    assert!(!holds("ArnLike", "k:v", &["arn:aws:iam::1:${aws:none}"], &with("arn:aws:iam::1:x")));
}

#[test]
fn unknown_operators_are_unknown() {
    for name in [
        "",
        "IfExists",
        "stringequals",
        "StringEqual",
        "BoolNot",
        "BinaryNotEquals",
        "NullIfExists",
        "NumericLike",
        "Date",
        "Numeric",
        "ForAllValues:",
        "ForSomeValue:StringEquals",
        "StringEqualsIfExistsIfExists",
        "IfExistsStringEquals",
        "ArnNotEqualsLike",
        "ForAllValues:ForAnyValue:StringEquals",
    ] {
        assert!(Operator::parse(name).is_none(), "{name}");
    }
}
