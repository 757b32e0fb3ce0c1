//! What a kill or a power cut can leave behind. Each case is made by hand; none may bring back bytes that were
//! not acknowledged, lose ones that were, or keep the server from going on.

use std::os::unix::fs::FileExt as _;

use oci::Digest;

use super::{Fixture, UNLIMITED, noise, upload, whole};
use crate::store::blob::{Append, Error, Location};

async fn begun(bytes: &[u8]) -> Fixture {
    let fixture = Fixture::new().await;
    drop(fixture.append(&upload(1), bytes).await);
    fixture
}

/// The upload holds `bytes`, goes on with more, and ends with the right digest.
async fn goes_on_after(fixture: Fixture, bytes: &[u8]) {
    let fixture = fixture.restart().await;
    assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), bytes.len() as u64);
    let held = fixture.append(&upload(1), b" and more").await;
    let everything = [bytes, b" and more"].concat();
    let verified = held.verify(&[Digest::sha256_of(&everything)]).await.unwrap();
    assert!(verified.is_some());
    drop(held);
    assert_eq!(std::fs::read(fixture.data(&upload(1))).unwrap(), everything);
}

/// Too many bytes for an upload without a state file.
fn large() -> Vec<u8> {
    noise(100_000, 9)
}

#[tokio::test]
async fn bytes_beyond_the_state_are_forgotten() {
    let fixture = begun(&large()).await;
    let file = std::fs::OpenOptions::new().append(true).open(fixture.data(&upload(1))).unwrap();
    file.write_all_at(&noise(100_000, 1), 100_000).unwrap();
    goes_on_after(fixture, &large()).await;
}

#[tokio::test]
async fn a_small_upload_has_one_file_and_its_length_counts() {
    let fixture = begun(b"small").await;
    assert!(!fixture.state(&upload(1)).exists());
    drop(fixture.append(&upload(1), b" and").await);
    let fixture = fixture.restart().await;
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    assert_eq!(held.small_bytes().unwrap(), "small and");
    drop(held);
    goes_on_after(fixture, b"small and").await;
    // The state was created, and then the process was killed.
    for content in [&b""[..], &[0x42; 17], &[0x42; 20_000]] {
        let fixture = begun(b"something").await;
        std::fs::write(fixture.state(&upload(1)), content).unwrap();
        goes_on_after(fixture, b"something").await;
    }
}

#[tokio::test]
async fn what_a_small_upload_had_survives_its_growth() {
    let fixture = begun(b"small").await;
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    let refused = Append { maximum_length: 90_000, ..UNLIMITED };
    assert!(matches!(held.append(whole(&large()), refused).await, Err(Error::TooLong { .. })));
    goes_on_after(fixture, b"small").await;
    let fixture = begun(b"small").await;
    let held = fixture.append(&upload(1), &large()).await;
    assert!(held.small_bytes().is_none());
    drop(held);
    goes_on_after(fixture, &[b"small".as_slice(), &large()].concat()).await;
}

#[tokio::test]
async fn much_data_without_a_state_counts_nothing() {
    let fixture = begun(&large()).await;
    std::fs::remove_file(fixture.state(&upload(1))).unwrap();
    goes_on_after(fixture, b"").await;
    for length in [0, 17, 512, 20_000] {
        let fixture = begun(&large()).await;
        std::fs::write(fixture.state(&upload(1)), vec![0x42; length]).unwrap();
        goes_on_after(fixture, b"").await;
    }
}

#[tokio::test]
async fn a_state_without_its_data_counts_nothing() {
    let fixture = begun(&large()).await;
    std::fs::write(fixture.data(&upload(1)), b"some").unwrap();
    let fixture = fixture.restart().await;
    // Torn bytes come back neither as they are nor as part of anything.
    let held = fixture.append(&upload(1), b"anew").await;
    let verified = held.verify(&[Digest::sha256_of(b"anew")]).await.unwrap().unwrap();
    assert_eq!(verified.size_bytes(), 4);
    drop(held);
    assert_eq!(std::fs::read(fixture.data(&upload(1))).unwrap(), b"anew");
    let fixture = begun(&large()).await;
    std::fs::remove_file(fixture.data(&upload(1))).unwrap();
    let fixture = fixture.restart().await;
    let held = fixture.append(&upload(1), b"anew").await;
    assert!(held.verify(&[Digest::sha256_of(b"anew")]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_state_of_another_hash_version_hashes_the_bytes_again() {
    let fixture = begun(&large()).await;
    let path = fixture.state(&upload(1));
    let mut state = std::fs::read(&path).unwrap();
    // The first byte of the saved hash is its version; the slot's own checksum is made right again.
    let slot = &mut state[12_288..12_800];
    assert_eq!(slot[47], 1);
    slot[47] = 99;
    let saved = usize::from(u16::from_be_bytes([slot[45], slot[46]]));
    let sum = Digest::sha256_of(&slot[..47 + saved]).to_bytes();
    slot[47 + saved..47 + saved + 32].copy_from_slice(&sum);
    std::fs::write(&path, state).unwrap();
    goes_on_after(fixture, &large()).await;
}

#[tokio::test]
async fn a_crash_between_publishing_and_the_commit_costs_nothing() {
    let fixture = Fixture::new().await;
    let held = fixture.append(&upload(1), b"layer").await;
    let verified = held.verify(&[Digest::sha256_of(b"layer")]).await.unwrap().unwrap();
    let first = crate::store::blob::Generation::from_random([1; 8]);
    drop(held.publish(&verified, &first).await.unwrap());
    let fixture = fixture.restart().await;
    // The client asks again: another generation, and the first one is found by the collector.
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    let verified = held.verify(&[Digest::sha256_of(b"layer")]).await.unwrap().unwrap();
    let second = crate::store::blob::Generation::from_random([2; 8]);
    held.publish(&verified, &second).await.unwrap().discard().await;
    fixture.blobs.delete(verified.digest(), &first).await.unwrap();
    let object =
        crate::store::blob::Object { digest: verified.digest().clone(), generation: second, size_bytes: 5 };
    assert_eq!(fixture.blobs.get(&object).await.unwrap().read(0..5).await.unwrap(), "layer");
}

#[tokio::test]
async fn a_second_server_is_kept_out_of_the_folder() {
    let fixture = Fixture::new().await;
    let location = Location::Disk(fixture.path(""));
    let result = crate::store::blob::Blobs::open(&location).await;
    assert!(matches!(result, Err(Error::InUse(_))));
}

#[tokio::test]
async fn a_full_disk_is_told_apart_and_leaves_the_upload_as_it_was() {
    // A file size limit would kill the process; /dev/full gives ENOSPC to every write without one.
    let fixture = begun(b"before").await;
    let data = fixture.data(&upload(1));
    let kept = fixture.path("kept");
    std::fs::rename(&data, &kept).unwrap();
    std::os::unix::fs::symlink("/dev/full", &data).unwrap();
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    let result = held.append(whole(b"more"), Append { ..UNLIMITED }).await;
    assert!(matches!(result, Err(Error::Full(_) | Error::Io { .. })), "{result:?}");
    assert_eq!(fixture.blobs.length(&upload(1)).await.unwrap(), 0);
}
