//! The doors: wire → operation → guard → room → wire. Doors only translate.
//!
//! A door never imports another door. What they share lies here: [`Incoming`], [`Outgoing`], [`Services`].

pub mod blob_answer;
pub mod body;
pub mod cursor;
pub mod ecr;
pub mod iam;
pub mod layer_url;
pub mod query;
pub mod registry;
pub mod request_body;
pub mod request_tags;
pub mod sentence;
pub mod sts;

use std::sync::{Arc, OnceLock};

use policy::{AccountId, Region};

use crate::access::Origin;
use crate::catalog::Catalog;
use crate::identity::IdentityRoom;
use crate::store::seal::Sealer;

pub use body::Body;
pub use request_body::{Leftover, Pace, RequestBody};

/// A request as the hall hands it to a door.
#[derive(Debug)]
pub struct Incoming {
    /// Method, target, headers.
    pub head: http::request::Parts,
    /// The body, not yet read. Its frames are bounded by the hall's timeouts, its size by the door.
    pub body: RequestBody,
    /// Where it came from.
    pub origin: Origin,
    /// The id for the answer, the log and the audit record: a UUID.
    pub request_id: String,
    /// The registry that the host name selects.
    pub registry: crate::access::Registry,
    /// Under which the client reached us, for absolute URLs in answers.
    pub base_url: BaseUrl,
    /// For the door to name the operation in.
    pub operation: OperationName,
}

/// `scheme://host[:port]`, as its text when it is shown.
#[derive(Debug, Clone, Default)]
pub struct BaseUrl {
    /// `https` and not `http`.
    pub is_secure: bool,
    /// `host[:port]`
    pub host: String,
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.is_secure { "https://" } else { "http://" })?;
        formatter.write_str(&self.host)
    }
}

/// Where a door writes down which operation a request is, for log and metrics.
#[derive(Debug, Clone, Default)]
pub struct OperationName(Arc<OnceLock<&'static str>>);

impl OperationName {
    /// Names the operation; the first name counts.
    pub fn set(&self, name: &'static str) {
        self.0.get_or_init(|| name);
    }

    /// The name, or nothing for what is no operation.
    #[must_use]
    pub fn get(&self) -> &'static str {
        self.0.get().copied().unwrap_or("")
    }
}

/// The answer of a door.
pub type Outgoing = http::Response<Body>;

/// The rooms and the guard, as doors use them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// Repositories, layers, images, tags.
    pub catalog: Catalog,
    /// Users, groups, roles, policies, keys.
    pub identity: IdentityRoom,
    /// Authenticates and authorises.
    pub guard: crate::access::Guard,
    /// The installation's sealing keys.
    pub sealer: Arc<Sealer>,
    /// Names of the installation.
    pub names: Arc<Names>,
}

/// How the installation is called.
#[derive(Debug, Clone)]
pub struct Names {
    /// The account that a bare host name means.
    pub account: AccountId,
    /// The region that a bare host name means.
    pub region: Region,
    /// `HOST[:PORT]` that docker can reach, with `{account}` and `{region}` as place holders.
    pub public_host: String,
    /// Whether docker reaches it over TLS: `proxyEndpoint` starts with `https://`.
    pub is_secure: bool,
}

impl Names {
    /// The host and port of a registry: what `repositoryUri` starts with and docker logs in to.
    #[must_use]
    pub fn host(&self, registry: &crate::access::Registry) -> String {
        self.public_host
            .replace("{account}", registry.account.as_str())
            .replace("{region}", registry.region.as_str())
    }

    /// `http[s]://<host>`, as GetAuthorizationToken's `proxyEndpoint`.
    #[must_use]
    pub fn endpoint(&self, registry: &crate::access::Registry) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", self.host(registry))
    }
}
