//! Flipped bytes, on every engine: found by the scrub or by the first reading, never given away, healed by a push.

use std::os::unix::fs::FileExt as _;

use futures_util::StreamExt as _;
use oci::Digest;
use tokio_util::sync::CancellationToken;

use super::{ScrubPace, Scrubbed};
use crate::access::action::GetDownloadUrlForLayer;
use crate::access::testing::{allow, repository};
use crate::catalog::testing::{Room, rooms};
use crate::environment::SECOND;

const DAY: i64 = 24 * 3600 * SECOND;
const PACE: ScrubPace = ScrubPace { period: 7 * DAY, bytes_per_second: 1 << 40 };

/// Flips one bit in the middle of what is stored, as rot does: no time changes.
async fn rot(room: &Room, digest: &Digest) {
    let objects = room.objects(digest);
    if objects.is_empty() {
        let mut content = room.content(digest).await;
        let middle = content.len() / 2;
        content[middle] ^= 1;
        return room.overwrite_row(digest, &content).await;
    }
    let [path] = objects.as_slice() else { panic!("one object: {objects:?}") };
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let metadata = file.metadata().unwrap();
    let (middle, mut byte) = (metadata.len() / 2, [0]);
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
    file.set_modified(metadata.modified().unwrap()).unwrap();
}

/// The same with a file, and everybody can see that it was written to.
async fn overwrite(room: &Room, digest: &Digest) {
    rot(room, digest).await;
    let file = std::fs::File::options().write(true).open(&room.objects(digest)[0]).unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
}

async fn scrub(room: &Room) -> Scrubbed {
    room.catalog.scrub(PACE, &CancellationToken::new()).await.unwrap()
}

fn large(word: u8) -> Vec<u8> {
    (0..3_000_000_u32).map(|number| (number / 7 % 251) as u8 ^ word).collect()
}

#[tokio::test]
async fn the_scrub_finds_rot_of_every_size_and_a_push_heals_it() {
    for room in rooms().await {
        let contents = [b"small".to_vec(), b"older".to_vec(), large(1), vec![7; 2 * 1024 * 1024]];
        for bytes in &contents {
            room.push("app", bytes).await.unwrap();
        }
        room.make_file(&Digest::sha256_of(b"older")).await;
        room.push("app", b"untouched").await.unwrap();
        room.push("app", b"").await.unwrap();
        assert_eq!(scrub(&room).await, Scrubbed { checked: 6, damaged: 0, restored: 0 });
        for bytes in &contents {
            rot(&room, &Digest::sha256_of(bytes)).await;
        }
        assert_eq!(scrub(&room).await, Scrubbed::default(), "the next round is not due");
        room.clock.advance(7 * DAY);
        assert_eq!(scrub(&room).await, Scrubbed { checked: 6, damaged: 4, restored: 0 });
        for bytes in &contents {
            let digest = Digest::sha256_of(bytes);
            assert_eq!(room.length("app", &digest).await, None);
            assert_eq!(room.pull("app", &digest).await, None);
            let completed = room.push("app", bytes).await.unwrap();
            assert!(!completed.was_present);
            assert_eq!(room.pull("app", &digest).await.as_ref(), Some(bytes));
            assert_eq!(room.stored(&digest).await, 1, "the damaged one is gone");
        }
        room.clock.advance(7 * DAY);
        assert_eq!(scrub(&room).await, Scrubbed { checked: 6, damaged: 0, restored: 0 });
    }
}

#[tokio::test]
async fn what_was_written_to_is_compared_before_it_is_given_away() {
    for room in rooms().await {
        let small = room.push("app", b"small").await.unwrap().digest;
        room.make_file(&small).await;
        let bytes = large(2);
        let big = room.push("app", &bytes).await.unwrap().digest;
        overwrite(&room, &small).await;
        overwrite(&room, &big).await;
        assert_eq!(room.pull("app", &small).await, None, "a small one is compared first");
        assert_eq!(room.length("app", &small).await, None, "and marked");
        let allowed = allow::<GetDownloadUrlForLayer>(repository("app"));
        let reader = room.catalog.open_layer(&allowed, &big).await.unwrap().unwrap();
        let length = reader.length();
        let pieces: Vec<_> = reader.stream(0..length).collect().await;
        let received: usize = pieces.iter().flatten().map(bytes::Bytes::len).sum();
        assert!(pieces.last().unwrap().is_err(), "the last bytes of a large one are never sent");
        assert!(received < bytes.len());
        assert_eq!(room.length("app", &big).await, None);
        assert!(room.catalog.open_layer(&allowed, &big).await.unwrap().is_none());
        assert!(!room.push("app", &bytes).await.unwrap().was_present);
        assert_eq!(room.pull("app", &big).await, Some(bytes));
    }
}

