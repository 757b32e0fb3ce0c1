//! What is read again and again, kept in memory: facts for the guard, manifests, links of layers, small layers, pages
//! of tags, and the rows of uploads that are being received.
//!
//! Everything but the bytes of layers is kept under the database's stamp of its repository, a link also under that of
//! its blob, a manifest and a page of tags under that of the images, an upload under its own, so an answer is exact:
//! see [`Database::stamp`](crate::store::db::Database::stamp). The bytes of a layer never change; they are compared with their digest once, when they are loaded, and given out only after a
//! link was found. Whoever changes rows that are kept here names them in its transaction ([`repository_scope`],
//! [`image_scope`], [`blob_scope`], [`upload_scope`]); one that names nothing empties all.

use std::cell::RefCell;

use bytes::Bytes;
use oci::{Digest, Reference, UploadId};

use super::content::{Placed, has_digest};
use super::image::StoredImage;
use super::listing::TagPage;
use super::upload::FoundUpload;
use super::{AccessFacts, Catalog, Error};
use crate::access::Repository;
use crate::store::blob::{self, Object, Reader, Verdict};
use crate::store::db::{Cache, Scope, Stamp};

/// Bytes of manifests that are kept, and as many of small layers.
const LARGE: usize = 8 * 1024 * 1024;

/// Bytes of facts that are kept, and as many of links.
const SMALL: usize = 1024 * 1024;

/// Bytes of pages of tags: a page of a thousand tags has 10 to 100 KiB.
const PAGES: usize = 4 * 1024 * 1024;

/// The longest layer whose bytes are kept: configurations, signatures, attestations, small layers.
pub(super) const MAX_KEPT_LAYER: u64 = 64 * 1024;

/// The caches of one catalog.
#[derive(Debug)]
pub(super) struct ReadCache {
    facts: Cache<String, Stamp, AccessFacts>,
    images: Cache<String, Stamp, StoredImage>,
    links: Cache<String, Stamp, Placed>,
    tags: Cache<String, Stamp, TagPage>,
    layers: Cache<String, (), Bytes>,
    uploads: Cache<String, Stamp, FoundUpload>,
    repository_ids: Cache<String, Stamp, String>,
}

impl Default for ReadCache {
    fn default() -> Self {
        Self {
            facts: Cache::bounded(SMALL),
            images: Cache::bounded(LARGE),
            links: Cache::bounded(SMALL),
            tags: Cache::bounded(PAGES),
            layers: Cache::bounded(LARGE),
            uploads: Cache::bounded(SMALL),
            repository_ids: Cache::bounded(SMALL),
        }
    }
}

/// The rows of a repository: itself, its tags and policy; also everything below it, when it goes.
pub(super) fn repository_scope(repository: &Repository) -> Scope {
    of_repository("repository", repository)
}

/// The images of a repository and their tags. Apart, because each push of an image changes them.
pub(super) fn image_scope(repository: &Repository) -> Scope {
    of_repository("images", repository)
}

fn of_repository(what: &str, repository: &Repository) -> Scope {
    let registry = &repository.registry;
    Scope::named(&[what, registry.account.as_str(), registry.region.as_str(), repository.name.as_str()])
}

/// The row of an upload.
pub(super) fn upload_scope(upload: &UploadId) -> Scope {
    Scope::named(&["upload", upload.as_str()])
}

/// The row of a blob and all links to it.
pub(super) fn blob_scope(digest: &Digest) -> Scope {
    blob_scope_of(digest.as_str())
}

/// As [`blob_scope`], for a digest as its column holds it.
pub(super) fn blob_scope_of(digest: &str) -> Scope {
    Scope::named(&["blob", digest])
}

