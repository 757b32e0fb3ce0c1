//! A private Docker Engine: own data, own socket, no network of its own, nothing of the machine's engine touched.

use super::{Guardian, Namespace, wait_for};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Everything that the Engine keeps lies in `{}`. Tests build, push and pull but run nothing, so that the Engine
/// needs neither bridge nor firewall. The empty `/etc/docker` hides what the machine configures for its own.
const START: &str = "mount -t tmpfs tmpfs /etc/docker && cp -r {}/etc/. /etc/docker && exec dockerd \
     --config-file {}/daemon.json --data-root {}/data --exec-root {}/run --pidfile {}/pid \
     -H unix://{}/docker.sock --bridge=none --iptables=false --ip6tables=false";

/// A running Docker Engine.
pub struct Engine {
    guardian: Guardian,
}

impl Engine {
    /// The one engine that all tests share: images carry their server's port in their names, so that tests do
    /// not meet. It ends with the test process.
    pub fn shared() -> &'static Engine {
        static SHARED: OnceLock<Engine> = OnceLock::new();
        SHARED.get_or_init(|| Engine::start(None, &[]))
    }

    /// An engine inside `namespace` that trusts `certificate` (PEM) for `host`.
    pub fn inside(namespace: &Namespace, host: &str, certificate: &str) -> Engine {
        Engine::start(Some(namespace), &[(&format!("certs.d/{host}/ca.crt"), certificate)])
    }

    fn start(namespace: Option<&Namespace>, configuration: &[(&str, &str)]) -> Engine {
        // Docker itself creates the folder on its first start; a fresh machine does not have it yet.
        std::fs::create_dir_all("/etc/docker").expect("the Docker Engine needs root");
        let mut words: Vec<String> = namespace.map(Namespace::prefix).unwrap_or_default();
        let mut files = String::from("mkdir -p {}/etc && echo '{\"registry-mirrors\": []}' > {}/daemon.json");
        for (path, text) in configuration {
            files += &format!(
                " && mkdir -p \"$(dirname {{}}/etc/{path})\" && printf '%s' '{text}' > {{}}/etc/{path}"
            );
        }
        words.extend(["unshare", "--mount", "sh", "-c"].map(str::to_owned));
        words.push(format!("{files} && {START}"));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let engine = Engine { guardian: Guardian::start("engine", &words) };
        engine.wait_until_it_answers();
        engine
    }

    /// The value of `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// What the Engine has logged.
    pub fn log(&self) -> String {
        self.guardian.log()
    }

    fn socket(&self) -> PathBuf {
        self.guardian.folder().join("docker.sock")
    }

    fn wait_until_it_answers(&self) {
        wait_for(
            "answer of the Docker Engine (it needs root; is docker.io installed?)",
            Duration::from_secs(60),
            || {
                let mut ping = Command::new("curl");
                ping.args(["--silent", "--fail", "--unix-socket"])
                    .arg(self.socket())
                    .arg("http://docker/_ping");
                let answered = ping.output().is_ok_and(|output| output.stdout == b"OK");
                let ended = !answered && self.log().contains("failed to start daemon");
                assert!(!ended, "{}", self.log());
                answered.then_some(())
            },
        );
    }
}