#[tokio::test]
async fn readers_of_a_large_blob_share_its_first_check() {
    for room in rooms().await {
        let bytes = large(3);
        let digest = room.push("app", &bytes).await.unwrap().digest;
        let again = std::fs::File::options().write(true).open(&room.objects(&digest)[0]).unwrap();
        again.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
        let allowed = allow::<GetDownloadUrlForLayer>(repository("app"));
        let mut readers = Vec::new();
        for _ in 0..20 {
            readers.push(room.catalog.open_layer(&allowed, &digest).await.unwrap().unwrap());
        }
        assert!(room.catalog.first_checks.count() <= 1);
        for reader in readers {
            let length = reader.length();
            let pieces: Vec<_> = reader.stream(0..length).collect().await;
            let received: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
            assert!(received == bytes, "a whole blob arrives");
        }
        let reader = room.catalog.open_layer(&allowed, &digest).await.unwrap().unwrap();
        assert!(reader.is_known_whole());
    }
}

#[tokio::test]
async fn a_push_of_the_same_bytes_replaces_an_object_that_nobody_has_compared() {
    for room in rooms().await {
        let layer = large(4);
        let digest = room.push("app", &layer).await.unwrap().digest;
        overwrite(&room, &digest).await;
        assert!(!room.push("other", &layer).await.unwrap().was_present);
        assert_eq!(room.pull("app", &digest).await.unwrap(), layer);
        assert_eq!(room.stored(&digest).await, 1);
    }
}

#[tokio::test]
async fn a_blob_that_comes_back_is_used_again() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        let path = room.make_file(&digest).await;
        let aside = path.with_extension("aside");
        std::fs::rename(&path, &aside).unwrap();
        assert_eq!(scrub(&room).await.damaged, 1, "a missing object counts as damaged");
        std::fs::rename(&aside, &path).unwrap();
        assert_eq!(room.length("app", &digest).await, None);
        let stop = CancellationToken::new();
        assert_eq!(room.catalog.examine_damaged(PACE, &stop).await.unwrap(), 1);
        assert_eq!(room.length("app", &digest).await, Some(5));
    }
}

#[tokio::test]
async fn a_round_goes_on_where_it_was_interrupted() {
    for room in rooms().await {
        for number in 0..20_u8 {
            room.push("app", &[number; 100]).await.unwrap();
        }
        // Each blob counts as 64 KiB, so twenty take two seconds; the stop comes in the middle.
        let slow = ScrubPace { bytes_per_second: 10 * 64 * 1024, ..PACE };
        let stop = CancellationToken::new();
        let stopping = async {
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
            stop.cancel();
        };
        let (first, ()) = tokio::join!(room.catalog.scrub(slow, &stop), stopping);
        let first = first.unwrap().checked;
        assert!((1..20).contains(&first), "{first}");
        assert_eq!(scrub(&room).await.checked, 20 - first, "nothing twice, nothing left out");
    }
}

#[tokio::test]
async fn the_collector_leaves_damaged_blobs_that_are_needed_and_takes_others() {
    for room in rooms().await {
        let needed = room.push("app", b"needed").await.unwrap().digest;
        room.push("app", b"not needed").await.unwrap();
        // The helper stores the manifest `{}` under whatever digest it is told.
        room.add_image("app", Digest::sha256_of(b"another").as_str(), &[&needed]).await;
        rot(&room, &needed).await;
        rot(&room, &Digest::sha256_of(b"not needed")).await;
        assert_eq!(scrub(&room).await.damaged, 3, "two blobs, and the manifest of the test's image");
        room.clock.advance(30 * DAY);
        room.catalog.collect().await.unwrap();
        room.catalog.collect().await.unwrap();
        assert_eq!(room.count("SELECT COUNT(*) FROM blob WHERE state = 'damaged'").await, 1);
        assert_eq!(room.count("SELECT COUNT(*) FROM blob").await, 1);
        assert_eq!(room.count("SELECT COUNT(*) FROM blob WHERE review_after IS NOT NULL").await, 0);
        assert!(!room.push("app", b"needed").await.unwrap().was_present);
        assert_eq!(room.pull("app", &needed).await.unwrap(), b"needed");
    }
}
