//! A client of the APIs: signs with the server's own signer, which other tests compare with AWS's.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use sha2::Digest as _;
use tokio::net::TcpStream;

use super::answer::Answer;
use super::server::TestServer;

/// An access key.
#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Key {
    pub fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned(), token: None }
    }

    /// Headers that sign a request.
    pub fn sign(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        service: &str,
    ) -> Vec<(&'static str, String)> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let input = aws::sigv4::Input {
            method,
            path,
            query,
            headers: &headers,
            body_sha256: &sha2::Sha256::digest(body).into(),
            now: i64::try_from(now).unwrap(),
        };
        let credentials = aws::sigv4::Credentials {
            access_key_id: &self.id,
            secret_access_key: &self.secret,
            session_token: self.token.as_deref(),
        };
        aws::sigv4::sign(&input, &credentials, "eu-central-1", service)
    }
}

impl TestServer {
    /// Sends a request on a connection of its own and reads the whole answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        drop(sender);
        connection.await.unwrap().unwrap();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// `GET` without credentials.
    pub async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", self.host());
        self.send(request.body(Full::default()).unwrap()).await
    }

    /// `localhost:<port>`
    pub fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Calls ECR.
    pub async fn ecr(&self, key: &Key, operation: &str, body: serde_json::Value) -> Answer {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let fields = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        self.signed(key, "ecr", &fields, body.to_string()).await
    }

    /// Calls IAM.
    pub async fn iam(&self, key: &Key, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.query(key, "iam", "2010-05-08", action, parameters).await
    }

    /// Calls STS.
    pub async fn sts(&self, key: &Key, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.query(key, "sts", "2011-06-15", action, parameters).await
    }

    async fn query(
        &self,
        key: &Key,
        service: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        let mut form = format!("Action={action}&Version={version}");
        for (name, value) in parameters {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            form += &format!("&{name}={value}");
        }
        let fields = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.signed(key, service, &fields, form).await
    }

    async fn signed(&self, key: &Key, service: &str, fields: &[(&str, &str)], body: String) -> Answer {
        let host = self.host();
        let mut fields = fields.to_vec();
        fields.push(("host", &host));
        let signature = key.sign("POST", "/", &fields, body.as_bytes(), service);
        let mut request = Request::post("/");
        for (name, value) in &fields {
            request = request.header(*name, *value);
        }
        for (name, value) in signature {
            request = request.header(name, value);
        }
        self.send(request.body(Full::from(body)).unwrap()).await
    }
}
