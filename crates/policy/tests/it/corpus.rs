//! Runs the vectors of `tests/corpus/*.json` on the engine and on the reference evaluator.
//!
//! One file is a list of cases; a case has policies by the place where they are attached and requests with the
//! expected decision: `allow`, or `implicit`/`explicit` and the blamed kind of policy. Numbers in `vectors` are
//! rows of iam.md §9.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::{
    AccountId, Context, Decision, DenialNote, Document, DocumentKind, PolicySet, PolicySource, PolicyType,
    Principal, Request, SourcedDocument, evaluate, evaluate_trust, managed, simulate,
};
use serde::Deserialize;
use serde_json::Value;

use crate::reference;

/// Rows of iam.md §9 that never reach the engine, and why.
const ELSEWHERE: [(u32, &str); 1] = [(91, "anonymous requests are refused before evaluation, by the guard")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    vectors: Vec<u32>,
    description: String,
    policies: Policies,
    requests: Vec<Ask>,
    /// Unique ids that principals of resource and trust policies were bound to when they were saved.
    #[serde(default)]
    bind: BTreeMap<String, String>,
    /// Documents come from storage and may be corrupt.
    #[serde(default)]
    stored: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Policies {
    identity: Vec<Value>,
    identity_managed: Vec<Value>,
    managed: Vec<String>,
    boundary: Option<Value>,
    session: Option<Vec<Value>>,
    resource: Vec<Value>,
    registry: Vec<Value>,
    guard_rail: Vec<Value>,
    trust: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    caller: Option<String>,
    action: String,
    resource: String,
    #[serde(default)]
    context: BTreeMap<String, Value>,
    expect: String,
    sentence: Option<String>,
    sid: Option<String>,
    note: Option<String>,
}

struct Compiled {
    set: PolicySet,
    trust: Option<SourcedDocument>,
    reference: reference::Policies,
}

fn compile(case: &Case) -> Compiled {
    let document = |value: &Value, kind: DocumentKind| {
        let text = value.to_string();
        let mut document = if case.stored {
            Document::load(&text, kind)
        } else {
            Document::parse(&text, kind)
                .unwrap_or_else(|error| panic!("{}: {error}: {text}", case.description))
        };
        document.bind_principals(&mut |arn| case.bind.get(arn).cloned());
        document
    };
    let sourced = |source: PolicySource, value: &Value, kind| SourcedDocument {
        source,
        document: document(value, kind),
    };
    let shared = |source, value: &Value, kind| Arc::new(sourced(source, value, kind));
    let arn = |name: &str| format!("arn:aws:iam::111122223333:policy/{name}");
    let policies = &case.policies;
    let mut identity: Vec<_> = policies
        .identity
        .iter()
        .map(|value| {
            let source = PolicySource::Inline { name: "identity".into(), on: "somebody".into() };
            shared(source, value, DocumentKind::Inline)
        })
        .collect();
    for value in &policies.identity_managed {
        identity.push(shared(PolicySource::Managed { arn: arn("identity") }, value, DocumentKind::Managed));
    }
    let mut reference_identity = [policies.identity.clone(), policies.identity_managed.clone()].concat();
    for name in &policies.managed {
        let policy = managed::all().iter().find(|policy| policy.name == name).expect("a managed policy");
        let source = PolicySource::Managed { arn: policy.arn.clone() };
        identity.push(Arc::new(SourcedDocument { source, document: policy.document().clone() }));
        reference_identity.push(serde_json::from_str(policy.document_text).unwrap());
    }
    let all = |values: &[Value], source: PolicySource, kind| -> Vec<_> {
        values.iter().map(|value| shared(source.clone(), value, kind)).collect()
    };
    let mut resource = all(&policies.resource, PolicySource::Repository, DocumentKind::Repository);
    resource.extend(all(&policies.registry, PolicySource::Registry, DocumentKind::Registry));
    let set = PolicySet {
        identity,
        boundary: policies.boundary.as_ref().map(|value| {
            shared(PolicySource::Boundary { arn: arn("boundary") }, value, DocumentKind::Boundary)
        }),
        session: policies
            .session
            .as_ref()
            .map(|values| all(values, PolicySource::Session { arn: None }, DocumentKind::Session)),
        resource,
        guard_rail: all(
            &policies.guard_rail,
            PolicySource::GuardRail { name: "rail".into() },
            DocumentKind::Inline,
        ),
    };
    let trust = policies.trust.as_ref().map(|value| sourced(PolicySource::Trust, value, DocumentKind::Trust));
    let reference = reference::Policies {
        identity: reference_identity,
        boundary: policies.boundary.clone(),
        session: policies.session.clone(),
        resource: [policies.resource.clone(), policies.registry.clone()].concat(),
        guard_rail: policies.guard_rail.clone(),
        trust: policies.trust.clone(),
        bound: case.bind.clone(),
    };
    Compiled { set, trust, reference }
}

fn context(ask: &Ask, caller: &Principal) -> Context {
    let mut context = Context::new();
    caller.context(&mut context);
    for (key, value) in [
        ("aws:SourceIp", "203.0.113.7"),
        ("aws:SecureTransport", "true"),
        ("aws:CurrentTime", "2026-11-23T12:00:00Z"),
        ("aws:EpochTime", "1795435200"),
        ("aws:RequestedRegion", "eu-west-1"),
        ("aws:ResourceAccount", "111122223333"),
    ] {
        context.set(key, value);
    }
    for (key, value) in &ask.context {
        match value {
            Value::String(text) => context.set(key, text.as_str()),
            Value::Array(items) => context.set_list(key, items.iter().map(|item| item.as_str().unwrap())),
            other => panic!("context value {other}"),
        }
    }
    context
}

pub(crate) fn blame(policy_type: PolicyType) -> &'static str {
    match policy_type {
        PolicyType::Identity => "identity",
        PolicyType::Boundary => "boundary",
        PolicyType::Session => "session",
        PolicyType::Resource => "resource",
        PolicyType::Trust => "trust",
        PolicyType::GuardRail => "guard rail",
    }
}

