//! One answer over HTTP, as curl received it.

use super::Terminal;
use std::sync::atomic::{AtomicU32, Ordering};

/// The last answer of a curl command: after redirects and `100 Continue`.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case, in the order received.
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Runs `curl` with these arguments.
    pub fn of(terminal: &Terminal, arguments: &str) -> Response {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (head, file) = (format!("curl-{number}.head"), format!("curl-{number}.body"));
        terminal.write(&file, "");
        terminal.run(&format!("curl --silent --show-error --dump-header {head} --output {file} {arguments}"));
        // For HEAD curl writes the headers there once more.
        let is_head = arguments.contains("--head ");
        let body = if is_head { Vec::new() } else { std::fs::read(terminal.home().join(&file)).unwrap() };
        let head = std::fs::read_to_string(terminal.home().join(&head)).unwrap();
        let last = head.trim_end().rsplit("\r\n\r\n").next().unwrap();
        let mut lines = last.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Response {
            status,
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body,
        }
    }

    /// The value of a header that comes at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice: {:?}", self.headers);
        value
    }

    /// Every header but those that differ from answer to answer, sorted.
    pub fn lasting_headers(&self) -> Vec<(&str, &str)> {
        let mut lasting: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !["date", "x-amzn-requestid"].contains(name))
            .collect();
        lasting.sort_unstable();
        lasting
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
