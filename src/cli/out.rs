//! The only printer: data to stdout, talk to stderr.
//!
//! Nothing is coloured, so `NO_COLOR` has nothing to switch off here; the log and clap heed it themselves.

use std::io::Write as _;

/// Prints a line of data. A reader that has gone away is no reason to stop serving.
pub fn data(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // Flushed at once: scripts wait for the `ready` line through a pipe.
    if writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_err() {
        tracing::debug!("nobody reads stdout");
    }
}

/// Prints a line for people.
pub fn talk(text: &str) {
    if writeln!(std::io::stderr().lock(), "{text}").is_err() {
        tracing::debug!("nobody reads stderr");
    }
}

/// Prints `longshore: …` for something that went wrong, with its causes.
pub fn failure(error: &anyhow::Error) {
    talk(&format!("longshore: {error:#}"));
}

/// The environment variables that let `aws` reach this server, as a block to paste.
pub struct Block<'a> {
    /// `http://localhost:4580`
    pub endpoint: &'a str,
    /// `AKIA…`
    pub access_key_id: &'a str,
    /// The secret, shown this once.
    pub secret: &'a str,
    /// The region.
    pub region: &'a str,
}

impl Block<'_> {
    /// Prints the block.
    pub fn print(&self) {
        data(&format!("export AWS_ENDPOINT_URL={}", self.endpoint));
        data(&format!("export AWS_ACCESS_KEY_ID={}", self.access_key_id));
        data(&format!("export AWS_SECRET_ACCESS_KEY={}", self.secret));
        data(&format!("export AWS_DEFAULT_REGION={}", self.region));
    }
}

/// Replaces the last line of a terminal's stderr; an empty text removes it.
pub fn rewrite(text: &str) {
    let mut stderr = std::io::stderr().lock();
    if write!(stderr, "\r{text}\x1b[K").and_then(|()| stderr.flush()).is_err() {
        tracing::debug!("nobody reads stderr");
    }
}
