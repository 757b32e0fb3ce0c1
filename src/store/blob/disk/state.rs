//! The state file of an upload: how many of its bytes count, and the hash over them.
//!
//! Four slots of 512 bytes, a page apart so that no torn write reaches two of them:
//!
//! ```text
//! 0, 4096       durable records: the bytes that they count were synced before them
//! 8192, 12288   volatile records: true for as long as this boot of the machine lasts
//! ```
//!
//! A process that is killed leaves what it wrote with the kernel, so a volatile record needs no sync; after another
//! boot it is as if it had never been written. Volatile records never overwrite durable ones, and of the two
//! durable slots the one that holds the older record is written, so a torn write leaves the newer one. No rename
//! and no folder fsync per chunk. One slot:
//!
//! ```text
//! "LSUP"  version u8 = 2  boot [16]  sequence u64  length u64  note u64  n u16  hash state [n]  SHA-256 of all before
//! ```
//! Numbers are big endian; the hash state is [`oci::Hasher::save`]'s. Version 1 had no boot and durable slots only.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use oci::{Algorithm, Digest, Hasher};

use super::boot::{BOOT_BYTES, Boot};
use super::files;
use crate::store::blob::Error;

const MAGIC: &[u8; 4] = b"LSUP";
const VERSION: u8 = 2;
/// Records of servers that synced every chunk.
const VERSION_DURABLE_ONLY: u8 = 1;
const SLOT_BYTES: usize = 512;
const SLOT_DISTANCE: usize = 4096;
const DURABLE_SLOTS: usize = 2;
const SLOTS: usize = 4;
const FILE_BYTES: usize = (SLOTS - 1) * SLOT_DISTANCE + SLOT_BYTES;
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

/// What a state file says.
#[derive(Debug)]
pub(super) struct Found {
    /// The record that counts, if any does.
    pub(super) current: Option<Record>,
    /// The slot of the newest durable record; the next one belongs into the other.
    pub(super) durable_slot: usize,
}

/// The current record in a file; `None` when there is no file or nothing in it counts.
pub(super) fn load(path: &Path, boot: &Boot) -> Result<Option<Found>, Error> {
    match files::open_to_read(path).map_err(Error::io("open the state of an upload"))? {
        Some(file) => read(&file, boot).map(Some).map_err(Error::io("read the state of an upload")),
        None => Ok(None),
    }
}

/// The current record in an open file.
pub(super) fn read(file: &File, boot: &Boot) -> io::Result<Found> {
    let mut bytes = vec![0; FILE_BYTES];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let slots = (0..SLOTS).filter_map(|slot| {
        let start = slot * SLOT_DISTANCE;
        let record = decode(bytes.get(start..start + SLOT_BYTES)?, boot, slot < DURABLE_SLOTS)?;
        Some((slot, record))
    });
    let records: Vec<(usize, Record)> = slots.collect();
    let durable = records.iter().filter(|(slot, _)| *slot < DURABLE_SLOTS);
    let durable_slot = durable.max_by_key(|(_, record)| record.sequence).map_or(1, |(slot, _)| *slot);
    let current = records.into_iter().map(|(_, record)| record).max_by_key(|record| record.sequence);
    Ok(Found { current, durable_slot })
}

/// Writes a record that counts until the machine stops.
pub(super) fn write_volatile(file: &File, record: &Record, boot: &Boot) -> io::Result<()> {
    let slot = if record.sequence.is_multiple_of(2) { DURABLE_SLOTS } else { DURABLE_SLOTS + 1 };
    files::write_all_at(file, &encode(record, boot), (slot * SLOT_DISTANCE) as u64)
}

/// Writes a record whose bytes are durable into a durable slot and makes it durable too.
pub(super) fn write_durable(file: &File, record: &Record, boot: &Boot, slot: usize) -> io::Result<()> {
    files::write_all_at(file, &encode(record, boot), (slot.min(1) * SLOT_DISTANCE) as u64)?;
    files::sync(file)
}

fn encode(record: &Record, boot: &Boot) -> Vec<u8> {
    let saved = record.hasher.as_ref().map(Hasher::save).unwrap_or_default();
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend_from_slice(MAGIC);
    slot.push(VERSION);
    slot.extend_from_slice(boot.as_bytes());
    slot.extend_from_slice(&record.sequence.to_be_bytes());
    slot.extend_from_slice(&record.length.to_be_bytes());
    slot.extend_from_slice(&record.note.to_be_bytes());
    slot.extend_from_slice(&u16::try_from(saved.len()).unwrap_or(0).to_be_bytes());
    slot.extend_from_slice(&saved);
    slot.extend_from_slice(&checksum(&slot));
    slot.resize(SLOT_BYTES, 0);
    slot
}

