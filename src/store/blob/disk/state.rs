//! The state file of an upload: how many of its bytes count, and the hash over them.
//!
//! Two slots of 512 bytes at offsets 0 and 4096, written in turn: a torn write destroys the slot of the newer
//! state only, and the older one still counts. No rename and no folder fsync per chunk. One slot:
//!
//! ```text
//! "LSUP"  version u8 = 1  sequence u64  length u64  note u64  n u16  hash state [n]  SHA-256 of all before
//! ```
//! Numbers are big endian; the hash state is [`oci::Hasher::save`]'s.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use oci::{Algorithm, Digest, Hasher};

use super::files;
use crate::store::blob::Error;

const MAGIC: &[u8; 4] = b"LSUP";
const VERSION: u8 = 1;
const SLOT_BYTES: usize = 512;
/// Apart by a page, so that no torn write reaches both.
const SLOT_DISTANCE: u64 = 4096;
const CHECKSUM_BYTES: usize = 32;

/// One state of an upload.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Counts the states; the valid one with the higher number is the current one.
    pub(super) sequence: u64,
    /// Bytes that count.
    pub(super) length: u64,
    /// The room's own number.
    pub(super) note: u64,
    /// The hash over those bytes; `None` when another version of the hash function saved it.
    pub(super) hasher: Option<Hasher>,
}

/// The current state in a file; `None` when there is no file or no slot of it is whole.
pub(super) fn load(path: &Path) -> Result<Option<Record>, Error> {
    match files::open_to_read(path).map_err(Error::io("open the state of an upload"))? {
        Some(file) => read(&file).map_err(Error::io("read the state of an upload")),
        None => Ok(None),
    }
}

/// The current state in an open file.
pub(super) fn read(file: &File) -> io::Result<Option<Record>> {
    let first = read_slot(file, 0)?;
    let second = read_slot(file, SLOT_DISTANCE)?;
    Ok(first.into_iter().chain(second).max_by_key(|record| record.sequence))
}

/// Writes a state into the slot that does not hold its predecessor and makes it durable.
pub(super) fn write(file: &File, record: &Record) -> io::Result<()> {
    file.write_all_at(&encode(record), (record.sequence % 2) * SLOT_DISTANCE)?;
    files::sync(file)
}

fn read_slot(file: &File, offset: u64) -> io::Result<Option<Record>> {
    let mut slot = [0; SLOT_BYTES];
    match file.read_exact_at(&mut slot, offset) {
        Ok(()) => Ok(decode(&slot)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn encode(record: &Record) -> Vec<u8> {
    let saved = record.hasher.as_ref().map(Hasher::save).unwrap_or_default();
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend_from_slice(MAGIC);
    slot.push(VERSION);
    slot.extend_from_slice(&record.sequence.to_be_bytes());
    slot.extend_from_slice(&record.length.to_be_bytes());
    slot.extend_from_slice(&record.note.to_be_bytes());
    slot.extend_from_slice(&u16::try_from(saved.len()).unwrap_or(0).to_be_bytes());
    slot.extend_from_slice(&saved);
    slot.extend_from_slice(&checksum(&slot));
    slot.resize(SLOT_BYTES, 0);
    slot
}

fn decode(slot: &[u8]) -> Option<Record> {
    let rest = slot.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (note, rest) = rest.split_first_chunk::<8>()?;
    let (saved_bytes, rest) = rest.split_first_chunk::<2>()?;
    let (saved, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*saved_bytes)))?;
    let content = slot.get(..slot.len().checked_sub(rest.len())?)?;
    if rest.get(..CHECKSUM_BYTES)? != checksum(content).as_slice() {
        return None;
    }
    let length = u64::from_be_bytes(*length);
    Some(Record {
        sequence: u64::from_be_bytes(*sequence),
        length,
        note: u64::from_be_bytes(*note),
        hasher: Hasher::restore(saved).filter(|hasher| hasher.length() == length),
    })
}

fn checksum(bytes: &[u8]) -> Vec<u8> {
    Digest::of(Algorithm::Sha256, bytes).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, bytes: &[u8]) -> Record {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        Record { sequence, length: bytes.len() as u64, note: sequence * 7, hasher: Some(hasher) }
    }

    #[test]
    fn the_newer_whole_slot_counts() {
        let file = tempfile::tempfile().unwrap();
        assert!(read(&file).unwrap().is_none());
        write(&file, &record(1, b"a")).unwrap();
        write(&file, &record(2, b"ab")).unwrap();
        let current = read(&file).unwrap().unwrap();
        assert_eq!((current.sequence, current.length, current.note), (2, 2, 14));
        assert_eq!(current.hasher.unwrap().finish(), Digest::sha256_of(b"ab"));
        // The third state goes into the first one's slot and is torn there: the second one still counts.
        let torn = encode(&record(3, b"abc"));
        for cut in [0, 4, 5, 40, 150, 184] {
            file.write_all_at(&torn[..cut], SLOT_DISTANCE).unwrap();
            assert_eq!(read(&file).unwrap().unwrap().sequence, 2, "{cut}");
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let slot = encode(&record(5, b"abc"));
        let end = slot.iter().rposition(|byte| *byte != 0).unwrap();
        for index in 0..=end {
            let mut flipped = slot.clone();
            flipped[index] ^= 4;
            assert!(decode(&flipped).is_none(), "byte {index}");
        }
        for length in 0..SLOT_BYTES {
            if let Some(whole) = decode(&slot[..length]) {
                assert_eq!(whole.length, 3);
            }
        }
    }
}
