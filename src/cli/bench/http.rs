//! The smallest HTTP/1.1 client that can measure a server: one blocking socket, one buffer, no allocation per request.
//!
//! Why not hyper's client: the generator shares the machine with the server that it measures. A thread per
//! connection that blocks in `recv` costs two system calls per request and no wake-ups of a runtime; hyper's client
//! costs several times that, which at 100,000 requests a second would be measured instead of the server.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustls::{ClientConnection, StreamOwned};

use super::head::{self, Head};
use super::target::Target;
use crate::server::nearby;

/// Room for a head and a small body in one read.
const BUFFER_BYTES: usize = 128 * 1024;

/// What one discarding read takes at most; the kernel copies nothing of it.
const DISCARD_BYTES: usize = 4 * 1024 * 1024;

/// A server that says nothing for this long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of a body that are quoted when an answer was not the expected one.
const QUOTED_BYTES: usize = 600;

enum Stream {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An answer whose body was discarded or handed out.
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// Length of the body.
    pub(super) body_bytes: u64,
    /// The field `Location`.
    pub(super) location: Option<String>,
}

/// One kept-alive connection.
pub(super) struct Connection {
    target: Arc<Target>,
    stream: Stream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    discard: Vec<u8>,
    must_reopen: bool,
}

impl Connection {
    /// Connects; errors name the address.
    pub(super) fn open(target: &Arc<Target>) -> anyhow::Result<Self> {
        Ok(Self {
            stream: connect(target)?,
            target: Arc::clone(target),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            discard: vec![0; DISCARD_BYTES],
            must_reopen: false,
        })
    }

    /// Sends a request in pieces and discards the body of the answer. `is_head`: the request is a HEAD.
    pub(super) fn exchange(&mut self, pieces: &[&[u8]], is_head: bool) -> anyhow::Result<Answer> {
        self.send(pieces)?;
        let head = self.read_head()?;
        let body_bytes = self.take_body(&head, is_head, None)?;
        self.must_reopen = head.closes;
        Ok(Answer { status: head.status, body_bytes, location: head.location })
    }

    /// The same, and the body is kept.
    pub(super) fn fetch(&mut self, pieces: &[&[u8]]) -> anyhow::Result<(Answer, Vec<u8>)> {
        self.send(pieces)?;
        let head = self.read_head()?;
        let mut body = Vec::new();
        let body_bytes = self.take_body(&head, false, Some(&mut body))?;
        self.must_reopen = head.closes;
        Ok((Answer { status: head.status, body_bytes, location: head.location }, body))
    }

    /// Sends a request and fails unless the answer has this status; the error quotes the body.
    pub(super) fn expect(&mut self, pieces: &[&[u8]], status: u16) -> anyhow::Result<Answer> {
        self.send(pieces)?;
        let head = self.read_head()?;
        self.must_reopen = head.closes;
        if head.status == status {
            let body_bytes = self.take_body(&head, false, None)?;
            return Ok(Answer { status, body_bytes, location: head.location });
        }
        let mut body = Vec::new();
        self.take_body(&head, false, Some(&mut body))?;
        body.truncate(QUOTED_BYTES);
        let request = pieces.first().map(|piece| first_line(piece)).unwrap_or_default();
        bail!(
            "{request}: {} where {status} was expected: {}",
            head.status,
            String::from_utf8_lossy(&body).trim()
        )
    }

