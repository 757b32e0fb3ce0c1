//! The contract of uploads, on every engine.

use std::sync::Arc;

use oci::{Algorithm, Digest, UploadId};

use super::{Chunk, Source};
use crate::access::action::UploadLayerPart;
use crate::access::testing::{allow, repository};
use crate::catalog::testing::{Room, broken, rooms, rooms_with, whole};
use crate::catalog::{Error, Limits};
use crate::environment::SECOND;
use crate::params;

const FIVE_MEBIBYTES: usize = 5 * 1024 * 1024;

fn at(offset: u64) -> Chunk {
    Chunk { offset: Some(offset), length: None }
}

async fn length(room: &Room, name: &str, upload: &UploadId) -> Result<u64, Error> {
    room.catalog.upload_length(&allow::<UploadLayerPart>(repository(name)), upload).await
}

async fn abort(room: &Room, name: &str, upload: &UploadId) -> Result<(), Error> {
    room.catalog.abort_upload(&allow::<UploadLayerPart>(repository(name)), upload).await
}

#[tokio::test]
async fn a_stream_becomes_a_layer() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        assert_eq!(length(&room, "app", &upload).await.unwrap(), 0);
        assert_eq!(room.append("app", &upload, Chunk::default(), whole(b"hello ")).await.unwrap(), 6);
        assert_eq!(room.append("app", &upload, at(6), whole(b"world")).await.unwrap(), 11);
        let digests = [Digest::sha256_of(b"hello world")];
        let completed = room.complete("app", &upload, &digests, Source::Stream).await.unwrap();
        assert_eq!((completed.size_bytes, completed.was_present), (11, false));
        assert_eq!(room.pull("app", &digests[0]).await.unwrap(), b"hello world");
        assert_eq!(room.staged(), 0);
        assert_eq!(room.count("SELECT COUNT(*) FROM upload").await, 0);
        assert!(matches!(length(&room, "app", &upload).await, Err(Error::UploadNotFound { .. })));
        let again = room.complete("app", &upload, &digests, Source::Stream).await;
        assert!(matches!(again, Err(Error::UploadNotFound { .. })), "{}", room.test.engine);
    }
}

#[tokio::test]
async fn the_same_layer_again_is_one_object() {
    for room in rooms().await {
        let digest = Digest::sha256_of(b"layer");
        assert!(!room.push("app", b"layer").await.unwrap().was_present);
        assert!(room.push("app", b"layer").await.unwrap().was_present);
        // In another repository it is new, although the bytes are stored once.
        assert!(!room.push("other", b"layer").await.unwrap().was_present);
        assert_eq!(room.stored(&digest).await, 1);
        assert_eq!(room.staged(), 0);
        assert_eq!(room.count("SELECT COUNT(*) FROM blob_link").await, 2);
    }
}

#[tokio::test]
async fn sha512_and_empty_blobs_are_layers_too() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        room.append("app", &upload, Chunk::default(), whole(b"abc")).await.unwrap();
        let digest = Digest::of(Algorithm::Sha512, b"abc");
        let digests = [Digest::sha256_of(b"no"), digest.clone()];
        let completed = room.complete("app", &upload, &digests, Source::Stream).await.unwrap();
        assert_eq!(completed.digest, digest);
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"abc");
        let upload = room.start("app").await.unwrap();
        let empty = Digest::sha256_of(b"");
        let digests = [empty.clone()];
        assert_eq!(room.complete("app", &upload, &digests, Source::Stream).await.unwrap().size_bytes, 0);
        assert_eq!(room.length("app", &empty).await, Some(0));
        assert_eq!(room.pull("app", &empty).await.unwrap(), b"");
    }
}

