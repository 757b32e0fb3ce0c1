//! Stored objects.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use oci::{Algorithm, Digest};

use super::{Fixture, noise, upload};
use crate::store::blob::{Error, Generation, Object, SHARDS};

fn file_of(fixture: &Fixture, object: &Object) -> std::path::PathBuf {
    let hex = object.digest.hex();
    let shard = hex.split_at(2).0;
    fixture.path(&format!("blobs/sha256/{shard}/{hex}.{}", object.generation.as_str()))
}

#[tokio::test]
async fn a_published_object_reads_back_whole_and_in_parts() {
    let fixture = Fixture::new().await;
    let bytes = noise(2_500_000, 11);
    let object = fixture.publish(1, &bytes).await;
    let fixture = fixture.restart().await;
    fixture.blobs.check(&object).await.unwrap();
    let reader = fixture.blobs.get(&object).await.unwrap();
    assert_eq!(reader.length(), bytes.len() as u64);
    for (start, end) in [(0, 2_500_000), (0, 1), (2_499_999, 2_500_000), (7, 7), (250_000, 2_400_001)] {
        let frames: Vec<Bytes> = reader.clone().stream(start as u64..end as u64).try_collect().await.unwrap();
        assert_eq!(frames.concat(), bytes[start..end], "{start}..{end}");
    }
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let fixture = Fixture::new().await;
    for (seed, algorithm) in [(1, Algorithm::Sha256), (2, Algorithm::Sha512)] {
        let held = fixture.blobs.hold(&upload(seed)).await.unwrap();
        let verified = held.verify(&[Digest::of(algorithm, b"")]).await.unwrap().unwrap();
        let generation = Generation::from_random([seed; 8]);
        held.publish(&verified, &generation).await.unwrap().discard().await;
        let object = Object { digest: verified.digest().clone(), generation, size_bytes: 0 };
        let reader = fixture.blobs.get(&object).await.unwrap();
        assert_eq!(reader.stream(0..0).try_collect::<Vec<_>>().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn generations_of_one_digest_live_apart() {
    let fixture = Fixture::new().await;
    let first = fixture.publish(1, b"same bytes").await;
    let second = fixture.publish(2, b"same bytes").await;
    assert_eq!(first.digest, second.digest);
    let reader = fixture.blobs.get(&first).await.unwrap();
    fixture.blobs.delete(&first.digest, &first.generation).await.unwrap();
    fixture.blobs.delete(&first.digest, &first.generation).await.unwrap();
    assert!(matches!(fixture.blobs.get(&first).await, Err(Error::Missing)));
    assert!(matches!(fixture.blobs.check(&first).await, Err(Error::Missing)));
    fixture.blobs.check(&second).await.unwrap();
    // Who was reading goes on reading.
    assert_eq!(reader.read(0..10).await.unwrap(), "same bytes");
}

#[tokio::test]
async fn an_object_of_another_length_is_damaged() {
    let fixture = Fixture::new().await;
    let object = fixture.publish(1, b"0123456789").await;
    let path = file_of(&fixture, &object);
    for length in [9, 11, 0] {
        std::fs::write(&path, vec![0; length]).unwrap();
        let found = length as u64;
        let is_damaged = |error| matches!(error, Error::Damaged { expected: 10, found: f } if f == found);
        assert!(is_damaged(fixture.blobs.get(&object).await.unwrap_err()));
        assert!(is_damaged(fixture.blobs.check(&object).await.unwrap_err()));
    }
}

#[tokio::test]
async fn an_object_that_is_cut_while_it_is_read_ends_in_an_error() {
    let fixture = Fixture::new().await;
    let object = fixture.publish(1, &noise(3_000_000, 4)).await;
    let reader = fixture.blobs.get(&object).await.unwrap();
    let path = file_of(&fixture, &object);
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1_000_000).unwrap();
    let result: Result<Vec<Bytes>, _> = reader.stream(0..3_000_000).try_collect().await;
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn bytes_are_published_only_under_their_own_digest() {
    let fixture = Fixture::new().await;
    let held = fixture.append(&upload(1), b"one").await;
    let verified = held.verify(&[Digest::sha256_of(b"one")]).await.unwrap().unwrap();
    drop(held);
    let generation = Generation::from_random([1; 8]);
    // The proof of another upload, or of this one before it grew, is none.
    let other = fixture.append(&upload(2), b"two").await;
    assert!(other.publish(&verified, &generation).await.is_err());
    let grown = fixture.append(&upload(1), b" more").await;
    assert!(grown.publish(&verified, &generation).await.is_err());
    let object = Object { digest: verified.digest().clone(), generation, size_bytes: 3 };
    assert!(matches!(fixture.blobs.get(&object).await, Err(Error::Missing)));
}

#[tokio::test]
async fn every_object_is_listed_once() {
    let fixture = Fixture::new().await;
    let mut expected = Vec::new();
    for seed in 0..20 {
        expected.push(fixture.publish(seed, &noise(usize::from(seed) * 10, u64::from(seed))).await);
    }
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        let stored = fixture.blobs.objects(shard).await.unwrap();
        assert!(stored.iter().all(|stored| stored.changed_at > 1_600_000_000_000_000));
        found.extend(stored.into_iter().map(|stored| stored.object));
    }
    assert!(fixture.blobs.objects(SHARDS).await.unwrap().is_empty());
    let key = |object: &Object| (object.digest.clone(), object.generation.as_str().to_owned());
    found.sort_by_key(key);
    expected.sort_by_key(key);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_reported() {
    let fixture = Fixture::new().await;
    fixture.blobs.check_writable().await.unwrap();
    std::fs::remove_dir_all(fixture.path("uploads")).unwrap();
    assert!(fixture.blobs.check_writable().await.is_err());
}