thread_local! {
    /// Where a thread puts a key together, so that a look-up allocates nothing.
    static KEY: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The value that `cache` has of something inside a repository.
fn kept<V: Clone>(
    cache: &Cache<String, Stamp, V>,
    repository: &Repository,
    inside: &str,
    stamp: Stamp,
) -> Option<V> {
    KEY.with_borrow_mut(|key| {
        key.clear();
        write_key(key, repository, inside);
        cache.get(key.as_str(), stamp)
    })
}

fn key(repository: &Repository, inside: &str) -> String {
    let mut key = String::new();
    write_key(&mut key, repository, inside);
    key
}

/// No part of a name holds a line break, so two keys never are one text.
fn write_key(key: &mut String, repository: &Repository, inside: &str) {
    let registry = &repository.registry;
    for part in [registry.account.as_str(), registry.region.as_str(), repository.name.as_str()] {
        key.push_str(part);
        key.push('\n');
    }
    key.push_str(inside);
}

// What loads is made and boxed only when it is needed: the state of a statement would be copied along with every hit.
impl Catalog {
    /// The facts of a repository from memory, else what `load` gives.
    pub(super) async fn cached_facts(
        &self,
        repository: &Repository,
        load: impl AsyncFnOnce() -> Result<Option<AccessFacts>, Error>,
    ) -> Result<Option<AccessFacts>, Error> {
        let Some(stamp) = self.database.stamp(repository_scope(repository), None) else {
            return Box::pin(load()).await;
        };
        if let Some(facts) = kept(&self.read_cache.facts, repository, "", stamp) {
            return Ok(Some(facts));
        }
        let loaded = Box::pin(load()).await?;
        if let Some(facts) = &loaded {
            let bytes = facts.tags.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
            self.read_cache.facts.put(key(repository, ""), stamp, facts.clone(), bytes);
        }
        Ok(loaded)
    }

    /// An image from memory, else what `load` gives.
    pub(super) async fn cached_image(
        &self,
        repository: &Repository,
        reference: &Reference,
        load: impl AsyncFnOnce() -> Result<Option<StoredImage>, Error>,
    ) -> Result<Option<StoredImage>, Error> {
        let Some(stamp) = self.database.stamp(repository_scope(repository), Some(image_scope(repository)))
        else {
            return Box::pin(load()).await;
        };
        // A digest has a colon, a tag has none.
        let inside = match reference {
            Reference::Tag(tag) => tag.as_str(),
            Reference::Digest(digest) => digest.as_str(),
        };
        if let Some(image) = kept(&self.read_cache.images, repository, inside, stamp) {
            return Ok(Some(image));
        }
        let loaded = Box::pin(load()).await?;
        if let Some(image) = &loaded {
            let bytes = image.manifest.len() + image.media_type.len();
            self.read_cache.images.put(key(repository, inside), stamp, image.clone(), bytes);
        }
        Ok(loaded)
    }

    /// A page of tags from memory, else what `load` gives.
    pub(super) async fn cached_tags(
        &self,
        repository: &Repository,
        after: &str,
        limit: u64,
        load: impl AsyncFnOnce() -> Result<TagPage, Error>,
    ) -> Result<TagPage, Error> {
        let Some(stamp) = self.database.stamp(repository_scope(repository), Some(image_scope(repository)))
        else {
            return Box::pin(load()).await;
        };
        let key = format!("{}\n{limit}", key(repository, after));
        if let Some(page) = self.read_cache.tags.get(key.as_str(), stamp) {
            return Ok(page);
        }
        let loaded = Box::pin(load()).await?;
        self.read_cache.tags.put(key, stamp, loaded.clone(), loaded.weight() + after.len());
        Ok(loaded)
    }

    /// The blob that a repository has under a digest from memory, else what `load` gives.
    pub(super) async fn cached_link(
        &self,
        repository: &Repository,
        digest: &Digest,
        load: impl AsyncFnOnce() -> Result<Option<Placed>, Error>,
    ) -> Result<Option<Placed>, Error> {
        let scopes = (repository_scope(repository), Some(blob_scope(digest)));
        let Some(stamp) = self.database.stamp(scopes.0, scopes.1) else { return Box::pin(load()).await };
        if let Some(placed) = kept(&self.read_cache.links, repository, digest.as_str(), stamp) {
            return Ok(Some(placed));
        }
        let loaded = Box::pin(load()).await?;
        if let Some(placed) = &loaded {
            self.read_cache.links.put(
                key(repository, digest.as_str()),
                stamp,
                placed.clone(),
                digest.as_str().len(),
            );
        }
        Ok(loaded)
    }

    /// The row of an upload from memory, else what `load` gives.
    pub(super) async fn cached_upload(
        &self,
        repository: &Repository,
        upload: &UploadId,
        load: impl AsyncFnOnce() -> Result<FoundUpload, Error>,
    ) -> Result<FoundUpload, Error> {
        let scopes = (repository_scope(repository), Some(upload_scope(upload)));
        let Some(stamp) = self.database.stamp(scopes.0, scopes.1) else { return Box::pin(load()).await };
        if let Some(found) = kept(&self.read_cache.uploads, repository, upload.as_str(), stamp) {
            return Ok(found);
        }
        let found = Box::pin(load()).await?;
        let bytes = found.repository_id.len();
        self.read_cache.uploads.put(key(repository, upload.as_str()), stamp, found.clone(), bytes);
        Ok(found)
    }

    /// The id of a repository from memory, else from its row.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`] when there is none.
    pub(super) async fn cached_repository_id(&self, repository: &Repository) -> Result<String, Error> {
        let Some(stamp) = self.database.stamp(repository_scope(repository), None) else {
            return Box::pin(self.require_repository(repository)).await;
        };
        if let Some(id) = kept(&self.read_cache.repository_ids, repository, "", stamp) {
            return Ok(id);
        }
        let id = Box::pin(self.require_repository(repository)).await?;
        self.read_cache.repository_ids.put(key(repository, ""), stamp, id.clone(), id.len());
        Ok(id)
    }

    /// The bytes of a small layer from memory.
    pub(super) fn cached_layer(&self, digest: &Digest) -> Option<Reader> {
        let bytes = self.read_cache.layers.get(digest.as_str(), ())?;
        Some(Reader::in_memory(bytes))
    }

    /// Compares what was read of a small layer with its digest and keeps it; `None` when it is damaged, and then it
    /// is marked.
    ///
    /// # Errors
    /// [`Error::Busy`] when it could not be read now.
    pub(super) async fn keep_layer(
        &self,
        object: &Object,
        read: std::io::Result<Bytes>,
    ) -> Result<Option<Reader>, Error> {
        let failed = |source| blob::Error::Io { action: "read a small layer", source };
        let (is_whole, bytes) = match read {
            Ok(bytes) => (Ok(has_digest(&bytes, &object.digest)), bytes),
            Err(source) => (Err(failed(source)), Bytes::new()),
        };
        match self.judge(object, is_whole).await {
            Verdict::Whole => {}
            Verdict::Rotten => return Ok(None),
            Verdict::Unknown => return Err(Error::Busy),
        }
        self.read_cache.layers.put(object.digest.to_string(), (), bytes.clone(), bytes.len());
        Ok(Some(Reader::in_memory(bytes)))
    }
}

#[cfg(test)]
mod tests;