#[tokio::test]
async fn chunks_must_follow_each_other() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        room.append("app", &upload, at(0), whole(b"0123")).await.unwrap();
        for offset in [0, 3, 5, u64::MAX] {
            match room.append("app", &upload, at(offset), whole(b"45")).await {
                Err(Error::InvalidLayerPart { first, expected: 4, .. }) => assert_eq!(first, offset),
                other => panic!("{other:?}"),
            }
        }
        let short = Chunk { offset: Some(4), length: Some(3) };
        let result = room.append("app", &upload, short, whole(b"45")).await;
        assert!(matches!(
            result,
            Err(Error::InvalidLayerPartLength { received: 2, declared: 3, expected: 4, .. })
        ));
        assert_eq!(length(&room, "app", &upload).await.unwrap(), 4);
    }
}

#[tokio::test]
async fn an_interrupted_chunk_is_kept_and_the_client_goes_on() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        let result = room.append("app", &upload, Chunk::default(), broken(b"half")).await;
        assert!(matches!(result, Err(Error::BodyInterrupted)));
        assert_eq!(length(&room, "app", &upload).await.unwrap(), 4);
        room.append("app", &upload, at(4), whole(b" and half")).await.unwrap();
        let digest = Digest::sha256_of(b"half and half");
        room.complete("app", &upload, &[digest], Source::Stream).await.unwrap();
    }
}

#[tokio::test]
async fn wrong_bytes_leave_the_upload_as_it_was() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        room.append("app", &upload, Chunk::default(), whole(b"bytes")).await.unwrap();
        for digests in [vec![], vec![Digest::sha256_of(b"other"), Digest::of(Algorithm::Sha512, b"x")]] {
            let result = room.complete("app", &upload, &digests, Source::Stream).await;
            assert!(matches!(result, Err(Error::InvalidLayer { .. })));
        }
        assert_eq!(room.count("SELECT COUNT(*) FROM blob").await, 0);
        room.complete("app", &upload, &[Digest::sha256_of(b"bytes")], Source::Stream).await.unwrap();
    }
}

#[tokio::test]
async fn parts_are_consecutive_and_not_too_small() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        let result = room.complete("app", &upload, &[Digest::sha256_of(b"")], Source::Parts).await;
        assert!(matches!(result, Err(Error::EmptyUpload { .. })));
        let first = vec![1; FIVE_MEBIBYTES];
        let end = FIVE_MEBIBYTES as u64 - 1;
        let first_of = |bounds, bytes| room.part(&upload, bounds, bytes);
        assert!(matches!(
            first_of((1, end + 1), first.clone()).await,
            Err(Error::InvalidLayerPart { first: 1, expected: 0, .. })
        ));
        for bounds in [(0, end - 1), (0, end + 1), (0, u64::MAX), (0, 0)] {
            let result = first_of(bounds, first.clone()).await;
            assert!(matches!(result, Err(Error::InvalidLayerPartLength { expected: 0, .. })), "{bounds:?}");
        }
        assert!(matches!(
            first_of((0, 0), Vec::new()).await,
            Err(Error::InvalidLayerPartLength { received: 0, declared: 1, .. })
        ));
        assert_eq!(first_of((0, end), first.clone()).await.unwrap(), end);
        assert_eq!(room.part(&upload, (end + 1, end + 3), vec![2; 3]).await.unwrap(), end + 3);
        let everything = [first.as_slice(), &[2; 3]].concat();
        let digests = [Digest::sha256_of(&everything)];
        let completed = room.complete("app", &upload, &digests, Source::Parts).await.unwrap();
        assert_eq!(completed.size_bytes, everything.len() as u64);
    }
}

