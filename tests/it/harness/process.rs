//! The real program in a process of its own: what can be killed, and whose memory can be measured.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::client::Key;
use super::server::TestServer;

const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");

/// A server process and how to speak to it. Dropping it kills it.
pub struct Process {
    child: Child,
    flags: Vec<String>,
    /// The client side.
    pub server: TestServer,
}

impl Process {
    /// A new server with these further flags.
    pub fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Key::new("AKIAPROCESSOFATEST22", "b0Jk/xq7Jz2s+3Hn5tYw8Lr1Vd4Gf6Mc9Pa0QeTu");
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (child, address) = spawn(&folder, &root, &flags);
        Self { child, flags, server: TestServer::elsewhere(address, root, folder) }
    }

    /// Kills it with SIGKILL and starts it again on the same folder; it listens on another port then.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let (child, address) = spawn(&self.server.folder, &self.server.root, &self.flags);
        self.child = child;
        self.server.address = address;
    }

    /// Memory that it holds now, in bytes (`VmRSS`).
    pub fn resident_bytes(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// Threads that it has now.
    pub fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// File descriptors that it has open now.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir, root: &Key, flags: &[String]) -> (Child, SocketAddr) {
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()])
        .args(flags)
        .env_clear()
        .env("LONGSHORE_ROOT_ACCESS_KEY_ID", &root.id)
        .env("LONGSHORE_ROOT_SECRET_ACCESS_KEY", &root.secret)
        .env("LONGSHORE_LOG_LEVEL", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let ready = lines.find_map(|line| line.strip_prefix("ready http://").map(str::to_owned));
    let port = ready.as_deref().and_then(|address| address.rsplit_once(':')?.1.parse::<u16>().ok());
    (child, ([127, 0, 0, 1], port.expect("a ready line")).into())
}
