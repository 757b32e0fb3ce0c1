//! Generated policies and requests over a small world, so that matches, near misses and denies all occur often.

use std::sync::Arc;

use policy::{
    AccountId, Context, Document, DocumentKind, PolicySet, PolicySource, Principal, SourcedDocument,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::reference;

/// Documents by place, as JSON.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) policies: reference::Policies,
    pub(crate) caller: Principal,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) owner: AccountId,
    pub(crate) keys: Vec<(String, Value)>,
}

const ACTIONS: [&str; 8] = [
    "ecr:BatchGetImage",
    "ecr:PutImage",
    "ecr:GetAuthorizationToken",
    "ecr:SetRepositoryPolicy",
    "iam:CreateUser",
    "sts:AssumeRole",
    "sts:GetCallerIdentity",
    "ECR:batchgetimage",
];

const RESOURCES: [&str; 7] = [
    "arn:aws:ecr:eu-west-1:111122223333:repository/app",
    "arn:aws:ecr:eu-west-1:111122223333:repository/alice/app",
    "arn:aws:ecr:eu-west-1:111122223333:repository/a:b",
    "arn:aws:ecr:eu-west-1:111122223333:repository/*",
    "arn:aws:iam::111122223333:user/eng/alice",
    "arn:aws:iam::111122223333:role/app/puller",
    "*",
];

fn action_pattern() -> impl Strategy<Value = String> {
    let fixed =
        select(vec!["*", "*:*", "ecr:*", "ecr:Batch*", "ecr:*Image", "ecr:?utImage", "iam:*", "sts:*"]);
    prop_oneof![select(ACTIONS.to_vec()).prop_map(str::to_owned), fixed.prop_map(str::to_owned)]
}

/// Patterns made from a real ARN by replacing stretches with wildcards, so that they nearly match.
fn resource_pattern() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "*",
        "arn:aws:ecr",
        "arn:aws:ecr:*",
        "arn:aws:ecr:*:repository/app",
        "arn:aws:ecr:e*3:repository/app",
        "arn:aws:ecr:*:*:repository/${aws:username}/*",
        "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team, 'app'}",
        "arn:aws:ecr:eu-*:111122223333:repository/a??",
        "arn:aws:*:*:*:*/${*}",
    ])
    .prop_map(str::to_owned);
    let bent =
        (select(RESOURCES[..6].to_vec()), 8..40usize, 0..12usize, select(vec!["*", "?", "*?", "??*", "x"]))
            .prop_map(|(arn, start, length, with)| {
                let start = start.min(arn.len());
                let end = (start + length).min(arn.len());
                format!("{}{with}{}", &arn[..start], &arn[end..])
            });
    prop_oneof![fixed, bent]
}

fn operand(operator: &str) -> BoxedStrategy<Value> {
    let texts: Vec<&str> = if operator.contains("Numeric") {
        vec!["1", "2.50", "-3", "x", "10"]
    } else if operator.contains("Date") {
        vec!["2026-11-23T12:00:00Z", "2026", "1795435200", "2026-11-24"]
    } else if operator.contains("Bool") || operator.contains("Null") {
        vec!["true", "false", "TRUE", "maybe"]
    } else if operator.contains("Ip") {
        vec!["203.0.113.0/24", "10.0.0.0/8", "203.0.113.7", "2001:db8::/32", "::/0", "0.0.0.0/0", "x"]
    } else if operator.contains("Arn") {
        vec![
            "arn:aws:iam::*:user/*",
            "arn:aws:iam::111122223333:role/app/puller",
            "arn:aws:iam:*:user/eng/alice",
            "${aws:PrincipalArn}",
            "x",
        ]
    } else {
        vec![
            "alice",
            "ALICE",
            "a*",
            "core",
            "${aws:username}",
            "${aws:PrincipalTag/team}",
            "${*}",
            "",
            "1",
            "?lice",
        ]
    };
    let texts: Vec<Value> = texts.into_iter().map(Value::from).collect();
    prop_oneof![
        select(texts.clone()),
        subsequence(texts.clone(), 0..=texts.len().min(3)).prop_map(Value::from)
    ]
    .boxed()
}

const OPERATORS: [&str; 29] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
    "Null",
    "StringEquals",
    "StringLike",
    "StringNotEquals",
];

const KEYS: [&str; 9] = [
    "aws:username",
    "AWS:PrincipalArn",
    "aws:PrincipalTag/team",
    "aws:TagKeys",
    "aws:SourceIp",
    "aws:SecureTransport",
    "aws:CurrentTime",
    "sts:DurationSeconds",
    "foo:bar",
];

