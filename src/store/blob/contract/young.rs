//! Young uploads: without files, and there again after the process was killed.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use oci::{Digest, UploadId};

use super::{Fixture, UNLIMITED, broken, noise, upload, whole};
use crate::store::blob::{Append, Error, Held, Received, Standing};

const OWNER: &[u8] = b"owner";

impl Fixture {
    fn begin(&self, upload: &UploadId) -> bool {
        self.blobs.begin(upload, Bytes::from_static(OWNER)).unwrap()
    }

    async fn begun(&self, upload: &UploadId, bytes: &[u8]) {
        assert!(self.begin(upload));
        drop(self.append(upload, bytes).await);
    }

    async fn held(&self, upload: &UploadId) -> Held {
        self.blobs.hold(upload).await.unwrap()
    }

    async fn held_now(&self, upload: &UploadId) -> Option<u64> {
        self.blobs.hold_now(upload).await.unwrap().map(|held| held.length())
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.path("uploads")).unwrap().count()
    }

    fn journals(&self) -> u64 {
        ["young-0", "young-1"]
            .map(|name| std::fs::metadata(self.path(name)).map_or(0, |found| found.len()))
            .iter()
            .sum()
    }
}

async fn is_whole(held: &Held, bytes: &[u8]) {
    assert_eq!(held.length(), bytes.len() as u64);
    assert!(held.verify(&[Digest::sha256_of(bytes)]).await.unwrap().is_some());
    assert!(held.verify(&[Digest::of(oci::Algorithm::Sha512, bytes)]).await.unwrap().is_some());
}

#[tokio::test]
async fn it_lives_without_files_and_is_there_after_a_restart_of_this_boot() {
    let fixture = Fixture::new().await.restart_in_boot(1).await;
    let (one, two, empty) = (upload(1), upload(2), upload(3));
    fixture.begun(&one, b"first").await;
    fixture.begun(&two, b"other").await;
    assert!(fixture.begin(&empty));
    let held = fixture.append(&one, b" second").await;
    assert_eq!((held.standing(), &held.small_bytes().unwrap()[..]), (Standing::Young, &b"first second"[..]));
    is_whole(&held, b"first second").await;
    drop(held);
    fixture.held(&two).await.discard().await;
    assert_eq!((fixture.files(), fixture.blobs.uploads().await.unwrap().len()), (0, 0));
    let fixture = fixture.restart_in_boot(1).await;
    assert_eq!(fixture.blobs.young_uploads().len(), 2);
    assert_eq!(fixture.blobs.owner_of_young(&one).unwrap(), OWNER);
    assert_eq!(fixture.blobs.length(&one).await.unwrap(), 12);
    assert_eq!(fixture.held(&empty).await.standing(), Standing::Settling);
    assert_eq!(fixture.blobs.owner_of_young(&two), None);
    let held = fixture.append(&one, b" third").await;
    is_whole(&held, b"first second third").await;
    drop(held);
    assert_eq!(fixture.blobs.strangers().await.unwrap(), [""; 0]);
    let fixture = fixture.restart_in_boot(2).await;
    assert_eq!((fixture.blobs.young_uploads().len(), fixture.journals()), (0, 0), "the power was lost");
    assert_eq!(fixture.held(&one).await.length(), 0);
}

#[tokio::test]
async fn it_settles_and_goes_on_in_files() {
    for length in [0, 10, 60_000] {
        let fixture = Fixture::new().await;
        let id = upload(1);
        let bytes = noise(length, 3);
        fixture.begun(&id, &bytes).await;
        let mut held = fixture.held(&id).await;
        assert_eq!(held.begin_to_settle().unwrap(), OWNER);
        assert_eq!(fixture.held_now(&id).await, None, "somebody holds it");
        held.give_files().unwrap();
        assert_eq!((held.standing(), held.begin_to_settle()), (Standing::Settled, None));
        drop(held);
        assert_eq!(fixture.blobs.young_uploads(), []);
        let fixture = fixture.restart().await;
        assert_eq!(fixture.blobs.young_uploads(), []);
        let held = fixture.append(&id, b"more").await;
        is_whole(&held, &[&bytes[..], b"more"].concat()).await;
        held.discard().await;
        assert_eq!(fixture.files(), 0);
    }
}

/// Killed before the last write of settling: it is as young as before, whatever lies in its files.
#[tokio::test]
async fn a_kill_while_it_settles_costs_nothing() {
    for left in [&b""[..], b"fir", b"first second and more than that"] {
        for has_state in [false, true] {
            let fixture = Fixture::new().await;
            let id = upload(1);
            fixture.begun(&id, b"first").await;
            std::fs::write(fixture.data(&id), left).unwrap();
            if has_state {
                std::fs::write(fixture.state(&id), noise(9000, 1)).unwrap();
            }
            let fixture = fixture.restart().await;
            assert_eq!(fixture.blobs.uploads().await.unwrap(), [], "nobody may take them for leftovers");
            let mut held = fixture.append(&id, b" second").await;
            is_whole(&held, b"first second").await;
            held.begin_to_settle();
            held.give_files().unwrap();
            drop(held);
            let fixture = fixture.restart().await;
            let held = fixture.append(&id, b" third").await;
            is_whole(&held, b"first second third").await;
            drop(held);
            let young = upload(2);
            fixture.begun(&young, b"x").await;
            std::fs::write(fixture.data(&young), left).unwrap();
            let fixture = fixture.restart().await;
            fixture.held(&young).await.remove().unwrap();
            assert!(!fixture.data(&young).exists());
        }
    }
}

