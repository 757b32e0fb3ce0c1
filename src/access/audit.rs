//! The audit trail: one CloudTrail-shaped JSON line for every decision of the guard.
//!
//! Lines go to segments `<folder>/<UTC time>-<number>.jsonl`, append-only. A segment is closed at
//! [`Settings::segment_bytes`]; the oldest are removed beyond [`Settings::keep_segments`], so the trail never
//! fills the disk. Writing happens on a thread of its own behind a bounded buffer (`trail.rs`): when the disk
//! cannot keep up, callers wait, they are not answered without a record being queued. A line:
//!
//! ```json
//! {"eventVersion":"1.11","eventTime":"2026-11-23T12:00:00Z","eventSource":"ecr.amazonaws.com",
//!  "eventName":"PutImage","awsRegion":"eu-central-1","sourceIPAddress":"127.0.0.1","userAgent":"docker/28",
//!  "userIdentity":{"arn":"arn:aws:iam::123456789012:user/alice","accountId":"123456789012",
//!  "accessKeyId":"AKIA…"},"requestID":"…","resource":"arn:aws:ecr:…:repository/x","recipientAccountId":"…",
//!  "decision":"allowed","decidedBy":"…"}
//! ```

mod trail;

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use policy::{Decision, Reason};
use serde::Serialize;

use self::trail::Trail;
use super::allowed::Check;
use super::caller::Caller;
use crate::environment::{Environment, Micros, SECOND};

/// A longer record's room is given back: one with a user agent of several KiB.
const KEPT_BYTES: usize = 4 * 1024;

thread_local! {
    /// Where a thread puts its record together, so that a decision allocates nothing for it.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The present second and its text, which many records share.
    static SECOND_TEXT: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Writes the second that a moment lies in as its text.
struct EventTime(Micros);

impl Display for EventTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        SECOND_TEXT.with_borrow_mut(|(known, text)| {
            let second = self.0.div_euclid(SECOND);
            if *known != second {
                *text = aws::Timestamp::from_microseconds(self.0).to_string();
                *known = second;
            }
            formatter.write_str(text)
        })
    }
}

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
    trail: Arc<Trail>,
    environment: Environment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_time: Shown<EventTime>,
    event_source: Shown<fmt::Arguments<'a>>,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: IpAddr,
    user_agent: Option<&'a str>,
    user_identity: UserIdentity<'a>,
    #[serde(rename = "requestID")]
    request_id: &'a str,
    resource: &'a str,
    recipient_account_id: &'a str,
    decision: &'static str,
    error_code: Option<&'static str>,
    decided_by: Shown<DecidedBy<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity<'a> {
    arn: &'a str,
    principal_id: &'a str,
    account_id: &'a str,
    access_key_id: &'a str,
}

impl Audit {
    /// Opens the trail and starts its writer.
    ///
    /// # Errors
    /// When the folder or the first segment cannot be made.
    pub fn open(settings: Settings, environment: Environment) -> std::io::Result<Self> {
        let trail = Arc::new(Trail::open(settings, environment.clone())?);
        Ok(Self { trail, environment })
    }

    /// Queues one decision; `arn` is that of the resource.
    pub(super) fn record(&self, caller: &Caller, check: &Check, arn: &str, decision: &Decision) {
        let (service, name) = check.action.split_once(':').unwrap_or(("", check.action));
        let allowed = matches!(decision, Decision::Allowed(_));
        let record = Record {
            event_version: "1.11",
            event_time: Shown(EventTime(self.environment.now())),
            event_source: Shown(format_args!("{service}.amazonaws.com")),
            event_name: name,
            aws_region: caller.region.as_str(),
            source_ip_address: caller.origin.address,
            user_agent: caller.origin.user_agent.as_deref(),
            user_identity: UserIdentity {
                arn: caller.principal.arn(),
                principal_id: caller.principal.user_id(),
                account_id: caller.account().as_str(),
                access_key_id: &caller.credential.access_key_id,
            },
            request_id: &caller.request_id,
            resource: arn,
            recipient_account_id: check.resource.account().as_str(),
            decision: if allowed { "allowed" } else { "denied" },
            error_code: (!allowed).then_some("AccessDenied"),
            decided_by: Shown(DecidedBy(decision)),
        };
        LINE.with_borrow_mut(|line| {
            line.clear();
            if let Err(error) = serde_json::to_writer(&mut *line, &record) {
                tracing::error!(%error, "an audit record could not be written");
                return;
            }
            line.push(b'\n');
            if self.trail.append(line).is_err() {
                tracing::error!("the audit trail's writer has ended; a decision was not recorded");
            }
            line.shrink_to(KEPT_BYTES);
        });
    }
}

/// Written as its text.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Which policy decided, and which of its statements: `arn:aws:iam::aws:policy/X#Sid`.
struct DecidedBy<'a>(&'a Decision);

impl Display for DecidedBy<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statement = match self.0 {
            Decision::Allowed(Reason::Root) => return formatter.write_str("the account's root"),
            Decision::Allowed(Reason::NeverDenied) => return formatter.write_str("never denied"),
            Decision::Allowed(Reason::Statement(statement)) => statement,
            Decision::Denied(denial) => match &denial.statement {
                Some(statement) => statement,
                None => return write!(formatter, "no {:?} policy allows it", denial.policy_type),
            },
        };
        write!(formatter, "{:?}#", statement.source())?;
        match statement.sid() {
            Some(sid) => formatter.write_str(sid),
            None => write!(formatter, "{}", statement.index()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_that_of_its_second_whichever_was_shown_before() {
        for (at, text) in [
            (1_764_072_000 * SECOND, "2025-11-25T12:00:00Z"),
            (1_764_072_000 * SECOND + 999_999, "2025-11-25T12:00:00Z"),
            (1_764_072_001 * SECOND, "2025-11-25T12:00:01Z"),
            (1_764_072_000 * SECOND, "2025-11-25T12:00:00Z"),
        ] {
            assert_eq!(EventTime(at).to_string(), text);
        }
    }
}
