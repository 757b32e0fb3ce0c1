//! Documents and the sentence that refuses them, from `tests/validation/*.json`; `ok` means accepted.

use std::path::Path;

use policy::{Document, DocumentKind};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    description: String,
    document: Option<Value>,
    text: Option<String>,
    expect: String,
}

fn kind(name: &str) -> DocumentKind {
    match name {
        "managed" => DocumentKind::Managed,
        "inline" => DocumentKind::Inline,
        "boundary" => DocumentKind::Boundary,
        "session" => DocumentKind::Session,
        "trust" => DocumentKind::Trust,
        "repository" => DocumentKind::Repository,
        "registry" => DocumentKind::Registry,
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn every_document_is_judged_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validation");
    let mut accepted = 0;
    let mut refused = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let rows: Vec<Row> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!rows.is_empty(), "{name} is empty");
        for row in rows {
            assert!(!row.expect.is_empty() && !row.description.is_empty(), "{name}: incomplete row");
            let text = match (&row.document, &row.text) {
                (Some(document), None) => document.to_string(),
                (None, Some(text)) => text.clone(),
                _ => panic!("{name}: {} needs either document or text", row.description),
            };
            let said = match Document::parse(&text, kind(&row.kind)) {
                Ok(document) => {
                    assert_eq!(document.text(), text);
                    accepted += 1;
                    "ok".to_owned()
                }
                Err(error) => {
                    refused += 1;
                    error.to_string()
                }
            };
            assert_eq!(said, row.expect, "{name}: {}: {text}", row.description);
        }
    }
    assert!(accepted > 40 && refused > 100, "{accepted} accepted, {refused} refused: rows are missing");
}