fn condition() -> impl Strategy<Value = Map<String, Value>> {
    let prefix = select(vec!["", "", "ForAllValues:", "ForAnyValue:"]);
    let suffix = select(vec!["", "", "IfExists"]);
    let one = (prefix, select(OPERATORS.to_vec()), suffix, select(KEYS.to_vec())).prop_flat_map(
        |(prefix, base, suffix, key)| {
            let suffix = if base == "Null" { "" } else { suffix };
            let name = format!("{prefix}{base}{suffix}");
            operand(base).prop_map(move |operand| (name.clone(), json!({ key: operand })))
        },
    );
    prop_oneof![
        3 => Just(Map::new()),
        2 => proptest::collection::vec(one, 1..3).prop_map(|pairs| pairs.into_iter().collect()),
    ]
}

fn one_or_many(values: Vec<String>) -> Value {
    match values.as_slice() {
        [single] => Value::from(single.clone()),
        _ => Value::from(values),
    }
}

fn principals() -> impl Strategy<Value = Value> {
    let names = vec![
        "*",
        "111122223333",
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::111122223333:user/eng/alice",
        "arn:aws:iam::111122223333:role/app/puller",
        "arn:aws:sts::111122223333:assumed-role/puller/s1",
        "arn:aws:sts::111122223333:federated-user/build",
        "arn:aws:iam::444455556666:user/carol",
    ];
    prop_oneof![
        1 => Just(Value::from("*")),
        5 => subsequence(names, 1..4).prop_map(|names| json!({ "AWS": names })),
        1 => Just(json!({ "Service": "replication.ecr.amazonaws.com" })),
    ]
}

fn statement(kind: DocumentKind) -> impl Strategy<Value = Value> {
    let actions = (any::<bool>(), proptest::collection::vec(action_pattern(), 1..3));
    let resources = (proptest::bool::weighted(0.2), proptest::collection::vec(resource_pattern(), 1..3));
    (proptest::bool::weighted(0.7), actions, resources, condition(), principals(), any::<bool>()).prop_map(
        move |(allow, (not_action, mut actions), (not_resource, resources), condition, principals, not)| {
            let mut statement = Map::new();
            statement.insert("Effect".into(), Value::from(if allow { "Allow" } else { "Deny" }));
            let mut not_action = not_action && actions.len() > 1;
            if kind.has_principals() {
                let vendor = if kind == DocumentKind::Trust { "sts:" } else { "ecr:" };
                for action in &mut actions {
                    if !action.to_lowercase().starts_with(vendor) {
                        *action = format!("{vendor}*");
                    }
                }
                not_action &= kind != DocumentKind::Trust;
                let name = if not && !allow { "NotPrincipal" } else { "Principal" };
                statement.insert(name.into(), principals);
            }
            statement.insert(if not_action { "NotAction" } else { "Action" }.into(), one_or_many(actions));
            if !kind.implies_resource() {
                let name = if not_resource { "NotResource" } else { "Resource" };
                // Session policies take complete ARNs only.
                let complete = |text: &String| text == "*" || text.matches(':').count() >= 5;
                let mut resources: Vec<String> = resources
                    .into_iter()
                    .filter(|text| kind != DocumentKind::Session || complete(text))
                    .collect();
                // A bent pattern may have lost what makes it an ARN of IAM.
                resources.retain(|text| checks_out(text));
                if resources.is_empty() {
                    resources.push("*".to_owned());
                }
                statement.insert(name.into(), one_or_many(resources));
            }
            if !condition.is_empty() {
                statement.insert("Condition".into(), Value::from(condition));
            }
            Value::from(statement)
        },
    )
}

/// Whether the engine's checks accept a resource; what they accept is the business of the validation corpus.
fn checks_out(resource: &str) -> bool {
    let text = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": resource } }).to_string();
    Document::parse(&text, DocumentKind::Inline).is_ok()
}

pub(crate) fn document(kind: DocumentKind) -> impl Strategy<Value = Value> {
    let old = matches!(kind, DocumentKind::Inline | DocumentKind::Repository | DocumentKind::Trust);
    let version = if old { vec!["2012-10-17", "2012-10-17", "2008-10-17"] } else { vec!["2012-10-17"] };
    (select(version), proptest::collection::vec(statement(kind), 1..4))
        .prop_map(|(version, statements)| json!({ "Version": version, "Statement": statements }))
}

