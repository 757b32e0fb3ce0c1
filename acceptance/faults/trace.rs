//! What the shim recorded: every changing call with its data, in the order of their effects.

use std::path::Path;

/// What a call does; the numbers are those of `enum kind` in shim.c.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Open = 1,
    Create,
    Write,
    Truncate,
    Allocate,
    Sync,
    Rename,
    Link,
    Unlink,
    CreateFolder,
    RemoveFolder,
}

impl Kind {
    pub const ALL: [Kind; 11] = [
        Kind::Open,
        Kind::Create,
        Kind::Write,
        Kind::Truncate,
        Kind::Allocate,
        Kind::Sync,
        Kind::Rename,
        Kind::Link,
        Kind::Unlink,
        Kind::CreateFolder,
        Kind::RemoveFolder,
    ];

    /// What a full disk refuses: everything that may need a block.
    pub const NEED_SPACE: [Kind; 6] =
        [Kind::Create, Kind::Write, Kind::Allocate, Kind::Rename, Kind::Link, Kind::CreateFolder];
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub kind: Kind,
    /// The number of the call, from 1 on, since the last order.
    pub number: u64,
    /// The file or folder; 0 when it is not recorded.
    pub inode: u64,
    pub offset: u64,
    pub length: u64,
    /// The call failed and changed nothing.
    pub failed: bool,
    /// Paths below the folder.
    pub from: String,
    pub to: String,
    pub data: Vec<u8>,
    /// Where the record ends in the trace.
    pub end: u64,
}

/// A whole trace.
#[derive(Debug)]
pub struct Trace {
    pub records: Vec<Record>,
}

const MAGIC: u32 = 0x3146_534c;
const HEAD: usize = 56;

impl Trace {
    pub fn read(path: &Path) -> Trace {
        let bytes = std::fs::read(path).unwrap();
        let mut records = Vec::new();
        let mut at = 0;
        // A killed process may leave half a record: its call was not answered to anybody.
        while let Some((record, end)) = parse(&bytes, at) {
            records.push(record);
            at = end;
        }
        Trace { records }
    }

    /// How many records were complete when the trace had this length.
    pub fn until(&self, length: u64) -> usize {
        self.records.partition_point(|record| record.end <= length)
    }
}

fn parse(bytes: &[u8], at: usize) -> Option<(Record, usize)> {
    let head = bytes.get(at..at + HEAD)?;
    let short = |offset: usize| u32::from_le_bytes(head[offset..offset + 4].try_into().unwrap());
    let long = |offset: usize| u64::from_le_bytes(head[offset..offset + 8].try_into().unwrap());
    assert_eq!(short(0), MAGIC, "no record at {at}");
    let kind = Kind::ALL[short(4) as usize - 1];
    let (from, to, data) = (short(44) as usize, short(48) as usize, short(52) as usize);
    let end = at + HEAD + from + to + data;
    let rest = bytes.get(at + HEAD..end)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let record = Record {
        kind,
        number: long(8),
        inode: long(16),
        offset: long(24),
        length: long(32),
        failed: short(40) != 0,
        from: text(&rest[..from]),
        to: text(&rest[from..from + to]),
        data: rest[from + to..].to_vec(),
        end: end as u64,
    };
    Some((record, end))
}
