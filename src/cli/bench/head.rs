//! Heads of HTTP/1.1 answers: the few fields that a load generator needs.

use anyhow::{Context as _, bail};

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The status code.
    pub(super) status: u16,
    /// `Content-Length`
    pub(super) body_bytes: Option<u64>,
    /// `Transfer-Encoding: chunked`
    pub(super) is_chunked: bool,
    /// `Connection: close`, or HTTP/1.0.
    pub(super) closes: bool,
    /// `Location`
    pub(super) location: Option<String>,
    /// Bytes of the head, with the empty line that ends it.
    pub(super) length_bytes: usize,
}

/// Reads the head at the beginning of `bytes`; `None` while its end has not arrived.
///
/// # Errors
/// Not HTTP/1, or a length that is no number.
pub(super) fn parse(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let mut lines = bytes.get(..end).unwrap_or_default().split(|byte| *byte == b'\n');
    let status_line = lines.next().unwrap_or_default();
    if !status_line.starts_with(b"HTTP/1.") {
        bail!("the server does not speak HTTP/1: {:?}", String::from_utf8_lossy(status_line));
    }
    let status = status_line.get(9..12).and_then(|code| std::str::from_utf8(code).ok());
    let status = status.and_then(|code| code.parse().ok()).context("an answer without a status")?;
    let mut head = Head {
        status,
        body_bytes: None,
        is_chunked: false,
        closes: status_line.starts_with(b"HTTP/1.0"),
        location: None,
        length_bytes: end + 4,
    };
    for line in lines {
        // Most fields do not matter: look at the first letter before anything is compared.
        let Some(b'c' | b'C' | b't' | b'T' | b'l' | b'L') = line.first() else { continue };
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let text = std::str::from_utf8(value).context("a length is not a number")?;
            head.body_bytes = Some(text.parse().context("a length is not a number")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            head.is_chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"connection") {
            head.closes = value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(b"location") {
            head.location = Some(String::from_utf8_lossy(value).into_owned());
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let bytes = b"HTTP/1.1 202 Accepted\r\nlocation: /v2/a?b=c\r\nContent-Length:  7 \r\n\r\nrest";
        for length in 0..bytes.len() - 4 {
            assert_eq!(parse(&bytes[..length]).unwrap(), None);
        }
        let head = parse(bytes).unwrap().unwrap();
        assert_eq!(
            (head.status, head.body_bytes, head.is_chunked, head.closes),
            (202, Some(7), false, false)
        );
        assert_eq!(head.location.as_deref(), Some("/v2/a?b=c"));
        assert_eq!(&bytes[head.length_bytes..], b"rest");
    }

    #[test]
    fn chunks_and_closing_are_noticed() {
        let head = parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nConnection: Close\r\n\r\n");
        let head = head.unwrap().unwrap();
        assert!(head.is_chunked && head.closes && head.body_bytes.is_none());
        assert!(parse(b"HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap().closes);
    }

    #[test]
    fn what_is_not_http_is_refused() {
        assert!(parse(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 abc\r\n\r\n").is_err());
    }
}