#[tokio::test]
async fn what_outgrows_it_waits_for_the_row() {
    let long = noise(70_000, 5);
    let note = Append { note: 9, ..UNLIMITED };
    let many =
        || stream::iter(long.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>());
    for (chunks, rules, more) in [
        (many().boxed(), UNLIMITED, &long[..]),
        (whole(b"part").boxed(), note, &b"part"[..]),
        (whole(&long).boxed(), UNLIMITED, &long[..]),
    ] {
        let fixture = Fixture::new().await;
        let id = upload(1);
        fixture.begun(&id, b"first").await;
        let Received::Outgrown(mut outgrown) = fixture.held(&id).await.receive(chunks, rules).await.unwrap()
        else {
            panic!("it does not fit");
        };
        assert_eq!(outgrown.begin_to_settle().unwrap(), OWNER);
        let (held, appended) = outgrown.go_on().await.unwrap();
        assert_eq!((appended.received, held.note()), (more.len() as u64, rules.note));
        is_whole(&held, &[b"first", more].concat()).await;
        drop(held);
        let fixture = fixture.restart().await;
        is_whole(&fixture.held(&id).await, &[b"first", more].concat()).await;
    }
}

#[tokio::test]
async fn who_gives_an_outgrown_one_up_keeps_all_or_nothing_of_the_request() {
    let fixture = Fixture::new().await;
    let (id, long) = (upload(1), noise(60_000, 5));
    fixture.begun(&id, &long).await;
    let receive = async || match fixture.held(&id).await.receive(whole(&long), UNLIMITED).await.unwrap() {
        Received::Outgrown(outgrown) => outgrown,
        Received::All(..) => panic!("it does not fit"),
    };
    drop(receive().await.give_up());
    assert_eq!(fixture.blobs.length(&id).await.unwrap(), 60_000);
    // The client went away while the row was written.
    drop(receive().await);
    assert_eq!(fixture.blobs.length(&id).await.unwrap(), 120_000);
    let fixture = fixture.restart().await;
    let mut held = fixture.held(&id).await;
    assert_eq!((held.standing(), held.small_bytes()), (Standing::Settling, None));
    held.give_files().unwrap();
    is_whole(&held, &[&long[..], &long].concat()).await;
    drop(held);
    let fixture = fixture.restart().await;
    is_whole(&fixture.held(&id).await, &[&long[..], &long].concat()).await;
}

#[tokio::test]
async fn refused_and_interrupted_requests_are_as_with_any_other() {
    let fixture = Fixture::new().await;
    let id = upload(1);
    fixture.begun(&id, b"12345").await;
    let limited = Append { maximum_length: 8, ..UNLIMITED };
    let refused = fixture.held(&id).await.receive(whole(b"6789"), limited).await;
    assert!(matches!(refused, Err(Error::TooLong { limit: 8 })));
    let exact = Append { exactly: Some(4), ..UNLIMITED };
    let refused = fixture.held(&id).await.receive(whole(b"678"), exact).await;
    assert!(matches!(refused, Err(Error::WrongLength { received: 3, expected: 4 })));
    let all_or_nothing = Append { keeps_interrupted: false, ..UNLIMITED };
    let (held, appended) =
        fixture.held(&id).await.append(broken(vec![b"678".to_vec()]), all_or_nothing).await.unwrap();
    assert_eq!((appended.received, held.length()), (0, 5));
    let (held, appended) = held.append(broken(vec![b"678".to_vec()]), UNLIMITED).await.unwrap();
    assert_eq!((appended.received, appended.is_complete, held.length()), (3, false, 8));
    drop(held);
    let endless = whole(b"9").chain(stream::pending());
    let given_up = fixture.held(&id).await.append(Box::pin(endless), UNLIMITED);
    let patience = std::time::Duration::from_millis(200);
    assert!(tokio::time::timeout(patience, given_up).await.is_err());
    let fixture = fixture.restart().await;
    is_whole(&fixture.held(&id).await, b"123456789").await;
}

