//! Listings: tags, repositories, referrers. Pages go on by a `Link` header with `rel="next"`.

use http::header::{CONTENT_TYPE, HeaderName, LINK};
use oci::{Digest, RepositoryName, media_type, referrers_index};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::Error;
use super::manifests::insert;
use super::operation::{MAX_PAGE, Page};
use crate::access::{Grant, action};
use crate::api::{Body, Outgoing, Services};
use crate::catalog;

/// Repositories on a page when the client names no number (ecr.md §8.4).
const DEFAULT_CATALOG_PAGE: u64 = 100;

/// Referrers on a page: the most that ListImageReferrers gives (ecr.md §4.7).
const REFERRERS_PAGE: u64 = 50;

const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

#[derive(Serialize)]
struct TagList<'a> {
    name: &'a str,
    tags: &'a [&'a str],
}

/// `GET /v2/<name>/tags/list`: lexical order, at most `n` after `last`.
pub(super) async fn tags(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    page: &Page,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::ListImages>()?;
    let limit = page.limit.unwrap_or(MAX_PAGE);
    let last = page.last.as_deref().unwrap_or("");
    let tags = services.catalog.tag_names(&allowed, last, limit).await?;
    let tags_as_text: Vec<&str> = tags.names().collect();
    let body = TagList { name: name.as_str(), tags: &tags_as_text };
    let body = serde_json::to_vec(&body).map_err(|error| catalog::Error::Internal(error.into()))?;
    let next = tags.last().filter(|_| tags.has_more);
    Ok(list(body, next.map(|last| next_link(&format!("/v2/{name}/tags/list"), limit, last))))
}

/// `GET /v2/_catalog`: the repositories of the registry.
pub(super) async fn repositories(services: &Services, grant: &Grant, page: &Page) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::DescribeAllRepositories>()?;
    let limit = page.limit.unwrap_or(DEFAULT_CATALOG_PAGE);
    let last = page.last.as_deref().unwrap_or("");
    let found = services.catalog.repository_names(&allowed, last, limit).await?;
    let body = serde_json::json!({"repositories": found.names}).to_string();
    let next = found.names.last().filter(|_| found.has_more);
    Ok(list(body, next.map(|last| next_link("/v2/_catalog", limit, last))))
}

/// `GET /v2/<name>/referrers/<digest>`: an OCI index of the manifests whose subject is the digest.
///
/// A subject that does not exist has no referrers: the answer is an empty index, not 404 (distribution-spec,
/// "Listing Referrers").
pub(super) async fn referrers(
    services: &Services,
    grant: &Grant,
    name: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    page: &Page,
) -> Result<Outgoing, Error> {
    let allowed = grant.take::<action::BatchGetImage>()?;
    let types: Vec<String> = artifact_type.map(str::to_owned).into_iter().collect();
    let limit = page.limit.unwrap_or(REFERRERS_PAGE).clamp(1, REFERRERS_PAGE);
    let after = page.last.as_deref().unwrap_or("");
    let found = services.catalog.referrers(&allowed, subject, &types, after, limit).await?;
    let next = found.referrers.last().filter(|_| found.has_more).map(|last| {
        let mut target = format!("/v2/{name}/referrers/{subject}?");
        if let Some(kind) = artifact_type {
            target.push_str(&format!("artifactType={}&", utf8_percent_encode(kind, NON_ALPHANUMERIC)));
        }
        format!("<{target}n={limit}&last={}>; rel=\"next\"", last.digest)
    });
    let body = referrers_index(found.referrers.into_iter());
    let mut response = list(body, next);
    insert(response.headers_mut(), CONTENT_TYPE, media_type::OCI_INDEX);
    if artifact_type.is_some() {
        insert(response.headers_mut(), OCI_FILTERS_APPLIED, "artifactType");
    }
    Ok(response)
}

/// A relative link, so that it survives a proxy on another host, port or scheme.
fn next_link(path: &str, limit: u64, last: &str) -> String {
    format!("<{path}?n={limit}&last={}>; rel=\"next\"", utf8_percent_encode(last, NON_ALPHANUMERIC))
}

fn list(body: impl Into<bytes::Bytes>, next: Option<String>) -> Outgoing {
    let mut response = Outgoing::new(Body::full(body));
    let headers = response.headers_mut();
    insert(headers, CONTENT_TYPE, "application/json");
    if let Some(next) = next {
        insert(headers, LINK, &next);
    }
    response
}
