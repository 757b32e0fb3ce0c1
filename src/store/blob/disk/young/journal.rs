//! What the journal of young uploads looks like.
//!
//! Records follow each other from the first byte of the file on:
//!
//! ```text
//! "LSY1"  kind u8  id [36]  offset u64  n u32  SHA-256 of the payload [32]  checksum [8]  payload [n]
//!
//! kind 'B'  an upload begins; the payload is what the room wants to know of it
//!      'D'  bytes of an upload that begins earlier in the same file, from `offset` on
//!      'E'  what a 'B' is overwritten with when its upload is over or has files of its own
//! ```
//!
//! Numbers are big endian. The checksum is the beginning of the SHA-256 of everything before it, with 'B' in place of
//! 'E', so that ending an upload changes one byte: it needs no room on a full disk and cannot be torn. A process that
//! is killed leaves whole records and at most one torn one, at the end.

use std::collections::{HashMap, HashSet};

use oci::{Algorithm, Digest, UploadId};

const MAGIC: &[u8; 4] = b"LSY1";
const ID_BYTES: usize = 36;
const HASH_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 8;
const CHECKED_BYTES: usize = MAGIC.len() + 1 + ID_BYTES + 8 + 4 + HASH_BYTES;

/// Bytes of a record before its payload.
pub(super) const HEADER_BYTES: usize = CHECKED_BYTES + CHECKSUM_BYTES;

/// Where in a record its kind is.
pub(super) const KIND_OFFSET: u64 = MAGIC.len() as u64;

/// An upload begins.
pub(super) const BEGUN: u8 = b'B';
/// Bytes of an upload.
pub(super) const BYTES: u8 = b'D';
/// An upload that had begun is over.
pub(super) const ENDED: u8 = b'E';

/// An upload that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    /// What the room said when it began.
    pub(super) owner: Vec<u8>,
    /// All that it has received.
    pub(super) bytes: Vec<u8>,
    /// Where the record of its beginning lies.
    pub(super) begun_at: u64,
}

/// What a journal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Replay {
    /// The uploads that are not over.
    pub(super) live: HashMap<UploadId, Live>,
    /// Bytes of the file that count.
    pub(super) end: u64,
    /// Whether what follows them is more than the torn last record that a kill leaves.
    pub(super) is_damaged: bool,
}

/// One record; out: its bytes, and the digest of the payload.
pub(super) fn record(kind: u8, upload: &UploadId, offset: u64, payload: &[u8]) -> (Vec<u8>, Digest) {
    let digest = Digest::sha256_of(payload);
    let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
    record.extend_from_slice(MAGIC);
    record.push(kind);
    record.extend_from_slice(upload.as_str().as_bytes());
    record.extend_from_slice(&offset.to_be_bytes());
    // A longer payload than the number can hold would not be read again; nobody has one.
    record.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    record.extend_from_slice(&digest.to_bytes());
    let checksum = checksum(&record);
    record.extend_from_slice(&checksum);
    record.extend_from_slice(payload);
    (record, digest)
}

/// Reads a whole journal up to the first record that is torn or damaged.
pub(super) fn replay(file: &[u8]) -> Replay {
    let mut replay = Replay::default();
    let mut over = HashSet::new();
    let mut rest = file;
    while !rest.is_empty() {
        let (record, after) = match Record::read(rest) {
            Ok(found) => found,
            Err(is_damaged) => {
                replay.is_damaged = is_damaged;
                break;
            }
        };
        if !replay.take(&record, &mut over) {
            replay.is_damaged = true;
            break;
        }
        replay.end += (rest.len() - after.len()) as u64;
        rest = after;
    }
    replay
}

impl Replay {
    /// Counts a record; false for one that this program never writes at this place.
    fn take(&mut self, record: &Record<'_>, over: &mut HashSet<UploadId>) -> bool {
        let Record { kind, upload, offset, payload } = record;
        let is_live = self.live.contains_key(upload);
        match *kind {
            // After its end too: a copy that did not count, and then another one.
            BEGUN if !is_live && *offset == 0 => {
                let live = Live { owner: payload.to_vec(), bytes: Vec::new(), begun_at: self.end };
                self.live.insert(upload.clone(), live);
                true
            }
            ENDED if !is_live && *offset == 0 => {
                over.insert(upload.clone());
                true
            }
            BYTES => match self.live.get_mut(upload) {
                Some(live) if live.bytes.len() as u64 == *offset => {
                    live.bytes.extend_from_slice(payload);
                    true
                }
                Some(_) => false,
                None => over.contains(upload),
            },
            _ => false,
        }
    }
}

/// One record as it was read.
struct Record<'a> {
    kind: u8,
    upload: UploadId,
    offset: u64,
    payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the beginning of `bytes`, and what follows it. Errors: whether it is damaged; else it is torn.
    fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), bool> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(false)?;
        let (checked, sum) = header.split_at_checked(CHECKED_BYTES).ok_or(true)?;
        if checksum(checked) != sum {
            return Err(true);
        }
        let (kind, checked) = checked.strip_prefix(MAGIC).and_then(<[u8]>::split_first).ok_or(true)?;
        let (id, checked) = checked.split_at_checked(ID_BYTES).ok_or(true)?;
        let (offset, checked) = checked.split_first_chunk::<8>().ok_or(true)?;
        let (length, hash) = checked.split_first_chunk::<4>().ok_or(true)?;
        let id = std::str::from_utf8(id).map_err(|_| true)?;
        let upload = UploadId::parse(id).map_err(|_| true)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| true)?;
        let (payload, rest) = rest.split_at_checked(length).ok_or(false)?;
        if Digest::from_bytes(Algorithm::Sha256, hash) != Ok(Digest::sha256_of(payload)) {
            return Err(true);
        }
        Ok((Self { kind: *kind, upload, offset: u64::from_be_bytes(*offset), payload }, rest))
    }
}

