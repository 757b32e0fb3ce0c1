//! Reading an object from its first to its last byte, to see whether it still has the digest in its name.
//!
//! The scrub reads past the page cache where the file system allows that (`O_DIRECT`): a cached page would hide
//! what became of the disk under it, and a walk over everything would push out what clients are just pulling. A
//! check before an answer reads through the cache, because the answer is going to read the same pages.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::sync::Arc;

use oci::Hasher;

use super::buffers::ALIGNMENT;
use super::{Inner, blocking, files, known};
use crate::store::blob::{Error, Object};

/// Bytes that one step reads: small enough for a scrub to be slow evenly, large enough for the disk.
const STEP_BYTES: usize = 1024 * 1024;

/// Where an inspection reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// Past the page cache: what the disk gives.
    Disk,
    /// Through the page cache: what a pull would get.
    Cache,
}

/// An object that is being read from its first to its last byte.
#[derive(Debug)]
pub struct Inspection {
    inner: Arc<Inner>,
    object: Object,
    file: File,
    modified: i64,
    through: Through,
    hasher: Hashing,
    /// Longer than a step, so that an aligned part of it has a step's length.
    buffer: Vec<u8>,
}

/// Keeps the hash state out of `Debug`.
struct Hashing(Hasher);

impl std::fmt::Debug for Hashing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "after {} bytes", self.0.length())
    }
}

/// How far an inspection is.
#[derive(Debug)]
pub enum Step {
    /// More is to be read.
    More(Box<Inspection>),
    /// All bytes were read, and they have the digest.
    Whole,
    /// All bytes were read, and they have another digest.
    Rotten,
}

impl Inspection {
    pub(super) fn open(inner: Arc<Inner>, object: Object, through: Through) -> Result<Self, Error> {
        let failed = || Error::io("open an object");
        let path = inner.layout.object(&object.digest, &object.generation);
        let direct = match through {
            Through::Cache => None,
            // File systems without direct access refuse the flag; then the cache must do.
            Through::Disk => {
                OpenOptions::new().read(true).custom_flags(files::direct_flag()).open(&path).ok()
            }
        };
        let through = if direct.is_some() { Through::Disk } else { Through::Cache };
        let file = match direct {
            Some(file) => file,
            None => files::open_to_read(&path).map_err(failed())?.ok_or(Error::Missing)?,
        };
        let metadata = file.metadata().map_err(failed())?;
        if metadata.len() != object.size_bytes {
            return Err(Error::Damaged { expected: object.size_bytes, found: metadata.len() });
        }
        let modified = known::modified(&metadata);
        let step = usize::try_from(object.size_bytes).unwrap_or(STEP_BYTES).clamp(1, STEP_BYTES);
        let buffer = vec![0; step.next_multiple_of(ALIGNMENT) + ALIGNMENT];
        let hasher = Hashing(Hasher::new(object.digest.algorithm()));
        Ok(Self { inner, object, file, modified, through, hasher, buffer })
    }

    /// Bytes read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.hasher.0.length()
    }

    /// Reads and hashes the next mebibyte, or what is left.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the object was cut meanwhile; [`Error::Io`] when the disk does not give the bytes.
    pub async fn step(self) -> Result<Step, Error> {
        blocking("inspect an object", move || self.read_on()).await
    }

    fn read_on(mut self) -> Result<Step, Error> {
        let (position, length) = (self.position(), self.object.size_bytes);
        if position < length {
            let read = self.read(position)?;
            if read == 0 {
                return Err(Error::Damaged { expected: length, found: position });
            }
        }
        if self.position() < length {
            return Ok(Step::More(Box::new(self)));
        }
        let Self { inner, object, modified, hasher, .. } = self;
        if hasher.0.finish() == object.digest {
            inner.known.insert(&object.generation, modified);
            return Ok(Step::Whole);
        }
        inner.known.remove(&object.generation);
        Ok(Step::Rotten)
    }

    /// Reads once from `position` and hashes what came.
    fn read(&mut self, position: u64) -> Result<usize, Error> {
        // A short read in the middle leaves a position that direct access refuses.
        let is_aligned = position.is_multiple_of(ALIGNMENT as u64);
        let read = match self.read_at(position) {
            Err(_) if self.through == Through::Disk || !is_aligned => {
                // Some file systems take the flag and refuse the reads.
                let path = self.inner.layout.object(&self.object.digest, &self.object.generation);
                let failed = || Error::io("inspect an object");
                self.file = files::open_to_read(&path).map_err(failed())?.ok_or(Error::Missing)?;
                self.through = Through::Cache;
                self.read_at(position).map_err(failed())?
            }
            other => other.map_err(Error::io("inspect an object"))?,
        };
        let left = usize::try_from(self.object.size_bytes - position).unwrap_or(usize::MAX);
        let read = read.min(left);
        self.hasher.0.update(aligned(&mut self.buffer).get(..read).unwrap_or_default());
        Ok(read)
    }

    fn read_at(&mut self, position: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(aligned(&mut self.buffer), position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// The part of a buffer that begins at an aligned address.
fn aligned(buffer: &mut [u8]) -> &mut [u8] {
    let begin = buffer.as_ptr().align_offset(ALIGNMENT).min(buffer.len());
    let length = buffer.len().saturating_sub(ALIGNMENT);
    buffer.get_mut(begin..begin + length).unwrap_or_default()
}
