//! A client that sends one request at a time and can tell an answer from a server that died.

use std::cell::OnceCell;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::Digest as _;

/// The root's key: given, so that it is known however early the first start ends.
pub const KEY_ID: &str = "AKIAFAULTSFAULTS2222";
pub const SECRET: &str = "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";
const REGION: &str = "eu-central-1";
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer that came to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON: {error}: {}", self.text()))
    }

    pub fn is_success(&self) -> bool {
        self.status < 300
    }
}

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    address: String,
    /// How far the server's clock is ahead.
    ahead: Duration,
    password: OnceCell<String>,
}

impl Client {
    pub fn of(address: &str) -> Client {
        Client::ahead_of(address, Duration::ZERO)
    }

    /// A client of a server whose clock is ahead of ours.
    pub fn ahead_of(address: &str, ahead: Duration) -> Client {
        Client { address: address.to_owned(), ahead, password: OnceCell::new() }
    }

    /// Sends a request. Errors: no whole answer came.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        head += &format!("content-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        stream.write_all(head.as_bytes())?;
        // A server that answers early closes its side; the answer says why.
        let sent = stream.write_all(body);
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        match parse(&bytes, method) {
            Some(answer) => Ok(answer),
            None => {
                Err(sent.and(read.map(|_| ())).err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
            }
        }
    }

    /// A request of the registry's face, with root's password.
    pub fn registry(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let authorization = format!("Basic {}", self.password()?);
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend_from_slice(headers);
        self.send(method, path, &all, body)
    }

    fn password(&self) -> io::Result<&str> {
        if let Some(password) = self.password.get() {
            return Ok(password);
        }
        let answer = self.ecr("GetAuthorizationToken", &serde_json::json!({}))?;
        // A disk that fails now must not make this test fail for want of a password: ask again later.
        let token = match answer.status {
            200 => answer.json()["authorizationData"][0]["authorizationToken"].as_str().unwrap().to_owned(),
            _ => return Err(io::Error::other(format!("no password: {} {}", answer.status, answer.text()))),
        };
        Ok(self.password.get_or_init(|| token))
    }

    pub fn ecr(&self, operation: &str, body: &serde_json::Value) -> io::Result<Answer> {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let fields = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        self.signed("ecr", &fields, body.to_string().as_bytes())
    }

    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> io::Result<Answer> {
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            form += &format!("&{name}={value}");
        }
        let fields = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.signed("iam", &fields, form.as_bytes())
    }

    fn signed(&self, service: &str, fields: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut signed: Vec<(&str, &[u8])> =
            fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        signed.push(("host", self.address.as_bytes()));
        let now = (SystemTime::now() + self.ahead).duration_since(UNIX_EPOCH).unwrap().as_secs();
        let input = aws::sigv4::Input {
            method: "POST",
            path: "/",
            query: "",
            headers: &signed,
            body_sha256: &sha2::Sha256::digest(body).into(),
            now: i64::try_from(now).unwrap(),
        };
        let credentials =
            aws::sigv4::Credentials { access_key_id: KEY_ID, secret_access_key: SECRET, session_token: None };
        let signature = aws::sigv4::sign(&input, &credentials, REGION, service);
        let mut headers = fields.to_vec();
        headers.extend(signature.iter().map(|(name, value)| (*name, value.as_str())));
        self.send("POST", "/", &headers, body)
    }
}

fn parse(bytes: &[u8], method: &str) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    assert!(answer.header("transfer-encoding").is_none(), "answers here have a length");
    let length = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
    (method == "HEAD" || answer.body.len() == length).then_some(answer)
}
