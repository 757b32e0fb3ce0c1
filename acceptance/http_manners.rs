//! HTTP as RFC 9110 has it, asked with curl: ranges, entity tags, HEAD, `100 Continue` and early refusals.

use crate::harness::{
    Repository, Response, Server, Terminal,
    layout::{Layout, digest},
    shapes::{Form, image},
};

const LENGTH: usize = 3_000_000;

/// A repository with one image, tagged `1`, and one loose blob of [`LENGTH`] bytes. Gives the image's digest, the
/// blob's and the blob.
fn prepare(root: &Terminal) -> (Repository<'_>, String, String, Vec<u8>) {
    let repository = Repository::create(root, "app");
    repository.login(root, "crane auth login");
    let made = Layout::create(root.home().join("made"));
    let descriptor = image(&made, "made", Form::OciGzip, "amd64", 2);
    made.name("1", &descriptor);
    root.run(&format!("crane push made {}:1", repository.uri()));
    let blob: Vec<u8> = (0..LENGTH).map(|position| (position / 7 % 251) as u8).collect();
    root.write("blob", &blob);
    let name = digest(&blob);
    let answer = upload(&repository, &name, "");
    assert_eq!(answer.status, 201, "{}", answer.text());
    (repository, descriptor["digest"].as_str().unwrap().to_owned(), name, blob)
}

fn upload(repository: &Repository<'_>, digest: &str, flags: &str) -> Response {
    repository.request(
        &format!("/blobs/uploads/?digest={digest}"),
        &format!(
            "--request POST --header 'Content-Type: application/octet-stream' --data-binary @blob {flags}"
        ),
    )
}

#[test]
fn ranges_of_a_blob() {
    let server = Server::start();
    let root = server.root();
    let (repository, _, name, blob) = prepare(&root);
    let path = format!("/blobs/{name}");
    let whole = repository.request(&path, "");
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, Some("bytes")));
    assert_eq!(whole.body, blob);
    for (range, first, last) in [
        ("0-0", 0, 0),
        ("5-9", 5, 9),
        ("2999990-", LENGTH - 10, LENGTH - 1),
        ("-7", LENGTH - 7, LENGTH - 1),
        ("1000-99999999", 1000, LENGTH - 1),
        ("-99999999", 0, LENGTH - 1),
    ] {
        let part = repository.request(&path, &format!("--header 'Range: bytes={range}'"));
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.header("content-range"), Some(format!("bytes {first}-{last}/{LENGTH}").as_str()));
        assert_eq!(part.header("content-length"), Some((last - first + 1).to_string().as_str()));
        assert!(part.body == blob[first..=last], "{range}: other bytes");
    }
    for range in [format!("{LENGTH}-"), "99999999-".to_owned(), "-0".to_owned(), "9-5".to_owned()] {
        let refused = repository.request(&path, &format!("--header 'Range: bytes={range}'"));
        assert_eq!(refused.status, 416, "{range}");
        assert_eq!(refused.header("content-range"), Some(format!("bytes */{LENGTH}").as_str()));
        assert!(refused.text().contains("\"errors\""), "{}", refused.text());
    }
    // A client resumes only what it began: another entity tag means the whole again.
    let etag = whole.header("etag").unwrap();
    let resumed =
        repository.request(&path, &format!("--header 'Range: bytes=5-' --header 'If-Range: {etag}'"));
    assert_eq!(resumed.status, 206);
    let other = repository.request(&path, "--header 'Range: bytes=5-' --header 'If-Range: \"other\"'");
    assert_eq!((other.status, other.body.len()), (200, LENGTH));
    // What is no range of bytes is ignored.
    for ignored in ["lines=1-2", "bytes=", "bytes=a-b"] {
        assert_eq!(
            repository.request(&path, &format!("--header 'Range: {ignored}'")).status,
            200,
            "{ignored}"
        );
    }
}

