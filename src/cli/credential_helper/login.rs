//! GetAuthorizationToken: AWS credentials in, docker's user name and password out.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use aws::{Secret, sigv4};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::client;
use super::credentials::Aws;
use super::endpoint::{Authority, Endpoint};

const AGENT: &str = concat!("longshore-credential-helper/", env!("CARGO_PKG_VERSION"));
const MEDIA_TYPE: &str = "application/x-amz-json-1.1";
/// A server takes the region from the host name; the signature needs some.
const ANY_REGION: &str = "us-east-1";

/// What docker needs.
pub(super) struct Login {
    /// The registry's address as the server names it: `https://registry.example.com`.
    pub(super) registry: String,
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
}

/// The login for a host. `None` when neither the configured endpoint nor the host itself is its ECR.
///
/// # Errors
/// No credentials, no connection, or the server's refusal in its own words.
pub(super) async fn of_host(host: &Authority, aws: &Aws) -> anyhow::Result<Option<Login>> {
    if let Some(endpoint) = &aws.endpoint {
        let login = token(endpoint, host.region(), aws).await?;
        // Whatever docker asks for, the endpoint's password is for the endpoint's registry only.
        let is_registry = Endpoint::parse(&login.registry).is_ok_and(|registry| registry.is(host));
        if is_registry || endpoint.is(host) {
            return Ok(Some(login));
        }
    }
    match asked(host, aws).await? {
        Some(endpoint) => token(&endpoint, host.region(), aws).await.map(Some),
        None => Ok(None),
    }
}

/// The login at the configured endpoint, for its own registry. `None` without one.
///
/// # Errors
/// As [`of_host`].
pub(super) async fn of_endpoint(aws: &Aws) -> anyhow::Result<Option<Login>> {
    match &aws.endpoint {
        Some(endpoint) => token(endpoint, endpoint.authority.region(), aws).await.map(Some),
        None => Ok(None),
    }
}

/// How to reach the host, when its registry asks for passwords of ECR.
///
/// As docker's `credsStore` the program is asked for every host there is, and signs nothing for a stranger.
async fn asked(host: &Authority, aws: &Aws) -> anyhow::Result<Option<Endpoint>> {
    let secure = Endpoint { is_secure: true, authority: host.clone() };
    let plain = Endpoint { is_secure: false, authority: host.clone() };
    match challenge(&secure, aws).await {
        Ok(is) => Ok(is.then_some(secure)),
        // Docker's rule: loopback may do without TLS. When neither answers, TLS is what people want to know about.
        Err(error) if host.is_loopback() => {
            challenge(&plain, aws).await.map(|is| is.then_some(plain)).map_err(|_| error)
        }
        Err(error) => Err(error),
    }
}

/// Whether `GET /v2/` is answered as ECR does: 401 with `Basic …,service="ecr.amazonaws.com"`.
async fn challenge(endpoint: &Endpoint, aws: &Aws) -> anyhow::Result<bool> {
    let request = Request::builder()
        .uri("/v2/")
        .header(HOST, endpoint.authority.to_string())
        .header(USER_AGENT, AGENT)
        .body(Full::default())?;
    let answer = client::send(endpoint, aws.authorities.as_deref(), request).await?;
    let mut challenges = answer.headers().get_all(WWW_AUTHENTICATE).iter();
    Ok(answer.status() == StatusCode::UNAUTHORIZED
        && challenges
            .any(|value| value.to_str().is_ok_and(|text| text.contains("service=\"ecr.amazonaws.com\""))))
}

async fn token(endpoint: &Endpoint, region: Option<&str>, aws: &Aws) -> anyhow::Result<Login> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let request = signed(endpoint, region, aws, i64::try_from(seconds).unwrap_or(i64::MAX))?;
    let answer = client::send(endpoint, aws.authorities.as_deref(), request).await?;
    login(answer.status(), answer.body()).with_context(|| format!("{endpoint} gives no password"))
}

/// The signed request; `now` in seconds since 1970.
fn signed(
    endpoint: &Endpoint,
    region: Option<&str>,
    aws: &Aws,
    now: i64,
) -> anyhow::Result<Request<Full<Bytes>>> {
    const BODY: &[u8] = b"{}";
    let key = aws.credentials()?;
    let host = endpoint.authority.to_string();
    let target = format!("{}.GetAuthorizationToken", aws::ecr::TARGET_PREFIX);
    let headers = [
        (HOST.as_str(), host.as_bytes()),
        (CONTENT_TYPE.as_str(), MEDIA_TYPE.as_bytes()),
        ("x-amz-target", target.as_bytes()),
    ];
    let input = sigv4::Input {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body_sha256: &Sha256::digest(BODY).into(),
        now,
    };
    let credentials = sigv4::Credentials {
        access_key_id: &key.access_key_id,
        secret_access_key: key.secret_access_key.expose(),
        session_token: key.session_token.as_ref().map(Secret::expose),
    };
    let region = region.or(aws.region.as_deref()).unwrap_or(ANY_REGION);
    let added = sigv4::sign(&input, &credentials, region, aws::Service::Ecr.signing_name());
    let mut request = Request::builder().method(Method::POST).uri("/").header(USER_AGENT, AGENT);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in added {
        request = request.header(name, value);
    }
    // A key with a line end in it, say: the message must not repeat the value.
    request
        .body(Full::from(BODY))
        .map_err(|_| anyhow::anyhow!("the AWS credentials hold characters that none can have"))
}

/// What the answer says.
fn login(status: StatusCode, body: &[u8]) -> anyhow::Result<Login> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        authorization_data: Vec<Data>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        authorization_token: Secret,
        proxy_endpoint: String,
    }
    if status != StatusCode::OK {
        bail!(refusal(status, body));
    }
    // The reasons of the parsers are dropped: they may quote what they have read.
    let unknown = || "its answer is not that of GetAuthorizationToken";
    let answer: Answer = serde_json::from_slice(body).map_err(|_| anyhow::anyhow!(unknown()))?;
    let data = answer.authorization_data.into_iter().next().with_context(unknown)?;
    let pair = STANDARD.decode(data.authorization_token.expose()).map(Zeroizing::new);
    let pair = pair.map_err(|_| anyhow::anyhow!(unknown()))?;
    let (user, password) =
        std::str::from_utf8(&pair).ok().and_then(|pair| pair.split_once(':')).with_context(unknown)?;
    Ok(Login {
        registry: data.proxy_endpoint,
        user: user.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    })
}

/// The server's own words, as `aws` prints them, without what could move a terminal's cursor.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Fault {
        #[serde(rename = "__type")]
        code: String,
        #[serde(alias = "Message", default)]
        message: String,
    }
    let Ok(Fault { code, message }) = serde_json::from_slice(body) else {
        return format!("it answers with status {}", status.as_u16());
    };
    let code = code.rsplit('#').next().unwrap_or_default();
    format!("{code}: {message}").chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests;
