//! A layer of more than a gibibyte over HTTP/2, in both directions and in parallel parts; the same without TLS.

use crate::harness::{
    Repository, Server, Settings, Terminal,
    layout::{Layout, digest_of_file},
    shapes::large_image,
};

/// Pushes and pulls a layer of about this many bytes; `flags` make curl speak HTTP/2 there.
fn there_and_back(root: &Terminal, repository: &Repository<'_>, scheme: &str, flags: &str, bytes: u64) {
    let made = Layout::create(root.home().join("made"));
    let image = large_image(&made, bytes);
    let layer = made.json(image["digest"].as_str().unwrap())["layers"][0].clone();
    let (layer, size) = (layer["digest"].as_str().unwrap(), layer["size"].as_u64().unwrap());
    let base = format!("{scheme}://{}", repository.host());
    let curl = format!("curl --silent --show-error --fail {flags} --user 'AWS:{}'", repository.password());

    let location = root.run(&format!(
        "{curl} --request POST --output /dev/null --write-out '%header{{location}}' {base}/v2/app/blobs/uploads/"
    ));
    let pushed = root.run(&format!(
        "{curl} --upload-file '{}' --output /dev/null --write-out '%{{http_code}} %{{http_version}} %{{size_upload}}' \
         '{base}{location}?digest={layer}'",
        made.blob(layer).display()
    ));
    assert_eq!(pushed, format!("201 2 {size}"));

    let url = format!("{base}/v2/app/blobs/{layer}");
    let pulled =
        root.run(&format!("{curl} --output whole --write-out '%{{http_code}} %{{http_version}}' '{url}'"));
    assert_eq!(pulled, "200 2");
    assert_eq!(digest_of_file(&root.home().join("whole")), (layer.to_owned(), size));
    root.run("rm whole");

    // Four clients fetch a quarter each, at the same time.
    let part = |number: u64| {
        let (first, last) = (size * number / 4, size * (number + 1) / 4 - 1);
        format!(
            "{curl} --range {first}-{last} --output part-{number} --write-out '%{{http_code}} %{{http_version}}\\n' '{url}' &"
        )
    };
    let parts: Vec<String> = (0..4).map(part).collect();
    assert_eq!(root.run(&format!("{}\nwait", parts.join("\n"))), "206 2\n206 2\n206 2\n206 2");
    root.run("cat part-0 part-1 part-2 part-3 > whole && rm part-*");
    assert_eq!(digest_of_file(&root.home().join("whole")), (layer.to_owned(), size));
}

#[test]
fn more_than_a_gibibyte_over_tls() {
    let server = Server::start_with(Settings::default().with_flags(&["--tls", "self-signed"]));
    let authority = server.settings().data.unwrap().path().join("tls/ca.pem");
    let root = server.root().with("AWS_CA_BUNDLE", authority.to_str());
    let repository = Repository::create(&root, "app");
    let flags = format!("--http2 --cacert '{}'", authority.display());
    there_and_back(&root, &repository, "https", &flags, (1 << 30) + (64 << 20));
}

#[test]
fn without_tls_for_a_client_that_knows() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "app");
    there_and_back(&root, &repository, "http", "--http2-prior-knowledge", 64 << 20);
}
