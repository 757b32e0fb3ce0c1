//! From an upload to a layer.
//!
//! Bytes first: the object is durable under its digest and a fresh generation. Then one transaction ends the
//! upload, names the object and links it. Of many clients that complete one digest at the same time, the first
//! to commit gives the object; the others link to it, and their own bytes are removed afterwards.

use oci::{Digest, UploadId};

use super::{DELETE, Parts};
use crate::access::Allowed;
use crate::access::action::CompleteLayerUpload;
use crate::catalog::read_cache::blob_scope;
use crate::catalog::{Catalog, Error, Place};
use crate::store::blob::{Generation, Held, Object, Verified};
use crate::{params, transaction};

/// How often the object that was relied upon may vanish before the client is asked to try again.
const ATTEMPTS: usize = 5;

/// How the bytes came, which decides about the rules for their parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// As parts of `UploadLayerPart`: at least one, all but the last of at least 5 MiB.
    Parts,
    /// As a stream: any chunks, also none for the empty blob.
    Stream,
}

/// A layer that is in the repository now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// The one of the given digests that the bytes have.
    pub digest: Digest,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Whether the repository held it before: `LayerAlreadyExistsException` on the ECR face.
    pub was_present: bool,
}

const BLOB: &str = "SELECT generation, size_bytes, state FROM blob WHERE digest = $1";

const INSERT_BLOB: &str = "INSERT INTO blob (digest, generation, size_bytes, state, created_at, review_after) \
    VALUES ($1, $2, $3, 'ready', $4, NULL)";

const REPLACE_BLOB: &str = "UPDATE blob SET generation = $2, size_bytes = $3, state = 'ready', created_at = $4, \
    review_after = NULL WHERE digest = $1";

const LINK: &str = "SELECT linked_at FROM blob_link WHERE repository_id = $1 AND digest = $2";

/// A link whose review is pending gets a new grace; one that an image needs stays without review.
pub(in crate::catalog) const INSERT_LINK: &str = "INSERT INTO blob_link (repository_id, digest, linked_at, review_after) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (repository_id, digest) DO UPDATE SET review_after = EXCLUDED.review_after \
    WHERE blob_link.review_after IS NOT NULL";

/// The object that a commit shall name.
enum Plan {
    /// One that is there already and was found whole.
    Reuse(Generation),
    /// Our own; `instead_of` is the generation that was found damaged.
    Ours { generation: Generation, instead_of: Option<Generation> },
}

/// What a commit did.
enum Outcome {
    /// The layer is linked; these generations of it are not needed.
    Linked { was_present: bool, unneeded: Vec<Generation> },
    /// The object to be reused is gone; nothing changed.
    Vanished,
    /// The upload is gone; nothing changed.
    NoUpload,
}

impl Catalog {
    /// Ends an upload as a layer of its repository, when its bytes have one of `digests`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::UploadNotFound`], [`Error::InvalidLayer`],
    /// [`Error::EmptyUpload`], [`Error::LayerPartTooSmall`], [`Error::StorageFull`], [`Error::Busy`]. The upload
    /// stays as it is, so that the client can go on or ask again; only one whose bytes could not be synced is gone.
    pub async fn complete_upload(
        &self,
        allowed: &Allowed<CompleteLayerUpload>,
        upload: &UploadId,
        digests: &[Digest],
        source: Source,
    ) -> Result<Completed, Error> {
        let repository = allowed.resource();
        let held = self.blobs.hold(upload).await?;
        let found = self.find_upload(repository, upload).await?;
        if source == Source::Parts {
            let parts = Parts::from_note(held.note());
            if held.length() == 0 {
                return Err(Error::EmptyUpload { place: repository.into(), upload: upload.to_string() });
            }
            if parts.has_short {
                return Err(Error::LayerPartTooSmall { place: repository.into() });
            }
        }
        let verified = held.verify(digests).await?;
        let verified = verified.ok_or_else(|| Error::InvalidLayer { place: repository.into() })?;
        let was_present =
            self.store(held, &verified, &found.repository_id, upload, repository.into()).await?;
        Ok(Completed { digest: verified.digest().clone(), size_bytes: verified.size_bytes(), was_present })
    }

