//! Which protocol does a request speak? A pure function of method, path, query and headers.
//!
//! | request | face |
//! |---|---|
//! | `/v2`, `/v2/…` | [`Face::Registry`] |
//! | `POST` with `X-Amz-Target` | [`Face::Ecr`] |
//! | `POST` with a form, or a query with `Action` | [`Face::Query`]: IAM or STS, see [`query_service`] |
//! | `/layers/…` | [`Face::LayerUrl`] |
//! | `GET /healthz`, `/readyz`, `/metrics` | [`Face::Health`], [`Face::Ready`], [`Face::Metrics`] |
//! | anything else | [`Face::Unknown`] |

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};

use crate::api::layer_url;

/// A protocol of the one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Docker and OCI distribution.
    Registry,
    /// ECR: JSON 1.1.
    Ecr,
    /// IAM or STS: Query and XML.
    Query,
    /// A signed URL of one layer.
    LayerUrl,
    /// Is the process alive?
    Health,
    /// Can it serve?
    Ready,
    /// Numbers for Prometheus.
    Metrics,
    /// Nothing lies here.
    Unknown,
}

impl Face {
    /// The name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Ecr => "ecr",
            Self::Query => "query",
            Self::LayerUrl => "layer-url",
            Self::Health => "healthz",
            Self::Ready => "readyz",
            Self::Metrics => "metrics",
            Self::Unknown => "unknown",
        }
    }
}

/// The face that a request shows.
#[must_use]
pub fn face(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Face {
    let is_read = method == Method::GET || method == Method::HEAD;
    match path {
        "/v2" => Face::Registry,
        path if path.starts_with("/v2/") => Face::Registry,
        path if path.starts_with(layer_url::PREFIX) => Face::LayerUrl,
        "/healthz" if is_read => Face::Health,
        "/readyz" if is_read => Face::Ready,
        "/metrics" if is_read => Face::Metrics,
        "/" if method == Method::POST && headers.contains_key("x-amz-target") => Face::Ecr,
        "/" if method == Method::POST && is_form(headers) => Face::Query,
        "/" if is_read && parameter(query.unwrap_or(""), "Action").is_some() => Face::Query,
        "/" if method == Method::POST && parameter(query.unwrap_or(""), "Action").is_some() => Face::Query,
        _ => Face::Unknown,
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The services that speak Query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryService {
    /// `Version=2010-05-08`
    Iam,
    /// `Version=2011-06-15`
    Sts,
}

/// IAM or STS: the `Version` of the form, else of the query, else the service that the signature names.
///
/// The door itself then refuses a signature that was made for the other service (iam.md §2.1).
#[must_use]
pub fn query_service(query: Option<&str>, form: &[u8], headers: &HeaderMap) -> QueryService {
    let form = std::str::from_utf8(form).unwrap_or("");
    let query = query.unwrap_or("");
    match parameter(form, "Version").or_else(|| parameter(query, "Version")) {
        Some("2010-05-08") => return QueryService::Iam,
        Some("2011-06-15") => return QueryService::Sts,
        _ => {}
    }
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_sts = authorization.contains("/sts/aws4_request") || query.contains("%2Fsts%2Faws4_request");
    if is_sts { QueryService::Sts } else { QueryService::Iam }
}

/// The value of a parameter as sent; names and versions have no characters that would be encoded.
fn parameter<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    const TARGET: (&str, &str) = ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.CreateRepository");

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_request_has_one_face() {
        for (method, target, fields, expected) in [
            ("GET", "/v2", vec![], Face::Registry),
            ("GET", "/v2/", vec![], Face::Registry),
            ("PUT", "/v2/app/manifests/1", vec![], Face::Registry),
            ("POST", "/v2/app/blobs/uploads/", vec![TARGET], Face::Registry),
            ("GET", "/v2/..%2f", vec![], Face::Registry),
            ("GET", "/v20", vec![], Face::Unknown),
            ("GET", "/v1/_ping", vec![], Face::Unknown),
            ("POST", "/", vec![TARGET], Face::Ecr),
            ("POST", "/", vec![TARGET, FORM], Face::Ecr),
            ("GET", "/", vec![TARGET], Face::Unknown),
            ("POST", "/x", vec![TARGET], Face::Unknown),
            ("POST", "/", vec![FORM], Face::Query),
            ("POST", "/", vec![("content-type", "APPLICATION/X-WWW-FORM-URLENCODED")], Face::Query),
            ("POST", "/", vec![("content-type", "application/json")], Face::Unknown),
            ("POST", "/?Action=ListUsers&Version=2010-05-08", vec![], Face::Query),
            ("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", vec![], Face::Query),
            ("GET", "/?NoAction=1", vec![], Face::Unknown),
            ("GET", "/", vec![], Face::Unknown),
            ("GET", "/layers/1/2/3/4?expires=1", vec![], Face::LayerUrl),
            ("GET", "/layers", vec![], Face::Unknown),
            ("GET", "/healthz", vec![], Face::Health),
            ("HEAD", "/readyz", vec![], Face::Ready),
            ("GET", "/metrics", vec![], Face::Metrics),
            ("POST", "/metrics", vec![], Face::Unknown),
            ("OPTIONS", "*", vec![], Face::Unknown),
            ("DELETE", "/", vec![], Face::Unknown),
        ] {
            let (path, query) =
                target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
            let found = face(&method.parse().unwrap(), path, query, &headers(&fields));
            assert_eq!(found, expected, "{method} {target} {fields:?}");
        }
    }

    #[test]
    fn the_version_decides_and_then_the_signature() {
        let sts = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/sts/aws4_request, Signature=0",
        );
        for (query, form, fields, expected) in [
            (None, "Action=ListUsers&Version=2010-05-08", vec![], QueryService::Iam),
            (None, "Version=2011-06-15&Action=GetCallerIdentity", vec![], QueryService::Sts),
            (None, "Version=2010-05-08&Action=ListUsers", vec![sts], QueryService::Iam),
            (Some("Version=2010-05-08"), "Version=2011-06-15", vec![], QueryService::Sts),
            (Some("Action=X&Version=2011-06-15"), "", vec![], QueryService::Sts),
            (
                Some("X-Amz-Credential=A%2F20261123%2Fus-east-1%2Fsts%2Faws4_request"),
                "",
                vec![],
                QueryService::Sts,
            ),
            (None, "Action=GetCallerIdentity", vec![sts], QueryService::Sts),
            (None, "Action=ListUsers&Version=1999-01-01", vec![], QueryService::Iam),
            (None, "\u{fffd}&&=&Version", vec![], QueryService::Iam),
        ] {
            assert_eq!(
                query_service(query, form.as_bytes(), &headers(&fields)),
                expected,
                "{query:?} {form}"
            );
        }
    }
}
