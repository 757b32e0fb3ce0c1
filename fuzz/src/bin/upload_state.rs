//! The state file of an upload, whatever is left of it after a crash: no bytes panic, a slot that counts is one
//! that was written, and what is written is read.
//!
//! Input: the contents of two slots, before them (`u16`, big endian) the number of the second one's bytes and in its
//! upper four bits which of the four slots they lie in. The checksums are added here, or no mutation would ever pass
//! them; without them the same bytes must count as nothing.
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
            use std::fs::File;

            use boot::Boot;
            use oci::Hasher;

            #[allow(dead_code, reason = "the server uses more of it")]
            mod state;

            /// A boot of our choice; which one it is makes no difference to the reader.
            mod boot {
                pub const BOOT_BYTES: usize = 16;

                #[derive(Debug, Clone, Copy, PartialEq, Eq)]
                pub struct Boot(pub [u8; BOOT_BYTES]);

                impl Boot {
                    pub const fn as_bytes(&self) -> &[u8; BOOT_BYTES] {
                        &self.0
                    }
                }
            }

            /// Files without their durability: a crash is what the input stands for.
            mod files {
                use std::fs::File;
                use std::io::Result;
                use std::os::unix::fs::FileExt as _;
                use std::path::Path;

                pub fn open_to_read(path: &Path) -> Result<Option<File>> {
                    File::open(path).map(Some)
                }

                pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
                    file.write_all_at(bytes, offset)
                }

                pub fn sync(_file: &File) -> Result<()> {
                    Ok(())
                }
            }

            /// The boot in which the input is read; seeds of version 2 are written in it.
            const BOOT: Boot = Boot([7; boot::BOOT_BYTES]);

            /// What counts: sequence, length, note and hash.
            pub type Counts = (u64, u64, u64, Option<Hasher>);

            /// The record that counts, and the slot of the newest durable one.
            pub fn read(file: &File) -> (Option<Counts>, usize) {
                let found = state::read(file, &BOOT).expect("the file can be read");
                let counts =
                    |record: state::Record| (record.sequence, record.length, record.note, record.hasher);
                (found.current.map(counts), found.durable_slot)
            }

            /// Writes a record: into the older durable slot, or as one that lasts as long as the boot.
            pub fn write(file: &File, counts: Counts, durable: Option<usize>) {
                let (sequence, length, note, hasher) = counts;
                let record = state::Record { sequence, length, note, hasher };
                match durable {
                    Some(slot) => state::write_durable(file, &record, &BOOT, slot),
                    None => state::write_volatile(file, &record, &BOOT),
                }
                .expect("the file can be written");
            }
        }
    }
}

use store::blob::disk;

/// Where the slots lie, and how long one is.
const SLOTS: [u64; 4] = [0, 4096, 8192, 12_288];
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
    let Some((head, rest)) = data.split_first_chunk::<2>() else { return };
    let head = usize::from(u16::from_be_bytes(*head));
    let (first, second) = rest.split_at(rest.len() - (head & 0x0fff).min(rest.len()));
    // Which of the four slots: the upper bits of the head.
    let place = |bits: usize| SLOTS[bits % SLOTS.len()];
    let slots = [(first, place(head >> 12)), (second, place((head >> 14) + 1))];
    FILE.with_borrow(|file| {
        file.set_len(0).expect("an empty file");
        for (slot, offset) in slots {
            file.write_all_at(slot.get(..SLOT_BYTES).unwrap_or(slot), offset).expect("written");
        }
        assert!(disk::read(file).0.is_none(), "no mutation finds a SHA-256");
        for (slot, offset) in slots {
            file.write_all_at(&sealed(slot), offset).expect("written");
        }
        let (Some((sequence, length, note, hasher)), newest) = disk::read(file) else { return };
        assert!(newest < 2);
        if let Some(hasher) = &hasher {
            assert_eq!(hasher.length(), length, "the hash is over the bytes that count");
            let mut goes_on = hasher.clone();
            goes_on.update(&[0; 200]);
            let _digest = goes_on.finish();
        }
        let saved = |hasher: &Option<oci::Hasher>| hasher.as_ref().map(oci::Hasher::save);
        let mut last = sequence;
        for durable in [None, Some(1 - newest), None] {
            // Numbers come from the server and begin at 0; at their end there is no newer one.
            let Some(next) = last.checked_add(1) else { return };
            last = next;
            disk::write(file, (next, length, note, hasher.clone()), durable);
            let (again, _) = disk::read(file);
            let (sequence, length_again, note_again, hasher_again) = again.expect("what was written");
            assert_eq!((sequence, length_again, note_again), (next, length, note));
            assert_eq!(saved(&hasher_again), saved(&hasher));
        }
    });
});

/// A slot of this content with the checksums of hash state and slot.
fn sealed(content: &[u8]) -> Vec<u8> {
    let most = SLOT_BYTES - CHECKSUM_BYTES;
    let mut slot = content.get(..most).unwrap_or(content).to_vec();
    // Magic, version, the boot of version 2, and three numbers.
    let head_bytes = 4 + 1 + if slot.get(4) == Some(&2) { 16 } else { 0 } + 3 * 8;
    if slot.len() >= head_bytes + 2 + 8 {
        let state = slot.split_off(head_bytes + 2);
        let length = u16::try_from(state.len()).unwrap_or(0);
        slot.splice(head_bytes.., length.to_be_bytes());
        let (body, _) = state.split_at(state.len() - 8);
        slot.extend_from_slice(body);
        slot.extend(Sha256::digest(body).iter().take(8));
    }
    let checksum = Sha256::digest(&slot);
    slot.extend_from_slice(&checksum);
    slot.resize(SLOT_BYTES, 0);
    slot
}
