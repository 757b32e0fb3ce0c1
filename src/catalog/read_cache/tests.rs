//! What is kept in memory is never older than what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oci::{Digest, Reference};

use crate::access::action;
use crate::access::testing::{allow, repository};
use crate::catalog::Error;
use crate::catalog::image::{ImageId, NewImage};
use crate::catalog::repository::{RepositoryPolicy, ResourceTags};
use crate::catalog::testing::{Room, rooms};
use crate::params;

const APP: &str = "app";

/// A manifest that names one layer; `word` makes it another one.
fn image(layer: &Digest, word: &str, tag: &str) -> NewImage {
    let bytes = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
        "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{layer}","size":5}},
        "layers":[],"annotations":{{"word":"{word}"}}}}"#
    )
    .into_bytes();
    let manifest = oci::Manifest::parse(&bytes, None).unwrap();
    NewImage { bytes, manifest, tags: vec![oci::Tag::parse(tag).unwrap()], expected_digest: None }
}

async fn put(room: &Room, image: &NewImage) -> Digest {
    room.catalog.put_image(&allow(repository(APP)), image).await.unwrap().digest
}

async fn pulled(room: &Room, reference: &str) -> Option<Digest> {
    let reference = Reference::parse(reference).unwrap();
    match room.catalog.get_image(&allow(repository(APP)), &reference).await {
        Ok(image) => Some(image.digest),
        Err(Error::ImageNotFound { .. } | Error::RepositoryNotFound(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_is_kept_is_really_used() {
    for room in rooms().await {
        let layer = room.push(APP, b"layer").await.unwrap().digest;
        let one = put(&room, &image(&layer, "one", "t")).await;
        assert_eq!(pulled(&room, "t").await, Some(one.clone()));
        // Behind the room's back, with a lie about what it touches.
        let mut open = room.test.database.begin(crate::store::db::Durability::Durable).await.unwrap();
        open.touches(&[]);
        open.execute("UPDATE tag SET ended_at = 1", params![]).await.unwrap();
        open.commit().await.unwrap();
        let expected = (room.test.engine == "sqlite").then_some(one);
        assert_eq!(pulled(&room, "t").await, expected, "{}", room.test.engine);
        // Whoever says nothing is believed nothing.
        room.test
            .database
            .begin(crate::store::db::Durability::Durable)
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
        assert_eq!(pulled(&room, "t").await, None, "{}", room.test.engine);
    }
}

#[tokio::test]
async fn images_are_as_new_as_the_last_answer() {
    for room in rooms().await {
        let layer = room.push(APP, b"layer").await.unwrap().digest;
        let one = put(&room, &image(&layer, "one", "t")).await;
        for _ in 0..2 {
            assert_eq!(pulled(&room, "t").await, Some(one.clone()));
            assert_eq!(pulled(&room, one.as_str()).await, Some(one.clone()));
        }
        let two = put(&room, &image(&layer, "two", "t")).await;
        assert_eq!(pulled(&room, "t").await, Some(two.clone()));
        let delete = allow::<action::BatchDeleteImage>(repository(APP));
        room.catalog.delete_tag(&delete, &oci::Tag::parse("t").unwrap()).await.unwrap();
        assert_eq!((pulled(&room, "t").await, pulled(&room, two.as_str()).await), (None, None));
        assert_eq!(pulled(&room, one.as_str()).await, Some(one.clone()));
        let id = ImageId { digest: Some(one.to_string()), tag: None };
        room.catalog.delete_images(&delete, &[id]).await.unwrap();
        assert_eq!(pulled(&room, one.as_str()).await, None);
        put(&room, &image(&layer, "one", "t")).await;
        assert_eq!(pulled(&room, "t").await, Some(one.clone()));
        assert_eq!(room.pull(APP, &layer).await.unwrap(), b"layer");
        room.catalog.delete_repository(&allow(repository(APP)), true).await.unwrap();
        assert_eq!((pulled(&room, "t").await, pulled(&room, one.as_str()).await), (None, None));
        let gone = room.catalog.open_layer(&allow(repository(APP)), &layer).await;
        assert!(matches!(gone, Err(Error::RepositoryNotFound(_))), "{}", room.test.engine);
        assert!(room.catalog.access_facts(&repository(APP)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn facts_are_as_new_as_the_last_answer() {
    for room in rooms().await {
        let facts = async || room.catalog.access_facts(&repository(APP)).await.unwrap().unwrap();
        assert!(facts().await.policy.is_none() && facts().await.tags.is_empty());
        let text =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*"}}"#;
        let policy = RepositoryPolicy::parse(text).unwrap().bind(BTreeMap::new()).unwrap();
        room.catalog.set_repository_policy(&allow(repository(APP)), &policy).await.unwrap();
        assert!(facts().await.policy.is_some(), "{}", room.test.engine);
        room.catalog.delete_repository_policy(&allow(repository(APP))).await.unwrap();
        assert!(facts().await.policy.is_none(), "{}", room.test.engine);
        let tags = ResourceTags::new(vec![("team".to_owned(), "a".to_owned())]).unwrap();
        room.catalog.tag_repository(&allow(repository(APP)), &tags).await.unwrap();
        assert_eq!(facts().await.tags.len(), 1);
        room.catalog.untag_repository(&allow(repository(APP)), &["team".to_owned()]).await.unwrap();
        assert_eq!(facts().await.tags.len(), 0);
    }
}

#[tokio::test]
async fn a_layer_is_not_given_out_after_it_was_deleted_or_collected() {
    for room in rooms().await {
        let layer = room.push(APP, b"layer").await.unwrap().digest;
        for _ in 0..2 {
            assert_eq!(room.pull(APP, &layer).await.unwrap(), b"layer");
        }
        let delete = allow::<action::BatchDeleteImage>(repository(APP));
        room.catalog.delete_layer(&delete, &layer).await.unwrap();
        assert_eq!(room.pull(APP, &layer).await, None, "{}", room.test.engine);
        room.push(APP, b"layer").await.unwrap();
        assert_eq!(room.pull(APP, &layer).await.unwrap(), b"layer");
        room.clock.advance(25 * 3600 * crate::environment::SECOND);
        assert_eq!(room.catalog.collect().await.unwrap().links, 1);
        assert_eq!(room.pull(APP, &layer).await, None, "{}", room.test.engine);
    }
}

#[tokio::test]
async fn small_layers_with_other_bytes_are_not_given_out() {
    for room in rooms().await {
        let layer = room.push(APP, b"layer").await.unwrap().digest;
        room.overwrite_row(&layer, b"lawyr").await;
        assert_eq!(room.pull(APP, &layer).await, None, "{}", room.test.engine);
        assert_eq!(room.length(APP, &layer).await, None, "and it is marked");
        let layer = room.push(APP, b"older").await.unwrap().digest;
        std::fs::write(room.make_file(&layer).await, b"colder"[1..].to_ascii_uppercase()).unwrap();
        assert_eq!(room.pull(APP, &layer).await, None, "{}", room.test.engine);
        assert_eq!(room.length(APP, &layer).await, None, "and it is marked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_was_acknowledged_is_seen_by_every_pull_that_begins_later() {
    const MOVES: usize = 60;
    for room in rooms().await {
        let layer = room.push(APP, b"layer").await.unwrap().digest;
        let images: Vec<_> = (0..MOVES).map(|number| image(&layer, &number.to_string(), "t")).collect();
        let digests: Vec<_> = images.iter().map(|image| Digest::sha256_of(&image.bytes)).collect();
        put(&room, &images[0]).await;
        let (acknowledged, digests) = (Arc::new(AtomicUsize::new(0)), Arc::new(digests));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let catalog = room.catalog.clone();
                let (acknowledged, digests) = (Arc::clone(&acknowledged), Arc::clone(&digests));
                tokio::spawn(async move {
                    loop {
                        let before = acknowledged.load(Ordering::SeqCst);
                        let tag = Reference::parse("t").unwrap();
                        let image = catalog.get_image(&allow(repository(APP)), &tag).await.unwrap();
                        let seen = digests.iter().position(|digest| *digest == image.digest).unwrap();
                        assert!(seen >= before, "{seen} after {before}");
                        if before == MOVES - 1 {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for (number, image) in images.iter().enumerate().skip(1) {
            put(&room, image).await;
            acknowledged.store(number, Ordering::SeqCst);
        }
        for reader in readers {
            reader.await.unwrap();
        }
    }
}
