//! The state file of an upload, whatever is left of it after a crash: no bytes panic, a slot that counts is one
//! that was written, and what is written is read.
//!
//! Input: the two slots, first the number of the second one's bytes (`u16`, big endian). The checksums are added
//! here, or no mutation would ever pass them; without them the same bytes must count as nothing.
#![no_main]

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

/// The module of the server under test, taken in by its path, and the little of the house that it names.
#[path = "../../../src/store"]
mod store {
    pub mod blob {
        /// Stands for the store's error.
        #[derive(Debug)]
        #[allow(dead_code, reason = "only shown")]
        pub struct Error(std::io::Error);

        impl Error {
            pub fn io(_what: &'static str) -> impl Fn(std::io::Error) -> Error {
                Error
            }
        }

        pub mod disk {
            #[allow(dead_code, reason = "the server uses more of it")]
            mod state;

            /// Files without their durability: a crash is what the input stands for.
            mod files {
                use std::fs::File;
                use std::io::Result;
                use std::path::Path;

                pub fn open_to_read(path: &Path) -> Result<Option<File>> {
                    File::open(path).map(Some)
                }

                pub fn sync(_file: &File) -> Result<()> {
                    Ok(())
                }
            }

            use oci::Hasher;

            /// Sequence, length, note and hash of the state that counts.
            pub fn read(file: &File) -> Option<(u64, u64, u64, Option<Hasher>)> {
                let record = state::read(file).expect("the file can be read")?;
                Some((record.sequence, record.length, record.note, record.hasher))
            }

            pub fn write(file: &File, sequence: u64, length: u64, note: u64, hasher: Option<Hasher>) {
                let record = state::Record { sequence, length, note, hasher };
                state::write(file, &record).expect("the file can be written");
            }

            use std::fs::File;
        }
    }
}

use store::blob::disk;

/// Where the second slot lies, and how long one is.
const SLOTS: [u64; 2] = [0, 4096];
const SLOT_BYTES: usize = 512;
const CHECKSUM_BYTES: usize = 32;

thread_local! {
    static FILE: RefCell<File> = RefCell::new(unnamed());
}

/// A file in memory where the system has one.
fn unnamed() -> File {
    let folder = ["/dev/shm", "/tmp"].into_iter().find(|folder| std::path::Path::new(folder).is_dir());
    let path = format!("{}/upload-state-{}", folder.expect("a folder"), std::process::id());
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    std::fs::remove_file(&path).expect("it is there");
    file.expect("a file")
}

fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let second = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    let (first, second) = rest.split_at(rest.len() - second);
    FILE.with_borrow(|file| {
        file.set_len(0).expect("an empty file");
        for (slot, offset) in [first, second].into_iter().zip(SLOTS) {
            file.write_all_at(slot.get(..SLOT_BYTES).unwrap_or(slot), offset).expect("written");
        }
        let unsealed = disk::read(file);
        assert!(unsealed.is_none(), "no mutation finds a SHA-256: {unsealed:?}");
        for (slot, offset) in [first, second].into_iter().zip(SLOTS) {
            file.write_all_at(&sealed(slot), offset).expect("written");
        }
        let Some((sequence, length, note, hasher)) = disk::read(file) else { return };
        if let Some(hasher) = &hasher {
            assert_eq!(hasher.length(), length, "the hash is over the bytes that count");
            let mut goes_on = hasher.clone();
            goes_on.update(&[0; 200]);
            let _digest = goes_on.finish();
        }
        let saved = hasher.as_ref().map(oci::Hasher::save);
        let next = sequence.wrapping_add(1);
        disk::write(file, next, length, note, hasher);
        let (sequence, length_again, note_again, hasher) = disk::read(file).expect("what was written");
        if next > 0 {
            assert_eq!((sequence, length_again, note_again), (next, length, note));
            assert_eq!(hasher.as_ref().map(oci::Hasher::save), saved);
        }
    });
});

/// A slot of this content with the checksums of hash state and slot.
fn sealed(content: &[u8]) -> Vec<u8> {
    const HEAD_BYTES: usize = 4 + 1 + 8 + 8 + 8;
    let most = SLOT_BYTES - CHECKSUM_BYTES;
    let mut slot = content.get(..most).unwrap_or(content).to_vec();
    if slot.len() >= HEAD_BYTES + 2 + 8 {
        let state = slot.split_off(HEAD_BYTES + 2);
        let length = u16::try_from(state.len()).unwrap_or(0);
        slot.splice(HEAD_BYTES.., length.to_be_bytes());
        let (body, _) = state.split_at(state.len() - 8);
        slot.extend_from_slice(body);
        slot.extend(Sha256::digest(body).iter().take(8));
    }
    let checksum = Sha256::digest(&slot);
    slot.extend_from_slice(&checksum);
    slot.resize(SLOT_BYTES, 0);
    slot
}
