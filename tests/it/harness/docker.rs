//! A client of the registry face with a docker password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use sha2::Digest as _;

use super::answer::Answer;
use super::client::Key;
use super::server::TestServer;

/// Somebody who is logged in.
pub struct Docker<'server> {
    server: &'server TestServer,
    /// The value of `Authorization`.
    pub authorization: String,
}

impl TestServer {
    /// Logs in.
    pub async fn docker(&self, key: &Key) -> Docker<'_> {
        let answer = self.ecr(key, "GetAuthorizationToken", json!({})).await.ok().json();
        let token = answer["authorizationData"][0]["authorizationToken"].as_str().unwrap();
        assert!(STANDARD.decode(token).unwrap().starts_with(b"AWS:"));
        Docker { server: self, authorization: format!("Basic {token}") }
    }
}

impl Docker<'_> {
    /// Sends a request.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.server.host())
            .header("authorization", &self.authorization);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.server.send(request.body(Full::from(body.into())).unwrap()).await
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// Starts an upload; out: the path of the upload.
    pub async fn start_upload(&self, repository: &str) -> String {
        let answer = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], "").await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let location = answer.header("location");
        location.find("/v2/").map_or(location, |begin| &location[begin..]).to_owned()
    }

    /// Pushes a blob; out: its digest.
    pub async fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)));
        let upload = self.start_upload(repository).await;
        let separator = if upload.contains('?') { '&' } else { '?' };
        let answer =
            self.send("PUT", &format!("{upload}{separator}digest={digest}"), &[], bytes.to_vec()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        digest
    }
}
