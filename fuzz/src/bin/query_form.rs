//! IAM's and STS's requests: the query string and the form give parameters, the parameters an operation.
//!
//! Input: the query string up to the first line break, then the form.
#![no_main]

use aws::query::{MOST_PARAMETERS, Parameters};
use aws::{DecodeError, query_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (query, rest) = data.split_at(line);
    let Ok(query) = std::str::from_utf8(query) else { return };
    let form = rest.strip_prefix(b"\n");
    let Ok(parameters) = Parameters::parse(Some(query), form) else { return };
    assert!(parameters.len() <= MOST_PARAMETERS);
    let action = parameters.get("Action").unwrap_or("CreateUser");
    check(action, aws::iam::Operation::from_query(action, &parameters).map(|operation| operation.name()));
    check(action, aws::sts::Operation::from_query(action, &parameters).map(|operation| operation.name()));
});

fn check(action: &str, decoded: Result<&'static str, DecodeError>) {
    match decoded {
        Ok(name) => assert_eq!(name, action),
        Err(DecodeError::Invalid(violations)) => {
            assert!(!violations.is_empty());
            for with_value in [false, true] {
                assert!(!query_message(&violations, with_value).is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
