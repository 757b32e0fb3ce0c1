//! Mounts and network of its own, in which the tutorial's host name leads to loopback.
//!
//! Nothing of the machine changes: the hosts file is a bind mount that only processes in here see, and port 443
//! of this loopback interface is free whatever the machine serves.

use super::{Guardian, wait_for};
use std::time::Duration;

/// A namespace, alive as long as this value.
pub struct Namespace {
    guardian: Guardian,
}

impl Namespace {
    /// Makes a namespace in which every name of `hosts` is 127.0.0.1.
    pub fn with_hosts(hosts: &[&str]) -> Namespace {
        let hosts = hosts.join(" ");
        let script = format!(
            "ip link set lo up && echo '127.0.0.1 localhost {hosts}' > {{}}/hosts && \
             mount --bind {{}}/hosts /etc/hosts && echo $$ > {{}}/entered && exec sleep infinity"
        );
        let guardian = Guardian::start("namespace", &["unshare", "--mount", "--net", "sh", "-c", &script]);
        let namespace = Namespace { guardian };
        wait_for("namespace (it needs root)", Duration::from_secs(10), || namespace.process());
        namespace
    }

    /// The words before a command that run it in here.
    pub fn prefix(&self) -> Vec<String> {
        let process = self.process().expect("waited for in `with_hosts`");
        ["nsenter", "--target", &process, "--mount", "--net", "--"].map(str::to_owned).to_vec()
    }

    fn process(&self) -> Option<String> {
        let process = std::fs::read_to_string(self.guardian.folder().join("entered")).ok()?;
        process.ends_with('\n').then(|| process.trim_end().to_owned())
    }
}
