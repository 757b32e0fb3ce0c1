//! The frames of SQLite's log, read as they lie in the file, to see whether what was written is still there.
//!
//! ```text
//! header  magic 4 │ version 4 │ page size 4 │ sequence 4 │ salt 8 │ checksum 8
//! frame   page number 4 │ size of the database 4 │ salt 8 │ checksum 8 │ page
//! ```
//! All numbers are big-endian. Each checksum goes on from the one before it, so it covers everything up to its frame
//! (sqlite.org/fileformat2.html, "The Write-Ahead Log").

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};

/// The magic number of logs whose checksums read their words little-endian; with the lowest bit set, big-endian.
const MAGIC: u32 = 0x377f_0682;
/// SQLite's smallest and largest page, in bytes.
const PAGE: std::ops::RangeInclusive<u32> = 512..=65536;

/// How many frames from the beginning on are whole: what SQLite would find if it opened the log now.
///
/// # Errors
/// What reading reports, the end of the file excepted.
pub(super) fn whole(mut log: &File) -> io::Result<u64> {
    log.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 16, log);
    let Some(Header { page_bytes, salt, mut sum }) = header(&mut reader)? else { return Ok(0) };
    let mut page = vec![0; page_bytes as usize];
    let mut frames = 0;
    loop {
        let (mut place, mut of, mut expected) = ([0; 8], [0; 8], [0; 8]);
        for part in [&mut place[..], &mut of, &mut expected, &mut page] {
            if !fill(&mut reader, part)? {
                return Ok(frames);
            }
        }
        sum.add(&place);
        sum.add(&page);
        if of != salt || sum.bytes() != expected {
            return Ok(frames);
        }
        frames += 1;
    }
}

struct Header {
    page_bytes: u32,
    salt: [u8; 8],
    sum: Sum,
}

fn header(reader: &mut impl io::Read) -> io::Result<Option<Header>> {
    let (mut magic, mut version, mut size, mut sequence) = ([0; 4], [0; 4], [0; 4], [0; 4]);
    let (mut salt, mut expected) = ([0; 8], [0; 8]);
    for part in [&mut magic[..], &mut version, &mut size, &mut sequence, &mut salt, &mut expected] {
        if !fill(reader, part)? {
            return Ok(None);
        }
    }
    let is_big_endian = u32::from_be_bytes(magic) & 1 == 1;
    let mut sum = Sum { is_big_endian, first: 0, second: 0 };
    for part in [[magic, version].as_flattened(), [size, sequence].as_flattened(), &salt] {
        sum.add(part);
    }
    let page_bytes = u32::from_be_bytes(size);
    let is_log = u32::from_be_bytes(magic) & !1 == MAGIC && PAGE.contains(&page_bytes);
    Ok((is_log && sum.bytes() == expected).then_some(Header { page_bytes, salt, sum }))
}

/// Reads so many bytes; false when the file ends before.
fn fill(reader: &mut impl io::Read, bytes: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// SQLite's checksum of the log.
struct Sum {
    is_big_endian: bool,
    first: u32,
    second: u32,
}

impl Sum {
    /// Adds bytes, eight at a time.
    fn add(&mut self, bytes: &[u8]) {
        let number = |word: [u8; 4]| {
            if self.is_big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        for [first, second] in bytes.as_chunks::<4>().0.as_chunks::<2>().0 {
            self.first = self.first.wrapping_add(number(*first)).wrapping_add(self.second);
            self.second = self.second.wrapping_add(number(*second)).wrapping_add(self.first);
        }
    }

    fn bytes(&self) -> [u8; 8] {
        (u64::from(self.first) << 32 | u64::from(self.second)).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn frames_count_until_the_first_that_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let connection = rusqlite::Connection::open(folder.path().join("words.db")).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE word (name TEXT)").unwrap();
        for name in ["a", "b", "c"] {
            connection.execute("INSERT INTO word (name) VALUES ($1)", [name]).unwrap();
        }
        let path = folder.path().join("words.db-wal");
        let log = File::options().read(true).write(true).open(path).unwrap();
        let found = whole(&log).unwrap();
        let (header, frame) = (32, 24 + 4096);
        assert_eq!(header + found * frame, log.metadata().unwrap().len());
        assert!(found >= 5, "{found}");
        // What lies behind the end is none of this log.
        log.write_all_at(&[7; 5000], header + found * frame).unwrap();
        assert_eq!(whole(&log).unwrap(), found);
        // One byte in the page of the third frame.
        log.write_all_at(&[0xff], header + 2 * frame + 1000).unwrap();
        assert_eq!(whole(&log).unwrap(), 2);
        log.write_all_at(&[0xff], 3).unwrap();
        assert_eq!(whole(&log).unwrap(), 0);
        log.set_len(5).unwrap();
        assert_eq!(whole(&log).unwrap(), 0);
    }
}
