//! Young uploads: small ones that began a moment ago, in memory and in a journal.
//!
//! Most uploads live for milliseconds. Such a one needs no file and no row: this process knows it, and the journal
//! lets the next process know it too. One write is one record, made before the answer and not synced, so what was
//! answered survives the end of the process and not the loss of power, as every chunk does. What grows, grows old or
//! finds no room here is *settled*: its room writes a row, then its bytes become files, then it is ended here.
//!
//! There are two journal files. When the one that is being written has become long, the few uploads that are alive in
//! the other one are copied to its end; then the other one is emptied and takes the next uploads. So a file is emptied
//! only when nothing in it counts alone. A kill in between leaves two copies of an upload: the longer one counts.
//!
//! INVARIANT: whoever changes an upload holds it, so an entry changes under the hands of nobody.

mod held;
mod journal;

pub use held::Standing;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use oci::{Digest, UploadId};

use super::files;
use super::layout::Layout;
use journal::{BEGUN, BYTES, ENDED, HEADER_BYTES, KIND_OFFSET};

/// Bytes of all young uploads together.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How many there may be.
const MAX_UPLOADS: usize = 4096;

/// A file that is longer takes no new upload when the other one can be emptied.
const LONG: u64 = if cfg!(test) { 64 * 1024 } else { 4 * 1024 * 1024 };

/// A file that is longer takes nothing more.
const LONGEST: u64 = 4 * LONG;

/// One young upload, as it is at this moment.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// What the room said when it began.
    pub(super) owner: Bytes,
    /// All that it has received.
    pub(super) bytes: Bytes,
    /// Their digest, when they came at once.
    pub(super) sha256: Option<Digest>,
    /// Whether its room may have written a row already, and files may be there.
    pub(super) is_settling: bool,
}

/// All young uploads of a folder.
#[derive(Debug)]
pub(super) struct Young {
    state: Mutex<State>,
    /// The journals that were found damaged, with the bytes of each that count.
    damage: Vec<(String, u64)>,
}

#[derive(Debug)]
struct State {
    uploads: HashMap<UploadId, Entry>,
    bytes: usize,
    first: Journal,
    second: Journal,
    /// Where the next upload begins.
    active: Side,
    /// What was found and does not count, because the same upload was found elsewhere.
    copies: Vec<(Side, u64)>,
}

#[derive(Debug)]
struct Entry {
    known: Known,
    side: Side,
    begun_at: u64,
}

impl Entry {
    /// The room that a copy of it needs, at most.
    fn weight(&self) -> usize {
        2 * HEADER_BYTES + self.known.owner.len() + self.known.bytes.len()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// One of the two files.
#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: Option<File>,
    end: u64,
    /// How many young uploads lie in it.
    live: usize,
    /// The room that a copy of them needs.
    live_bytes: usize,
    /// Whether it ends with something that could not be taken back.
    is_spoilt: bool,
}

impl Young {
    /// Takes up what the last process has left. In: whether the journals were written in this boot; others are
    /// removed.
    pub(super) fn open(layout: &Layout, is_same_boot: bool) -> io::Result<Self> {
        let young = Self::read(layout, is_same_boot)?;
        for (name, end) in &young.damage {
            tracing::error!(
                journal = %name, readable_bytes = end,
                "the journal of young uploads is damaged: what follows these bytes is lost, and its clients push again"
            );
        }
        let mut state = young.lock();
        let copies = std::mem::take(&mut state.copies);
        for side in [Side::First, Side::Second] {
            let journal = state.journal(side);
            if !is_same_boot {
                files::remove(&journal.path)?;
            } else if let Some(file) = files::open_existing(&journal.path)? {
                if file.metadata()?.len() > journal.end {
                    files::truncate(&file, journal.end)?;
                }
                journal.file = Some(file);
            }
        }
        for (side, begun_at) in copies {
            state.journal(side).end_record(begun_at)?;
        }
        drop(state);
        Ok(young)
    }

    /// Reads what the last process has left and changes nothing.
    pub(super) fn read(layout: &Layout, is_same_boot: bool) -> io::Result<Self> {
        let mut state = State {
            uploads: HashMap::new(),
            bytes: 0,
            first: Journal::at(layout.journal(0)),
            second: Journal::at(layout.journal(1)),
            active: Side::First,
            copies: Vec::new(),
        };
        let mut damage = Vec::new();
        if is_same_boot {
            for side in [Side::First, Side::Second] {
                if let Some(end) = state.take_up(side)? {
                    let name = state.journal(side).path.file_name().unwrap_or_default().to_string_lossy();
                    damage.push((name.into_owned(), end));
                }
            }
        }
        Ok(Self { state: Mutex::new(state), damage })
    }

