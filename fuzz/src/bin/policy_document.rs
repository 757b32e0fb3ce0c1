//! Policy documents: what is taken compiles, places are places of the text, and nothing is allowed that no
//! statement allows.
//!
//! Input: the kind of the document up to the first line break, then its text.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use policy::{
    AccountId, Context, Document, DocumentKind, Effect, PolicySet, PolicySource, Principal, Request,
    SourcedDocument, compact_size, evaluate, evaluate_trust,
};

fuzz_target!(|data: &[u8]| {
    let Ok(input) = std::str::from_utf8(data) else { return };
    let (kind, text) = input.split_once('\n').unwrap_or(("", input));
    let named = DocumentKind::ALL.into_iter().find(|known| format!("{known:?}") == kind);
    let kind = named.unwrap_or(DocumentKind::Inline);
    assert!(compact_size(text) <= text.chars().count());
    let stored = Document::load(text, kind);
    match Document::parse(text, kind) {
        Ok(document) => {
            assert!(stored.unreadable().is_none(), "what was taken once is read for ever");
            assert_eq!(stored.statements().len(), document.statements().len());
            assert_eq!(document.text(), text);
            check(&document);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    decide(stored);
});

fn check(document: &Document) {
    let lines = document.text().lines().count().max(1);
    for index in 0..document.statements().len() {
        let span = document.span(index).expect("a statement has a place");
        assert!((span.start.line, span.start.column) <= (span.end.line, span.end.column));
        assert!(span.end.line <= lines + 1);
    }
    assert!(document.span(document.statements().len()).is_none());
    let shown = document.text_with_principals(&mut |_| Some("AIDAEXAMPLE".to_owned()));
    assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok(), "{shown}");
    let mut bound = document.clone();
    bound.bind_principals(&mut |_| Some("AIDAEXAMPLE".to_owned()));
    assert_eq!(bound.text(), document.text());
    let mut keys: Vec<String> = document.context_keys().iter().map(|key| key.to_lowercase()).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "each key once");
}

fn decide(document: Document) {
    let account = AccountId::parse("123456789012").expect("an account");
    let user = Principal::User {
        account: account.clone(),
        path: "/".into(),
        name: "alice".into(),
        id: "AIDAALICE".into(),
        tags: vec![("team".into(), "a*".into())],
    };
    let mut context = Context::new();
    user.context(&mut context);
    context.set("aws:SourceIp", "203.0.113.7");
    context.set("aws:CurrentTime", "2026-11-25T12:00:00Z");
    context.set_list("aws:TagKeys", ["env", "team"]);
    let sourced = Arc::new(SourcedDocument { source: PolicySource::Repository, document: document.clone() });
    let mut set = PolicySet::default();
    let action = match document.kind() {
        DocumentKind::Trust => "sts:AssumeRole",
        DocumentKind::Repository | DocumentKind::Registry => {
            set.resource.push(Arc::clone(&sourced));
            "ecr:PutImage"
        }
        DocumentKind::Boundary => {
            set.boundary = Some(Arc::clone(&sourced));
            "ecr:PutImage"
        }
        DocumentKind::Session => {
            set.session = Some(vec![Arc::clone(&sourced)]);
            "ecr:PutImage"
        }
        DocumentKind::Managed | DocumentKind::Inline => {
            set.identity.push(Arc::clone(&sourced));
            "ecr:PutImage"
        }
    };
    let request = Request {
        principal: &user,
        action,
        resource: "arn:aws:ecr:eu-central-1:123456789012:repository/alice/app",
        resource_account: &account,
        context: &context,
    };
    let answer = || match document.kind() {
        DocumentKind::Trust => evaluate_trust(&sourced, &set, &request).is_allowed(),
        _ => evaluate(&set, &request).is_allowed(),
    };
    let allowed = answer();
    assert_eq!(allowed, answer(), "one question has one answer");
    let grants = document.statements().iter().any(|statement| statement.effect() == Effect::Allow);
    assert!(!allowed || (grants && document.unreadable().is_none()), "allowed by nothing");
    if matches!(document.kind(), DocumentKind::Boundary | DocumentKind::Session) {
        assert!(!allowed, "a ceiling alone allows nothing");
    }
}
