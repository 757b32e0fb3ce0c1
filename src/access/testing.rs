//! Proofs for the contract tests of rooms, which have no guard. Compiled for tests only: in the server nothing
//! but [`super::Guard::authorize`] makes one.
//!
//! ```ignore
//! let allowed = allow::<action::PutImage>(repository("team/app"));
//! ```

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use oci::RepositoryName;
use policy::{AccountId, Principal, Region};

use super::action::Action;
use super::allowed::{Allowed, Check, Grant};
use super::caller::{Caller, Credential, Origin};
use super::resource::{Registry, Repository, Resource};

/// The account of all tests.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The region of all tests.
pub(crate) const REGION: &str = "eu-central-1";

/// The test account's registry.
pub(crate) fn registry() -> Registry {
    Registry { account: AccountId::parse(ACCOUNT).unwrap(), region: Region::parse(REGION).unwrap() }
}

/// A repository of the test account, existing or not.
pub(crate) fn repository(name: &str) -> Repository {
    Repository { registry: registry(), name: RepositoryName::parse(name).unwrap() }
}

/// The root of the account, calling from the loopback address.
pub(crate) fn root(account: &AccountId) -> Arc<Caller> {
    Arc::new(Caller {
        principal: Arc::new(Principal::Root { account: account.clone() }.into()),
        credential: Credential {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            session_token: None,
            session: None,
        },
        generation: None,
        origin: Origin {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            is_secure: false,
            user_agent: None,
            referer: None,
        },
        region: Region::parse(REGION).unwrap(),
        request_id: "00000000-0000-4000-8000-000000000000".to_owned(),
    })
}

/// A grant of these checks to the root of the test account.
pub(crate) fn grant(checks: Vec<Check>) -> Grant {
    Grant::new(root(&registry().account), checks, Vec::new())
}

/// The proof of one action for the root of the test account.
pub(crate) fn allow<A: Action>(resource: impl Into<Resource>) -> Allowed<A> {
    grant(vec![Check::on::<A>(resource.into())]).take::<A>().unwrap()
}
