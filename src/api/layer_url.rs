//! Download URLs of layers: no credentials, a signature and an end instead (ecr.md §4.6).
//!
//! ```text
//! GET /layers/<account>/<region>/<repository name>/<digest>?expires=<seconds since 1970>&signature=<hex>
//! ```
//!
//! Plain curl fetches it, also in parts; HEAD works too. Who holds the URL may read this one layer until it
//! ends, as long as the repository holds the layer; a policy that changes meanwhile does not call it back,
//! which is why it ends after a quarter of an hour. Errors are XML as S3 answers them, since that is what
//! clients of such URLs know.

use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use oci::{Digest, RepositoryName};
use policy::{AccountId, Region};

use super::{Body, Incoming, Outgoing, Services, blob_answer};
use crate::access::{LayerTicket, Registry, Repository, TicketError};
use crate::catalog;

/// What every such path begins with.
pub const PREFIX: &str = "/layers/";

/// The URL that a ticket stands for, under the name by which clients reach the registry.
#[must_use]
pub fn url(services: &Services, ticket: &LayerTicket) -> String {
    let repository = ticket.repository();
    let Registry { account, region } = &repository.registry;
    format!(
        "{}{PREFIX}{account}/{region}/{}/{}?expires={}&signature={}",
        services.names.endpoint(&repository.registry),
        repository.name,
        ticket.digest(),
        ticket.expires(),
        ticket.sign(&services.sealer)
    )
}

/// Answers one request for a layer.
pub async fn handle(services: &Services, incoming: Incoming) -> Outgoing {
    match serve(services, &incoming).await {
        Ok(response) => response,
        Err(refusal) => refusal.answer(&incoming.request_id),
    }
}

async fn serve(services: &Services, incoming: &Incoming) -> Result<Outgoing, Refusal> {
    let head = &incoming.head;
    if head.method != Method::GET && head.method != Method::HEAD {
        return Err(Refusal::Method);
    }
    let fields = Fields::parse(head.uri.path(), head.uri.query().unwrap_or("")).ok_or(Refusal::Signature)?;
    let Fields { repository, digest, expires, signature } = fields;
    let now = services.catalog.now();
    let ticket = LayerTicket::verify(&services.sealer, repository, digest, expires, signature, now).map_err(
        |error| match error {
            TicketError::Signature => Refusal::Signature,
            TicketError::Expired => Refusal::Expired,
        },
    )?;
    let reader = match services.catalog.open_layer_of_ticket(&ticket).await {
        Ok(Some(reader)) => reader,
        Ok(None) | Err(catalog::Error::RepositoryNotFound(_)) => return Err(Refusal::Gone),
        Err(error) => {
            tracing::error!(%error, "a layer could not be opened");
            return Err(Refusal::Failed);
        }
    };
    blob_answer::answer(head, ticket.digest(), reader).map_err(|out| Refusal::Range { length: out.length })
}

/// The fields of a URL, as sent: nothing of them counts before the signature does.
struct Fields<'url> {
    repository: Repository,
    digest: Digest,
    expires: i64,
    signature: &'url str,
}

impl<'url> Fields<'url> {
    fn parse(path: &str, query: &'url str) -> Option<Self> {
        let rest = path.strip_prefix(PREFIX)?;
        let (account, rest) = rest.split_once('/')?;
        let (region, rest) = rest.split_once('/')?;
        let (name, digest) = rest.rsplit_once('/')?;
        let registry =
            Registry { account: AccountId::parse(account).ok()?, region: Region::parse(region).ok()? };
        let (mut expires, mut signature) = (None, None);
        for pair in query.split('&') {
            match pair.split_once('=')? {
                ("expires", value) if expires.is_none() => expires = Some(value.parse().ok()?),
                ("signature", value) if signature.is_none() => signature = Some(value),
                _ => return None,
            }
        }
        Some(Self {
            repository: Repository { registry, name: RepositoryName::parse(name).ok()? },
            digest: Digest::parse(digest).ok()?,
            expires: expires?,
            signature: signature?,
        })
    }
}

/// Why a URL gives no layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Signature,
    Expired,
    Gone,
    Range { length: u64 },
    Method,
    Failed,
}

impl Refusal {
    fn wire(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Signature => (
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            ),
            Self::Expired => (StatusCode::FORBIDDEN, "AccessDenied", "Request has expired"),
            Self::Gone => (StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."),
            Self::Range { .. } => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range is not satisfiable")
            }
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            ),
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "The server failed; its log has the reason under the request id.",
            ),
        }
    }

    fn answer(self, request_id: &str) -> Outgoing {
        let (status, code, message) = self.wire();
        // No part of the text comes from the client, so nothing needs escaping.
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>{request_id}</RequestId></Error>"
        );
        let mut response = Outgoing::new(Body::full(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        if let Self::Range { length } = self
            && let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}"))
        {
            response.headers_mut().insert(CONTENT_RANGE, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn fields_are_read_from_both_ends() {
        let path = format!("/layers/123456789012/eu-central-1/team/app/layers/{DIGEST}");
        let fields = Fields::parse(&path, "expires=12&signature=ab").unwrap();
        assert_eq!(fields.repository.name.as_str(), "team/app/layers");
        assert_eq!((fields.expires, fields.signature), (12, "ab"));
    }

    #[test]
    fn anything_else_is_no_url_of_ours() {
        let good = format!("/layers/123456789012/eu-central-1/app/{DIGEST}");
        for query in
            ["", "expires=1", "signature=a", "expires=x&signature=a", "expires=1&expires=2&signature=a"]
        {
            assert!(Fields::parse(&good, query).is_none(), "{query}");
        }
        assert!(Fields::parse(&good, "expires=1&signature=a&x=1").is_none());
        for path in [
            "/layers/",
            "/layers/1/eu-central-1/app/sha256:00",
            "/layers/123456789012/eu-central-1/../app/x",
            "/layers/123456789012/eu-central-1/%2e%2e/sha256:00",
            "/other/123456789012/eu-central-1/app/x",
        ] {
            assert!(Fields::parse(path, "expires=1&signature=a").is_none(), "{path}");
        }
    }
}