#[tokio::test]
async fn a_small_part_before_the_last_is_told_at_the_end() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        room.part(&upload, (0, 2), vec![1; 3]).await.unwrap();
        room.part(&upload, (3, 5), vec![1; 3]).await.unwrap();
        let digests = [Digest::sha256_of(&[1; 6])];
        let result = room.complete("app", &upload, &digests, Source::Parts).await;
        assert!(matches!(result, Err(Error::LayerPartTooSmall { .. })));
        // The registry face has no such rule for the same bytes.
        room.complete("app", &upload, &digests, Source::Stream).await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_belongs_to_one_repository() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        room.append("app", &upload, Chunk::default(), whole(b"mine")).await.unwrap();
        let digests = [Digest::sha256_of(b"mine")];
        let is_unknown = |error| matches!(error, Error::UploadNotFound { .. });
        assert!(is_unknown(length(&room, "other", &upload).await.unwrap_err()));
        assert!(is_unknown(room.append("other", &upload, at(4), whole(b"x")).await.unwrap_err()));
        assert!(is_unknown(room.complete("other", &upload, &digests, Source::Stream).await.unwrap_err()));
        assert!(is_unknown(abort(&room, "other", &upload).await.unwrap_err()));
        let missing = |error| matches!(error, Error::RepositoryNotFound(_));
        assert!(missing(room.start("absent").await.unwrap_err()));
        assert!(missing(length(&room, "absent", &upload).await.unwrap_err()));
        assert_eq!(length(&room, "app", &upload).await.unwrap(), 4);
        abort(&room, "app", &upload).await.unwrap();
        assert!(is_unknown(abort(&room, "app", &upload).await.unwrap_err()));
        assert_eq!(room.staged(), 0);
    }
}

#[tokio::test]
async fn a_layer_that_grows_beyond_the_limit_is_refused_and_stays_as_it_was() {
    assert_eq!(Limits::default().layer_bytes, 54_525_952_000);
    for room in rooms_with(Limits { layer_bytes: 8, ..Limits::default() }).await {
        let upload = room.start("app").await.unwrap();
        room.append("app", &upload, Chunk::default(), whole(b"12345")).await.unwrap();
        let is_too_large = |error| matches!(error, Error::LayerTooLarge { limit_bytes: 8, .. });
        assert!(is_too_large(room.append("app", &upload, at(5), whole(b"6789")).await.unwrap_err()));
        assert!(is_too_large(room.part(&upload, (5, 8), vec![1; 4]).await.unwrap_err()));
        assert_eq!(length(&room, "app", &upload).await.unwrap(), 5);
        assert_eq!(room.append("app", &upload, at(5), whole(b"678")).await.unwrap(), 8);
    }
}

