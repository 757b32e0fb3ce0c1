//! Receiving bytes.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use oci::{Algorithm, Digest};
use proptest::prelude::*;

use super::{Fixture, UNLIMITED, broken, noise, pieces, upload, whole};
use crate::store::blob::{Append, Error};

#[tokio::test]
async fn an_upload_grows_chunk_by_chunk_and_survives_a_restart() {
    let fixture = Fixture::new().await;
    let id = upload(1);
    assert_eq!(fixture.blobs.length(&id).await.unwrap(), 0);
    drop(fixture.append(&id, b"hello ").await);
    assert_eq!(fixture.blobs.length(&id).await.unwrap(), 6);
    let fixture = fixture.restart().await;
    assert_eq!(fixture.blobs.length(&id).await.unwrap(), 6);
    let held = fixture.append(&id, b"world").await;
    assert_eq!(held.length(), 11);
    assert!(held.verify(&[Digest::sha256_of(b"world")]).await.unwrap().is_none());
    let verified = held
        .verify(&[Digest::sha256_of(b"other"), Digest::sha256_of(b"hello world")])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(verified.size_bytes(), 11);
}

#[tokio::test]
async fn sha512_is_found_by_reading_the_bytes() {
    let fixture = Fixture::new().await;
    let bytes = noise(3_000_000, 5);
    let held = fixture.append(&upload(1), &bytes).await;
    let digest = Digest::of(Algorithm::Sha512, &bytes);
    assert_eq!(held.verify(std::slice::from_ref(&digest)).await.unwrap().unwrap().digest(), &digest);
    assert!(held.verify(&[Digest::of(Algorithm::Sha512, b"")]).await.unwrap().is_none());
}

#[tokio::test]
async fn notes_belong_to_complete_requests() {
    let fixture = Fixture::new().await;
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    assert_eq!(held.note(), 0);
    let (held, _) = held.append(whole(b"abc"), Append { note: 9, ..UNLIMITED }).await.unwrap();
    assert_eq!(held.note(), 9);
    let broken = broken(vec![b"def".to_vec()]);
    let (held, appended) = held.append(broken, Append { note: 11, ..UNLIMITED }).await.unwrap();
    assert!(!appended.is_complete);
    assert_eq!((held.note(), held.length()), (9, 6));
    drop(held);
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    assert_eq!((held.note(), held.length()), (9, 6));
}

