//! What a power cut leaves of uploads: the files as they were synced, any bytes where nothing was, another boot.

use std::os::unix::fs::FileExt as _;

use futures_util::{StreamExt as _, stream};
use oci::Digest;

use super::{Fixture, UNLIMITED, noise, upload, whole};
use crate::store::blob::{Append, Error};

#[tokio::test]
async fn what_was_never_synced_is_forgotten_in_another_boot() {
    for length in [1, 65_536, 65_537, 300_000] {
        let bytes = noise(length, 2);
        let fixture = Fixture::new().await.restart_in_boot(1).await;
        drop(fixture.append(&upload(1), &bytes).await);
        // The process is killed, the machine is not: everything is there.
        let fixture = fixture.restart_in_boot(1).await;
        assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), length as u64);
        // The power goes, and of the bytes only the length reached the disk.
        std::fs::write(fixture.data(&upload(1)), vec![0; length]).unwrap();
        let fixture = fixture.restart_in_boot(2).await;
        assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), 0);
        let held = fixture.append(&upload(1), &bytes).await;
        assert_eq!(held.length(), length as u64);
        assert!(held.verify(&[Digest::sha256_of(&bytes)]).await.unwrap().is_some());
    }
}

/// A request of 6 MiB, of which a checkpoint was made durable on the way, and what that counts.
async fn with_a_checkpoint() -> (Fixture, Vec<u8>, u64) {
    let bytes = noise(6 << 20, 5);
    let fixture = Fixture::new().await.restart_in_boot(1).await;
    let pieces: Vec<_> =
        bytes.chunks(1 << 19).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    drop(held.append(stream::iter(pieces), UNLIMITED).await.unwrap());
    drop(fixture.append(&upload(1), b"volatile").await);
    let fixture = fixture.restart_in_boot(2).await;
    let durable = fixture.blobs.length(&upload(1)).await.unwrap();
    assert!((4 << 20..6 << 20).contains(&durable), "{durable}");
    (fixture, bytes, durable)
}

#[tokio::test]
async fn an_upload_goes_back_to_its_last_checkpoint_in_another_boot() {
    let (fixture, bytes, durable) = with_a_checkpoint().await;
    let file = std::fs::OpenOptions::new().write(true).open(fixture.data(&upload(1))).unwrap();
    file.write_all_at(&noise(200_000, 3), durable).unwrap();
    let rest = bytes.split_at(usize::try_from(durable).unwrap()).1;
    let held = fixture.append(&upload(1), rest).await;
    assert!(held.verify(&[Digest::sha256_of(&bytes)]).await.unwrap().is_some());
    drop(held);
    assert_eq!(std::fs::read(fixture.data(&upload(1))).unwrap(), bytes);
    // What this boot added is as volatile as the rest was.
    let fixture = fixture.restart_in_boot(3).await;
    assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), durable);
}

#[tokio::test]
async fn a_checkpoint_without_its_bytes_starts_again_for_good() {
    let (fixture, _, durable) = with_a_checkpoint().await;
    std::fs::write(fixture.data(&upload(1)), b"lost").unwrap();
    let other = noise(usize::try_from(durable).unwrap() + 5, 8);
    // In two requests, each too short for a checkpoint of its own.
    let (first, second) = other.split_at(other.len() / 2);
    drop(fixture.append(&upload(1), first).await);
    let held = fixture.append(&upload(1), second).await;
    assert!(held.verify(&[Digest::sha256_of(&other)]).await.unwrap().is_some());
    drop(held);
    // The old record must not count the new bytes.
    let fixture = fixture.restart_in_boot(3).await;
    assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_refused_request_does_not_come_back_with_its_checkpoint() {
    let fixture = Fixture::new().await.restart_in_boot(1).await;
    drop(fixture.append(&upload(1), b"12345").await);
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    let many = stream::repeat(bytes::Bytes::from(noise(1 << 20, 7))).map(Ok).take(9);
    let limited = Append { maximum_length: 8 << 20, ..UNLIMITED };
    assert!(matches!(held.append(many, limited).await, Err(Error::TooLong { .. })));
    let fixture = fixture.restart_in_boot(2).await;
    assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), 5);
    let held = fixture.append(&upload(1), b"6").await;
    assert!(held.verify(&[Digest::sha256_of(b"123456")]).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_published_is_there_in_every_boot() {
    let fixture = Fixture::new().await.restart_in_boot(1).await;
    let small = fixture.publish(1, b"small").await;
    let large = fixture.publish(2, &noise(200_000, 1)).await;
    let fixture = fixture.restart_in_boot(2).await;
    for object in [small, large] {
        fixture.blobs.check(&object).await.unwrap();
    }
    assert!(fixture.blobs.hold(&upload(3)).await.unwrap().append(whole(b""), UNLIMITED).await.is_ok());
}