fn decode(slot: &[u8], boot: &Boot, is_durable: bool) -> Option<Record> {
    let (version, rest) = slot.strip_prefix(MAGIC)?.split_first()?;
    let rest = match *version {
        VERSION => {
            let (written_in, rest) = rest.split_first_chunk::<BOOT_BYTES>()?;
            if !is_durable && written_in != boot.as_bytes() {
                return None;
            }
            rest
        }
        VERSION_DURABLE_ONLY if is_durable => rest,
        _ => return None,
    };
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

    const BOOT: Boot = Boot::new([7; BOOT_BYTES]);
    const NEXT_BOOT: Boot = Boot::new([8; BOOT_BYTES]);

    fn record(sequence: u64, bytes: &[u8]) -> Record {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        Record { sequence, length: bytes.len() as u64, note: sequence * 7, hasher: Some(hasher) }
    }

    fn current(file: &File, boot: &Boot) -> Option<u64> {
        read(file, boot).unwrap().current.map(|record| record.sequence)
    }

    #[test]
    fn volatile_records_count_in_their_boot_only() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(current(&file, &BOOT), None);
        write_volatile(&file, &record(1, b"a"), &BOOT).unwrap();
        assert_eq!((current(&file, &BOOT), current(&file, &NEXT_BOOT)), (Some(1), None));
        write_durable(&file, &record(2, b"ab"), &BOOT, 0).unwrap();
        for sequence in 3..8 {
            write_volatile(&file, &record(sequence, b"abc"), &BOOT).unwrap();
        }
        assert_eq!((current(&file, &BOOT), current(&file, &NEXT_BOOT)), (Some(7), Some(2)));
        let found = read(&file, &NEXT_BOOT).unwrap();
        assert_eq!(found.durable_slot, 0);
        let kept = found.current.unwrap();
        assert_eq!((kept.length, kept.note), (2, 14));
        assert_eq!(kept.hasher.unwrap().finish(), Digest::sha256_of(b"ab"));
        // A volatile record of the next boot counts there, and not in the one before.
        write_volatile(&file, &record(8, b"abc"), &NEXT_BOOT).unwrap();
        assert_eq!((current(&file, &NEXT_BOOT), current(&file, &BOOT)), (Some(8), Some(7)));
    }

    #[test]
    fn a_torn_durable_record_leaves_the_one_before() {
        let file = tempfile::tempfile().unwrap();
        write_durable(&file, &record(1, b"a"), &BOOT, 0).unwrap();
        write_durable(&file, &record(2, b"ab"), &BOOT, 1).unwrap();
        let slot = 1 - read(&file, &BOOT).unwrap().durable_slot;
        let torn = encode(&record(3, b"abc"), &BOOT);
        for cut in [0, 4, 5, 40, 150, 200] {
            file.write_all_at(&torn[..cut], (slot * SLOT_DISTANCE) as u64).unwrap();
            assert_eq!(current(&file, &NEXT_BOOT), Some(2), "{cut}");
        }
    }

    #[test]
    fn records_of_version_1_count_in_durable_slots() {
        let mut old = encode(&record(5, b"old"), &BOOT);
        old.truncate(SLOT_BYTES - BOOT_BYTES);
        old.drain(5..5 + BOOT_BYTES);
        old[4] = VERSION_DURABLE_ONLY;
        let saved = usize::from(u16::from_be_bytes([old[29], old[30]]));
        let sum = checksum(&old[..31 + saved]);
        old[31 + saved..31 + saved + CHECKSUM_BYTES].copy_from_slice(&sum);
        old.resize(SLOT_BYTES, 0);
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&old, SLOT_DISTANCE as u64).unwrap();
        let found = read(&file, &BOOT).unwrap();
        assert_eq!((found.current.unwrap().length, found.durable_slot), (3, 1));
        assert!(decode(&old, &BOOT, false).is_none());
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let slot = encode(&record(5, b"abc"), &BOOT);
        let end = slot.iter().rposition(|byte| *byte != 0).unwrap();
        for index in 0..=end {
            let mut flipped = slot.clone();
            flipped[index] ^= 4;
            assert!(decode(&flipped, &BOOT, true).is_none(), "byte {index}");
        }
        for length in 0..SLOT_BYTES {
            if let Some(whole) = decode(&slot[..length], &BOOT, true) {
                assert_eq!(whole.length, 3);
            }
        }
    }
}
