//! The hall: listens, ends TLS, bounds what a client may take, finds the door, writes the request log and counts.
//!
//! INVARIANT: every request is answered with an `x-amzn-RequestId` that its log line and audit records share, also
//! when its door panics.
//! INVARIANT: no credential reaches a log line: neither `Authorization` nor a query string is ever written.
//!
//! ```ignore
//! let hall = Arc::new(Hall::new(services, readiness, settings));
//! server::listen(hall, listener, tls, stop, grace).await; // returns when the last request has ended
//! ```

mod accept;
mod admission;
mod budget;
mod connection;
mod descriptors;
mod dispatch;
mod face;
mod failure;
mod host;
mod measure;
pub(crate) mod nearby;
mod observe;
mod operations;
mod origin;
mod sendfile;
mod stall;
mod taking;
mod tls;

use std::sync::Arc;

use ipnet::IpNet;

use crate::access::Registry;
use crate::api::Services;
use crate::config::Limits;
use crate::environment::Environment;

use admission::Admission;
use budget::Budget;

pub use accept::{Stop, listen};
pub use descriptors::raise_descriptor_limit;
pub use face::{Face, QueryService, face, query_service};
pub use host::Hosts;
pub(crate) use host::without_port;
pub use measure::Measures;
pub use operations::Readiness;
pub use tls::{Certificates, TlsError};

/// What every connection of a server shares.
pub struct Hall {
    services: Services,
    hosts: Hosts,
    settings: Settings,
    readiness: Readiness,
    measures: Measures,
    environment: Environment,
    budget: Budget,
    admission: Admission,
}

/// What the operator decides about the hall.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What one client may take.
    pub limits: Limits,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Which faces this listener has.
    pub faces: Faces,
}

/// Which faces a listener has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faces {
    /// All of them.
    All,
    /// All but `/metrics`, which has a listener of its own.
    WithoutMetrics,
    /// `/healthz`, `/readyz` and `/metrics` alone.
    OperationsOnly,
}

impl Hall {
    /// A hall before the doors of `services`.
    #[must_use]
    pub fn new(
        services: Services,
        readiness: Readiness,
        measures: Measures,
        environment: Environment,
        settings: Settings,
    ) -> Arc<Self> {
        let default =
            Registry { account: services.names.account.clone(), region: services.names.region.clone() };
        let hosts = Hosts::new(&services.names.public_host, default);
        let budget = Budget::new(settings.limits.buffered_bytes);
        let admission = Admission::new(&settings.limits);
        Arc::new(Self { services, hosts, settings, readiness, measures, environment, budget, admission })
    }
}
