//! A private PostgreSQL server for one test run: own folder, own port, own password, gone afterwards.
//!
//! The server is the child of a small shell that waits for its standard input to close. However this program
//! ends (return, panic, Ctrl-C, even SIGKILL), the kernel closes that pipe, and the shell stops the server and
//! removes its folder: no run leaves a server behind.

use crate::setup::{must, postgres_programs};
use anyhow::{Context, Result, bail};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the server may take until it answers; a loaded machine needs a few seconds.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Waits until its input closes, then stops the server at once (SIGINT is PostgreSQL's fast shutdown; the polite
/// SIGTERM would wait for the last client) and removes the folder `$0`. `$@` is the server's command line.
const GUARDIAN: &str = r#""$@" & server=$!; read -r _; kill -INT "$server"; wait "$server"; rm -rf "$0""#;

/// A running server with an empty database; see the module for how it ends.
pub struct Postgres {
    guardian: Child,
    url: String,
}

impl Postgres {
    /// Creates the cluster, starts the server and waits until it answers. Takes about two seconds.
    ///
    /// Errors: no server programs, a failing `initdb`, or no answer in time (then with the server's log).
    pub fn start() -> Result<Postgres> {
        let programs =
            postgres_programs().context("no PostgreSQL server programs under /usr/lib/postgresql")?;
        let folder = private_folder()?;
        let started = Postgres::start_in(&folder, &programs);
        if started.is_err() {
            // Without a guardian nobody else removes it.
            let _ = std::fs::remove_dir_all(&folder);
        }
        started
    }

    fn start_in(folder: &Path, programs: &Path) -> Result<Postgres> {
        let password = random_hex()?;
        let data = create_cluster(programs, folder, &password)?;
        let port = free_port()?;
        let log = std::fs::File::create(folder.join("log"))?;
        let mut server = Command::new("sh");
        server.args(["-c", GUARDIAN]).arg(folder).args(unprivileged_prefix()).arg(programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]);
        server
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.display()))
            .arg("-p")
            .arg(port.to_string());
        // Its own process group: Ctrl-C on the terminal must reach this program alone, whose end is the signal.
        server.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let guardian = server.spawn().context("start the PostgreSQL server")?;
        let url = format!("postgres://longshore:{password}@127.0.0.1:{port}/postgres");
        let postgres = Postgres { guardian, url };
        postgres.wait_until_it_answers(programs, port, folder)?;
        Ok(postgres)
    }

    /// `postgres://longshore:PASSWORD@127.0.0.1:PORT/postgres`; the role is a superuser and may create databases.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server and returns when its folder is gone.
    pub fn stop(mut self) {
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }

    fn wait_until_it_answers(&self, programs: &Path, port: u16, folder: &Path) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < START_LIMIT {
            let mut probe = Command::new(programs.join("pg_isready"));
            probe.args(["-q", "-h", "127.0.0.1", "-p"]).arg(port.to_string());
            if probe.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!(
            "PostgreSQL does not answer: {}",
            std::fs::read_to_string(folder.join("log")).unwrap_or_default()
        )
    }
}

/// `initdb` with a password for the loopback port; `fsync` stays on, because durability is what some tests are about.
fn create_cluster(programs: &Path, folder: &Path, password: &str) -> Result<PathBuf> {
    let data = folder.join("data");
    let password_file = folder.join("password");
    std::fs::write(&password_file, password)?;
    hand_over(folder)?;
    let words = unprivileged_prefix();
    let mut command = match words.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(programs.join("initdb"));
            command
        }
        None => Command::new(programs.join("initdb")),
    };
    command.arg("-D").arg(&data).args(["-U", "longshore", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"]);
    command.arg("--pwfile").arg(&password_file).stdout(Stdio::null()).current_dir("/");
    must(&mut command)?;
    Ok(data)
}

/// The words before a command that run it as the package's own user: PostgreSQL refuses to run as root.
fn unprivileged_prefix() -> &'static [&'static str] {
    if is_root() { &["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] } else { &[] }
}

fn hand_over(folder: &Path) -> Result<()> {
    if is_root() { must(Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder)) } else { Ok(()) }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Directly below the system's folder for temporary files: the unprivileged user may not reach below root's home.
fn private_folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("longshore-postgres-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("find a free port")?.local_addr()?.port())
}

fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_answers_with_fsync_on_and_leaves_nothing_behind() {
        let postgres = Postgres::start().unwrap();
        let psql = postgres_programs().unwrap().join("psql");
        let ask = |url: &str| Command::new(&psql).args(["-Atc", "show fsync", url]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ask(postgres.url()).stdout), "on\n");
        let url = postgres.url().to_owned();
        assert!(
            !ask(&url.replace("longshore:", "longshore:x")).status.success(),
            "a wrong password is refused"
        );
        postgres.stop();
        assert!(!ask(&url).status.success());
        let folder = std::env::temp_dir().join(format!("longshore-postgres-{}", std::process::id()));
        assert!(!folder.exists());
    }
}
