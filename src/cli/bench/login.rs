//! Logging in: a name and a password, or AWS credentials that ECR turns into a docker password.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use super::http::Connection;
use super::target::Target;
use crate::environment::{Environment, SECOND};

/// The `Authorization` of a name and a password.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A client of ECR with credentials from the environment.
pub(super) struct Ecr {
    target: Arc<Target>,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: String,
}

impl Ecr {
    /// Reads the variables that `aws` reads; `target` is the endpoint.
    pub(super) fn from_variables(target: Arc<Target>) -> anyhow::Result<Self> {
        let required = |name: &str| std::env::var(name).with_context(|| format!("--aws needs {name}"));
        let region = std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION"));
        Ok(Self {
            target,
            access_key_id: required("AWS_ACCESS_KEY_ID")?,
            secret_access_key: required("AWS_SECRET_ACCESS_KEY")?,
            session_token: std::env::var("AWS_SESSION_TOKEN").ok(),
            region: region.context("--aws needs AWS_REGION or AWS_DEFAULT_REGION")?,
        })
    }

    /// GetAuthorizationToken: the value of `Authorization` for the registry.
    pub(super) fn authorization(&self) -> anyhow::Result<String> {
        let (status, body) = self.call("GetAuthorizationToken", "{}")?;
        let token = body.pointer("/authorizationData/0/authorizationToken");
        match token.and_then(serde_json::Value::as_str) {
            Some(token) if status == 200 => Ok(format!("Basic {token}")),
            _ => bail!("GetAuthorizationToken was answered with {status}: {body}"),
        }
    }

    /// CreateRepository, unless it exists.
    pub(super) fn create_repository(&self, name: &str) -> anyhow::Result<()> {
        let request = serde_json::json!({ "repositoryName": name }).to_string();
        let (status, body) = self.call("CreateRepository", &request)?;
        let error = body.get("__type").and_then(serde_json::Value::as_str).unwrap_or_default();
        if status != 200 && !error.ends_with("RepositoryAlreadyExistsException") {
            bail!("CreateRepository {name} was answered with {status}: {body}");
        }
        Ok(())
    }

    fn call(&self, operation: &str, body: &str) -> anyhow::Result<(u16, serde_json::Value)> {
        let operation = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let fields = [
            ("host", self.target.authority.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &operation),
        ];
        let headers = fields.map(|(name, value)| (name, value.as_bytes()));
        let input = aws::sigv4::Input {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body_sha256: &sha2::Sha256::digest(body).into(),
            now: Environment::system().now() / SECOND,
        };
        let credentials = aws::sigv4::Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
        };
        let added = aws::sigv4::sign(&input, &credentials, &self.region, "ecr");
        let added = added.iter().map(|(name, value)| format!("{name}: {value}"));
        // `host` is already in every head.
        let given = fields.iter().skip(1).map(|(name, value)| format!("{name}: {value}"));
        let lines: Vec<String> =
            given.chain(added).chain([format!("content-length: {}", body.len())]).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let head = self.target.head("POST", "/", &lines);
        let (answer, body) = Connection::open(&self.target)?.fetch(&[&head, body.as_bytes()])?;
        Ok((answer.status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}
