//! The guard's parts.

use std::sync::Arc;

use super::audit::Audit;
use super::password::Remembered;
use crate::catalog::Catalog;
use crate::environment::Environment;
use crate::identity::IdentityRoom;
use crate::store::seal::Sealer;

/// Authenticates callers and decides what they may do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard {
    pub(super) identity: IdentityRoom,
    pub(super) catalog: Catalog,
    pub(super) sealer: Arc<Sealer>,
    pub(super) environment: Environment,
    pub(super) audit: Audit,
    pub(super) passwords: Arc<Remembered>,
    /// How far a signature's date may be from ours.
    pub(super) clock_skew_seconds: u32,
}

impl Guard {
    /// A guard over the rooms that hold users and repository policies.
    #[must_use]
    pub fn new(
        identity: IdentityRoom,
        catalog: Catalog,
        sealer: Arc<Sealer>,
        environment: Environment,
        audit: Audit,
        clock_skew_seconds: u32,
    ) -> Self {
        Self { identity, catalog, sealer, environment, audit, passwords: Arc::default(), clock_skew_seconds }
    }
}
