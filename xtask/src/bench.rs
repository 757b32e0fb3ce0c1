//! `cargo xtask bench`: the same work against Longshore, distribution and nginx, in alternation.
//!
//! Longshore runs as it is shipped: an IAM user with group, managed, inline and boundary policies asks with a docker
//! password, every decision is evaluated and audited, and every acknowledged write is synced. What is compared are
//! ratios within one run: rates move with the neighbours on the machine, CPU time per operation hardly does.
//!
//! `--rounds N` and `--seconds S` change the length, `--quick` makes it short, `--check` fails when a ratio falls
//! below its floor in `bench/floors.txt`. Writes `target/bench/report.json` and `target/bench/report.md`.

mod floors;
mod growth;
mod report;
mod servers;

use crate::setup;
use anyhow::{Context, Result, bail};
use report::Results;
use servers::{Login, Server};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The works in the order in which they run, and whether a server of files can do them.
const WORKS: &[(&str, bool)] = &[
    ("manifest-get", true),
    ("manifest-head", true),
    ("push-small", false),
    ("push-large", false),
    ("pull-large", true),
    ("pull-small", true),
    ("list-tags", true),
];

/// Layers of 128 MiB per round and server: a gibibyte, which keeps the disk from filling.
const LARGE_PUSHES: &str = "8";

/// The same for the check, which shall end within 90 seconds.
const CHECKED_LARGE_PUSHES: &str = "4";

struct Options {
    rounds: usize,
    seconds: String,
    large_pushes: &'static str,
    is_check: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options> {
        let mut options =
            Options { rounds: 5, seconds: "3".to_owned(), large_pushes: LARGE_PUSHES, is_check: false };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--rounds" => options.rounds = words.next().context("--rounds needs a number")?.parse()?,
                "--seconds" => options.seconds = words.next().context("--seconds needs a number")?.clone(),
                "--quick" => (options.rounds, options.seconds) = (2, "1".to_owned()),
                "--check" => {
                    (options.rounds, options.seconds, options.is_check) = (2, "0.5".to_owned(), true);
                    options.large_pushes = CHECKED_LARGE_PUSHES;
                }
                other => bail!(
                    "unknown flag {other}: bench [growth] [--rounds N] [--seconds S] [--quick] [--check]"
                ),
            }
        }
        if options.rounds == 0 {
            bail!("--rounds must be at least 1");
        }
        Ok(options)
    }
}

/// Runs the comparison, or with `growth` as the first word the measurement of growth.
///
/// Errors: a server that does not start, work that fails, with `--check` a ratio below its floor.
pub fn run(arguments: &[String]) -> Result<()> {
    if let Some((first, rest)) = arguments.split_first()
        && first == "growth"
    {
        return growth::run(rest);
    }
    let options = Options::parse(arguments)?;
    setup::bench()?;
    let place = Place::new()?;
    let servers = servers::start(&place)?;
    println!("bench: preparing what is read");
    for server in servers.iter().filter(|server| server.takes_pushes) {
        place.generator(server).arg("--only-prepare").stdout(Stdio::null()).must()?;
    }
    let mut results = Results::new(options.rounds, &options.seconds, place.limits()?);
    for round in 0..options.rounds {
        for (work, is_reading) in WORKS {
            // The first one of a round has the coldest caches: take turns.
            for turn in 0..servers.len() {
                let server = &servers[(round + turn) % servers.len()];
                // The check measures what a floor is about and nothing else.
                let is_needed = !options.is_check || floors::needs(work, server.name)?;
                if is_needed && (*is_reading || server.takes_pushes) {
                    results.add(
                        server.name,
                        work,
                        place.measure(server, work, &options.seconds, options.large_pushes)?,
                    );
                }
            }
            println!("bench: round {} of {}, {work}", round + 1, options.rounds);
        }
    }
    drop(servers);
    let (json, markdown) = (place.folder.join("report.json"), place.folder.join("report.md"));
    std::fs::write(&json, serde_json::to_string_pretty(&results.json())?)?;
    std::fs::write(&markdown, results.markdown())?;
    print!("{}", results.markdown());
    println!("bench: written to {} and {}", json.display(), markdown.display());
    place.clean()?;
    if options.is_check { floors::check(&results) } else { Ok(()) }
}

/// The folder of a run and the release binary, which is server and generator.
struct Place {
    folder: PathBuf,
    binary: PathBuf,
}

impl Place {
    /// Builds the server unless `LONGSHORE_BIN` names one, and makes an empty folder for data.
    fn new() -> Result<Place> {
        let target = setup::target_folder()?;
        let binary = match std::env::var_os("LONGSHORE_BIN") {
            Some(binary) => PathBuf::from(binary),
            None => {
                setup::must(Command::new("cargo").args(["build", "--release", "--bin", "longshore"]))?;
                target.join("release/longshore")
            }
        };
        let place = Place { folder: target.join("bench"), binary };
        // An interrupted run leaves its data behind.
        place.clean()?;
        std::fs::create_dir_all(place.data())?;
        Ok(place)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn clean(&self) -> Result<()> {
        let data = self.data();
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))?;
        }
        Ok(())
    }

    /// `longshore bench` against this server.
    fn generator(&self, server: &Server) -> Generator {
        let mut command = Command::new(&self.binary);
        command.args(["bench", "--url", &server.url, "--pid", &server.process_id().to_string()]);
        if let Some(Login { access_key_id, secret_access_key, region }) = &server.login {
            command.arg("--aws").env("AWS_ENDPOINT_URL", &server.url).env("AWS_REGION", region);
            command.env("AWS_ACCESS_KEY_ID", access_key_id).env("AWS_SECRET_ACCESS_KEY", secret_access_key);
        }
        Generator(command)
    }

    fn measure(
        &self,
        server: &Server,
        work: &str,
        seconds: &str,
        large_pushes: &str,
    ) -> Result<serde_json::Value> {
        // What the server before has left to write must not be written during this one's turn.
        setup::must(&mut Command::new("sync"))?;
        let report = self.data().join("work.json");
        let mut generator =
            self.generator(server).arg("--no-prepare").args(&["--work", work]).arg("--json").path(&report);
        generator = if work == "push-large" {
            generator.args(&["--seconds", "60", "--count", large_pushes])
        } else {
            generator.args(&["--seconds", seconds])
        };
        generator.stdout(Stdio::null()).must().with_context(|| format!("{work} against {}", server.name))?;
        let mut report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&report)?)?;
        Ok(report["work"][0].take())
    }

    fn limits(&self) -> Result<serde_json::Value> {
        let report = self.data().join("limits.json");
        let command = Command::new(&self.binary);
        let generator = Generator(command).args(&["bench", "--limits"]).path(&self.data());
        generator.arg("--json").path(&report).stdout(Stdio::null()).must()?;
        let mut report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&report)?)?;
        Ok(report["limits"].take())
    }
}

/// A command that is put together in one expression.
struct Generator(Command);

impl Generator {
    fn arg(mut self, word: &str) -> Generator {
        self.0.arg(word);
        self
    }

    fn args(mut self, words: &[&str]) -> Generator {
        self.0.args(words);
        self
    }

    fn path(mut self, path: &Path) -> Generator {
        self.0.arg(path);
        self
    }

    fn stdout(mut self, to: Stdio) -> Generator {
        self.0.stdout(to);
        self
    }

    fn must(mut self) -> Result<()> {
        // Progress goes nowhere: the runs are short, and rounds are told instead. Errors are wanted.
        setup::must(&mut self.0)
    }
}
