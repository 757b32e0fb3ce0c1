//! The collector, on every engine: what it takes, and what it must never take.

use std::sync::Arc;

use oci::Digest;

use super::Collected;
use crate::catalog::Error;
use crate::catalog::testing::{rooms, whole};
use crate::catalog::upload::Chunk;
use crate::environment::{Micros, SECOND};
use crate::params;

const DAY: Micros = 24 * 3600 * SECOND;

const NOTHING: Collected = Collected { uploads: 0, referrers: 0, links: 0, blobs: 0 };

#[tokio::test]
async fn what_no_image_needs_goes_after_its_grace() {
    for room in rooms().await {
        let unneeded = room.push("app", b"unneeded").await.unwrap().digest;
        let needed = room.push("app", b"needed").await.unwrap().digest;
        room.add_image("app", "sha256:i1", &[&needed]).await;
        assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
        room.clock.advance(DAY - 1);
        assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
        room.clock.advance(1);
        assert_eq!(room.catalog.collect().await.unwrap(), Collected { links: 1, blobs: 1, ..NOTHING });
        assert_eq!(room.stored(&unneeded).await, 0);
        assert_eq!(room.count("SELECT COUNT(*) FROM blob").await, 1);
        assert_eq!(room.count("SELECT COUNT(*) FROM blob_content").await, 1);
        // What is needed has left the queue and is never looked at again until its image goes.
        assert_eq!(room.count("SELECT COUNT(*) FROM blob_link WHERE review_after IS NOT NULL").await, 0);
        room.clock.advance(100 * DAY);
        assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
        assert_eq!(room.pull("app", &needed).await.unwrap(), b"needed");
    }
}

#[tokio::test]
async fn a_link_elsewhere_keeps_the_blob() {
    for room in rooms().await {
        let digest = room.push("app", b"shared").await.unwrap().digest;
        room.push("other", b"shared").await.unwrap();
        room.add_image("other", "sha256:i1", &[&digest]).await;
        room.clock.advance(DAY);
        assert_eq!(room.catalog.collect().await.unwrap(), Collected { links: 1, ..NOTHING });
        assert_eq!(room.length("app", &digest).await, None);
        assert_eq!(room.pull("other", &digest).await.unwrap(), b"shared");
        assert_eq!(room.count("SELECT COUNT(*) FROM blob WHERE review_after IS NOT NULL").await, 0);
    }
}

#[tokio::test]
async fn an_image_keeps_its_blob_even_without_the_link() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        room.add_image("app", "sha256:i1", &[&digest]).await;
        room.write("DELETE FROM blob_link", params![]).await;
        room.write("UPDATE blob SET review_after = 0", params![]).await;
        assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
        assert_eq!((room.stored(&digest).await, room.count("SELECT COUNT(*) FROM blob").await), (1, 1));
        // The push that brings the link back needs no grace: the image is still told to need the blob.
        room.push("app", b"layer").await.unwrap();
        room.clock.advance(DAY);
        assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
    }
}

#[tokio::test]
async fn the_blobs_of_a_deleted_repository_go_too() {
    use crate::access::action::DeleteRepository;
    use crate::access::testing::{allow, repository};
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        for _ in 0..2 {
            let upload = room.start("app").await.unwrap();
            room.append("app", &upload, Chunk::default(), whole(b"half")).await.unwrap();
            // The first one gets a row and a file; the second one is too young and goes at once.
            room.clock.advance(20 * SECOND);
            assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
            room.clock.advance(10 * SECOND);
        }
        room.catalog.delete_repository(&allow::<DeleteRepository>(repository("app")), true).await.unwrap();
        assert_eq!(room.catalog.collect().await.unwrap(), Collected { uploads: 1, ..NOTHING });
        assert_eq!(room.staged(), 0);
        room.clock.advance(DAY);
        assert_eq!(room.catalog.collect().await.unwrap(), Collected { blobs: 1, ..NOTHING });
        assert_eq!(room.stored(&digest).await, 0);
    }
}

#[tokio::test]
async fn abandoned_uploads_go_and_used_ones_stay() {
    for room in rooms().await {
        let abandoned = room.start("app").await.unwrap();
        room.append("app", &abandoned, Chunk::default(), whole(b"bytes")).await.unwrap();
        room.clock.advance(DAY / 2);
        let used = room.start("app").await.unwrap();
        room.append("app", &used, Chunk::default(), whole(b"bytes")).await.unwrap();
        room.clock.advance(DAY / 2);
        assert_eq!(room.catalog.collect().await.unwrap(), Collected { uploads: 1, ..NOTHING });
        assert_eq!(room.blobs.uploads().await.unwrap(), [used]);
        assert_eq!(room.count("SELECT COUNT(*) FROM upload").await, 1);
    }
}

