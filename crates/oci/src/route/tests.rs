use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UPLOAD: &str = "01234567-89ab-4def-8123-456789abcdef";

fn name(text: &str) -> RepositoryName {
    RepositoryName::parse(text).unwrap()
}

fn tag(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

#[test]
fn endpoints() {
    let digest = || Digest::parse(DIGEST).unwrap();
    let upload = || UploadId::parse(UPLOAD).unwrap();
    for (path, expected) in [
        ("/v2".to_owned(), Route::Base),
        ("/v2/".into(), Route::Base),
        ("/v2/_catalog".into(), Route::Catalog),
        ("/v2/app/tags/list".into(), Route::Tags(name("app"))),
        ("/v2/a/b/c/tags/list".into(), Route::Tags(name("a/b/c"))),
        ("/v2/app/manifests/latest".into(), Route::Manifest(name("app"), tag("latest"))),
        (format!("/v2/app/manifests/{DIGEST}"), Route::Manifest(name("app"), Reference::Digest(digest()))),
        (format!("/v2/a/b/blobs/{DIGEST}"), Route::Blob(name("a/b"), digest())),
        ("/v2/app/blobs/uploads/".into(), Route::Uploads(name("app"))),
        ("/v2/app/blobs/uploads".into(), Route::Uploads(name("app"))),
        (format!("/v2/app/blobs/uploads/{UPLOAD}"), Route::Upload(name("app"), upload())),
        (format!("/v2/app/referrers/{DIGEST}"), Route::Referrers(name("app"), digest())),
    ] {
        assert_eq!(route(&path), Ok(expected), "{path}");
    }
}

#[test]
fn names_may_contain_the_words_of_the_endpoints() {
    for (path, expected) in [
        ("/v2/a/blobs/tags/list".to_owned(), Route::Tags(name("a/blobs"))),
        ("/v2/a/tags/list/tags/list".into(), Route::Tags(name("a/tags/list"))),
        ("/v2/manifests/manifests/manifests".into(), Route::Manifest(name("manifests"), tag("manifests"))),
        ("/v2/aa/manifests/uploads".into(), Route::Manifest(name("aa"), tag("uploads"))),
        ("/v2/aa/manifests/list".into(), Route::Manifest(name("aa"), tag("list"))),
        ("/v2/a/blobs/uploads/manifests/v1".into(), Route::Manifest(name("a/blobs/uploads"), tag("v1"))),
        ("/v2/a/manifests/blobs/uploads/".into(), Route::Uploads(name("a/manifests"))),
        ("/v2/blobs/uploads/blobs/uploads/".into(), Route::Uploads(name("blobs/uploads"))),
        (
            format!("/v2/blobs/uploads/blobs/uploads/{UPLOAD}"),
            Route::Upload(name("blobs/uploads"), UploadId::parse(UPLOAD).unwrap()),
        ),
    ] {
        assert_eq!(route(&path), Ok(expected), "{path}");
    }
}

#[test]
fn what_is_no_endpoint_is_not_found() {
    for path in [
        "",
        "/",
        "v2/",
        "/v1/",
        "/v2x",
        "/v2/x",
        "//v2/",
        "/V2/",
        "/v2/_catalog/",
        "/v2/_catalog/x",
        "/v2/tags/list",
        "/v2/manifests/latest",
        "/v2/app/tags",
        "/v2/app/tags/",
        "/v2/app/tags/other",
        "/v2/app/tags/list/",
        "/v2/app/manifests",
        "/v2/app/uploads/01234567-89ab-4def-8123-456789abcdef",
        "/v2/app/manifest/latest",
        "/v2/app/Manifests/latest",
        "/v2/app/manifests/a/b",
        "/v2/app/manifests/../../x",
        "/v2/app/%6danifests/latest",
        "/v2/app/manifests%2flatest",
        "/v2%2fapp/manifests/latest",
    ] {
        assert_eq!(route(path), Err(RouteError::NotFound), "{path}");
    }
    let over_long = format!("/v2/{}/manifests/latest", "a".repeat(MAX_PATH_BYTES));
    assert_eq!(route(&over_long), Err(RouteError::NotFound));
}

#[test]
fn bad_names_are_named() {
    for bad in [
        "..",
        "../..",
        "../../etc/passwd",
        "a/../b",
        "./aa",
        "aa/.",
        "aa/",
        "aa//bb",
        "/aa",
        "%2e%2e",
        "a%2fb",
        "aa%00",
        "aa\0",
        "aa\r\nX: y",
        "aa\tb",
        "AA",
        "a",
        "aa\\bb",
        "aé",
        "aa bb",
        "aa:bb",
        "aa?x",
        "aa#x",
    ] {
        for path in [
            format!("/v2/{bad}/tags/list"),
            format!("/v2/{bad}/manifests/latest"),
            format!("/v2/{bad}/blobs/{DIGEST}"),
            format!("/v2/{bad}/blobs/uploads/"),
            format!("/v2/{bad}/blobs/uploads/{UPLOAD}"),
            format!("/v2/{bad}/referrers/{DIGEST}"),
        ] {
            match route(&path) {
                Err(RouteError::InvalidName { name, .. }) => assert_eq!(name, bad, "{path:?}"),
                other => panic!("{path:?} gave {other:?}"),
            }
        }
    }
    let long = "a".repeat(257);
    assert_eq!(
        route(&format!("/v2/{long}/tags/list")),
        Err(RouteError::InvalidName { name: long, error: NameError::TooLong { length: 257 } })
    );
}

#[test]
fn bad_last_parts_are_named() {
    let bad_digest = |text: &str, error| RouteError::InvalidDigest { digest: text.into(), error };
    let bad_tag = |text: &str, error| RouteError::InvalidReference { reference: text.into(), error };
    let bad_upload = |text: &str| RouteError::InvalidUpload { upload: text.into() };
    for (path, expected) in [
        ("/v2/app/blobs/latest", bad_digest("latest", DigestError::MissingAlgorithm)),
        ("/v2/app/blobs/", bad_digest("", DigestError::MissingAlgorithm)),
        ("/v2/app/blobs/sha256%3A00", bad_digest("sha256%3A00", DigestError::MissingAlgorithm)),
        ("/v2/app/blobs/md5:00", bad_digest("md5:00", DigestError::UnsupportedAlgorithm)),
        ("/v2/app/referrers/x", bad_digest("x", DigestError::MissingAlgorithm)),
        (
            "/v2/app/manifests/sha256:00",
            bad_digest("sha256:00", DigestError::WrongLength { expected: 64, found: 2 }),
        ),
        ("/v2/app/manifests/", bad_tag("", TagError::Empty)),
        ("/v2/app/manifests/..", bad_tag("..", TagError::Character { position: 0 })),
        ("/v2/app/manifests/1.0+x", bad_tag("1.0+x", TagError::Character { position: 3 })),
        ("/v2/app/manifests/%2e", bad_tag("%2e", TagError::Character { position: 0 })),
        ("/v2/app/manifests/a\0", bad_tag("a\0", TagError::Character { position: 1 })),
        ("/v2/app/blobs/uploads/..", bad_upload("..")),
        ("/v2/app/blobs/uploads/%2e%2e", bad_upload("%2e%2e")),
        ("/v2/app/blobs/uploads/sha256:00", bad_upload("sha256:00")),
    ] {
        assert_eq!(route(path), Err(expected), "{path:?}");
    }
    // Both are wrong: the name wins.
    assert!(matches!(route("/v2/../blobs/x"), Err(RouteError::InvalidName { .. })));
}

#[test]
fn errors_escape_what_was_sent() {
    let error = route("/v2/a\n\u{1b}[2J/tags/list").unwrap_err();
    assert!(error.to_string().chars().all(|character| !character.is_control()), "{error}");
}

proptest! {
    #[test]
    fn no_path_panics(path in "(/v2)?(/(\\.\\.|%2e|tags|list|blobs|uploads|manifests|referrers|[a-z]{0,3}|.{0,4})){0,8}") {
        if let Ok(found) = route(&path)
            && let Some(name) = found.repository()
        {
            let prefix = format!("/v2/{name}/");
            prop_assert!(path.starts_with(&prefix));
        }
    }

    #[test]
    fn every_name_and_tag_come_back(
        repository in "[a-z0-9]{2,6}(/(tags|list|blobs|uploads|manifests|[a-z0-9]{1,5})){0,4}",
        reference in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}",
    ) {
        let (name, tag) = (name(&repository), tag(&reference));
        prop_assert_eq!(route(&format!("/v2/{name}/manifests/{tag}")), Ok(Route::Manifest(name.clone(), tag)));
        prop_assert_eq!(route(&format!("/v2/{name}/tags/list")), Ok(Route::Tags(name.clone())));
        prop_assert_eq!(route(&format!("/v2/{name}/blobs/uploads/")), Ok(Route::Uploads(name)));
    }
}
