//! Images: one manifest in one repository, identified by its digest, with the tags that point at it.
//!
//! `put` adds them, `get` reads manifests (the pull path: it writes nothing), `list` and `describe` show what is
//! there, `delete` removes tags and images, `orphan` what referred to them. Tags are rows in time: a move or a removal ends one, and at most one
//! row of a name is current.
//!
//! INVARIANT: a current tag points at an image of its repository, and what an image names is in its repository.
//!
//! ```ignore
//! let pushed = catalog.put_image(&allowed, &NewImage { bytes, manifest, tags, expected_digest: None }).await?;
//! let image = catalog.get_image(&allowed, &Reference::Digest(pushed.digest)).await?;
//! ```

mod delete;
mod describe;
mod get;
mod id;
mod list;
mod orphan;
mod put;
mod reference;
#[cfg(test)]
mod tests;

pub use delete::Deletion;
pub use describe::{DescribedImage, ImagePage};
pub use get::{FoundImages, StoredImage};
pub use id::{Failure, FailureCode, ImageId};
pub use list::{ImageFilter, ImageNames, Position, TagStatus};
pub use put::{NewImage, Pushed};
pub(super) use reference::references;

use std::collections::HashMap;
use std::sync::Mutex;

/// The most tags that one image may have (ecr.md §9).
pub const MAX_TAGS_PER_IMAGE: i64 = 1000;

/// How many images each repository holds, as far as this process knows.
///
/// Counting rows at every push would cost more the larger a repository is, and a counter row would make
/// concurrent pushes to one repository wait for each other. So rows are counted at the first push and then
/// only when the estimate reaches the limit; deletions and other nodes make the estimate wrong by a little,
/// which a quota can bear.
#[derive(Debug, Default)]
pub(super) struct ImageCounts(Mutex<HashMap<String, i64>>);

impl ImageCounts {
    /// The estimate, unless it must be counted anew because it is unknown or has reached `limit`.
    fn below(&self, repository: &str, limit: i64) -> bool {
        let counts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counts.get(repository).is_some_and(|count| *count < limit)
    }

    fn set(&self, repository: &str, count: i64) {
        let mut counts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counts.insert(repository.to_owned(), count);
    }

    fn increment(&self, repository: &str) {
        let mut counts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = counts.get_mut(repository) {
            *count += 1;
        }
    }
}
