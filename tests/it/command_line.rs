//! The program itself: what it prints where, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        command(arguments).envs(variables.iter().copied()).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A server in a process of its own; killed when the test fails.
pub(crate) struct Served {
    process: Child,
    /// What it printed on stdout, up to and with the `ready` line.
    stdout: String,
}

impl Served {
    pub(crate) fn start(folder: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.to_str().unwrap()];
        arguments.extend(flags);
        let mut process = command(&arguments).envs(variables.iter().copied()).spawn().unwrap();
        let mut stdout = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        while !stdout.contains("ready ") {
            assert_ne!(lines.read_line(&mut stdout).unwrap(), 0, "ended before it was ready: {stdout}");
        }
        Self { process, stdout }
    }

    fn address(&self) -> &str {
        self.stdout.trim_end().rsplit_once("ready http://").expect("a ready line").1
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.stdout
            .lines()
            .find_map(|line| line.strip_prefix("export ")?.strip_prefix(name)?.strip_prefix('='))
    }

    /// Ends it with a signal; out: its exit code and what it printed on stderr.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut stderr = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.process.wait().unwrap().code(), stderr)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_first_start_shows_a_root_key_and_the_next_one_how_to_get_another() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let served = Served::start(&data, &[], &[]);
    let port = served.address().rsplit_once(':').unwrap().1.to_owned();
    assert_ne!(port, "0");
    let names: Vec<&str> =
        served.stdout.lines().filter_map(|line| line.split_once('=')).map(|x| x.0).collect();
    let expected = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"];
    assert_eq!(names, expected.map(|name| format!("export {name}")));
    assert_eq!(served.variable("AWS_ENDPOINT_URL").unwrap(), format!("http://localhost:{port}"));
    assert_eq!(served.variable("AWS_DEFAULT_REGION").unwrap(), "eu-central-1");
    let secret = served.variable("AWS_SECRET_ACCESS_KEY").unwrap().to_owned();
    let first = served.variable("AWS_ACCESS_KEY_ID").unwrap().to_owned();
    let (code, stderr) = served.end("-TERM");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains(&secret));

    let served = Served::start(&data, &[], &[]);
    assert!(!served.stdout.contains("export"), "{}", served.stdout);
    let endpoint = format!("http://localhost:{}", served.address().rsplit_once(':').unwrap().1);
    let data_dir = data.to_str().unwrap();
    let (code, stdout, stderr) = run(&["credentials", "root", "--data-dir", data_dir], &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains(&format!("export AWS_ENDPOINT_URL={endpoint}\n")), "{stdout}");
    let (_, listed, _) = run(&["credentials", "list", "--data-dir", data_dir], &[]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains(&format!("{first}\tactive\t20")), "{listed}");
    let (code, stdout, stderr) = run(&["credentials", "root", "--data-dir", data_dir], &[]);
    assert_eq!((code, stdout.as_str()), (1, ""), "a root has two keys");
    assert!(stderr.contains("--replace"), "{stderr}");
    let (code, stdout, _) = run(&["credentials", "root", "--replace", "--data-dir", data_dir], &[]);
    let (_, listed, _) = run(&["credentials", "list", "--data-dir", data_dir], &[]);
    assert_eq!((code, listed.lines().count()), (0, 1), "{listed}");
    let newest = listed.split('\t').next().unwrap();
    assert!(stdout.contains(&format!("AWS_ACCESS_KEY_ID={newest}\n")) && newest != first, "{listed}");
    let (code, stderr) = served.end("-INT");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains(&format!("longshore credentials root --data-dir {data_dir}")), "{stderr}");
}

#[test]
fn a_given_root_key_is_the_only_one_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "b0Jk/xq7Jz2s+3Hn5tYw8Lr1Vd4Gf6Mc9Pa0QeTu";
    let given = |id| [("LONGSHORE_ROOT_ACCESS_KEY_ID", id), ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", secret)];
    let list = || run(&["credentials", "list", "--data-dir", folder.path().to_str().unwrap()], &[]).1;
    for id in ["AKIAGIVENGIVENGIVEN1", "AKIAGIVENGIVENGIVEN2", "AKIAGIVENGIVENGIVEN2"] {
        let served = Served::start(folder.path(), &[], &given(id));
        assert!(!served.stdout.contains("export"), "{}", served.stdout);
        let (_, stderr) = served.end("-TERM");
        assert!(!stderr.contains(secret), "{stderr}");
        assert!(list().starts_with(id) && list().lines().count() == 1, "{}", list());
    }
}

#[test]
fn the_folder_is_for_its_owner_and_for_one_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a/b");
    let served = Served::start(&data, &[], &[]);
    for entry in std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).chain([data.clone()]) {
        let mode = std::fs::metadata(&entry).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.display());
    }
    let (code, stdout, stderr) =
        run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()], &[]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("another server uses"), "{stderr}");
    drop(served);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) =
        run(&["serve", "--listen", &address, "--data-dir", folder.path().to_str().unwrap()], &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains(&address), "{stderr}");
}

#[test]
fn secrets_stay_out_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["human", "json"] {
        let served = Served::start(
            &folder.path().join(format),
            &["--log-level", "debug", "--log-format", format],
            &[],
        );
        for (path, field) in [
            ("/v2/?next=SECRETQUERY", "Authorization: Basic SECRETHEADER"),
            ("/?Action=GetCallerIdentity&X-Amz-Signature=SECRETQUERY", "X-Amz-Security-Token: SECRETHEADER"),
            ("/layers/a/b/c/d?signature=SECRETQUERY", "Cookie: SECRETHEADER"),
        ] {
            let mut stream = TcpStream::connect(served.address()).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{field}\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        let secret = served.variable("AWS_SECRET_ACCESS_KEY").unwrap().to_owned();
        let (_, stderr) = served.end("-TERM");
        assert!(!stderr.contains("SECRET") && !stderr.contains(&secret), "{stderr}");
        let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("served")).collect();
        assert_eq!(lines.len(), 3, "{stderr}");
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
            assert_eq!(line["path"], "/v2/");
            assert_eq!(line["status"], 401);
            assert_eq!(line["span"]["request.id"].as_str().unwrap().len(), 36, "{line}");
        }
    }
}