    /// Makes the verified bytes a layer; returns whether it was one before.
    async fn store(
        &self,
        mut held: Held,
        verified: &Verified,
        repository_id: &str,
        upload: &UploadId,
        place: Place,
    ) -> Result<bool, Error> {
        for _ in 0..ATTEMPTS {
            let (whole, damaged) = self.look_for(verified).await?;
            let plan = match whole {
                Some(generation) => Plan::Reuse(generation),
                None => {
                    let generation = Generation::from_random(self.environment.random()?);
                    held = match held.publish(verified, &generation).await {
                        Ok(held) => held,
                        Err(error) => return Err(self.after_failure(error, upload).await),
                    };
                    Plan::Ours { generation, instead_of: damaged }
                }
            };
            let outcome = self.commit_layer(verified, &plan, repository_id, upload).await?;
            // A failed commit may have been kept by the database, so only a known outcome removes objects.
            match (outcome, plan) {
                (Outcome::Linked { was_present, unneeded }, _) => {
                    held.discard().await;
                    for generation in unneeded {
                        self.remove_object(verified.digest(), &generation).await;
                    }
                    return Ok(was_present);
                }
                (Outcome::NoUpload, plan) => {
                    if let Plan::Ours { generation, .. } = plan {
                        self.remove_object(verified.digest(), &generation).await;
                    }
                    return Err(Error::UploadNotFound { place, upload: upload.to_string() });
                }
                (Outcome::Vanished, _) => {}
            }
        }
        Err(Error::Busy)
    }

    /// The stored object of a digest: its generation when it is whole, or the one that is damaged.
    async fn look_for(&self, verified: &Verified) -> Result<(Option<Generation>, Option<Generation>), Error> {
        let Some(row) = self.database.row(BLOB, params![verified.digest().as_str()]).await? else {
            return Ok((None, None));
        };
        let generation = stored_generation(&row.get::<String>(0)?)?;
        if row.get::<String>(2)? != "ready" {
            return Ok((None, None));
        }
        let object = Object {
            digest: verified.digest().clone(),
            generation: generation.clone(),
            size_bytes: verified.size_bytes(),
        };
        if self.is_whole(&object).await? {
            return Ok((Some(generation), None));
        }
        tracing::warn!(blob.digest = %object.digest, "a damaged blob is replaced by a new push");
        Ok((None, Some(generation)))
    }

    async fn commit_layer(
        &self,
        verified: &Verified,
        plan: &Plan,
        repository_id: &str,
        upload: &UploadId,
    ) -> Result<Outcome, Error> {
        let now = self.environment.now();
        let review_after = now.saturating_add(self.limits.blob_grace);
        let digest = verified.digest().as_str();
        let size = i64::try_from(verified.size_bytes()).map_err(|error| Error::Internal(error.into()))?;
        transaction!(self.database, open => {
            open.touches(&[blob_scope(verified.digest())]);
            if open.execute(DELETE, params![upload.as_str(), repository_id]).await? == 0 {
                return Ok(Outcome::NoUpload);
            }
            let stored = match open.row(BLOB, params![digest]).await? {
                Some(row) => Some((stored_generation(&row.get::<String>(0)?)?, row.get::<String>(2)? == "ready")),
                None => None,
            };
            let mut unneeded = Vec::new();
            let mut is_new = true;
            match (plan, stored) {
                (Plan::Reuse(generation), Some((found, true))) if found == *generation => is_new = false,
                (Plan::Reuse(_), _) => {
                    return Err(Stop::Vanished);
                }
                (Plan::Ours { generation, .. }, None) => {
                    open.execute(INSERT_BLOB, params![digest, generation.as_str(), size, now]).await?;
                }
                (Plan::Ours { generation, instead_of }, Some((found, is_ready))) => {
                    if is_ready && instead_of.as_ref() != Some(&found) {
                        // Somebody was faster; what they published a moment ago is as good as ours.
                        unneeded.push(generation.clone());
                        is_new = false;
                    } else {
                        open.execute(REPLACE_BLOB, params![digest, generation.as_str(), size, now]).await?;
                        unneeded.push(found);
                    }
                }
            }
            // A link to an object that was not whole was no layer.
            let is_linked = open.row(LINK, params![repository_id, digest]).await?.is_some();
            let was_present = is_linked && !is_new;
            open.execute(INSERT_LINK, params![repository_id, digest, now, review_after]).await?;
            Ok(Outcome::Linked { was_present, unneeded })
        })
        .or_else(Stop::into_outcome)
    }

    /// Removes an object that no row names; a failure leaves it to the collector.
    pub(in crate::catalog) async fn remove_object(&self, digest: &Digest, generation: &Generation) {
        if let Err(error) = self.blobs.delete(digest, generation).await {
            tracing::warn!(%error, blob.digest = %digest, "an unneeded object stays behind for the collector");
        }
    }
}

/// Why a commit was given up: the transaction must be undone, which only an error does.
enum Stop {
    Vanished,
    Failed(Error),
}

impl Stop {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Vanished => false,
            Self::Failed(error) => error.is_retryable(),
        }
    }

    fn into_outcome(self) -> Result<Outcome, Error> {
        match self {
            Self::Vanished => Ok(Outcome::Vanished),
            Self::Failed(error) => Err(error),
        }
    }
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads a generation column.
pub(in crate::catalog) fn stored_generation(text: &str) -> Result<Generation, Error> {
    Generation::parse(text)
        .ok_or_else(|| crate::store::db::Error::Corrupt(format!("{text:?} is no generation")).into())
}