#[tokio::test]
async fn journals_stay_short_and_what_lives_in_them_is_kept() {
    let fixture = Fixture::new().await;
    let old = upload(255);
    fixture.begun(&old, b"old").await;
    for round in 0..100 {
        for seed in 0..4 {
            fixture.begun(&upload(seed), &noise(3000, round)).await;
        }
        for seed in 0..4 {
            is_whole(&fixture.held(&upload(seed)).await, &noise(3000, round)).await;
            fixture.held(&upload(seed)).await.discard().await;
        }
        assert!(fixture.journals() < 200_000, "{}", fixture.journals());
    }
    let fixture = fixture.restart().await;
    assert_eq!(fixture.blobs.young_uploads().len(), 1);
    is_whole(&fixture.held(&old).await, b"old").await;
}

#[tokio::test]
async fn a_kill_while_it_is_copied_leaves_one_of_two() {
    for is_longer in [false, true] {
        let fixture = Fixture::new().await;
        let id = upload(1);
        fixture.begun(&id, b"first").await;
        // The other file becomes the active one, and then long.
        for seed in 2..10 {
            fixture.begun(&upload(seed), &noise(20_000, 1)).await;
        }
        let before = std::fs::read(fixture.path("young-0")).unwrap();
        let mut seed = 10;
        while std::fs::metadata(fixture.path("young-0")).unwrap().len() >= before.len() as u64 {
            fixture.begun(&upload(seed), &noise(20_000, 1)).await;
            fixture.held(&upload(seed)).await.discard().await;
            seed += 1;
        }
        if is_longer {
            drop(fixture.append(&id, b" second").await);
        }
        std::fs::write(fixture.path("young-0"), &before).unwrap();
        let expected = if is_longer { &b"first second"[..] } else { b"first" };
        let fixture = fixture.restart().await;
        is_whole(&fixture.held(&id).await, expected).await;
        assert_eq!(fixture.blobs.young_uploads().len(), 9);
        fixture.held(&id).await.remove().unwrap();
        let fixture = fixture.restart().await;
        assert_eq!(fixture.blobs.owner_of_young(&id), None, "no copy of it counts");
        assert_eq!(fixture.blobs.young_uploads().len(), 8);
    }
}

#[tokio::test]
async fn there_are_not_too_many_and_all_of_them_count() {
    let fixture = Fixture::new().await;
    let id = |number: u32| UploadId::from_bytes([number.to_be_bytes(); 4].concat().try_into().unwrap());
    let count = (0..10_000).find(|number| !fixture.begin(&id(*number))).unwrap();
    assert!((500..=4096).contains(&count), "{count}");
    // No room for its bytes in the journal: it must be settled.
    let received =
        fixture.held(&id(count - 1)).await.receive(whole(&noise(60_000, 1)), UNLIMITED).await.unwrap();
    assert!(matches!(received, Received::Outgrown(_)));
    drop(received);
    let fixture = fixture.restart().await;
    assert_eq!(u32::try_from(fixture.blobs.young_uploads().len()).unwrap(), count);
    for number in 0..count {
        fixture.held(&id(number)).await.remove().unwrap();
    }
    assert!(fixture.begin(&upload(1)), "there is room again");
    assert!(fixture.journals() < 300_000);
}

#[tokio::test]
async fn a_torn_end_is_forgotten_and_damage_is_told() {
    for (change, is_damaged) in [("cut", false), ("flip", true)] {
        let fixture = Fixture::new().await;
        fixture.begun(&upload(1), b"whole").await;
        fixture.begun(&upload(2), b"torn").await;
        let path = fixture.path("young-0");
        let mut journal = std::fs::read(&path).unwrap();
        let last = journal.len() - 1;
        if is_damaged {
            journal[last] ^= 1
        } else {
            journal.truncate(last)
        }
        std::fs::write(&path, &journal).unwrap();
        let fixture = fixture.restart().await;
        assert_eq!(fixture.blobs.damaged_journals().len(), usize::from(is_damaged), "{change}");
        assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), 5);
        assert_eq!(fixture.blobs.length(&upload(2)).await.unwrap(), 0);
        let held = fixture.append(&upload(2), b"again").await;
        is_whole(&held, b"again").await;
        drop(held);
        let fixture = fixture.restart().await;
        assert_eq!(fixture.blobs.damaged_journals(), []);
        is_whole(&fixture.held(&upload(2)).await, b"again").await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_leaves_it_as_it_was() {
    let fixture = Fixture::new().await;
    fixture.begun(&upload(1), b"before").await;
    std::os::unix::fs::symlink("/dev/full", fixture.path("young-1")).unwrap();
    // /dev/full is endless to read, so the folder is not opened again. The first journal is filled instead.
    let mut number = 2_u8;
    let refused = loop {
        if let Err(error) = fixture.blobs.begin(&upload(number), Bytes::from(noise(30_000, 1))) {
            break error;
        }
        number += 1;
    };
    assert!(matches!(refused, Error::Full(_) | Error::Io { .. }), "{refused:?}");
    assert_eq!(fixture.blobs.young_uploads().len(), usize::from(number) - 1);
    let held = fixture.append(&upload(1), b" and after").await;
    is_whole(&held, b"before and after").await;
}