    fn send(&mut self, pieces: &[&[u8]]) -> anyhow::Result<()> {
        if self.must_reopen {
            self.stream = connect(&self.target)?;
            (self.start, self.end, self.must_reopen) = (0, 0, false);
        }
        let written = match &mut self.stream {
            Stream::Plain(stream) => write_all(stream, pieces),
            Stream::Secure(stream) => {
                pieces.iter().try_for_each(|piece| stream.write_all(piece)).and_then(|()| stream.flush())
            }
        };
        match written {
            // A server may refuse in the middle of a body; its answer says why, so the answer is read.
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                Err(error).context("sending a request")
            }
            _ => Ok(()),
        }
    }

    fn filled(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads once more behind what is buffered; fails at the end of the stream.
    fn fill(&mut self) -> anyhow::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            bail!("the head of an answer is longer than {BUFFER_BYTES} bytes");
        }
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(room),
            Stream::Secure(stream) => stream.read(room),
        };
        match read.context("reading an answer")? {
            0 => bail!("the server closed the connection before its answer was complete"),
            read => self.end += read,
        }
        Ok(())
    }

    fn read_head(&mut self) -> anyhow::Result<Head> {
        loop {
            if let Some(head) = head::parse(self.filled())? {
                self.start += head.length_bytes;
                // 100 Continue and its like: the answer follows.
                if head.status >= 200 {
                    return Ok(head);
                }
                continue;
            }
            self.fill()?;
        }
    }

    fn take_body(
        &mut self,
        head: &Head,
        is_head: bool,
        mut kept: Option<&mut Vec<u8>>,
    ) -> anyhow::Result<u64> {
        if is_head || matches!(head.status, 204 | 304) {
            return Ok(0);
        }
        if !head.is_chunked {
            let length = head.body_bytes.context("an answer without a length is not supported")?;
            self.take(length, kept)?;
            return Ok(length);
        }
        let mut total = 0;
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).context("a chunk's length is not a number")?;
            if size == 0 {
                // Trailer fields, then the empty line.
                while !self.line()?.is_empty() {}
                return Ok(total);
            }
            self.take(size, kept.as_deref_mut())?;
            self.line()?;
            total += size;
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(position) = self.filled().iter().position(|byte| *byte == b'\n') {
                let line = self.filled().get(..position).unwrap_or_default();
                let text = String::from_utf8_lossy(line).trim_end().to_owned();
                self.start += position + 1;
                return Ok(text);
            }
            self.fill()?;
        }
    }

    /// Takes `remaining` bytes of a body from the buffer and then from the socket.
    fn take(&mut self, mut remaining: u64, mut kept: Option<&mut Vec<u8>>) -> anyhow::Result<()> {
        loop {
            let buffered = usize::try_from(remaining).unwrap_or(usize::MAX).min(self.end - self.start);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(self.filled().get(..buffered).unwrap_or_default());
            }
            self.start += buffered;
            remaining -= buffered as u64;
            if remaining == 0 {
                return Ok(());
            }
            match &self.stream {
                Stream::Plain(_) if kept.is_none() => {
                    let discarded = self.discard(remaining)?;
                    remaining -= discarded;
                }
                _ => self.fill()?,
            }
        }
    }

    /// Lets the kernel throw bytes away: with `MSG_TRUNC` a TCP socket counts them and copies nothing (tcp(7)).
    fn discard(&mut self, remaining: u64) -> anyhow::Result<u64> {
        let Stream::Plain(stream) = &self.stream else { bail!("only plain connections discard") };
        let most = usize::try_from(remaining).unwrap_or(usize::MAX).min(self.discard.len());
        let room = self.discard.get_mut(..most).unwrap_or_default();
        let (_, discarded) = rustix::net::recv(stream, room, RecvFlags::TRUNC | RecvFlags::WAITALL)
            .context("reading an answer")?;
        if discarded == 0 {
            bail!("the server closed the connection in the middle of a body");
        }
        Ok(discarded as u64)
    }
}

fn connect(target: &Target) -> anyhow::Result<Stream> {
    let stream = connect_to(&target.host, target.port)
        .with_context(|| format!("no connection to {}:{}", target.host, target.port))?;
    // Without it the kernel holds a small write back for the acknowledgement of the one before, up to 40 ms.
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    stream.set_read_timeout(Some(PATIENCE)).context("a time limit for reads")?;
    stream.set_write_timeout(Some(PATIENCE)).context("a time limit for writes")?;
    let Some(tls) = &target.tls else { return Ok(Stream::Plain(stream)) };
    let session = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).context("TLS")?;
    Ok(Stream::Secure(Box::new(StreamOwned::new(session, stream))))
}

/// Connects to the first address of the host that answers.
fn connect_to(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in (host, port).to_socket_addrs()? {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // The timers of a sender that is paced run on whichever processor they find, in the account of its process: that
        // of the server that is being measured, where it is on the same host. Once BBR has begun, another congestion
        // control still asks the timer before each packet, so it is chosen before.
        nearby::settle(&socket, address.ip());
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(TcpStream::from(socket)),
            Err(error) => result = Err(error.into()),
        }
    }
    result
}

/// Head and body leave in one system call where the socket has room.
fn write_all(stream: &mut TcpStream, pieces: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match stream.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn first_line(piece: &[u8]) -> String {
    let line = piece.split(|byte| *byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn it_connects_to_this_host_without_pacing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = connect_to("127.0.0.1", address.port()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert_eq!(rustix::net::sockopt::tcp_congestion(&stream).unwrap(), "reno");
        drop(listener);
        let refused = connect_to("127.0.0.1", address.port()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