#[tokio::test]
async fn an_upload_in_use_outlives_its_first_day() {
    for room in rooms().await {
        let hour = 3600 * SECOND;
        let (used, idle) = (room.start("app").await.unwrap(), room.start("app").await.unwrap());
        for _ in 0..5 {
            room.clock.advance(11 * hour);
            room.append("app", &used, Chunk::default(), whole(b"x")).await.unwrap();
        }
        assert!(matches!(length(&room, "app", &idle).await, Err(Error::UploadNotFound { .. })));
        assert_eq!(length(&room, "app", &used).await.unwrap(), 5);
        room.clock.advance(25 * hour);
        assert!(matches!(length(&room, "app", &used).await, Err(Error::UploadNotFound { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_complete_one_digest_and_all_succeed() {
    let mut tries = Vec::new();
    for length in [300_000, 3000] {
        tries.extend(rooms().await.into_iter().map(|room| (room, length)));
    }
    for (room, length) in tries {
        let room = Arc::new(room);
        let bytes = Arc::new(vec![7_u8; length]);
        let digest = Digest::sha256_of(&bytes);
        let clients: Vec<_> = (0..16)
            .map(|number| {
                let (room, bytes) = (Arc::clone(&room), Arc::clone(&bytes));
                let name = if number % 2 == 0 { "app" } else { "other" };
                tokio::spawn(async move { room.push(name, &bytes).await })
            })
            .collect();
        for client in clients {
            client.await.unwrap().unwrap();
        }
        assert_eq!(room.stored(&digest).await, 1, "losers remove their own bytes");
        assert_eq!(room.staged(), 0);
        assert_eq!(room.pull("app", &digest).await.unwrap(), *bytes);
        assert_eq!(room.pull("other", &digest).await.unwrap(), *bytes);
    }
}

#[tokio::test]
async fn pushing_a_damaged_file_again_heals_it() {
    for room in rooms().await {
        let digest = Digest::sha256_of(b"layer");
        room.push("app", b"layer").await.unwrap();
        let object = room.make_file(&digest).await;
        std::fs::write(&object, b"lay").unwrap();
        assert_eq!(room.length("app", &digest).await, None);
        assert_eq!(room.pull("app", &digest).await, None);
        assert!(!room.push("app", b"layer").await.unwrap().was_present);
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
        assert_eq!(room.stored(&digest).await, 1);
        assert!(!object.exists());
        std::fs::remove_file(room.make_file(&digest).await).unwrap();
        assert_eq!(room.length("app", &digest).await, None);
        room.push("other", b"layer").await.unwrap();
        assert_eq!(room.length("app", &digest).await, Some(5));
    }
}

#[tokio::test]
async fn pushing_a_damaged_row_again_heals_it() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        room.overwrite_row(&digest, b"lay").await;
        assert_eq!(room.length("app", &digest).await, None, "another length is seen at once");
        for damaged in [&b"lay"[..], b"lawyr"] {
            room.overwrite_row(&digest, damaged).await;
            assert!(!room.push("app", b"layer").await.unwrap().was_present);
            assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
            assert!(room.push("app", b"layer").await.unwrap().was_present);
        }
        room.write(
            "DELETE FROM blob_content WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
            params![digest.as_str()],
        )
        .await;
        assert_eq!(room.length("app", &digest).await, None);
        assert!(!room.push("app", b"layer").await.unwrap().was_present);
        assert_eq!((room.length("app", &digest).await, room.stored(&digest).await), (Some(5), 1));
    }
}

#[tokio::test]
async fn small_layers_of_earlier_versions_stay_files_and_are_read_and_shared() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        let file = room.make_file(&digest).await;
        assert_eq!(room.length("app", &digest).await, Some(5));
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
        assert!(room.push("app", b"layer").await.unwrap().was_present);
        assert!(!room.push("other", b"layer").await.unwrap().was_present);
        assert_eq!(room.pull("other", &digest).await.unwrap(), b"layer");
        assert_eq!((room.stored(&digest).await, file.exists()), (1, true), "nothing is stored twice");
    }
}

#[tokio::test]
async fn what_is_small_enough_is_a_row_and_what_is_not_a_file() {
    for room in rooms().await {
        for (length, files) in [(0, 0), (1, 0), (65_536, 0), (65_537, 1)] {
            let bytes = vec![3; length];
            let digest = room.push("app", &bytes).await.unwrap().digest;
            assert_eq!((room.objects(&digest).len(), room.stored(&digest).await), (files, 1), "{length}");
            assert_eq!(room.pull("app", &digest).await.unwrap(), bytes);
        }
    }
}

#[tokio::test]
async fn a_repository_that_goes_takes_its_uploads_with_it() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        room.append("app", &upload, Chunk::default(), whole(b"bytes")).await.unwrap();
        room.write("DELETE FROM repository WHERE id = $1", params!["app"]).await;
        let result = room.complete("app", &upload, &[Digest::sha256_of(b"bytes")], Source::Stream).await;
        assert!(matches!(result, Err(Error::RepositoryNotFound(_))));
        assert_eq!(room.count("SELECT COUNT(*) FROM blob").await, 0);
    }
}

