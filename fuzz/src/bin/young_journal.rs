//! The journal of young uploads, whatever is left of it: no bytes panic, and nothing counts that was not written.
//!
//! Input: steps of four bytes each: what is done (begin, add bytes, end, cut the file, change a byte, append what the input
//! has next), to which of eight uploads, and two bytes of argument. The records are written as the server writes them.
#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use oci::UploadId;

/// The module of the server under test, taken in by its path.
#[path = "../../../src/store/blob/disk/young"]
mod young {
    #[allow(dead_code, reason = "the server uses more of it")]
    mod journal;

    pub use journal_for_all::*;

    /// What the module keeps to its folder.
    mod journal_for_all {
        use oci::UploadId;

        use super::journal;

        pub const KINDS: [u8; 3] = [journal::BEGUN, journal::BYTES, journal::ENDED];
        pub const KIND_OFFSET: u64 = journal::KIND_OFFSET;

        /// The uploads that count with their bytes and where they begin; how much of the file counts.
        pub fn replay(file: &[u8]) -> (Vec<(UploadId, Vec<u8>, u64)>, u64, bool) {
            let replay = journal::replay(file);
            let live = replay.live.into_iter();
            (live.map(|(id, live)| (id, live.bytes, live.begun_at)).collect(), replay.end, replay.is_damaged)
        }

        pub fn record(kind: u8, upload: &UploadId, offset: u64, payload: &[u8]) -> Vec<u8> {
            journal::record(kind, upload, offset, payload).0
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [begun, bytes, ended] = young::KINDS;
    let (live, end, _) = young::replay(data);
    assert!(live.is_empty() && end == 0, "no mutation finds a SHA-256");
    let mut file = Vec::new();
    // What each upload has been given, and where it begins; only those that are not over.
    let mut written: HashMap<UploadId, (Vec<u8>, usize)> = HashMap::new();
    let mut is_intact = true;
    let mut rest = data;
    let mut next = 0_u64;
    while let Some((step, after)) = rest.split_first_chunk::<4>() {
        rest = after;
        let [action, upload, high, low] = *step;
        let argument = usize::from(u16::from_be_bytes([high, low]));
        let mut of: Vec<UploadId> = written.keys().cloned().collect();
        of.sort();
        let chosen = of.get(usize::from(upload) % of.len().max(1)).cloned();
        match (action % 6, chosen) {
            (0, _) if written.len() < 8 => {
                next += 1;
                let id =
                    UploadId::from_bytes([next.to_be_bytes(), [7; 8]].concat().try_into().expect("16 bytes"));
                written.insert(id.clone(), (Vec::new(), file.len()));
                file.extend(young::record(begun, &id, 0, &[high; 5]));
            }
            (1, Some(id)) => {
                let (known, _) = written.get_mut(&id).expect("it is there");
                let payload = vec![low; argument % 300];
                file.extend(young::record(bytes, &id, known.len() as u64, &payload));
                known.extend(payload);
            }
            (2, Some(id)) => {
                let (_, begun_at) = written.remove(&id).expect("it is there");
                let kind = begun_at + usize::try_from(young::KIND_OFFSET).expect("small");
                if let Some(kind) = file.get_mut(kind).filter(|_| is_intact) {
                    *kind = ended;
                }
            }
            (3, _) => {
                file.truncate(argument % (file.len() + 1));
                break;
            }
            (4, _) => {
                let length = file.len();
                if let Some(byte) = file.get_mut(argument % length.max(1)) {
                    *byte ^= low | 1;
                    is_intact = false;
                }
                break;
            }
            (5, _) => {
                file.extend_from_slice(rest);
                break;
            }
            _ => {}
        }
    }
    let (live, end, _) = young::replay(&file);
    assert!(end <= file.len() as u64);
    for (id, bytes, begun_at) in live {
        assert!(begun_at < end);
        if let Some((known, _)) = written.get(&id) {
            assert!(known.starts_with(&bytes), "only what was written");
        } else {
            // A changed byte can only be in the way of an end.
            assert!(!is_intact, "what is over stays over");
        }
    }
    let again = young::replay(&file[..usize::try_from(end).expect("small")]);
    assert_eq!((again.1, again.2), (end, false), "what counts is whole");
});
