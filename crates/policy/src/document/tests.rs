//! Reading, loading, binding and rendering; the sentences themselves are in `tests/validation`.

use super::{Document, DocumentKind, Fault, PrincipalClass};

const TRUST: &str = r#"{ "Version": "2012-10-17",
  "Statement": [ {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:user/alice", "111122223333"],
    "Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"} ] }"#;

#[test]
fn faults_have_places() {
    let error = Document::parse("{\n \"Statement\": [],\n}", DocumentKind::Inline).unwrap_err();
    assert_eq!(error.fault(), &Fault::Json);
    assert_eq!((error.position().line, error.position().column), (3, 1));
    let document = Document::parse(TRUST, DocumentKind::Trust).unwrap();
    let span = document.span(0).unwrap();
    assert_eq!((span.start.line, span.start.column, span.end.line), (2, 18, 3));
    assert!(document.span(1).is_none());
}

#[test]
fn stored_documents_keep_their_meaning_or_deny() {
    let old = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
    assert!(Document::parse(old, DocumentKind::Managed).is_err());
    assert!(Document::load(old, DocumentKind::Managed).unreadable().is_none());
    for broken in [
        "",
        "null",
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNear":{"a":"b"}}}}"#,
        r#"{"Statement":{"Effect":"Allow","NotAction":[],"Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","NotResource":[]}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}}"#,
    ] {
        let loaded = Document::load(broken, DocumentKind::Inline);
        assert!(loaded.unreadable().is_some(), "{broken}");
        assert_eq!(loaded.text(), broken);
    }
    let everyone_but = r#"{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"ecr:*"}}"#;
    assert!(Document::load(everyone_but, DocumentKind::Repository).unreadable().is_some());
}

#[test]
fn names_principals_and_binds_entities() {
    let mut document = Document::parse(TRUST, DocumentKind::Trust).unwrap();
    let texts: Vec<_> = document.principals().map(|principal| principal.text().to_owned()).collect();
    assert_eq!(texts, ["arn:aws:iam::111122223333:user/alice", "111122223333"]);
    assert_eq!(
        document.statements()[0].principals().filter(|p| p.class() == PrincipalClass::Service).count(),
        1
    );
    let alice = document.principals().next().unwrap();
    let error = document.unknown_principal(alice);
    assert_eq!(
        error.to_string(),
        "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111122223333:user/alice\""
    );
    assert_eq!(error.position().line, 2);
    let before = document.clone();
    let mut asked = Vec::new();
    document.bind_principals(&mut |arn| {
        asked.push(arn.to_owned());
        Some("AIDAALICE".to_owned())
    });
    assert_eq!(asked, ["arn:aws:iam::111122223333:user/alice"]);
    assert_eq!(document.principals().find_map(|principal| principal.bound()), Some("AIDAALICE"));
    assert!(before.principals().all(|principal| principal.bound().is_none()), "clones are not touched");
}

#[test]
fn shows_principals_as_aws_does() {
    let document = Document::parse(TRUST, DocumentKind::Trust).unwrap();
    let shown = document
        .text_with_principals(&mut |principal| principal.entity_arn().map(|_| "AIDA\"ALICE".to_owned()));
    let expected = TRUST
        .replace("arn:aws:iam::111122223333:user/alice", "AIDA\\\"ALICE")
        .replace("\"111122223333\"", "\"arn:aws:iam::111122223333:root\"");
    assert_eq!(shown, expected);
}

#[test]
fn lists_context_keys_once() {
    let text = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"*","Resource":"arn:aws:ecr:*:*:repository/${aws:UserName}",
         "Condition":{"StringEquals":{"aws:RequestTag/a":"${aws:PrincipalTag/b}","AWS:username":"x"}}},
        {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"aws:TagKeys":true}}}]}"#;
    let document = Document::parse(text, DocumentKind::Managed).unwrap();
    assert_eq!(
        document.context_keys(),
        ["aws:UserName", "aws:RequestTag/a", "aws:PrincipalTag/b", "aws:TagKeys"]
    );
}

#[test]
fn caps_statements_values_and_length() {
    let statement = r#"{"Effect":"Allow","Action":"a:b","Resource":"*"}"#;
    let many = |count: usize| format!("{{\"Statement\":[{}]}}", vec![statement; count].join(","));
    assert!(Document::parse(&many(1000), DocumentKind::Inline).is_ok());
    assert!(Document::parse(&many(1001), DocumentKind::Inline).is_err());
    let values = |count: usize| {
        let list = vec!["\"a:b\""; count].join(",");
        format!("{{\"Statement\":{{\"Effect\":\"Allow\",\"Action\":[{list}],\"Resource\":\"*\"}}}}")
    };
    assert!(Document::parse(&values(4096), DocumentKind::Inline).is_ok());
    assert!(Document::parse(&values(4097), DocumentKind::Inline).is_err());
    let long = many(1) + &" ".repeat(131_072);
    assert_eq!(Document::parse(&long, DocumentKind::Inline).unwrap_err().fault(), &Fault::Syntax);
}