/// The checksum of a header's other bytes.
fn checksum(checked: &[u8]) -> Vec<u8> {
    let mut whole = checked.to_vec();
    if let Some(kind) = whole.get_mut(MAGIC.len()).filter(|kind| **kind == ENDED) {
        *kind = BEGUN;
    }
    let mut hash = Digest::sha256_of(&whole).to_bytes();
    hash.truncate(CHECKSUM_BYTES);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn upload(seed: u8) -> UploadId {
        UploadId::from_bytes([seed; 16])
    }

    /// Two uploads whose records alternate, and a third that is over.
    fn journal() -> Vec<u8> {
        let mut file = Vec::new();
        for (kind, seed, offset, payload) in [
            (BEGUN, 1, 0, &b"owner 1"[..]),
            (BEGUN, 2, 0, b""),
            (BYTES, 1, 0, b"first"),
            (ENDED, 3, 0, b"owner 3"),
            (BYTES, 3, 0, b"gone"),
            (BYTES, 1, 5, b" and second"),
            (BYTES, 2, 0, b"other"),
        ] {
            file.extend(record(kind, &upload(seed), offset, payload).0);
        }
        file
    }

    #[test]
    fn what_is_not_over_counts() {
        let file = journal();
        let replay = replay(&file);
        assert_eq!((replay.end, replay.is_damaged, replay.live.len()), (file.len() as u64, false, 2));
        let live = &replay.live[&upload(1)];
        assert_eq!((&live.owner[..], &live.bytes[..]), (&b"owner 1"[..], &b"first and second"[..]));
        assert_eq!(live.begun_at, 0);
        let live = &replay.live[&upload(2)];
        assert_eq!((&live.owner[..], &live.bytes[..]), (&b""[..], &b"other"[..]));
        // Again after its end: only the later one counts.
        let again =
            [&file[..], &record(BEGUN, &upload(3), 0, b"new").0, &record(BYTES, &upload(3), 0, b"x").0]
                .concat();
        let found = super::replay(&again);
        assert_eq!((found.is_damaged, &found.live[&upload(3)].bytes[..]), (false, &b"x"[..]));
        // The end is one byte.
        let mut ended = file;
        ended[usize::try_from(live.begun_at + KIND_OFFSET).unwrap()] = ENDED;
        assert!(!super::replay(&ended).live.contains_key(&upload(2)));
        assert_eq!(super::replay(&ended).end, replay.end);
    }

    #[test]
    fn a_torn_end_is_told_from_damage() {
        let file = journal();
        let ends: Vec<u64> = (0..=file.len()).map(|cut| replay(&file[..cut]).end).collect();
        for (cut, end) in ends.iter().enumerate() {
            assert!(*end <= cut as u64 && !replay(&file[..cut]).is_damaged, "{cut}");
        }
        assert_eq!(ends.iter().collect::<HashSet<_>>().len(), 8);
        for index in 0..file.len() {
            let mut flipped = file.clone();
            flipped[index] ^= 4;
            let found = replay(&flipped);
            assert!(found.is_damaged && found.end <= index as u64, "byte {index}");
        }
    }

    #[test]
    fn records_that_do_not_follow_are_damage() {
        for (kind, seed, offset) in [(BYTES, 1, 3), (BYTES, 9, 0), (BEGUN, 1, 0), (ENDED, 1, 0), (b'X', 9, 0)]
        {
            let file = [journal(), record(kind, &upload(seed), offset, b"?").0].concat();
            let found = replay(&file);
            assert_eq!((found.is_damaged, found.end), (true, journal().len() as u64), "{kind} {seed}");
        }
    }

    proptest! {
        /// No bytes panic; and bytes that do not begin with a record count for nothing.
        #[test]
        fn arbitrary_bytes_count_for_nothing(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
            let found = replay(&noise);
            prop_assert_eq!((found.live.len(), found.end), (0, 0));
        }

        /// Whatever becomes of the file behind one place, nothing comes out that was not written.
        #[test]
        fn only_what_was_written_comes_back(
            chunks in prop::collection::vec((1..4_u8, prop::collection::vec(any::<u8>(), 0..60)), 0..20),
            keep in any::<prop::sample::Index>(),
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut written: HashMap<UploadId, Vec<u8>> = HashMap::new();
            let mut file = Vec::new();
            for (seed, bytes) in chunks {
                let id = upload(seed);
                if !written.contains_key(&id) {
                    file.extend(record(BEGUN, &id, 0, &[seed]).0);
                }
                let known = written.entry(id.clone()).or_default();
                file.extend(record(BYTES, &id, known.len() as u64, &bytes).0);
                known.extend(bytes);
            }
            let whole = replay(&file);
            prop_assert_eq!((whole.end, whole.is_damaged), (file.len() as u64, false));
            for (id, live) in &whole.live {
                prop_assert_eq!(&live.bytes, &written[id]);
            }
            file.truncate(keep.index(file.len() + 1));
            file.extend(noise);
            for (id, live) in replay(&file).live {
                prop_assert!(written[&id].starts_with(&live.bytes));
            }
        }
    }
}
