//! `docs/reference/compatibility.md`: every operation of ECR, IAM and STS and what it does here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws::Service;

/// Remarks by service and operation.
type Notes = BTreeMap<String, BTreeMap<String, String>>;

const PREFACE: &str = "# Compatibility\n\n\
     <!-- Generated from the code: LONGSHORE_BLESS=1 cargo test --test reference -->\n\n\
     Every operation of the newest service models parses and validates its input. *Built* operations behave as\n\
     AWS documents them, with the remarks given. An operation that is *not built* authenticates and authorises\n\
     the caller and then answers an error that names the operation; nothing is stored.\n";

#[test]
fn the_page_is_current() {
    let mut notes: Notes = toml::from_str(include_str!("notes.toml")).unwrap();
    let ecr = longshore::api::ecr::NOTES.iter();
    notes
        .insert("ecr".to_owned(), ecr.map(|(name, note)| ((*name).to_owned(), (*note).to_owned())).collect());
    let mut page = PREFACE.to_owned();
    for (service, title, built) in [
        (Service::Ecr, "Amazon ECR", longshore::api::ecr::BUILT),
        (Service::Iam, "AWS IAM", longshore::api::iam::BUILT),
        (Service::Sts, "AWS STS", longshore::api::sts::BUILT),
    ] {
        section(&mut page, service, title, built, &notes);
    }
    page.push_str(include_str!("conformance.md"));
    page.push_str(include_str!("compatibility_tail.md"));
    super::check("docs/reference/compatibility.md", &page);
}

fn section(page: &mut String, service: Service, title: &str, built: &[&str], notes: &Notes) {
    let operations = service.operations();
    let none = BTreeMap::new();
    let notes = notes.get(service.signing_name()).unwrap_or(&none);
    let stray: Vec<_> =
        notes.keys().filter(|name| !operations.iter().any(|operation| operation.name == *name)).collect();
    assert!(stray.is_empty(), "notes about operations that do not exist: {stray:?}");
    let unknown: Vec<_> =
        built.iter().filter(|name| !operations.iter().any(|operation| operation.name == **name)).collect();
    assert!(unknown.is_empty(), "built operations that the model does not have: {unknown:?}");
    writeln!(page, "\n## {title}: {} of {} operations\n", built.len(), operations.len()).unwrap();
    page.push_str("| operation | here | remarks |\n|---|---|---|\n");
    for operation in operations {
        let state = if built.contains(&operation.name) { "built" } else { "not built" };
        let note = notes.get(operation.name).map_or("", String::as_str);
        writeln!(page, "| {} | {state} | {note} |", operation.name).unwrap();
    }
}
