//! `longshore fsck`

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use super::flags::Flags;
use super::{PROBLEMS, out, runtime};
use crate::app;
use crate::catalog::fsck::{Checked, Depth, Finding, Kind, Report};
use crate::config::Config;
use crate::environment::Environment;
use crate::store::db::Location;

pub(super) const EXAMPLES: &str = "Examples:
  longshore fsck --data-dir /var/lib/longshore
  longshore fsck --deep --json --data-dir /backup/longshore | jq -r 'select(.harmless == false).subject'
  LONGSHORE_DATABASE=postgres://longshore@db/longshore longshore fsck --blobs file:/srv/blobs

Compares the catalog with itself and with the blobs, and changes nothing. The server must not run. Findings go to
stdout, one in a line: `problem` or `note`, the kind, what it is about, more in words; then a summary. A note is
harmless. How far it is goes to stderr. Exit codes: 0 nothing but notes, 3 problems, 1 it could not be checked, 2 wrong usage.";

/// What is given on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read every blob and compare it with its digest, too.
    #[arg(long)]
    deep: bool,
    /// One JSON object per line; the last one is the summary.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

/// Checks, prints, and says how it ended.
pub(super) fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    if let Location::Sqlite(path) = &config.database
        && !path.exists()
    {
        bail!("there is no catalog at {}: name the server's --data-dir", path.display());
    }
    let mut printer = Printer::new(arguments.json);
    let depth = if arguments.deep { Depth::Deep } else { Depth::Shallow };
    let checked = runtime()?.block_on(check(config, depth, &mut printer))?;
    printer.summary(&checked);
    Ok(if checked.problems > 0 { ExitCode::from(PROBLEMS) } else { ExitCode::SUCCESS })
}

async fn check(config: &Config, depth: Depth, printer: &mut Printer) -> anyhow::Result<Checked> {
    let (catalog, database) = match app::open_catalog_to_read(config, Environment::system()).await {
        Ok(opened) => opened,
        Err(app::Error::Database { source, .. }) if source.is_damage() => {
            // Too little is left for anything else to be looked at.
            let detail = source.to_string();
            printer.finding(&Finding { kind: Kind::Database, subject: String::new(), detail });
            return Ok(Checked { problems: 1, ..Checked::default() });
        }
        Err(error) => return Err(error.into()),
    };
    let result = catalog
        .check(depth, &mut |report| match report {
            Report::Finding(finding) => printer.finding(finding),
            Report::Progress(checked) => printer.progress(checked),
        })
        .await;
    database.close().await;
    printer.end_progress();
    Ok(result?)
}

struct Printer {
    is_json: bool,
    is_terminal: bool,
    told: Instant,
    is_shown: bool,
}

impl Printer {
    fn new(is_json: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { is_json, is_terminal, told: Instant::now(), is_shown: false }
    }

    fn finding(&mut self, finding: &Finding) {
        self.end_progress();
        let Finding { kind, subject, detail } = finding;
        if self.is_json {
            let (name, harmless) = (kind.name(), kind.is_harmless());
            let line = json!({ "finding": name, "harmless": harmless, "subject": subject, "detail": detail });
            out::data(&line.to_string());
        } else {
            let weight = if kind.is_harmless() { "note" } else { "problem" };
            out::data(&format!("{weight}\t{}\t{subject}\t{detail}", kind.name()));
        }
    }

    /// Often on a terminal, now and then in a log.
    fn progress(&mut self, checked: &Checked) {
        let pause = if self.is_terminal { Duration::from_millis(250) } else { Duration::from_secs(30) };
        if self.told.elapsed() < pause {
            return;
        }
        self.told = Instant::now();
        let text = summary(checked);
        if self.is_terminal {
            self.is_shown = true;
            out::rewrite(&text);
        } else {
            out::talk(&text);
        }
    }

    fn end_progress(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            out::rewrite("");
        }
    }

    fn summary(&self, checked: &Checked) {
        if self.is_json {
            let Checked { blobs, bytes, images, uploads, problems, notes } = checked;
            let looked_at = json!({ "blobs": blobs, "bytes": bytes, "images": images, "uploads": uploads });
            out::data(&json!({ "checked": looked_at, "problems": problems, "notes": notes }).to_string());
        } else {
            out::data(&summary(checked));
        }
    }
}

fn summary(checked: &Checked) -> String {
    let Checked { blobs, bytes, images, uploads, problems, notes } = checked;
    format!(
        "checked {blobs} blobs ({bytes} bytes read), {images} images, {uploads} uploads: {problems} problems, {notes} notes"
    )
}