fn keys() -> impl Strategy<Value = Vec<(String, Value)>> {
    let tag_keys = subsequence(vec!["alice", "core", "a1", "zzz"], 0..4).prop_map(|keys| json!(keys));
    let single = |values: Vec<&'static str>| select(values).prop_map(Value::from);
    (
        tag_keys,
        single(vec!["203.0.113.7", "10.1.1.1", "::ffff:203.0.113.7", "2001:db8::1"]),
        single(vec!["true", "false"]),
        single(vec!["2026-11-23T12:00:00Z", "2026-11-23T11:59:59.5Z"]),
        proptest::option::of(single(vec!["1", "2.5", "900"])),
        proptest::option::of(single(vec!["alice", "core", ""])),
    )
        .prop_map(|(tags, address, tls, now, duration, other)| {
            let mut keys = vec![
                ("aws:TagKeys".to_owned(), tags),
                ("aws:SourceIp".to_owned(), address),
                ("aws:SecureTransport".to_owned(), tls),
                ("aws:CurrentTime".to_owned(), now),
            ];
            keys.extend(duration.map(|value| ("sts:DurationSeconds".to_owned(), value)));
            keys.extend(other.map(|value| ("foo:bar".to_owned(), value)));
            keys
        })
}

/// A whole situation; `trust`: an AssumeRole decision instead of an ordinary one.
pub(crate) fn world(trust: bool) -> impl Strategy<Value = World> {
    let policies = (
        proptest::collection::vec(document(DocumentKind::Inline), 0..3),
        proptest::option::weighted(0.3, document(DocumentKind::Boundary)),
        proptest::option::weighted(0.3, proptest::collection::vec(document(DocumentKind::Session), 0..3)),
        proptest::collection::vec(document(DocumentKind::Repository), 0..3),
        proptest::option::weighted(0.1, document(DocumentKind::Inline)),
        document(DocumentKind::Trust),
        any::<bool>(),
    )
        .prop_map(move |(identity, boundary, session, resource, rail, trusted, bind)| {
            reference::Policies {
                identity,
                boundary,
                session,
                resource: if trust { Vec::new() } else { resource },
                guard_rail: rail.into_iter().collect(),
                trust: trust.then_some(trusted),
                bound: if bind {
                    [("arn:aws:iam::111122223333:user/eng/alice".to_owned(), "AIDAOLDALICE".to_owned())]
                        .into()
                } else {
                    Default::default()
                },
            }
        });
    let callers: Vec<Principal> = crate::callers::all()
        .into_iter()
        .filter(|(name, _)| name != "pod")
        .map(|(_, caller)| caller)
        .collect();
    let owners = vec!["111122223333", "111122223333", "444455556666"];
    (policies, select(callers), select(ACTIONS.to_vec()), select(RESOURCES.to_vec()), select(owners), keys())
        .prop_map(|(policies, caller, action, resource, owner, keys)| World {
            policies,
            caller,
            action: action.to_owned(),
            resource: resource.to_owned(),
            owner: AccountId::parse(owner).unwrap(),
            keys,
        })
}

impl World {
    /// The context of the request.
    pub(crate) fn context(&self) -> Context {
        let mut context = Context::new();
        self.caller.context(&mut context);
        for (key, value) in &self.keys {
            match value {
                Value::Array(items) => context.set_list(key, items.iter().map(|item| item.as_str().unwrap())),
                other => context.set(key, other.as_str().unwrap()),
            }
        }
        context
    }

    fn sourced(&self, value: &Value, kind: DocumentKind, source: PolicySource) -> Arc<SourcedDocument> {
        let text = value.to_string();
        let mut document = Document::parse(&text, kind).unwrap_or_else(|error| panic!("{error}: {text}"));
        document.bind_principals(&mut |arn| self.policies.bound.get(arn).cloned());
        Arc::new(SourcedDocument { source, document })
    }

    /// The compiled documents.
    pub(crate) fn set(&self) -> PolicySet {
        let all = |values: &[Value], kind, source: PolicySource| -> Vec<_> {
            values.iter().map(|value| self.sourced(value, kind, source.clone())).collect()
        };
        let inline = PolicySource::Inline { name: "p".into(), on: "x".into() };
        let boundary =
            |value| self.sourced(value, DocumentKind::Boundary, PolicySource::Boundary { arn: "b".into() });
        let session =
            |values: &Vec<Value>| all(values, DocumentKind::Session, PolicySource::Session { arn: None });
        PolicySet {
            identity: all(&self.policies.identity, DocumentKind::Inline, inline.clone()),
            boundary: self.policies.boundary.as_ref().map(boundary),
            session: self.policies.session.as_ref().map(session),
            resource: all(&self.policies.resource, DocumentKind::Repository, PolicySource::Repository),
            guard_rail: all(&self.policies.guard_rail, DocumentKind::Inline, inline),
        }
    }

    /// The compiled trust policy.
    pub(crate) fn trust(&self) -> Option<Arc<SourcedDocument>> {
        let trust = self.policies.trust.as_ref()?;
        Some(self.sourced(trust, DocumentKind::Trust, PolicySource::Trust))
    }
}