    /// The journals that were found damaged, with the bytes of each that count.
    pub(super) fn damage(&self) -> &[(String, u64)] {
        &self.damage
    }

    /// Begins an upload. False when there is no room: then nothing has changed.
    pub(super) fn begin(&self, upload: &UploadId, owner: Bytes) -> io::Result<bool> {
        let (record, _) = journal::record(BEGUN, upload, 0, &owner);
        let mut state = self.lock();
        if state.uploads.len() >= MAX_UPLOADS || state.bytes >= MAX_BYTES {
            return Ok(false);
        }
        state.choose()?;
        let side = state.active;
        let journal = state.journal(side);
        if !journal.has_room(record.len()) {
            return Ok(false);
        }
        let begun_at = journal.write(&record)?;
        let known = Known { owner, bytes: Bytes::new(), sha256: None, is_settling: false };
        state.insert(upload.clone(), Entry { known, side, begun_at });
        Ok(true)
    }

    /// What is known of an upload, if it is a young one.
    pub(super) fn get(&self, upload: &UploadId) -> Option<Known> {
        self.lock().uploads.get(upload).map(|entry| entry.known.clone())
    }

    /// Whether so many more bytes may be [appended](Self::append).
    pub(super) fn has_room(&self, upload: &UploadId, more: usize) -> bool {
        let mut state = self.lock();
        let is_within = state.bytes.saturating_add(more) <= MAX_BYTES;
        let Some(side) = state.uploads.get(upload).map(|entry| entry.side) else { return false };
        is_within && state.journal(side).has_room(HEADER_BYTES + more)
    }

    /// Adds bytes to the `before` bytes of an upload; out: how it is then. On an error it is as before.
    pub(super) fn append(&self, upload: &UploadId, before: u64, bytes: &[u8]) -> io::Result<Known> {
        let (record, digest) = journal::record(BYTES, upload, before, bytes);
        let mut state = self.lock();
        let side = state.uploads.get(upload).map(|entry| entry.side).ok_or(io::ErrorKind::NotFound)?;
        let journal = state.journal(side);
        journal.write(&record)?;
        journal.live_bytes += bytes.len();
        state.bytes += bytes.len();
        let entry = state.uploads.get_mut(upload).ok_or(io::ErrorKind::NotFound)?;
        let known = &mut entry.known;
        (known.bytes, known.sha256) = if known.bytes.is_empty() {
            (Bytes::from(record).slice(HEADER_BYTES..), Some(digest))
        } else {
            ([&known.bytes[..], bytes].concat().into(), None)
        };
        Ok(known.clone())
    }

    /// Notes that from now on a row may be there, and files.
    pub(super) fn begin_to_settle(&self, upload: &UploadId) {
        if let Some(entry) = self.lock().uploads.get_mut(upload) {
            entry.known.is_settling = true;
        }
    }

    /// Ends an upload here. On an error it goes on.
    pub(super) fn end(&self, upload: &UploadId) -> io::Result<()> {
        let mut state = self.lock();
        let Some(entry) = state.uploads.get(upload) else { return Ok(()) };
        let (side, begun_at) = (entry.side, entry.begun_at);
        state.journal(side).end_record(begun_at)?;
        state.remove(upload);
        Ok(())
    }

