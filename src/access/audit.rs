//! The audit trail: one CloudTrail-shaped JSON line for every decision of the guard.
//!
//! Lines go to segments `<folder>/<UTC time>-<number>.jsonl`, append-only. A segment is closed at
//! [`Settings::segment_bytes`]; the oldest are removed beyond [`Settings::keep_segments`], so the trail never
//! fills the disk. Writing happens on a thread of its own behind a bounded queue: when the disk cannot keep
//! up, callers wait, they are not answered without a record being queued. A line:
//!
//! ```json
//! {"eventVersion":"1.11","eventTime":"2026-11-23T12:00:00Z","eventSource":"ecr.amazonaws.com",
//!  "eventName":"PutImage","awsRegion":"eu-central-1","sourceIPAddress":"127.0.0.1","userAgent":"docker/28",
//!  "userIdentity":{"arn":"arn:aws:iam::123456789012:user/alice","accountId":"123456789012",
//!  "accessKeyId":"AKIA…"},"requestID":"…","resource":"arn:aws:ecr:…:repository/x","recipientAccountId":"…",
//!  "decision":"allowed","decidedBy":"…"}
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use policy::{Decision, Reason};
use serde::Serialize;

use super::allowed::Check;
use super::caller::Caller;
use crate::environment::Environment;

/// Records that may wait for the disk before callers do.
const QUEUE: usize = 4096;

/// Bytes that are gathered for one write at most; a segment may exceed its size by as much.
const WRITE_BYTES: usize = 64 * 1024;

/// Where the trail lies and how much of it is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the segments; made when missing.
    pub folder: PathBuf,
    /// Bytes after which a segment is closed.
    pub segment_bytes: u64,
    /// Segments that are kept, the open one included.
    pub keep_segments: usize,
}

/// The writing end of the audit trail. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    queue: SyncSender<Vec<u8>>,
    environment: Environment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_time: String,
    event_source: String,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: String,
    user_agent: Option<&'a str>,
    user_identity: UserIdentity<'a>,
    #[serde(rename = "requestID")]
    request_id: &'a str,
    resource: String,
    recipient_account_id: &'a str,
    decision: &'static str,
    error_code: Option<&'static str>,
    decided_by: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity<'a> {
    arn: String,
    principal_id: String,
    account_id: &'a str,
    access_key_id: &'a str,
}

impl Audit {
    /// Opens the trail and starts its writer.
    ///
    /// # Errors
    /// When the folder or the first segment cannot be made.
    pub fn open(settings: Settings, environment: Environment) -> std::io::Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let mut segment = Segment::create(settings, environment.clone())?;
        let (queue, records) = sync_channel(QUEUE);
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || write(&mut segment, &records))?;
        Ok(Self { queue, environment })
    }

    /// Queues one decision.
    pub(super) fn record(&self, caller: &Caller, check: &Check, decision: &Decision) {
        let (service, name) = check.action.split_once(':').unwrap_or(("", check.action));
        let allowed = matches!(decision, Decision::Allowed(_));
        let record = Record {
            event_version: "1.11",
            event_time: aws::Timestamp::from_microseconds(self.environment.now()).to_string(),
            event_source: format!("{service}.amazonaws.com"),
            event_name: name,
            aws_region: caller.region.as_str(),
            source_ip_address: caller.origin.address.to_string(),
            user_agent: caller.origin.user_agent.as_deref(),
            user_identity: UserIdentity {
                arn: caller.principal.arn(),
                principal_id: caller.principal.user_id(),
                account_id: caller.account().as_str(),
                access_key_id: &caller.credential.access_key_id,
            },
            request_id: &caller.request_id,
            resource: check.resource.arn(),
            recipient_account_id: check.resource.account().as_str(),
            decision: if allowed { "allowed" } else { "denied" },
            error_code: (!allowed).then_some("AccessDenied"),
            decided_by: decided_by(decision),
        };
        match serde_json::to_vec(&record) {
            Ok(mut line) => {
                line.push(b'\n');
                // The queue is full only when the disk stalls; then this thread waits for it.
                if self.queue.send(line).is_err() {
                    tracing::error!("the audit trail's writer has ended; a decision was not recorded");
                }
            }
            Err(error) => tracing::error!(%error, "an audit record could not be written"),
        }
    }
}

/// Which policy decided, and which of its statements: `arn:aws:iam::aws:policy/X#Sid`.
fn decided_by(decision: &Decision) -> String {
    let statement = match decision {
        Decision::Allowed(Reason::Root) => return "the account's root".to_owned(),
        Decision::Allowed(Reason::NeverDenied) => return "never denied".to_owned(),
        Decision::Allowed(Reason::Statement(statement)) => statement,
        Decision::Denied(denial) => match &denial.statement {
            Some(statement) => statement,
            None => return format!("no {:?} policy allows it", denial.policy_type),
        },
    };
    let index = statement.index().to_string();
    format!("{:?}#{}", statement.source(), statement.sid().unwrap_or(&index))
}

fn write(segment: &mut Segment, records: &Receiver<Vec<u8>>) {
    while let Ok(mut lines) = records.recv() {
        // What has come meanwhile goes with it: under load one system call writes many lines.
        while lines.len() < WRITE_BYTES
            && let Ok(line) = records.try_recv()
        {
            lines.extend_from_slice(&line);
        }
        if let Err(error) = segment.append(&lines) {
            tracing::error!(%error, "an audit record could not be written");
        }
    }
}

struct Segment {
    settings: Settings,
    environment: Environment,
    file: File,
    bytes: u64,
    number: u64,
}

impl Segment {
    fn create(settings: Settings, environment: Environment) -> std::io::Result<Self> {
        let file = Self::next(&settings.folder, &environment, 0)?;
        Ok(Self { settings, environment, file, bytes: 0, number: 1 })
    }

    fn next(folder: &Path, environment: &Environment, number: u64) -> std::io::Result<File> {
        // Microseconds since the epoch have sixteen digits until the year 2286, so names sort by time.
        let name = format!("{:016}-{number:06}.jsonl", environment.now());
        OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(name))
    }

    fn append(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.bytes >= self.settings.segment_bytes {
            self.file = Self::next(&self.settings.folder, &self.environment, self.number)?;
            self.number += 1;
            self.bytes = 0;
            self.remove_oldest()?;
        }
        self.file.write_all(line)?;
        self.bytes += u64::try_from(line.len()).unwrap_or(0);
        Ok(())
    }

    fn remove_oldest(&self) -> std::io::Result<()> {
        let mut names: Vec<PathBuf> = std::fs::read_dir(&self.settings.folder)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
            .collect();
        names.sort();
        let excess = names.len().saturating_sub(self.settings.keep_segments.max(1));
        for path in names.into_iter().take(excess) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_rotate_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { folder: folder.path().to_owned(), segment_bytes: 10, keep_segments: 3 };
        let mut segment = Segment::create(settings, Environment::system()).unwrap();
        for _ in 0..20 {
            segment.append(b"0123456789\n").unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
