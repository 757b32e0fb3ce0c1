//! Behind nginx, with the configurations of `docs/how-to/reverse-proxy.md` as they are printed there.

use crate::harness::{Guardian, Repository, Response, Server, Settings, Terminal, build, wait_for};
use std::net::TcpListener;
use std::time::Duration;

const PAGE: &str = include_str!("../docs/how-to/reverse-proxy.md");

/// The fenced block behind the marker.
fn block(marker: &str) -> &'static str {
    let after =
        PAGE.split_once(&format!("<!-- {marker} -->\n```")).unwrap_or_else(|| panic!("no {marker}")).1;
    let (_, text) = after.split_once('\n').unwrap();
    text.split_once("```").unwrap().0
}

/// Everything that nginx writes lies in its folder `{}`.
const AROUND: &str = "daemon off; user root; pid {}/pid; error_log stderr; events {} http { access_log off; \
     client_body_temp_path {}/body; proxy_temp_path {}/proxy; fastcgi_temp_path {}/fastcgi; \
     uwsgi_temp_path {}/uwsgi; scgi_temp_path {}/scgi; CONFIGURATION }";

/// nginx with the page's configuration, on `port` before `server`.
fn nginx(marker: &str, port: u16, server: &Server) -> Guardian {
    let configuration = block(marker)
        .replace("listen 8080;", &format!("listen 127.0.0.1:{port};"))
        .replace("127.0.0.1:4580", server.address());
    let whole = AROUND.replace("events {}", "events { }").replace("CONFIGURATION", &configuration);
    // Every `{}` of ours is the folder; the configuration has none.
    let script =
        format!("cat > {{}}/nginx.conf <<'END'\n{whole}\nEND\nexec nginx -c {{}}/nginx.conf -p {{}}");
    let nginx = Guardian::start("nginx", &["sh", "-c", &script]);
    wait_for("nginx", Duration::from_secs(20), || {
        assert!(!nginx.log().contains("[emerg]"), "{}", nginx.log());
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    nginx
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn on_a_port_of_its_own_everything_works() {
    let port = free_port();
    let public = format!("localhost:{port}");
    let server = Server::start_with(Settings::default().with_flags(&[
        "--public-host",
        &public,
        "--trusted-proxies",
        "127.0.0.1/32",
    ]));
    let _nginx = nginx("nginx: own port", port, &server);
    // The AWS faces too: the server itself is not named anywhere.
    let root = server.root().with("AWS_ENDPOINT_URL", Some(&format!("http://{public}")));
    let repository = Repository::create(&root, "app");
    assert_eq!(repository.host(), public);
    root.run("$(aws ecr get-login --no-include-email)");
    let reference = format!("{}:1", repository.uri());
    build(&root, &reference);
    root.run(&format!("docker push --quiet {reference}"));
    root.run(&format!("docker rmi {reference}"));
    let pulled = root.run(&format!("docker pull {reference}"));
    assert!(pulled.contains(&repository.digest("1")), "{pulled}");

    let layer = root.json(&format!("crane manifest {reference}"))["layers"][0]["digest"].clone();
    let url = root.json(&format!(
        "aws ecr get-download-url-for-layer --repository-name app --layer-digest {}",
        layer.as_str().unwrap()
    ))["downloadUrl"]
        .clone();
    let url = url.as_str().unwrap();
    assert!(url.starts_with(&format!("http://{public}/")), "{url}");
    assert_eq!(Response::of(&root, &format!("'{url}'")).status, 200);

    let started = repository.request("/blobs/uploads/", "--request POST");
    assert!(started.header("location").unwrap().starts_with("/v2/app/blobs/uploads/"), "{started:?}");
}

#[test]
fn under_a_path_the_docker_face_works() {
    let port = free_port();
    let server = Server::start();
    let _nginx = nginx("nginx: under a path", port, &server);
    let root = server.root();
    let repository = Repository::create(&root, "app");
    root.run("$(aws ecr get-login --no-include-email)");
    let direct = format!("{}:1", repository.uri());
    build(&root, &direct);
    root.run(&format!("docker push --quiet {direct}"));
    root.run(&format!(
        "docker tag {direct} {}:2 && docker push --quiet {}:2",
        repository.uri(),
        repository.uri()
    ));

    // containerd pulls and pushes under the path, following what is answered.
    let (_containerd, ctr) = super::containerd::start();
    let host = format!("localhost:{port}");
    root.write(
        &format!("certs.d/{host}/hosts.toml"),
        block("containerd: under a path").replace("localhost:8080", &host),
    );
    let flags = format!(
        "--hosts-dir {}/certs.d --plain-http --user \"AWS:$(aws ecr get-login-password)\"",
        root.home().display()
    );
    root.run(&format!("{ctr} image pull {flags} {host}/app:1"));
    let other = Repository::create(&root, "other");
    root.run(&format!("{ctr} image tag {host}/app:1 {host}/other:3"));
    root.run(&format!("{ctr} image push {flags} {host}/other:3"));
    assert_eq!(other.digest("3"), repository.digest("1"));

    let location = follow(&root, &host, "app/blobs/uploads/", "--request POST");
    let status = under(&root, &format!("http://{host}{}", location.header("location").unwrap()), "");
    assert_eq!(status.status, 204, "{status:?}");
    let first = follow(&root, &host, "app/tags/list?n=1", "");
    let link = first.header("link").unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).unwrap().0;
    let second = under(&root, &format!("http://{host}{next}"), "");
    assert_eq!(
        (first.text().contains("[\"1\"]"), second.text().contains("[\"2\"]")),
        (true, true),
        "{second:?}"
    );
    assert_eq!(second.header("link"), None);
}

fn follow(root: &Terminal, host: &str, path: &str, arguments: &str) -> Response {
    under(root, &format!("http://{host}/registry/v2/{path}"), arguments)
}

fn under(root: &Terminal, url: &str, arguments: &str) -> Response {
    Response::of(root, &format!("--user \"AWS:$(aws ecr get-login-password)\" {arguments} '{url}'"))
}
