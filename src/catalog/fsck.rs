//! fsck: compares what the rows say with each other and with what lies in the blob store, and changes nothing.
//!
//! Made for a store that nobody writes to: beside a running server a push between two reads would look like damage.
//! Memory stays flat: objects and rows are compared one shard of 256 at a time, manifests a few at a time.
//!
//! ```ignore
//! let checked = catalog.check(Depth::Deep, &mut |report| print(report)).await?;
//! ```

mod blobs;
mod images;
#[cfg(test)]
mod tests;
mod uploads;

use super::{Catalog, Error};
use crate::store::db;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Rows, manifests, names and lengths.
    Shallow,
    /// Every blob too, compared with its digest.
    Deep,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The database's own check failed, or a row cannot be read.
    Database,
    /// A row names an object that is not there.
    BlobMissing,
    /// An object has another length than its row.
    BlobLength,
    /// An object does not have its digest, or the server has found that before.
    BlobDamaged,
    /// A repository may read a blob that has no row or is being deleted.
    LinkWithoutBlob,
    /// A manifest does not have its digest.
    ManifestDamaged,
    /// The references of an image are not what its manifest names.
    ReferencesDiffer,
    /// An image names a blob that its repository may not read.
    ReferencedBlobMissing,
    /// An index names an image that is not in its repository.
    ReferencedImageMissing,
    /// A tag points at no image of its repository.
    TagWithoutImage,
    /// An upload has fewer bytes than were acknowledged.
    UploadShort,
    /// The journal of young uploads cannot be read to its end, and that is more than the trace of a kill.
    JournalDamaged,
    /// An object without a row: a crash left it, the collector removes it after a week.
    StrayObject,
    /// Bytes of an upload without a row: the collector removes them.
    StrayUpload,
    /// A file that this program does not know.
    UnknownFile,
}

impl Kind {
    /// Its name in listings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::BlobMissing => "blob-missing",
            Self::BlobLength => "blob-length",
            Self::BlobDamaged => "blob-damaged",
            Self::LinkWithoutBlob => "link-without-blob",
            Self::ManifestDamaged => "manifest-damaged",
            Self::ReferencesDiffer => "references-differ",
            Self::ReferencedBlobMissing => "referenced-blob-missing",
            Self::ReferencedImageMissing => "referenced-image-missing",
            Self::TagWithoutImage => "tag-without-image",
            Self::UploadShort => "upload-short",
            Self::JournalDamaged => "journal-damaged",
            Self::StrayObject => "stray-object",
            Self::StrayUpload => "stray-upload",
            Self::UnknownFile => "unknown-file",
        }
    }

    /// Whether nobody loses anything by it.
    #[must_use]
    pub fn is_harmless(self) -> bool {
        matches!(self, Self::StrayObject | Self::StrayUpload | Self::UnknownFile)
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// What it is about: a digest, `ACCOUNT/REGION/REPOSITORY@DIGEST`, an upload's id, a file.
    pub subject: String,
    /// More, in words.
    pub detail: String,
}

/// What was looked at so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Rows of blobs.
    pub blobs: u64,
    /// Bytes of blobs that were compared with their digests.
    pub bytes: u64,
    /// Images.
    pub images: u64,
    /// Uploads of which bytes are kept.
    pub uploads: u64,
    /// Findings that are no notes.
    pub problems: u64,
    /// Findings that are harmless.
    pub notes: u64,
}

/// What a check tells while it runs.
#[derive(Debug)]
pub enum Report<'a> {
    /// Something was found.
    Finding(&'a Finding),
    /// So much was looked at by now.
    Progress(&'a Checked),
}

/// Who hears of it.
pub type Listener<'a> = &'a mut (dyn FnMut(Report<'_>) + Send);

/// A check that is under way.
struct Check<'a> {
    catalog: &'a Catalog,
    depth: Depth,
    checked: Checked,
    listener: Listener<'a>,
}

impl Catalog {
    /// Checks everything and tells `listener` what is wrong.
    ///
    /// # Errors
    /// [`Error::Internal`] when something could not be looked at; damage is not an error but a finding.
    pub async fn check(&self, depth: Depth, listener: Listener<'_>) -> Result<Checked, Error> {
        let mut check = Check { catalog: self, depth, checked: Checked::default(), listener };
        match self.database.integrity().await {
            Ok(complaints) => {
                complaints.into_iter().for_each(|complaint| check.found(Kind::Database, "", complaint));
            }
            Err(error) if error.is_damage() => check.found(Kind::Database, "", error.to_string()),
            Err(error) => return Err(error.into()),
        }
        // One part that meets unreadable rows does not keep the others from being looked at.
        let blobs = check.blobs().await;
        check.ended("blobs", blobs)?;
        let images = check.images().await;
        check.ended("images", images)?;
        let uploads = check.uploads().await;
        check.ended("uploads", uploads)?;
        Ok(check.checked)
    }
}

impl Check<'_> {
    fn found(&mut self, kind: Kind, subject: impl Into<String>, detail: impl Into<String>) {
        if kind.is_harmless() {
            self.checked.notes += 1;
        } else {
            self.checked.problems += 1;
        }
        let finding = Finding { kind, subject: subject.into(), detail: detail.into() };
        (self.listener)(Report::Finding(&finding));
    }

    fn progress(&mut self) {
        (self.listener)(Report::Progress(&self.checked));
    }

    fn ended(&mut self, part: &str, result: Result<(), Error>) -> Result<(), Error> {
        let Err(Error::Internal(cause)) = result else { return result };
        match cause.downcast_ref::<db::Error>() {
            Some(error) if error.is_damage() => {
                self.found(Kind::Database, part, format!("not looked at to the end: {error}"));
                Ok(())
            }
            _ => Err(Error::Internal(cause)),
        }
    }
}
