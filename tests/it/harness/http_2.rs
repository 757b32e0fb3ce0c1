//! Frames of HTTP/2 (RFC 9113 §4.1), for clients that no library would be.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How a client begins.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;

/// `END_STREAM` and `END_HEADERS`.
pub const ENDS: u8 = 0x5;
pub const ACKNOWLEDGES: u8 = 0x1;

/// The code of a stream that is cut.
pub const CANCEL: u32 = 8;
/// The code for a client that asks too much.
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// Length, type, flags, stream, payload.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The first frames of a client, which lets each stream send `window` bytes.
pub fn beginning(window: u32) -> Vec<u8> {
    // SETTINGS_INITIAL_WINDOW_SIZE
    let settings = [&4_u16.to_be_bytes()[..], &window.to_be_bytes()].concat();
    [PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat()
}

/// A request without a body, its headers as HPACK literals (RFC 7541 §6.2.2).
pub fn request(stream: u32, method: &str, path: &str, authorization: &str) -> Vec<u8> {
    let mut block = match method {
        "GET" => vec![0x82],
        other => [&[0x02][..], &text(other)].concat(),
    };
    block.push(0x86);
    for (name, value) in [(&[0x04][..], path), (&[0x01], "localhost"), (&[0x0f, 0x08], authorization)] {
        if !value.is_empty() {
            block.extend_from_slice(name);
            block.extend(text(value));
        }
    }
    frame(HEADERS, ENDS, stream, &block)
}

/// A string with its length in a prefix of seven bits (RFC 7541 §5.1, §5.2).
fn text(value: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = value.len();
    if length < 127 {
        bytes.push(u8::try_from(length).unwrap());
    } else {
        bytes.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The number that the payload of `RST_STREAM` is, and that of `GOAWAY` ends with.
    pub fn reason(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// The next frame; `None` when the connection has ended. Pings are answered.
pub async fn next(stream: &mut TcpStream) -> Option<Frame> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.ok()?;
        let (kind, flags) = (head[3], head[4]);
        if kind == PING && flags & ACKNOWLEDGES == 0 {
            stream.write_all(&frame(PING, ACKNOWLEDGES, 0, &payload)).await.ok()?;
            continue;
        }
        let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        return Some(Frame { kind, flags, stream: number, payload });
    }
}
