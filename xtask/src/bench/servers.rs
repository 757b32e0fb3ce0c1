//! The servers of a comparison: started on free ports of 127.0.0.1, ended with this program.

use super::Place;
use crate::setup;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NGINX: &str = include_str!("../../../bench/nginx.conf");
const DISTRIBUTION: &str = include_str!("../../../bench/distribution.yml");

/// The group's own policy: pull and push below `bench/`.
const DEVELOPERS: &str = include_str!("../../../bench/developers-policy.json");
/// The user's inline policy: refusals with a condition, evaluated at each request.
const NETWORK: &str = include_str!("../../../bench/network-policy.json");

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";
const ROOT_ID: &str = "AKIABENCHROOT0000000";
const START_LIMIT: Duration = Duration::from_secs(60);

/// The key of the user as whom the generator asks.
#[derive(Clone)]
pub struct Login {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub region: &'static str,
}

/// A running server; dropping it ends it.
pub struct Server {
    pub name: &'static str,
    pub url: String,
    pub takes_pushes: bool,
    pub login: Option<Login>,
    process: Child,
}

impl Server {
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM and not kill(): nginx ends its workers only when it is asked to.
        let process = self.process.id().to_string();
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {process}")]).status();
        let _ = self.process.wait();
    }
}

/// Starts all three.
pub fn start(place: &Place) -> Result<Vec<Server>> {
    let data = place.data();
    Ok(vec![
        longshore(place, &data.join("longshore"), &[])?,
        distribution(&data.join("distribution"))?,
        nginx(place, &data.join("nginx"))?,
    ])
}

/// A command that the kernel ends together with this program, also when it is interrupted.
fn tied(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program).stdin(Stdio::null());
    command
}

/// Longshore with a user who may push below `bench/`.
pub fn longshore(place: &Place, data: &Path, flags: &[&str]) -> Result<Server> {
    let (mut server, _) = longshore_started(place, data, flags)?;
    server.login = Some(user(&server.url)?);
    Ok(server)
}

/// Longshore without a login; out: also the time from the start to the `ready` line.
pub fn longshore_started(place: &Place, data: &Path, flags: &[&str]) -> Result<(Server, Duration)> {
    let mut command = tied(&place.binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"]).arg(data);
    command.args(flags).env("LONGSHORE_ROOT_ACCESS_KEY_ID", ROOT_ID);
    command.env("LONGSHORE_ROOT_SECRET_ACCESS_KEY", root_secret()).stdout(Stdio::piped());
    let begin = Instant::now();
    let mut process = command.stderr(Stdio::null()).spawn().context("start longshore")?;
    let stdout = process.stdout.take().context("no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let url = lines.find_map(|line| Some(line.ok()?.strip_prefix("ready ")?.to_owned()));
    let took = begin.elapsed();
    let url = url.context("longshore ended before it was ready")?;
    // Whatever else it prints is read, or a full pipe would stop it.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((Server { name: "longshore", url, takes_pushes: true, login: None, process }, took))
}

/// A secret for a server that lives as long as this program.
fn root_secret() -> String {
    format!("{:0>40}", std::process::id())
}

fn distribution(data: &Path) -> Result<Server> {
    std::fs::create_dir_all(data)?;
    let port = free_port()?;
    let settings =
        DISTRIBUTION.replace("{folder}", &data.display().to_string()).replace("{port}", &port.to_string());
    let file = data.with_extension("yml");
    std::fs::write(&file, settings)?;
    let mut command = tied(Path::new("docker-registry"));
    command.arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().context("start docker-registry")?;
    ready(Server { name: "distribution", url: url(port), takes_pushes: true, login: None, process }, port)
}

fn nginx(place: &Place, data: &Path) -> Result<Server> {
    std::fs::create_dir_all(data)?;
    let mut files = Command::new(&place.binary);
    setup::must(files.args(["bench", "--write-files"]).arg(data.join("files")).stdout(Stdio::null()))?;
    let port = free_port()?;
    let settings =
        NGINX.replace("{folder}", &data.display().to_string()).replace("{port}", &port.to_string());
    let file = data.join("nginx.conf");
    std::fs::write(&file, settings)?;
    let mut command = tied(Path::new("nginx"));
    command.arg("-c").arg(&file).arg("-p").arg(data).stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().context("start nginx")?;
    ready(Server { name: "nginx", url: url(port), takes_pushes: false, login: None, process }, port)
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn ready(mut server: Server, port: u16) -> Result<Server> {
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(status) = server.process.try_wait()? {
            bail!("{} ended with {status} before it served", server.name);
        }
        if begin.elapsed() > START_LIMIT {
            bail!("{} does not serve on port {port}", server.name);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

/// Makes the user with the real `aws`: a group with a customer and an AWS policy, an inline policy with conditions,
/// a permissions boundary.
pub fn user(url: &str) -> Result<Login> {
    let managed = "arn:aws:iam::aws:policy";
    let own = format!("arn:aws:iam::{ACCOUNT}:policy/push-to-bench");
    let boundary = format!("{managed}/PowerUserAccess");
    let read_only = format!("{managed}/AmazonEC2ContainerRegistryReadOnly");
    for words in [
        &["create-group", "--group-name", "developers"][..],
        &["create-policy", "--policy-name", "push-to-bench", "--policy-document", DEVELOPERS],
        &["attach-group-policy", "--group-name", "developers", "--policy-arn", &own],
        &["attach-group-policy", "--group-name", "developers", "--policy-arn", &read_only],
        &["create-user", "--user-name", "bench", "--permissions-boundary", &boundary],
        &["add-user-to-group", "--user-name", "bench", "--group-name", "developers"],
        &[
            "put-user-policy",
            "--user-name",
            "bench",
            "--policy-name",
            "network",
            "--policy-document",
            NETWORK,
        ],
    ] {
        iam(url, words)?;
    }
    let key = &iam(url, &["create-access-key", "--user-name", "bench"])?["AccessKey"];
    let text = |name: &str| Ok::<_, anyhow::Error>(key[name].as_str().context("no access key")?.to_owned());
    Ok(Login {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: text("SecretAccessKey")?,
        region: REGION,
    })
}

fn iam(url: &str, words: &[&str]) -> Result<serde_json::Value> {
    let mut command = Command::new(setup::tools_folder()?.join("python/bin/aws"));
    command.arg("iam").args(words).args(["--output", "json"]).env("AWS_ENDPOINT_URL", url);
    command.env("AWS_ACCESS_KEY_ID", ROOT_ID).env("AWS_SECRET_ACCESS_KEY", root_secret());
    let output = command.env("AWS_DEFAULT_REGION", REGION).output().context("start aws")?;
    if !output.status.success() {
        bail!("aws iam {words:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}
