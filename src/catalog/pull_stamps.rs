//! When was an image last pulled? Noted in memory, written in batches: a pull itself writes nothing.
//!
//! What is not yet written when the process is killed is lost; AWS promises the time only to the day
//! (DescribeImages, `lastRecordedPullTime`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use oci::Digest;

use super::image::StoredImage;
use super::{Catalog, Error};
use crate::access::{Allowed, Repository, action};
use crate::{params, transaction};

/// Images that wait to be written; more than this are dropped until the next flush.
const MAX_PENDING: usize = 100_000;

/// Stamps written in one transaction, which bounds how long others wait for the writer.
const BATCH: usize = 500;

/// The last pulls that are not yet in the database.
#[derive(Debug, Default)]
pub(super) struct PullStamps(Mutex<HashMap<(Repository, Digest), i64>>);

type Stamp = ((Repository, Digest), i64);

impl PullStamps {
    /// All stamps, in an order that is the same on every node: two that write the same rows cannot wait for
    /// each other.
    fn take(&self) -> Vec<Stamp> {
        let mut stamps: Vec<Stamp> = self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        stamps.sort_by_cached_key(|((repository, digest), _)| (repository.arn(), digest.to_string()));
        stamps
    }

    /// Puts back what could not be written; a later pull noted meanwhile stays.
    fn put_back(&self, stamps: &[Stamp]) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, at) in stamps {
            if pending.len() >= MAX_PENDING {
                break;
            }
            pending.entry(key.clone()).or_insert(*at);
        }
    }
}

impl Catalog {
    /// Notes a pull of an image that was read under `allowed`.
    pub fn note_pull(&self, allowed: &Allowed<action::BatchGetImage>, image: &StoredImage) {
        let key = (allowed.resource().clone(), image.digest.clone());
        let mut pending = self.pull_stamps.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < MAX_PENDING || pending.contains_key(&key) {
            pending.insert(key, self.environment.now());
        }
    }

    /// Writes the pulls noted since the last call; returns how many.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database fails: what is not written stays noted.
    pub async fn flush_pull_stamps(&self) -> Result<usize, Error> {
        let pending = self.pull_stamps.take();
        for (number, batch) in pending.chunks(BATCH).enumerate() {
            let written = transaction!(self.database, open => {
                open.touches(&[]);
                for ((repository, digest), at) in batch {
                    let registry = &repository.registry;
                    open.execute(
                        "UPDATE image SET last_pulled_at = $1 WHERE digest = $2 \
                         AND (last_pulled_at IS NULL OR last_pulled_at < $1) AND repository_id = \
                         (SELECT id FROM repository WHERE account = $3 AND region = $4 AND name = $5)",
                        params![
                            *at,
                            digest.as_str(),
                            registry.account.as_str(),
                            registry.region.as_str(),
                            repository.name.as_str()
                        ],
                    )
                    .await?;
                }
                Ok::<_, Error>(())
            });
            if let Err(error) = written {
                self.pull_stamps.put_back(pending.get(number * BATCH..).unwrap_or_default());
                return Err(error);
            }
        }
        Ok(pending.len())
    }
}
