//! Paths under `/v2`: each route has one spelling, and no accepted part leaves its place in it.
//!
//! Input: the raw path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::{MAX_PATH_BYTES, Route, route};

fuzz_target!(|data: &[u8]| {
    let Ok(path) = std::str::from_utf8(data) else { return };
    match route(path) {
        Ok(route) => {
            assert!(path.len() <= MAX_PATH_BYTES);
            let written = spelled(&route);
            let also = match route {
                Route::Base => Some("/v2".to_owned()),
                Route::Uploads(_) => written.strip_suffix('/').map(str::to_owned),
                _ => None,
            };
            assert!(path == written || Some(path) == also.as_deref(), "{route:?} is also spelled {path:?}");
            assert!(!path.contains(['%', '\\', '?', '#', '\0', ' ']), "{path:?}");
            for part in path.split('/') {
                assert!(part != "." && part != "..", "{path:?}");
            }
            if let Some(name) = route.repository() {
                assert!((2..=256).contains(&name.as_str().len()));
            }
        }
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.contains(char::is_control), "{sentence:?}");
            assert!(sentence.len() < 12 * MAX_PATH_BYTES);
        }
    }
});

fn spelled(route: &Route) -> String {
    match route {
        Route::Base => "/v2/".to_owned(),
        Route::Catalog => "/v2/_catalog".to_owned(),
        Route::Tags(name) => format!("/v2/{name}/tags/list"),
        Route::Manifest(name, reference) => format!("/v2/{name}/manifests/{reference}"),
        Route::Blob(name, digest) => format!("/v2/{name}/blobs/{digest}"),
        Route::Uploads(name) => format!("/v2/{name}/blobs/uploads/"),
        Route::Upload(name, id) => format!("/v2/{name}/blobs/uploads/{id}"),
        Route::Referrers(name, digest) => format!("/v2/{name}/referrers/{digest}"),
    }
}
