//! A principal together with the names that every decision about it is recorded under.

use std::ops::Deref;

use crate::principal::Principal;

/// A principal with its names: they stand in each audit record, and are put together once and not each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    principal: Principal,
    arn: String,
    user_id: String,
}

impl Named {
    /// [`Principal::arn`]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// [`Principal::user_id`]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }
}

impl From<Principal> for Named {
    fn from(principal: Principal) -> Self {
        Self { arn: principal.arn(), user_id: principal.user_id(), principal }
    }
}

impl Deref for Named {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}