pub(crate) fn describe(decision: &Decision) -> String {
    match decision {
        Decision::Allowed(_) => "allow".to_owned(),
        Decision::Denied(denial) => {
            let form = if denial.explicit { "explicit" } else { "implicit" };
            format!("{form} {}", blame(denial.policy_type))
        }
    }
}

fn check(name: &str, case: &Case, compiled: &Compiled, ask: &Ask, callers: &BTreeMap<String, Principal>) {
    let place =
        format!("{name}: {:?} {}: {} on {}", case.vectors, case.description, ask.action, ask.resource);
    let caller = &callers[ask.caller.as_deref().unwrap_or("alice")];
    let owner = AccountId::parse("111122223333").unwrap();
    let context = context(ask, caller);
    let account = if ask.resource == "*" { caller.account() } else { &owner };
    let request = Request {
        principal: caller,
        action: &ask.action,
        resource: &ask.resource,
        resource_account: account,
        context: &context,
    };
    let started = Instant::now();
    let decision = match &compiled.trust {
        Some(trust) => evaluate_trust(trust, &compiled.set, &request),
        None => evaluate(&compiled.set, &request),
    };
    // Generous for a busy machine; backtracking on the patterns of vector 24 would take years.
    assert!(started.elapsed() < Duration::from_secs(2), "{place}: took {:?}", started.elapsed());
    assert_eq!(describe(&decision), ask.expect, "{place}");
    if !case.stored {
        assert_eq!(
            reference::decide(&compiled.reference, &request),
            ask.expect,
            "reference evaluator, {place}"
        );
    }
    if compiled.trust.is_none() {
        assert_eq!(describe(&simulate(&compiled.set, &request).decision), ask.expect, "simulation, {place}");
    }
    let denial = decision.denial();
    if let Some(sentence) = &ask.sentence {
        let said = denial.expect("a denial").sentence(&caller.arn(), &ask.action, &ask.resource);
        assert_eq!(&said, sentence, "{place}");
    }
    if let Some(sid) = &ask.sid {
        let statement = denial.and_then(|denial| denial.statement.as_ref()).expect("a statement");
        assert_eq!(statement.sid(), Some(sid.as_str()), "{place}");
    }
    let unreadable = denial.is_some_and(|denial| denial.note == Some(DenialNote::UnreadablePolicy));
    assert_eq!(unreadable, ask.note.as_deref() == Some("unreadable"), "{place}");
}

#[test]
fn every_vector_is_decided_as_written() {
    let callers = crate::callers::all();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut seen = BTreeSet::new();
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let cases: Vec<Case> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!cases.is_empty(), "{name} has no cases");
        files += 1;
        for case in &cases {
            assert!(
                !case.description.is_empty() && !case.requests.is_empty(),
                "{name}: {}",
                case.description
            );
            let compiled = compile(case);
            for ask in &case.requests {
                check(&name, case, &compiled, ask, &callers);
            }
            seen.extend(case.vectors.iter().copied());
        }
    }
    assert!(files >= 12, "the corpus is incomplete: {files} files");
    let elsewhere = ELSEWHERE.iter().map(|(vector, _)| *vector);
    let expected: BTreeSet<u32> = (1..=113).collect();
    assert_eq!(seen.into_iter().chain(elsewhere).collect::<BTreeSet<_>>(), expected, "vectors of iam.md §9");
}
