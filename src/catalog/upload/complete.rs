//! From an upload to a layer.
//!
//! A large one, bytes first: the object is durable under its digest and a fresh generation. Then one transaction ends
//! the upload, names the object and links it. A small one takes its bytes along into that transaction (`content.rs`).
//! Of many clients that complete one digest at the same time, the first to commit gives the bytes; the others link to
//! them, and their own are removed afterwards.

use bytes::Bytes;
use oci::{Digest, UploadId};

use super::{DELETE, Parts};
use crate::access::Allowed;
use crate::access::action::CompleteLayerUpload;
use crate::catalog::content::Placed;
use crate::catalog::read_cache::{blob_scope, upload_scope};
use crate::catalog::{Catalog, Error, Place};
use crate::store::blob::{Generation, Held, Standing, Verified};
use crate::store::db::{self, Transaction};
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

const BLOB: &str = "SELECT b.generation, b.size_bytes, CAST(LENGTH(c.content) AS BIGINT), b.state FROM blob b \
    LEFT JOIN blob_content c ON c.blob = b.number WHERE b.digest = $1";

/// Nearly every small layer is a new one, so its row is written without a look.
const INSERT_BLOB: &str = "INSERT INTO blob (digest, generation, size_bytes, state, created_at, review_after) \
    VALUES ($1, $2, $3, 'ready', $4, NULL) ON CONFLICT (digest) DO NOTHING RETURNING number";

const STORED: &str = "SELECT b.generation, b.state, c.content, b.number FROM blob b \
    LEFT JOIN blob_content c ON c.blob = b.number WHERE b.digest = $1";

const PUT_CONTENT: &str = "INSERT INTO blob_content (blob, content) VALUES ($1, $2) \
    ON CONFLICT (blob) DO UPDATE SET content = EXCLUDED.content";

const DELETE_CONTENT: &str = "DELETE FROM blob_content WHERE blob = $1";

const REPLACE_BLOB: &str = "UPDATE blob SET generation = $2, size_bytes = $3, state = 'ready', created_at = $4, \
    review_after = NULL WHERE digest = $1";

const LINK: &str = "SELECT linked_at FROM blob_link WHERE repository_id = $1 AND blob = $2";

/// A link whose review is pending gets a new grace; one that an image needs stays without review.
pub(in crate::catalog) const INSERT_LINK: &str = "INSERT INTO blob_link (repository_id, blob, linked_at, review_after) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (repository_id, blob) DO UPDATE SET review_after = EXCLUDED.review_after \
    WHERE blob_link.review_after IS NOT NULL";

/// The bytes that a commit shall name.
enum Plan {
    /// Those that are there already and were found whole.
    Reuse(Generation),
    /// Our own; `instead_of` is the generation that was found damaged.
    Ours { generation: Generation, content: Content, instead_of: Option<Generation> },
}

/// Where our own bytes are.
enum Content {
    /// Published as a file.
    File,
    /// They become a row with the commit.
    Row(Bytes),
}

/// What a commit did.
enum Outcome {
    /// The layer is linked; these generations of it are not needed.
    Linked { was_present: bool, unneeded: Vec<Generation> },
    /// There is a file that somebody must look at, or the object to be reused is gone; nothing changed.
    Look,
    /// The upload is gone; nothing changed.
    NoUpload,
}