    /// All young uploads, in no order.
    pub(super) fn list(&self) -> Vec<(UploadId, Known)> {
        self.lock().uploads.iter().map(|(upload, entry)| (upload.clone(), entry.known.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn journal(&mut self, side: Side) -> &mut Journal {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }

    fn insert(&mut self, upload: UploadId, entry: Entry) {
        self.bytes += entry.known.bytes.len();
        let journal = self.journal(entry.side);
        journal.live += 1;
        journal.live_bytes += entry.weight();
        self.uploads.insert(upload, entry);
    }

    fn remove(&mut self, upload: &UploadId) {
        let Some(entry) = self.uploads.remove(upload) else { return };
        self.bytes = self.bytes.saturating_sub(entry.known.bytes.len());
        let journal = self.journal(entry.side);
        journal.live = journal.live.saturating_sub(1);
        journal.live_bytes = journal.live_bytes.saturating_sub(entry.weight());
    }

    /// Goes over to an emptied file when the active one is long.
    fn choose(&mut self) -> io::Result<()> {
        let active = self.active;
        let other = active.other();
        if !self.journal(active).is_long() {
            return Ok(());
        }
        if self.journal(active).live == 0 {
            return self.journal(active).begin_anew();
        }
        if self.copy_all(other, active)? {
            self.journal(other).begin_anew()?;
            self.active = other;
        }
        Ok(())
    }

    /// Copies what is alive in one file to the end of the other; false when it has no room for all of it.
    fn copy_all(&mut self, from: Side, to: Side) -> io::Result<bool> {
        let (source, target) = match to {
            Side::Second => (&mut self.first, &mut self.second),
            Side::First => (&mut self.second, &mut self.first),
        };
        if source.live == 0 {
            return Ok(true);
        }
        if !target.has_room(source.live_bytes) {
            return Ok(false);
        }
        let mut copy = Vec::with_capacity(source.live_bytes);
        let mut moved = Vec::with_capacity(source.live);
        for (upload, entry) in self.uploads.iter_mut().filter(|(_, entry)| entry.side == from) {
            let offset = copy.len() as u64;
            copy.extend(journal::record(BEGUN, upload, 0, &entry.known.owner).0);
            if !entry.known.bytes.is_empty() {
                copy.extend(journal::record(BYTES, upload, 0, &entry.known.bytes).0);
            }
            moved.push((entry, offset));
        }
        // One write, all or nothing: what is copied and then ends must not be left in a file that is not emptied.
        let begin = target.write(&copy)?;
        target.live += std::mem::take(&mut source.live);
        target.live_bytes += std::mem::take(&mut source.live_bytes);
        for (entry, offset) in moved {
            (entry.side, entry.begun_at) = (to, begin + offset);
        }
        Ok(true)
    }

    /// Reads a file; out: how much of it counts, when it is damaged.
    fn take_up(&mut self, side: Side) -> io::Result<Option<u64>> {
        let bytes = match fs::read(&self.journal(side).path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let replay = journal::replay(&bytes);
        let journal = self.journal(side);
        journal.end = replay.end;
        for (upload, live) in replay.live {
            let journal::Live { owner, bytes, begun_at } = live;
            match self.uploads.get(&upload) {
                Some(other) if other.known.bytes.len() >= bytes.len() => {
                    self.copies.push((side, begun_at));
                    continue;
                }
                Some(other) => {
                    self.copies.push((other.side, other.begun_at));
                    self.remove(&upload);
                }
                None => {}
            }
            // The last process may have been settling it.
            let known = Known { owner: owner.into(), bytes: bytes.into(), sha256: None, is_settling: true };
            self.insert(upload, Entry { known, side, begun_at });
        }
        Ok(replay.is_damaged.then_some(replay.end))
    }
}

impl Journal {
    fn at(path: PathBuf) -> Self {
        Self { path, file: None, end: 0, live: 0, live_bytes: 0, is_spoilt: false }
    }

    fn is_long(&self) -> bool {
        self.is_spoilt || self.end >= LONG
    }

    fn has_room(&self, bytes: usize) -> bool {
        !self.is_spoilt && self.end.saturating_add(bytes as u64) <= LONGEST
    }

    /// The file, created before its first record.
    fn open(&mut self) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => files::open_for_writing(&self.path)?,
        };
        Ok(self.file.insert(file))
    }

    /// Appends a record; out: where it lies. What is left of one that fails is cut off, so that nothing ever lies
    /// between records.
    fn write(&mut self, record: &[u8]) -> io::Result<u64> {
        let begun_at = self.end;
        if self.is_spoilt {
            return Err(io::Error::other("the journal of young uploads is spoilt"));
        }
        let file = self.open()?;
        if let Err(error) = files::write_all_at(file, record, begun_at) {
            self.is_spoilt = files::truncate(file, begun_at).is_err();
            return Err(error);
        }
        self.end = begun_at.saturating_add(record.len() as u64);
        Ok(begun_at)
    }

    /// Ends the upload that begins there.
    fn end_record(&mut self, begun_at: u64) -> io::Result<()> {
        files::write_all_at(self.open()?, &[ENDED], begun_at + KIND_OFFSET)
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        files::truncate(self.open()?, 0)?;
        (self.end, self.is_spoilt) = (0, false);
        Ok(())
    }
}
