//! When keys and roles were used last: kept in memory and written in batches (iam.md §8.4).
//!
//! No request writes a row for this. What is lost when the process is killed is at most one interval of
//! stamps, and AWS's own values lag by more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use policy::Principal;

use super::IdentityRoom;
use super::error::Error;
use crate::environment::Micros;
use crate::{params, transaction};

/// More stamps than this are not kept between two flushes.
const MAXIMUM: usize = 10_000;

/// Stamps written in one transaction.
const BATCH: usize = 200;

/// The last use of an access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// When.
    pub at: Micros,
    /// `ecr`, `iam` or `sts`.
    pub service: String,
    /// The region that was signed for.
    pub region: String,
}

/// Stamps that are not written yet.
#[derive(Debug, Default)]
pub(super) struct LastUsed {
    keys: Mutex<HashMap<String, KeyUse>>,
    roles: Mutex<HashMap<String, (Micros, String)>>,
}

impl LastUsed {
    pub(super) fn of_key(&self, key_id: &str) -> Option<KeyUse> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(key_id).cloned()
    }

    pub(super) fn of_role(&self, role_id: &str) -> Option<(Micros, String)> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).get(role_id).cloned()
    }
}

impl IdentityRoom {
    /// Notes that a key signed a request that was accepted, and with it the role of a session.
    pub fn note_use(&self, access_key_id: &str, principal: &Principal, service: &str, region: &str) {
        let now = self.environment.now();
        if let Principal::RoleSession { role_id, .. } = principal {
            let mut roles = self.last_used.roles.lock().unwrap_or_else(PoisonError::into_inner);
            // Nearly always there: then nothing is allocated.
            if let Some((at, used)) = roles.get_mut(role_id) {
                *at = now;
                region.clone_into(used);
            } else if roles.len() < MAXIMUM {
                roles.insert(role_id.clone(), (now, region.to_owned()));
            }
            return;
        }
        let mut keys = self.last_used.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = keys.get_mut(access_key_id) {
            used.at = now;
            service.clone_into(&mut used.service);
            region.clone_into(&mut used.region);
        } else if keys.len() < MAXIMUM {
            let used = KeyUse { at: now, service: service.to_owned(), region: region.to_owned() };
            keys.insert(access_key_id.to_owned(), used);
        }
    }

    /// Writes the stamps that were noted since the last time. Called by a background task every minute or so,
    /// and once more at the end.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails; the stamps of this flush are lost then, which is no harm.
    pub async fn flush_last_used(&self) -> Result<(), Error> {
        let keys: Vec<_> = {
            let mut keys = self.last_used.keys.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *keys).into_iter().collect()
        };
        let roles: Vec<_> = {
            let mut roles = self.last_used.roles.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *roles).into_iter().collect()
        };
        for batch in keys.chunks(BATCH) {
            transaction!(self.database, open => {
                open.touches(&[]);
                for (id, used) in batch {
                    // Another node may have written a later use already.
                    open.execute(
                        "UPDATE iam_access_key SET last_used_at = $2, last_used_service = $3, \
                         last_used_region = $4 WHERE id = $1 AND COALESCE(last_used_at, 0) < $2",
                        params![id, used.at, &used.service, &used.region],
                    )
                    .await?;
                }
                Ok::<_, Error>(())
            })?;
        }
        for batch in roles.chunks(BATCH) {
            transaction!(self.database, open => {
                open.touches(&[]);
                for (id, (at, region)) in batch {
                    open.execute(
                        "UPDATE iam_role SET last_used_at = $2, last_used_region = $3 \
                         WHERE role_id = $1 AND COALESCE(last_used_at, 0) < $2",
                        params![id, *at, region],
                    )
                    .await?;
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }
}