#[tokio::test]
async fn an_upload_that_is_over_is_unknown_to_the_next_request() {
    for room in rooms().await {
        let is_unknown = |error| matches!(error, Error::UploadNotFound { .. });
        let digests = [Digest::sha256_of(b"bytes")];
        // Each of these has been looked up before, so it is in memory.
        let (completed, aborted) = (room.start("app").await.unwrap(), room.start("app").await.unwrap());
        let (expired, moved) = (room.start("app").await.unwrap(), room.start("app").await.unwrap());
        for upload in [&completed, &aborted, &expired, &moved] {
            room.append("app", upload, Chunk::default(), whole(b"bytes")).await.unwrap();
        }
        room.clock.advance(31 * SECOND);
        assert_eq!(room.catalog.settle_uploads().await.unwrap(), 0);
        for upload in [&completed, &aborted, &expired, &moved] {
            assert_eq!(length(&room, "app", upload).await.unwrap(), 5);
        }
        room.complete("app", &completed, &digests, Source::Stream).await.unwrap();
        abort(&room, "app", &aborted).await.unwrap();
        let rename = "UPDATE upload SET repository_id = 'other' WHERE id = $1";
        room.write(rename, params![moved.as_str()]).await;
        for upload in [&completed, &aborted, &moved] {
            assert!(is_unknown(room.append("app", upload, at(5), whole(b"x")).await.unwrap_err()));
            assert!(is_unknown(length(&room, "app", upload).await.unwrap_err()), "{}", room.test.engine);
        }
        room.clock.advance(25 * 3600 * SECOND);
        assert!(is_unknown(room.append("app", &expired, at(5), whole(b"x")).await.unwrap_err()));
        assert_eq!(room.catalog.collect().await.unwrap().uploads, 2);
        assert!(is_unknown(length(&room, "app", &expired).await.unwrap_err()));
        assert_eq!(room.staged(), 0);
    }
}

#[tokio::test]
async fn a_young_upload_has_neither_row_nor_file_until_it_is_half_a_minute_old() {
    for room in rooms().await {
        let rows = async || room.count("SELECT COUNT(*) FROM upload").await;
        let digests = [Digest::sha256_of(b"bytes and more")];
        let (young, old) = (room.start("app").await.unwrap(), room.start("app").await.unwrap());
        let empty = room.start("app").await.unwrap();
        for upload in [&young, &old] {
            room.append("app", upload, at(0), whole(b"bytes")).await.unwrap();
            room.append("app", upload, at(5), whole(b" and more")).await.unwrap();
            assert_eq!(length(&room, "app", upload).await.unwrap(), 14);
        }
        assert_eq!((rows().await, room.staged()), (0, 0));
        assert!(!room.complete("app", &young, &digests, Source::Stream).await.unwrap().was_present);
        assert_eq!(room.catalog.collect().await.unwrap().uploads, 0);
        assert_eq!((rows().await, room.staged()), (0, 0));
        room.clock.advance(30 * SECOND);
        assert_eq!(room.catalog.settle_uploads().await.unwrap(), 0);
        assert_eq!((rows().await, room.staged(), room.blobs.young_uploads().len()), (2, 1, 0));
        assert_eq!(length(&room, "app", &old).await.unwrap(), 14);
        assert!(room.complete("app", &old, &digests, Source::Stream).await.unwrap().was_present);
        abort(&room, "app", &empty).await.unwrap();
        assert_eq!((rows().await, room.staged()), (0, 0));
        assert_eq!(room.pull("app", &digests[0]).await.unwrap(), b"bytes and more");
    }
}

#[tokio::test]
async fn an_upload_that_grows_or_comes_in_parts_gets_its_row_first() {
    for room in rooms().await {
        let rows = async || room.count("SELECT COUNT(*) FROM upload").await;
        let bytes = vec![7; 70_000];
        let (at_once, later, by_parts) = (
            room.start("app").await.unwrap(),
            room.start("app").await.unwrap(),
            room.start("app").await.unwrap(),
        );
        room.append("app", &at_once, at(0), whole(&bytes)).await.unwrap();
        assert_eq!(rows().await, 1);
        room.append("app", &later, at(0), whole(&bytes[..60_000])).await.unwrap();
        assert_eq!(rows().await, 1);
        let result = room.append("app", &later, Chunk::default(), broken(&bytes[60_000..])).await;
        assert!(matches!(result, Err(Error::BodyInterrupted)));
        assert_eq!((rows().await, length(&room, "app", &later).await.unwrap()), (2, 70_000));
        room.part(&by_parts, (0, 4), b"12345".to_vec()).await.unwrap();
        assert_eq!((rows().await, room.blobs.young_uploads().len()), (3, 0));
        for (upload, bytes, source) in [
            (&at_once, &bytes[..], Source::Stream),
            (&later, &bytes, Source::Stream),
            (&by_parts, b"12345", Source::Parts),
        ] {
            room.complete("app", upload, &[Digest::sha256_of(bytes)], source).await.unwrap();
        }
        assert_eq!((rows().await, room.staged()), (0, 0));
    }
}

