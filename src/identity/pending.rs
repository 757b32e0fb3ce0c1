//! What the guard needs of this room, refused until the tables behind it exist.

use std::sync::Arc;

use policy::{Principal, SourcedDocument};
use zeroize::Zeroizing;

use super::IdentityRoom;
use crate::access::Session;

/// An error of the identity room.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing can be looked up yet.
    #[error("identities cannot be read")]
    Unreadable,
}

/// Whose credentials these are.
pub enum Lookup {
    /// Nobody's: unknown, inactive, deleted, or with a wrong session token.
    Unknown,
    /// Temporary credentials that have ended.
    Expired,
    /// Good credentials, if the signature is right.
    Found(Box<Authenticated>),
}

/// The owner of credentials.
pub struct Authenticated {
    /// The identity that policies see.
    pub principal: Principal,
    /// The secret access key.
    pub secret: Zeroizing<String>,
    /// Facts of temporary credentials.
    pub session: Option<Session>,
}

/// The current policies of a principal.
pub struct Policies {
    /// Inline, attached and group policies.
    pub identity: Vec<Arc<SourcedDocument>>,
    /// The permissions boundary.
    pub boundary: Option<Arc<SourcedDocument>>,
    /// Session policies, when any were passed.
    pub session: Option<Vec<Arc<SourcedDocument>>>,
}

impl IdentityRoom {
    /// Finds the owner of an access key.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub async fn authenticate(&self, _key: &str, _session_token: Option<&str>) -> Result<Lookup, Error> {
        Err(Error::Unreadable)
    }

    /// The current policies of a principal.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub async fn policies(&self, _who: &Principal, _session: Option<&Session>) -> Result<Policies, Error> {
        Err(Error::Unreadable)
    }
}
