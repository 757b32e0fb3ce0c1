//! Method, path and query of the registry face: what becomes an operation keeps the bounds of its parts, and a
//! refused method is really none of those that the answer allows.
//!
//! Input: `METHOD PATH[?QUERY]`.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use registry::operation::{MAX_PAGE, MAX_TAG_PARAMETERS, Operation, Page, PushTarget, Refusal};

/// Taken in by its path: the module is pure, and linking the server would make every build here take minutes.
#[path = "../../../src/api/registry"]
mod registry {
    #[allow(dead_code, reason = "the server uses more of it")]
    pub mod operation;
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((method, target)) = text.split_once(' ') else { return };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    match Operation::parse(&method, path, query) {
        Ok(operation) => check(&operation, &method, path),
        Err(Refusal::Method(allowed)) => {
            for other in allowed.split(", ") {
                assert_ne!(other, method.as_str(), "{path:?}");
                let other = Method::from_bytes(other.as_bytes()).expect("a method");
                let parsed = Operation::parse(&other, path, query);
                assert!(!matches!(parsed, Err(Refusal::Method(_) | Refusal::NotFound)), "{other} {path:?}");
            }
        }
        Err(Refusal::NotFound) => {
            let parsed = Operation::parse(&Method::GET, path, None);
            assert_eq!(parsed, Err(Refusal::NotFound), "a path is there for all methods or for none");
        }
        Err(Refusal::Malformed(_)) => {}
    }
});

fn check(operation: &Operation, method: &Method, path: &str) {
    assert!(path.starts_with("/v2"));
    assert!(operation.name().bytes().all(|byte| byte.is_ascii_alphabetic()));
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match operation {
        Operation::Base => assert!(reads),
        Operation::Catalog(page) | Operation::ListTags(_, page) | Operation::ListReferrers { page, .. } => {
            assert!(reads);
            let Page { limit, last } = page;
            assert!(limit.is_none_or(|limit| limit <= MAX_PAGE));
            assert_ne!(last.as_deref(), Some(""));
        }
        Operation::GetManifest(..)
        | Operation::GetBlob(..)
        | Operation::HeadBlob(..)
        | Operation::UploadStatus(..) => assert!(reads),
        Operation::PutManifest(_, target) => {
            assert!(!reads && operation.begins_push_to().is_some());
            if let PushTarget::Digest(_, tags) = target {
                assert!(tags.len() <= MAX_TAG_PARAMETERS);
                let mut once = tags.clone();
                once.sort();
                once.dedup();
                assert_eq!(once.len(), tags.len(), "each tag once");
            }
        }
        Operation::StartUpload(_) | Operation::MountBlob { .. } | Operation::UploadWhole(..) => {
            assert_eq!(*method, Method::POST);
            assert!(operation.begins_push_to().is_some());
        }
        Operation::DeleteManifest(..) | Operation::DeleteBlob(..) | Operation::AbortUpload(..) => {
            assert_eq!(*method, Method::DELETE);
        }
        Operation::AppendUpload(..) => assert_eq!(*method, Method::PATCH),
        Operation::CompleteUpload(..) => assert_eq!(*method, Method::PUT),
    }
}