#[tokio::test]
async fn a_young_upload_goes_with_its_repository() {
    use crate::access::action::DeleteRepository;
    for room in rooms().await {
        let digests = [Digest::sha256_of(b"bytes")];
        let (known, unknown) = (room.start("app").await.unwrap(), room.start("app").await.unwrap());
        for upload in [&known, &unknown] {
            room.append("app", upload, at(0), whole(b"bytes")).await.unwrap();
        }
        room.catalog.delete_repository(&allow::<DeleteRepository>(repository("app")), false).await.unwrap();
        assert_eq!(room.blobs.young_uploads(), []);
        let missing = |error| matches!(error, Error::RepositoryNotFound(_));
        assert!(missing(room.append("app", &known, at(5), whole(b"x")).await.unwrap_err()));
        assert!(missing(abort(&room, "app", &known).await.unwrap_err()));
        // Made anew, it is another one; and one that went by another node is noticed too.
        room.add_repository("app").await;
        let left = room.start("app").await.unwrap();
        room.append("app", &left, at(0), whole(b"bytes")).await.unwrap();
        room.write("UPDATE repository SET id = 'again' WHERE id = $1", params!["app"]).await;
        let is_unknown = |error| matches!(error, Error::UploadNotFound { .. });
        for upload in [&known, &left] {
            assert!(is_unknown(room.append("app", upload, at(5), whole(b"x")).await.unwrap_err()));
            assert!(is_unknown(room.append("app", upload, at(5), whole(&[0; 70_000])).await.unwrap_err()));
            assert!(is_unknown(room.complete("app", upload, &digests, Source::Stream).await.unwrap_err()));
            assert!(is_unknown(length(&room, "app", upload).await.unwrap_err()));
        }
        room.clock.advance(31 * SECOND);
        assert_eq!(room.catalog.settle_uploads().await.unwrap(), 1);
        assert_eq!((room.blobs.young_uploads().len(), room.staged()), (0, 0));
        assert_eq!(room.count("SELECT COUNT(*) FROM blob").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_end_a_young_upload_one_does() {
    for room in rooms().await {
        let room = Arc::new(room);
        for round in 0..20_u8 {
            let bytes = vec![round; 3000];
            let upload = room.start("app").await.unwrap();
            room.append("app", &upload, at(0), whole(&bytes)).await.unwrap();
            room.clock.advance(31 * SECOND);
            let clients: Vec<_> = (0..6)
                .map(|number| {
                    let (room, upload, digest) =
                        (Arc::clone(&room), upload.clone(), Digest::sha256_of(&bytes));
                    tokio::spawn(async move {
                        match number {
                            0 => abort(&room, "app", &upload).await.is_ok(),
                            1 => room.catalog.settle_uploads().await.map(|_| false).unwrap(),
                            _ => room.complete("app", &upload, &[digest], Source::Stream).await.is_ok(),
                        }
                    })
                })
                .collect();
            let mut succeeded = 0;
            for client in clients {
                succeeded += usize::from(client.await.unwrap());
            }
            assert_eq!(succeeded, 1);
            assert_eq!(room.count("SELECT COUNT(*) FROM upload").await, 0);
            assert_eq!((room.staged(), room.blobs.young_uploads().len()), (0, 0));
        }
    }
}