#[test]
fn wrong_usage_and_configuration_exit_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for arguments in [
        &["nonsense"][..],
        &["serve", "--nonsense"],
        &["serve", "--data-dir", data, "--listen", "nowhere"],
        &["serve", "--data-dir", data, "--listen", "0.0.0.0:0"],
        &["credentials", "root", "--account", "1"],
        &[],
    ] {
        let (code, stdout, stderr) = run(arguments, &[]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
    }
    let (code, _, stderr) = run(&["credentials", "list", "--data-dir", data], &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("there is no catalog"), "{stderr}");
    assert!(std::fs::read_dir(data).unwrap().next().is_none(), "nothing was created");
}

#[test]
fn check_config_shows_values_with_their_sources_or_every_problem() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("longshore.toml");
    std::fs::write(&file, "region = \"us-west-2\"\nmax-headers = 64\n").unwrap();
    let config = file.to_str().unwrap();
    let variables = [
        ("LONGSHORE_ACCOUNT", "000000000042"),
        ("LONGSHORE_DATABASE", "postgres://me:hidden@db/x"),
        ("LONGSHORE_ROOT_ACCESS_KEY_ID", "AKIAGIVENGIVENGIVEN1"),
        ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", "hiddenhiddenhiddenhidden"),
    ];
    let (code, stdout, stderr) =
        run(&["check-config", "--config", config, "--listen", "127.0.0.1:1"], &variables);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(!stdout.contains("hiddenh") && !stdout.contains(":hidden@"), "{stdout}");
    for line in [
        "listen = \"127.0.0.1:1\"  # --listen",
        "account = \"000000000042\"  # LONGSHORE_ACCOUNT",
        &format!("region = \"us-west-2\"  # {config}:1"),
        &format!("max-headers = \"64\"  # {config}:2"),
        "clock-skew-seconds = \"900\"  # default",
    ] {
        assert!(stdout.lines().any(|shown| shown == line), "{line}:\n{stdout}");
    }
    std::fs::write(&file, "nonsense = 1\nmax-images = 0\n").unwrap();
    let (code, stdout, _) = run(&["check-config", "--config", config, "--listen", "x"], &variables);
    assert_eq!(code, 2);
    assert_eq!(stdout.lines().count(), 3, "{stdout}");
}

#[test]
fn version_and_help() {
    let version = concat!("longshore ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(run(&["version"], &[]), (0, version.to_owned(), String::new()));
    for subcommand in ["serve", "check-config", "credentials"] {
        let (code, stdout, _) = run(&[subcommand, "--help"], &[]);
        assert_eq!(code, 0);
        assert!(stdout.contains("Examples:"), "{stdout}");
    }
}

#[test]
fn a_hangup_reads_the_certificate_again_and_names_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--tls", "self-signed"];
    let mut process = command(&arguments).spawn().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
    let ready = stdout.by_ref().map(Result::unwrap).find(|line| line.starts_with("ready ")).unwrap();
    assert!(ready.starts_with("ready https://127.0.0.1:"), "{ready}");
    let signal = |signal: &str, process: &Child| {
        assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap().success());
    };
    let mut stderr = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    let mut wait_for = |text: &str| {
        while !seen.last().is_some_and(|line: &String| line.contains(text)) {
            seen.push(stderr.next().unwrap_or_else(|| panic!("no {text:?} in {seen:?}")).unwrap());
        }
        seen.last().unwrap().clone()
    };
    let trust = wait_for("docker trusts it after: sudo mkdir -p /etc/docker/certs.d/localhost:");
    assert!(trust.ends_with("/ca.crt"), "{trust}");
    wait_for("export AWS_CA_BUNDLE='");
    signal("-HUP", &process);
    wait_for("the certificate was read again");
    std::fs::write(folder.path().join("tls/certificate.pem"), "nothing").unwrap();
    signal("-HUP", &process);
    wait_for("certificate.pem holds no certificate");
    signal("-TERM", &process);
    wait_for("stopped");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_start_raises_the_limit_of_open_files_and_says_when_it_is_too_low() {
    let start = |limits: &str, connections: &str| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let script = format!("{limits} && exec \"$0\" \"$@\"");
        let mut process = Command::new("sh")
            .args(["-c", &script, PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .args([data.to_str().unwrap(), "--max-connections", connections, "--max-uploads", "8"])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        while !stdout.contains("ready ") {
            assert_ne!(lines.read_line(&mut stdout).unwrap(), 0, "ended before it was ready: {stdout}");
        }
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
        let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
        let soft: u64 = open_files.split_whitespace().nth(3).unwrap().parse().unwrap();
        (soft, Served { process, stdout }.end("-TERM").1)
    };
    let (soft, log) = start("ulimit -Sn 256 && ulimit -Hn 700", "200");
    assert_eq!(soft, 700);
    assert!(!log.contains("max-connections"), "{log}");
    let (soft, log) = start("ulimit -Sn 256 && ulimit -Hn 700", "300");
    assert_eq!(soft, 700);
    assert!(log.contains("max-connections needs more open files") && log.contains("needed=800"), "{log}");
}
