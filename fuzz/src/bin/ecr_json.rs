//! ECR's requests: a JSON body becomes an operation or the sentence of a documented error.
//!
//! Input: the name of the operation up to the first line break, then the body.
#![no_main]

use aws::{DecodeError, ecr_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(line) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (name, rest) = data.split_at(line);
    let Ok(name) = std::str::from_utf8(name) else { return };
    let body = rest.strip_prefix(b"\n").unwrap_or(rest);
    match aws::ecr::Operation::from_json(name, body) {
        Ok(operation) => {
            assert_eq!(operation.name(), name);
            // Skipped values are not built, so a number that no f64 holds may stand there.
            let text = std::str::from_utf8(body).expect("what is taken is text");
            assert!(
                text.is_empty() || text.trim_ascii_start().starts_with('{'),
                "what is taken is an object"
            );
            assert!(text.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        }
        Err(DecodeError::Invalid(violations)) => {
            assert!(!violations.is_empty());
            for violation in &violations {
                assert!(!ecr_message(violation).is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
