//! The URL of a layer works with plain curl, and what ends with time really ends.

use crate::harness::{Server, Terminal, build};

/// A repository with one pushed image: its reference and the digest of its layer.
fn pushed_layer(root: &Terminal) -> (String, String) {
    let uri =
        root.json("aws ecr create-repository --repository-name app")["repository"]["repositoryUri"].clone();
    let reference = format!("{}:1", uri.as_str().unwrap());
    root.run("$(aws ecr get-login --no-include-email)");
    build(root, &reference);
    root.run(&format!("docker push {reference}"));
    let manifest = root.run("aws ecr batch-get-image --repository-name app --image-ids imageTag=1 --query 'images[0].imageManifest' --output text");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    (reference, manifest["layers"][0]["digest"].as_str().unwrap().to_owned())
}

fn url_of(root: &Terminal, layer: &str) -> String {
    let answer = root
        .json(&format!("aws ecr get-download-url-for-layer --repository-name app --layer-digest {layer}"));
    assert_eq!(answer["layerDigest"], layer);
    answer["downloadUrl"].as_str().unwrap().to_owned()
}

fn status(terminal: &Terminal, url: &str) -> String {
    terminal.run(&format!("curl --silent --output answer --write-out '%{{http_code}}' '{url}'"))
}

#[test]
fn curl_fetches_the_layer_without_credentials() {
    let server = Server::start();
    let root = server.root();
    let (_, layer) = pushed_layer(&root);
    let url = url_of(&root, &layer);
    let stranger = root.someone_else("", "");
    assert_eq!(status(&stranger, &url), "200");
    assert_eq!(format!("sha256:{}", stranger.run("sha256sum answer | cut -d' ' -f1")), layer);
    let part = format!(
        "curl --silent --range 3-12 --output part --write-out '%{{http_code}}' '{url}' && cmp part <(tail -c +4 answer | head -c 10)"
    );
    assert_eq!(stranger.run(&format!("bash -c \"{}\"", part.replace('"', "\\\""))), "206");
}

#[test]
fn a_tampered_url_is_refused() {
    let server = Server::start();
    let root = server.root();
    let (_, layer) = pushed_layer(&root);
    let url = url_of(&root, &layer);
    assert_eq!(status(&root, &url), "200");
    // Each letter and digit behind the host, changed one at a time: path, expiry and signature alike.
    let begin = url.find("://").unwrap() + 3;
    let begin = begin + url[begin..].find('/').unwrap();
    let positions: Vec<usize> =
        (begin..url.len()).filter(|at| url.as_bytes()[*at].is_ascii_alphanumeric()).collect();
    for at in positions.iter().step_by(positions.len() / 24 + 1).chain(positions.last()) {
        let other = if &url[*at..=*at] == "a" { "b" } else { "a" };
        let tampered = format!("{}{other}{}", &url[..*at], &url[at + 1..]);
        let status = status(&root, &tampered);
        assert!(
            matches!(status.as_str(), "400" | "401" | "403" | "404"),
            "{status} for {tampered}\ninstead of {url}"
        );
    }
}

/// A layer's URL lives for minutes (an hour at most, ecr.md §4.6), a docker login for twelve hours (§3.1).
#[test]
fn the_layers_url_and_the_docker_login_end_in_time() {
    let mut server = Server::start();
    let root = server.root();
    let (reference, layer) = pushed_layer(&root);
    let url = url_of(&root, &layer);
    let mut later = |clock: &str| {
        server.stop("TERM");
        server = Server::start_with(server.settings().with_clock(clock));
    };
    later("+1m");
    assert_eq!(status(&root, &url), "200");
    later("+61m");
    assert_eq!(status(&root, &url), "403");
    later("+11h");
    root.run(&format!("docker pull {reference}"));
    later("+721m");
    let refusal = root.fails(&format!("docker pull {reference}"));
    assert!(
        refusal.contains("Your authorization token has expired. Reauthenticate and try again."),
        "{refusal}"
    );
}