#[tokio::test]
async fn an_interrupted_request_is_kept_or_not_as_the_rules_say() {
    let fixture = Fixture::new().await;
    let big = noise(700_000, 3);
    let held = fixture.append(&upload(1), b"start").await;
    let all_or_nothing = Append { keeps_interrupted: false, ..UNLIMITED };
    let (held, appended) = held.append(broken(vec![big.clone()]), all_or_nothing).await.unwrap();
    assert_eq!((appended.received, appended.is_complete, held.length()), (0, false, 5));
    drop(held);
    assert_eq!(std::fs::metadata(fixture.data(&upload(1))).unwrap().len(), 5);
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    let (held, appended) = held.append(broken(vec![big.clone()]), UNLIMITED).await.unwrap();
    assert_eq!((appended.received, appended.is_complete), (700_000, false));
    drop(held);
    let fixture = fixture.restart().await;
    let held = fixture.append(&upload(1), b"end").await;
    let everything = [b"start".as_slice(), &big, b"end"].concat();
    assert!(held.verify(&[Digest::sha256_of(&everything)]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_request_that_is_given_up_still_ends_properly() {
    let fixture = Fixture::new().await;
    let id = upload(1);
    let held = fixture.blobs.hold(&id).await.unwrap();
    let sent = noise(600_000, 1);
    let endless = pieces(sent.chunks(1000).map(<[u8]>::to_vec).collect()).chain(stream::pending());
    let future = held.append(Box::pin(endless), UNLIMITED);
    assert!(tokio::time::timeout(Duration::from_millis(300), future).await.is_err());
    // The hold is released only after what came is counted, so this waits for it.
    let held = fixture.blobs.hold(&id).await.unwrap();
    assert_eq!(held.length(), sent.len() as u64);
    assert!(held.verify(&[Digest::sha256_of(&sent)]).await.unwrap().is_some());
    assert_eq!(fixture.blobs.length(&id).await.unwrap(), held.length());
}

#[tokio::test]
async fn too_much_and_too_little_leave_the_upload_as_it_was() {
    let fixture = Fixture::new().await;
    let id = upload(1);
    drop(fixture.append(&id, b"12345").await);
    let limited = Append { maximum_length: 8, ..UNLIMITED };
    let held = fixture.blobs.hold(&id).await.unwrap();
    assert!(matches!(held.append(whole(b"6789"), limited).await, Err(Error::TooLong { limit: 8 })));
    for (bytes, expected) in [(b"678".as_slice(), 4), (b"67890", 4), (b"", 1)] {
        let held = fixture.blobs.hold(&id).await.unwrap();
        let exact = Append { exactly: Some(expected), ..UNLIMITED };
        match held.append(whole(bytes), exact).await {
            Err(Error::WrongLength { received, expected: 4 | 1 }) => {
                assert_eq!(received, bytes.len() as u64);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fixture.blobs.length(&id).await.unwrap(), 5);
    }
    let held = fixture.blobs.hold(&id).await.unwrap();
    let (held, _) = held.append(whole(b"678"), limited).await.unwrap();
    assert!(held.verify(&[Digest::sha256_of(b"12345678")]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_checkpoint_in_the_middle_is_taken_back_with_its_request() {
    let fixture = Fixture::new().await;
    let id = upload(1);
    drop(fixture.append(&id, b"12345").await);
    let held = fixture.blobs.hold(&id).await.unwrap();
    let piece = noise(1 << 20, 7);
    let many = stream::repeat(bytes::Bytes::from(piece)).map(Ok).take(70);
    let limited = Append { maximum_length: 69 << 20, ..UNLIMITED };
    assert!(matches!(held.append(many, limited).await, Err(Error::TooLong { .. })));
    assert_eq!(fixture.blobs.length(&id).await.unwrap(), 5);
    let held = fixture.append(&id, b"6").await;
    assert!(held.verify(&[Digest::sha256_of(b"123456")]).await.unwrap().is_some());
}

#[tokio::test]
async fn the_second_who_wants_an_upload_waits_and_then_hears_busy() {
    let fixture = Fixture::new().await;
    let held = fixture.blobs.hold(&upload(1)).await.unwrap();
    assert!(matches!(fixture.blobs.hold(&upload(1)).await, Err(Error::Busy)));
    assert!(fixture.blobs.hold(&upload(2)).await.is_ok());
    let id = upload(1);
    let (first, ()) = tokio::join!(fixture.blobs.hold(&id), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(held);
    });
    assert!(first.is_ok());
}

#[tokio::test]
async fn discarded_uploads_leave_no_files() {
    let fixture = Fixture::new().await;
    fixture.append(&upload(1), b"bytes").await.discard().await;
    assert_eq!(std::fs::read_dir(fixture.path("uploads")).unwrap().count(), 0);
    fixture.blobs.hold(&upload(1)).await.unwrap().discard().await;
    assert!(fixture.blobs.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn uploads_are_listed_whatever_else_lies_there() {
    let fixture = Fixture::new().await;
    drop(fixture.append(&upload(1), b"1").await);
    drop(fixture.append(&upload(2), b"2").await);
    std::fs::write(fixture.path("uploads/stray.txt"), b"").unwrap();
    let mut found = fixture.blobs.uploads().await.unwrap();
    found.sort();
    assert_eq!(found, [upload(1), upload(2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However the bytes are cut into requests and pieces, with restarts between, the digest is the same.
    #[test]
    fn any_chunking_gives_the_same_bytes(
        cuts in prop::collection::vec(
            (prop_oneof![0..300_000_usize, 1_000_000..2_500_000_usize], 1..400_000_usize, any::<bool>()),
            0..8,
        ),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut fixture = Fixture::new().await;
            let mut expected = Vec::new();
            for (index, (length, piece, restarts)) in cuts.into_iter().enumerate() {
                let bytes = noise(length, seed.wrapping_add(index as u64));
                let held = fixture.blobs.hold(&upload(1)).await.unwrap();
                let chunks = pieces(bytes.chunks(piece).map(<[u8]>::to_vec).collect());
                let (held, appended) = held.append(chunks, UNLIMITED).await.unwrap();
                prop_assert_eq!(appended.received, length as u64);
                expected.extend_from_slice(&bytes);
                prop_assert_eq!(held.length(), expected.len() as u64);
                drop(held);
                if restarts {
                    fixture = fixture.restart().await;
                }
            }
            let held = fixture.blobs.hold(&upload(1)).await.unwrap();
            prop_assert!(held.verify(&[Digest::sha256_of(&expected)]).await.unwrap().is_some());
            drop(held);
            if !expected.is_empty() {
                prop_assert_eq!(std::fs::read(fixture.data(&upload(1))).unwrap(), expected);
            }
            Ok(())
        })?;
    }
}
