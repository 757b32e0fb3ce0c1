//! The binary under test: started on a free port with a data folder of its own, as a user would start it.

use super::{Namespace, Terminal, tools, wait_for};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start may take before the test gives up; what is promised is measured in `tutorial.rs`.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How to start a server. The default is what the README's first command does, on a free port.
#[derive(Clone, Default)]
pub struct Settings {
    /// Further flags of `longshore serve`.
    pub flags: Vec<String>,
    /// `host:port`; a free port of 127.0.0.1 when empty.
    pub listen: String,
    /// Further variables of its environment.
    pub environment: BTreeMap<String, String>,
    /// Words before the command that enter a namespace.
    pub prefix: Vec<String>,
    /// Moves the server's clock, in libfaketime's form: `+13h`.
    pub clock: Option<String>,
    /// An existing data folder; a new one when `None`.
    pub data: Option<Arc<TempDir>>,
}

impl Settings {
    pub fn inside(mut self, namespace: &Namespace) -> Settings {
        self.prefix = namespace.prefix();
        self
    }

    pub fn with_clock(mut self, clock: &str) -> Settings {
        self.clock = Some(clock.to_owned());
        self
    }

    pub fn with_flags(mut self, flags: &[&str]) -> Settings {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }
}

/// A running server. Dropping it sends SIGTERM and waits.
pub struct Server {
    process: Child,
    settings: Settings,
    /// Standard output and standard error: apart, because one may come in the middle of a line of the other.
    printed: [Arc<Mutex<String>>; 2],
    address: String,
    /// From the start of the process to its `ready` line.
    pub start_took: Duration,
}

impl Server {
    /// A new server with a new account.
    pub fn start() -> Server {
        Server::start_with(Settings::default())
    }

    /// A server as the settings say; returns when it has printed its `ready` line.
    pub fn start_with(mut settings: Settings) -> Server {
        let data = settings
            .data
            .get_or_insert_with(|| Arc::new(TempDir::with_prefix("longshore-data-").unwrap()))
            .clone();
        let listen = if settings.listen.is_empty() { "127.0.0.1:0" } else { &settings.listen };
        let mut words = settings.prefix.clone();
        words.push(tools::longshore().to_str().unwrap().to_owned());
        words.extend(
            ["serve", "--data-dir", data.path().to_str().unwrap(), "--listen", listen].map(str::to_owned),
        );
        words.extend(settings.flags.iter().cloned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("PATH", tools::path()).env("HOME", data.path());
        command.envs(&settings.environment);
        if let Some(clock) = &settings.clock {
            // Only the calendar moves: timers must go on as before.
            command
                .env("LD_PRELOAD", tools::FAKE_CLOCK)
                .env("FAKETIME", clock)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let begin = Instant::now();
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start longshore");
        let printed: [Arc<Mutex<String>>; 2] = Default::default();
        let ready = Arc::new(Mutex::new(None));
        let stdout = process.stdout.take().unwrap();
        let (also_printed, also_ready) = (printed[0].clone(), ready.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("ready") {
                    *also_ready.lock().unwrap() = Some((line.clone(), begin.elapsed()));
                }
                *also_printed.lock().unwrap() += &format!("{line}\n");
            }
        });
        collect(process.stderr.take().unwrap(), printed[1].clone());
        let (line, start_took) = wait_for("`ready` line", START_LIMIT, || {
            if let Some(ready) = ready.lock().unwrap().clone() {
                return Some(ready);
            }
            if let Some(status) = process.try_wait().unwrap() {
                panic!("longshore serve ended with {status}:\n{}", both(&printed));
            }
            None
        });
        let address = address_in(&line).unwrap_or_else(|| panic!("no address in {line:?}"));
        Server { process, settings, printed, address, start_took }
    }

    /// `127.0.0.1:40123`, from the `ready` line.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The number of the process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Everything printed so far: standard output, then standard error.
    pub fn printed(&self) -> String {
        both(&self.printed)
    }

    /// The settings to start the same installation again, on the same port.
    pub fn settings(&self) -> Settings {
        Settings { listen: self.address.clone(), ..self.settings.clone() }
    }

    /// The block that the first start prints for pasting, as variables. Empty on later starts.
    pub fn block(&self) -> BTreeMap<String, String> {
        pasted(&self.printed())
    }

    /// A terminal into which that block has been pasted.
    pub fn root(&self) -> Terminal {
        let block = self.block();
        for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"] {
            assert!(block.contains_key(name), "the first start prints no {name}:\n{}", self.printed());
        }
        Terminal::new(&block)
    }

    /// Sends a signal by name and waits for the end.
    pub fn stop(&mut self, signal: &str) -> ExitStatus {
        let process = self.process.id().to_string();
        let _ = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
        self.process.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            self.stop("TERM");
        }
    }
}

/// The variables that a person sets who pastes this text: its lines `export AWS_…=…`.
pub fn pasted(text: &str) -> BTreeMap<String, String> {
    let assignments = text.lines().filter_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let is_name =
            name.starts_with("AWS_") && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_name.then(|| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
    });
    assignments.collect()
}

fn both(printed: &[Arc<Mutex<String>>; 2]) -> String {
    printed.iter().map(|stream| stream.lock().unwrap().clone()).collect()
}

fn collect(mut stream: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            *into.lock().unwrap() += &String::from_utf8_lossy(&piece[..length]);
        }
    });
}

/// The `host:port` of a `ready` line, with or without a scheme before it.
fn address_in(line: &str) -> Option<String> {
    line.split_whitespace().find_map(|word| {
        let word = word.rsplit_once("://").map_or(word, |(_, rest)| rest).trim_end_matches('/');
        let (host, port) = word.rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| word.to_owned())
    })
}