#[tokio::test]
async fn a_push_takes_back_a_blob_that_is_being_deleted() {
    for room in rooms().await {
        let layer = vec![b'l'; 100_000];
        let digest = room.push("app", &layer).await.unwrap().digest;
        let old = room.objects(&digest).remove(0);
        // As after a crash between the mark and the removal: the row is marked, the object is still there.
        room.write(
            "DELETE FROM blob_link WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
            params![digest.as_str()],
        )
        .await;
        room.write(
            "UPDATE blob SET state = 'deleting', review_after = 0 WHERE digest = $1",
            params![digest.as_str()],
        )
        .await;
        assert_eq!(room.length("app", &digest).await, None);
        room.push("app", &layer).await.unwrap();
        let new = room.objects(&digest);
        assert_eq!(new.len(), 1);
        assert_ne!(new[0], old);
        room.clock.advance(DAY / 2);
        assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
        assert_eq!(room.pull("app", &digest).await.unwrap(), layer);
    }
}

#[tokio::test]
async fn a_push_takes_back_a_row_that_is_being_deleted() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        room.write(
            "DELETE FROM blob_link WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
            params![digest.as_str()],
        )
        .await;
        room.write(
            "UPDATE blob SET state = 'deleting', review_after = 0 WHERE digest = $1",
            params![digest.as_str()],
        )
        .await;
        assert_eq!(room.length("app", &digest).await, None);
        assert!(!room.push("app", b"layer").await.unwrap().was_present);
        room.clock.advance(DAY / 2);
        assert_eq!(room.catalog.collect().await.unwrap(), NOTHING);
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
        assert_eq!(room.stored(&digest).await, 1);
    }
}

#[tokio::test]
async fn a_deletion_that_was_cut_short_is_finished() {
    for room in rooms().await {
        for is_object_gone in [false, true] {
            let digest = room.push("app", b"layer").await.unwrap().digest;
            let file = room.make_file(&digest).await;
            room.write(
                "DELETE FROM blob_link WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
                params![digest.as_str()],
            )
            .await;
            room.write(
                "UPDATE blob SET state = 'deleting', review_after = 0 WHERE digest = $1",
                params![digest.as_str()],
            )
            .await;
            if is_object_gone {
                std::fs::remove_file(&file).unwrap();
            }
            assert_eq!(room.catalog.collect().await.unwrap(), Collected { blobs: 1, ..NOTHING });
            assert!(room.objects(&digest).is_empty());
            assert_eq!(room.count("SELECT COUNT(*) FROM blob").await, 0);
        }
    }
}

#[tokio::test]
async fn stray_objects_go_after_a_week_and_named_ones_never() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        let named = room.make_file(&digest).await;
        let stray = named.with_extension("00000000000000aa");
        std::fs::copy(&named, &stray).unwrap();
        // Files have the time of the machine, which the test's clock is set against.
        let machine = crate::environment::Environment::system().now();
        room.clock.advance(machine - room.catalog.now() + 6 * DAY);
        assert_eq!(room.catalog.collect_stray_objects().await.unwrap(), 0);
        room.clock.advance(2 * DAY);
        assert_eq!(room.catalog.collect_stray_objects().await.unwrap(), 1);
        assert_eq!(room.objects(&digest), [named]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_the_collector_at_the_same_moment_lose_nothing() {
    for room in rooms().await {
        let room = Arc::new(room);
        // Of both kinds, rows and files.
        let bytes: Vec<Vec<u8>> =
            (0..4_u8).map(|seed| vec![seed; 1000 + usize::from(seed / 2) * 99_000]).collect();
        let collecting = {
            let room = Arc::clone(&room);
            tokio::spawn(async move {
                for _ in 0..40 {
                    // Everything is due at once: the grace is what protects a push, and here it is over.
                    room.clock.advance(2 * DAY);
                    room.catalog.collect().await.unwrap();
                }
            })
        };
        let pushing: Vec<_> = bytes
            .iter()
            .cloned()
            .enumerate()
            .map(|(number, bytes)| {
                let room = Arc::clone(&room);
                tokio::spawn(async move {
                    let name = if number % 2 == 0 { "app" } else { "other" };
                    for _ in 0..15 {
                        // An upload may expire under such a clock; then the client begins again.
                        let result = room.push(name, &bytes).await;
                        assert!(matches!(result, Ok(_) | Err(Error::UploadNotFound { .. })), "{result:?}");
                    }
                })
            })
            .collect();
        for pushing in pushing {
            pushing.await.unwrap();
        }
        collecting.await.unwrap();
        // After the storm every row that says "ready" has its object, and one more push always works.
        for (number, bytes) in bytes.iter().enumerate() {
            let name = if number % 2 == 0 { "app" } else { "other" };
            let digest = Digest::sha256_of(bytes);
            if room.length(name, &digest).await.is_some() {
                assert_eq!(room.pull(name, &digest).await.unwrap(), *bytes);
            }
            room.push(name, bytes).await.unwrap();
            assert_eq!(room.pull(name, &digest).await.unwrap(), *bytes, "{}", room.test.engine);
            assert_eq!(room.stored(&digest).await, 1);
        }
        assert_eq!(room.staged(), 0);
    }
}