/// What a commit found in place of a new blob.
struct Stored {
    number: i64,
    generation: Generation,
    is_ready: bool,
    content: Option<Vec<u8>>,
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
        // What an interrupted request has left may be too long for a row.
        let held = match held.small_bytes() {
            Some(_) => held,
            None => self.settle(held, upload, repository.into()).await?,
        };
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
        let (small, standing) = (held.small_bytes(), held.standing());
        let mut must_look = small.is_none();
        for _ in 0..ATTEMPTS {
            let (whole, damaged) = if must_look { self.look_for(verified).await? } else { (None, None) };
            let plan = match whole {
                Some(generation) => Plan::Reuse(generation),
                None => {
                    let generation = Generation::from_random(self.environment.random()?);
                    let content = match &small {
                        Some(bytes) => Content::Row(bytes.clone()),
                        None => {
                            held = match held.publish(verified, &generation).await {
                                Ok(held) => held,
                                Err(error) => return Err(self.after_failure(error, upload).await),
                            };
                            Content::File
                        }
                    };
                    Plan::Ours { generation, content, instead_of: damaged }
                }
            };
            let outcome = self.commit_layer(verified, &plan, repository_id, (upload, standing)).await?;
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
                    if let Plan::Ours { generation, content: Content::File, .. } = plan {
                        self.remove_object(verified.digest(), &generation).await;
                    }
                    return Err(Error::UploadNotFound { place, upload: upload.to_string() });
                }
                (Outcome::Look, _) => must_look = true,
            }
        }
        Err(Error::Busy)
    }

    /// The stored object of a digest: its generation when it is whole, or the one that is damaged.
    async fn look_for(&self, verified: &Verified) -> Result<(Option<Generation>, Option<Generation>), Error> {
        let Some(row) = self.database.row(BLOB, params![verified.digest().as_str()]).await? else {
            return Ok((None, None));
        };
        if row.get::<String>(3)? != "ready" {
            return Ok((None, None));
        }
        let mut placed = Placed::read(verified.digest(), &row)?;
        placed.object.size_bytes = verified.size_bytes();
        let generation = placed.object.generation.clone();
        if self.is_whole(&placed).await? {
            return Ok((Some(generation), None));
        }
        tracing::warn!(blob.digest = %verified.digest(), "a damaged blob is replaced by a new push");
        Ok((None, Some(generation)))
    }

    async fn commit_layer(
        &self,
        verified: &Verified,
        plan: &Plan,
        repository_id: &str,
        (upload, standing): (&UploadId, Standing),
    ) -> Result<Outcome, Error> {
        let now = self.environment.now();
        let review_after = now.saturating_add(self.limits.blob_grace);
        let digest = verified.digest().as_str();
        let size = i64::try_from(verified.size_bytes()).map_err(|error| Error::Internal(error.into()))?;
        transaction!(self.database, open => {
            open.touches(&[blob_scope(verified.digest()), upload_scope(upload)]);
            if standing != Standing::Young
                && open.execute(DELETE, params![upload.as_str(), repository_id]).await? == 0
                && standing == Standing::Settled
            {
                return Ok(Outcome::NoUpload);
            }
            let mut unneeded = Vec::new();
            let mut is_new = true;
            let mut was_empty = false;
            let number = match plan {
                Plan::Reuse(generation) => match stored(open, digest).await? {
                    Some(found) if found.is_ready && found.generation == *generation => {
                        is_new = false;
                        found.number
                    }
                    _ => return Err(Stop::Look),
                },
                Plan::Ours { generation, content, instead_of } => {
                    let row = || params![digest, generation.as_str(), size, now];
                    if let Some(inserted) = open.row(INSERT_BLOB, row()).await? {
                        was_empty = true;
                        let number = inserted.get(0)?;
                        put_content(open, number, content, true).await?;
                        number
                    } else {
                        // One that was there and is gone is looked for again.
                        let found = stored(open, digest).await?.ok_or(Stop::Look)?;
                        let number = found.number;
                        if found.is_as_good_as(content, instead_of.as_ref())? {
                            is_new = false;
                            // Somebody was faster; what they published a moment ago is as good as ours.
                            if matches!(content, Content::File) {
                                unneeded.push(generation.clone());
                            }
                        } else {
                            open.execute(REPLACE_BLOB, row()).await?;
                            put_content(open, number, content, false).await?;
                            if found.content.is_none() {
                                unneeded.push(found.generation);
                            }
                        }
                        number
                    }
                }
            };
            // A link to an object that was not whole was no layer.
            let was_present = !was_empty
                && !is_new
                && open.row(LINK, params![repository_id, number]).await?.is_some();
            let link = open.execute(INSERT_LINK, params![repository_id, number, now, review_after]).await;
            // Only the repository can be missing; a row of the upload would have gone with it.
            if link.as_ref().is_err_and(db::Error::is_missing_reference) {
                return Err(Stop::NoUpload);
            }
            link?;
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

impl Stored {
    /// Whether what is there serves a push of `content` that was to replace `instead_of`.
    fn is_as_good_as(&self, content: &Content, instead_of: Option<&Generation>) -> Result<bool, Stop> {
        if !self.is_ready || instead_of == Some(&self.generation) {
            return Ok(false);
        }
        match (content, &self.content) {
            (Content::File, _) => Ok(true),
            // A file is looked at outside of the transaction; a row is compared here and now.
            (Content::Row(_), None) => Err(Stop::Look),
            (Content::Row(ours), Some(theirs)) => Ok(ours == theirs),
        }
    }
}

/// The blob row of a digest and its content.
async fn stored(open: &mut Transaction, digest: &str) -> Result<Option<Stored>, Error> {
    let Some(row) = open.row(STORED, params![digest]).await? else { return Ok(None) };
    Ok(Some(Stored {
        number: row.get(3)?,
        generation: stored_generation(&row.get::<String>(0)?)?,
        is_ready: row.get::<String>(1)? == "ready",
        content: row.get(2)?,
    }))
}

/// Writes the bytes of a blob, or takes away those that a file replaces.
async fn put_content(
    open: &mut Transaction,
    number: i64,
    content: &Content,
    is_first: bool,
) -> Result<(), Error> {
    match content {
        Content::Row(bytes) => open.execute(PUT_CONTENT, params![number, &bytes[..]]).await?,
        Content::File if is_first => 0,
        Content::File => open.execute(DELETE_CONTENT, params![number]).await?,
    };
    Ok(())
}

/// Why a commit was given up: the transaction must be undone, which only an error does.
enum Stop {
    Look,
    NoUpload,
    Failed(Error),
}

impl Stop {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Look | Self::NoUpload => false,
            Self::Failed(error) => error.is_retryable(),
        }
    }

    fn into_outcome(self) -> Result<Outcome, Error> {
        match self {
            Self::Look => Ok(Outcome::Look),
            Self::NoUpload => Ok(Outcome::NoUpload),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{rooms, whole};
    use crate::catalog::upload::Chunk;

    /// The repository was there when the request looked, and its deletion was committed before the layer was.
    #[tokio::test]
    async fn nothing_is_completed_into_a_repository_that_went_at_that_moment() {
        for room in rooms().await {
            let upload = room.start("app").await.unwrap();
            room.append("app", &upload, Chunk::default(), whole(b"bytes")).await.unwrap();
            let held = room.blobs.hold(&upload).await.unwrap();
            let verified = held.verify(&[Digest::sha256_of(b"bytes")]).await.unwrap().unwrap();
            for standing in [Standing::Young, Standing::Settling, Standing::Settled] {
                let content = Content::Row(Bytes::from_static(b"bytes"));
                let plan =
                    Plan::Ours { generation: Generation::from_random([1; 8]), content, instead_of: None };
                let outcome = room.catalog.commit_layer(&verified, &plan, "gone", (&upload, standing)).await;
                assert!(matches!(outcome, Ok(Outcome::NoUpload)), "{} {standing:?}", room.test.engine);
                for table in ["SELECT COUNT(*) FROM blob", "SELECT COUNT(*) FROM blob_content"] {
                    assert_eq!(room.count(table).await, 0, "{table}");
                }
            }
        }
    }
}
