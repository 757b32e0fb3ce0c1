//! A data folder and the server over it, with the shim between both or without.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use super::client::{Client, KEY_ID, SECRET};
use super::{Control, Order, Trace};
use crate::harness::tools;

/// After this every grace has passed.
const LATER: Duration = Duration::from_secs(3 * 24 * 3600);

/// When a server is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Now,
    /// Days later, with a collector that looks every second.
    Later,
}

/// A folder with `data/`, the orders and the trace.
pub struct Installation {
    folder: TempDir,
}

/// A server that has said that it is ready, or has ended before.
pub struct Running {
    process: Child,
    /// `None` when it ended before it was ready.
    pub client: Option<Client>,
}

impl Installation {
    /// An empty one. In memory when it may be: a lost process loses nothing there, and syncs cost nothing.
    pub fn create(in_memory: bool) -> Installation {
        let memory = Path::new("/dev/shm");
        let builder = tempfile::Builder::new().prefix("longshore-faults-").to_owned();
        let folder =
            if in_memory && memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() }
                .unwrap();
        let folder_path = folder.path().canonicalize().unwrap();
        std::fs::create_dir(folder_path.join("data")).unwrap();
        Installation { folder }
    }

    /// Another one with the same data.
    pub fn copy(&self) -> Installation {
        let copy = Installation::create(true);
        let status =
            Command::new("cp").arg("-a").arg(self.data().join(".")).arg(copy.data()).status().unwrap();
        assert!(status.success());
        copy
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("data")
    }

    /// The records about a file: those of its bytes have its number, not its name.
    pub fn number_of(&self, file: &str) -> u64 {
        std::fs::metadata(self.data().join(file)).unwrap().ino()
    }

    pub fn trace_path(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    pub fn trace(&self) -> Trace {
        Trace::read(&self.trace_path())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts the server days later.
    pub fn start_later(&self) -> Running {
        self.spawn(Command::new(tools::longshore()), When::Later)
    }

    /// Starts the server as it is.
    pub fn start(&self) -> Running {
        self.spawn(Command::new(tools::longshore()), When::Now)
    }

    /// Starts the server as the first one of another boot of the machine: what was never synced does not count.
    pub fn start_in_another_boot(&self, when: When) -> Running {
        self.spawn(self.in_another_boot(), when)
    }

    /// `longshore fsck` finds nothing in what a killed server has left.
    pub fn is_in_order(&self, what: &str) {
        self.check(Command::new(tools::longshore()), what);
    }

    /// The same after the power was cut, before any server has started.
    pub fn is_in_order_in_another_boot(&self, what: &str) {
        self.check(self.in_another_boot(), what);
    }

    fn check(&self, mut command: Command, what: &str) {
        let output = command.args(["fsck", "--deep", "--data-dir"]).arg(self.data()).output().unwrap();
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{what}: {printed:?}");
    }

    fn in_another_boot(&self) -> Command {
        let boot = self.folder.path().join("boot");
        std::fs::write(&boot, "01234567-89ab-cdef-0123-456789abcdef\n").unwrap();
        let mut command = Command::new(tools::longshore());
        command.env("LD_PRELOAD", shim()).env("LONGSHORE_FAULTS_BOOT", boot);
        command
    }

    /// Starts the server over the shim, with an order for its start.
    pub fn start_with_faults(&self, order: Order, is_recorded: bool) -> (Running, Control) {
        self.start_with_faults_at(When::Now, order, is_recorded)
    }

    /// The same, maybe days later.
    pub fn start_with_faults_at(&self, when: When, order: Order, is_recorded: bool) -> (Running, Control) {
        let control = Control::create(&self.folder.path().join("control"));
        control.order(order);
        let mut command = Command::new(tools::longshore());
        command.env("LD_PRELOAD", shim()).env("LONGSHORE_FAULTS_ROOT", self.data());
        command.env("LONGSHORE_FAULTS_CONTROL", control.path());
        if is_recorded {
            command.env("LONGSHORE_FAULTS_TRACE", self.trace_path());
        }
        (self.spawn(command, when), control)
    }

    fn spawn(&self, mut command: Command, when: When) -> Running {
        let ahead = match when {
            When::Now => Duration::ZERO,
            When::Later => LATER,
        };
        if when == When::Later {
            command.env("LD_PRELOAD", shim()).env("LONGSHORE_FAULTS_CLOCK", LATER.as_secs().to_string());
            command.env("LONGSHORE_COLLECT_INTERVAL_SECONDS", "1");
        }
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        // A small reserve: each replay of a trace writes it anew.
        command.args(["serve", "--disk-reserve-bytes", "262144", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(self.data());
        command.env("LONGSHORE_ROOT_ACCESS_KEY_ID", KEY_ID).env("LONGSHORE_ROOT_SECRET_ACCESS_KEY", SECRET);
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("start longshore");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.into_iter().find_map(|line| Some(line.strip_prefix("ready http://")?.to_owned()));
        Running { process, client: address.map(|address| Client::ahead_of(&address, ahead)) }
    }
}

impl Running {
    /// The client of a server that must have become ready.
    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("the server becomes ready")
    }

    /// Whether the process is over.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    pub fn wait(mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Ends it as an operator does.
    pub fn stop(self) -> ExitStatus {
        let number = self.process.id().to_string();
        Command::new("kill").arg(number).status().unwrap();
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The shim, built once from its source.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/acceptance/faults/shim.c");
        let arguments = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"];
        let mut command = Command::new("cc");
        command.args(arguments).arg(&library).arg(source).args(["-ldl", "-lpthread"]);
        assert!(command.status().expect("a C compiler").success(), "shim.c");
        library
    })
}
