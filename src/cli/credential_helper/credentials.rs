//! AWS credentials, region and endpoint, from where the AWS tools take them: variables, then the profile's files.
//!
//! Names, order and meaning are botocore's (`botocore/credentials.py`, `botocore/configprovider.py`). What a profile
//! asks for and is not built is refused by name, so that nobody acts under other rights than the profile says.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use aws::Secret;

use super::endpoint::Endpoint;
use super::profile::{self, Profile};
use crate::config::Environment;

/// Whence a profile can take credentials that this program cannot get.
const ELSEWHERE: &[&str] = &[
    "role_arn",
    "sso_session",
    "sso_start_url",
    "login_session",
    "credential_source",
    "web_identity_token_file",
];

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Option<Secret>,
}

/// What the AWS tools would know here.
#[derive(Debug)]
pub(super) struct Aws {
    /// The key, or why there is none; an error only when a request has to be signed.
    credentials: Result<Credentials, String>,
    pub(super) region: Option<String>,
    /// `AWS_ENDPOINT_URL_ECR`, `AWS_ENDPOINT_URL` or the profile's `endpoint_url`.
    pub(super) endpoint: Option<Endpoint>,
    /// The only certificates to trust, `AWS_CA_BUNDLE` or the profile's `ca_bundle`; `None` means the system's.
    pub(super) authorities: Option<PathBuf>,
}

impl Aws {
    /// Reads variables and files.
    ///
    /// # Errors
    /// A file that cannot be read, a profile that is named and not there, an endpoint that is no URL.
    pub(super) fn load(environment: Environment<'_>) -> anyhow::Result<Self> {
        let variable = |name: &str| -> Option<String> {
            environment(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
        };
        let named = variable("AWS_PROFILE");
        let name = named.as_deref().unwrap_or("default");
        let file = |variable_name: &str, default: &str| -> Option<PathBuf> {
            let home = variable("HOME").map(PathBuf::from);
            let path = variable(variable_name).unwrap_or_else(|| format!("~/.aws/{default}"));
            match path.strip_prefix("~/") {
                Some(rest) => Some(home?.join(rest)),
                None => Some(PathBuf::from(path)),
            }
        };
        let read = |path: Option<PathBuf>, section: &str| match path {
            Some(path) => profile::read(&path, section),
            None => Ok(None),
        };
        let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let shared = read(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name)?;
        let config = read(file("AWS_CONFIG_FILE", "config"), &section)?;
        if named.is_some() && shared.is_none() && config.is_none() {
            bail!("The config profile ({name}) could not be found");
        }
        let (shared, config) = (shared.unwrap_or_default(), config.unwrap_or_default());
        let ignores_files = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let endpoint = (!ignores_files)
            .then(|| {
                variable("AWS_ENDPOINT_URL_ECR")
                    .or_else(|| variable("AWS_ENDPOINT_URL"))
                    .or_else(|| config.get("endpoint_url").cloned())
            })
            .flatten();
        Ok(Self {
            credentials: credentials(&variable, name, &shared, &config),
            region: variable("AWS_REGION")
                .or_else(|| variable("AWS_DEFAULT_REGION"))
                .or_else(|| config.get("region").cloned()),
            endpoint: endpoint.map(|url| Endpoint::parse(&url).context("the AWS endpoint")).transpose()?,
            authorities: variable("AWS_CA_BUNDLE")
                .or_else(|| config.get("ca_bundle").cloned())
                .map(PathBuf::from),
        })
    }

    /// The key to sign with.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    pub(super) fn credentials(&self) -> anyhow::Result<&Credentials> {
        self.credentials.as_ref().map_err(|reason| anyhow::anyhow!(reason.clone()))
    }
}

fn credentials(
    variable: &dyn Fn(&str) -> Option<String>,
    name: &str,
    shared: &Profile,
    config: &Profile,
) -> Result<Credentials, String> {
    let of_variables = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    if let Some(found) = take(of_variables, "the environment", variable)? {
        return Ok(found);
    }
    let refuse = |key: &str| {
        format!(
            "the profile {name} takes its credentials from {key}, which longshore cannot do; \
             `eval \"$(aws configure export-credentials --format env)\"` gives it what `aws` gets from there"
        )
    };
    if let Some(key) = ELSEWHERE.iter().find(|key| shared.contains_key(**key) || config.contains_key(**key)) {
        return Err(refuse(key));
    }
    let of_files = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
    let whence = format!("the profile {name}");
    if let Some(found) = take(of_files, &whence, &|key| shared.get(key).cloned())? {
        return Ok(found);
    }
    if shared.contains_key("credential_process") || config.contains_key("credential_process") {
        return Err(refuse("credential_process"));
    }
    take(of_files, &whence, &|key| config.get(key).cloned())?.ok_or_else(|| {
        format!(
            "no AWS credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor a key in {whence} are set"
        )
    })
}

/// A whole key, none, or an error for half of one.
fn take(
    [id, secret, token]: [&str; 3],
    whence: &str,
    value: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Credentials>, String> {
    let text = |key: &str| value(key).filter(|value| !value.is_empty());
    match (text(id), text(secret)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(format!("Partial credentials found in {whence}, missing: {secret}")),
        (None, Some(_)) => Err(format!("Partial credentials found in {whence}, missing: {id}")),
        (Some(access_key_id), Some(secret)) => Ok(Some(Credentials {
            access_key_id,
            secret_access_key: Secret::from(secret),
            session_token: text(token).map(Secret::from),
        })),
    }
}

#[cfg(test)]
mod tests;