#[test]
fn head_says_what_get_says_and_entity_tags_spare_the_body() {
    let server = Server::start();
    let root = server.root();
    let (repository, image, blob, _) = prepare(&root);
    let manifest = "--header 'Accept: application/vnd.oci.image.manifest.v1+json'";
    for (path, accept) in [
        (format!("/blobs/{blob}"), ""),
        ("/manifests/1".to_owned(), manifest),
        (format!("/manifests/{image}"), manifest),
    ] {
        let get = repository.request(&path, accept);
        let head = repository.request(&path, &format!("--head {accept}"));
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert_eq!(get.lasting_headers(), head.lasting_headers(), "{path}");
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
        assert_eq!(head.header("docker-distribution-api-version"), Some("registry/2.0"));
        assert_eq!(get.header("docker-content-digest"), Some(digest(&get.body).as_str()));

        let etag = get.header("etag").unwrap();
        for known in [etag.to_owned(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            for method in ["", "--head"] {
                let same = repository
                    .request(&path, &format!("{method} {accept} --header 'If-None-Match: {known}'"));
                assert_eq!((same.status, same.body.len()), (304, 0), "{path} {method} {known}");
                assert_eq!(same.header("etag"), Some(etag), "{path} {method}");
            }
        }
        let changed = repository.request(&path, &format!("{accept} --header 'If-None-Match: \"other\"'"));
        assert_eq!(changed.status, 200, "{path}");
    }
    let missing = digest(b"nothing");
    for path in ["/manifests/none".to_owned(), format!("/manifests/{missing}"), format!("/blobs/{missing}")] {
        let get = repository.request(&path, "");
        let head = repository.request(&path, "--head");
        assert_eq!((get.status, head.status), (404, 404), "{path}");
        assert_eq!(get.lasting_headers(), head.lasting_headers(), "{path}");
        assert!(get.text().contains("\"errors\""), "{path}");
    }
}

#[test]
fn a_client_that_waits_for_100_continue_sends_only_what_is_wanted() {
    let server = Server::start();
    let root = server.root();
    let (repository, _, _, mut blob) = prepare(&root);
    blob[0] ^= 1;
    root.write("blob", &blob);
    // The status and how many bytes of the body curl has sent.
    let sent = |target: &str, user: &str| {
        root.run(&format!(
            "curl --silent --show-error --output answer {user} --request POST --data-binary @blob \
             --header 'Content-Type: application/octet-stream' --header 'Expect: 100-continue' \
             --expect100-timeout 60 --write-out '%{{http_code}} %{{size_upload}}' \
             'http://{}/v2/{target}/blobs/uploads/?digest={}'",
            repository.host(),
            digest(&blob)
        ))
    };
    let user = "--user \"AWS:$(aws ecr get-login-password)\"";
    assert_eq!(sent("app", ""), "401 0");
    assert_eq!(sent("missing", user), "404 0");
    assert_eq!(sent("app", user), format!("201 {LENGTH}"));
}

#[test]
fn a_refused_push_prints_the_sentence_and_not_a_broken_pipe() {
    let server = Server::start();
    let root = server.root();
    let (repository, _, _, _) = prepare(&root);
    root.run("head -c 50000000 /dev/zero > large");
    // This client waits for nothing and sends 50 MB to where nobody wants them.
    for (target, user, status, words) in [
        (
            "missing",
            "--user \"AWS:$(aws ecr get-login-password)\"",
            "404",
            "The repository with name 'missing' does not exist",
        ),
        ("app", "--user AWS:nonsense", "401", "Not Authorized"),
    ] {
        let printed = root.run(&format!(
            "curl --silent --show-error {user} --request POST --header 'Expect:' --data-binary @large \
             --header 'Content-Type: application/octet-stream' --write-out ' %{{http_code}}' \
             'http://{}/v2/{target}/blobs/uploads/?digest={}'",
            repository.host(),
            digest(b"x")
        ));
        assert!(printed.contains(words) && printed.ends_with(status), "{printed}");
    }
}
