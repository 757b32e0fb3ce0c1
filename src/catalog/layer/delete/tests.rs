//! The contract of deleted layers, on every engine.

use oci::Digest;

use crate::access::action::BatchDeleteImage;
use crate::access::testing::{allow, repository};
use crate::catalog::testing::{Room, rooms};
use crate::catalog::{Collected, Error};

async fn delete(room: &Room, name: &str, digest: &Digest) -> Result<(), Error> {
    room.catalog.delete_layer(&allow::<BatchDeleteImage>(repository(name)), digest).await
}

#[tokio::test]
async fn a_deleted_layer_is_gone_at_once_and_its_bytes_with_the_next_round() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        room.push("other", b"layer").await.unwrap();
        delete(&room, "app", &digest).await.unwrap();
        assert_eq!(room.length("app", &digest).await, None);
        assert!(matches!(delete(&room, "app", &digest).await, Err(Error::LayerNotFound { .. })));

        // Another repository keeps the bytes.
        room.catalog.collect().await.unwrap();
        assert_eq!(room.pull("other", &digest).await.unwrap(), b"layer");
        delete(&room, "other", &digest).await.unwrap();
        let round = room.catalog.collect().await.unwrap();
        assert_eq!(round, Collected { blobs: 1, ..Collected::default() });
        assert_eq!(room.stored(&digest).await, 0);

        // And a new push brings it back.
        room.push("app", b"layer").await.unwrap();
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
    }
}

#[tokio::test]
async fn what_an_image_needs_stays() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        room.push("other", b"layer").await.unwrap();
        for image in ["sha256:a", "sha256:b"] {
            room.add_image("app", image, &[&digest]).await;
        }
        match delete(&room, "app", &digest).await {
            Err(Error::LayerReferenced { images, digest: named, .. }) => {
                assert_eq!(
                    (images, named),
                    (vec!["sha256:a".to_owned(), "sha256:b".to_owned()], digest.clone())
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(room.length("app", &digest).await, Some(5));
        // The image of one repository says nothing about another.
        delete(&room, "other", &digest).await.unwrap();
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
    }
}

#[tokio::test]
async fn a_refusal_names_no_more_than_a_few_images() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        for number in 0..8 {
            room.add_image("app", &format!("sha256:{number}"), &[&digest]).await;
        }
        let refused = delete(&room, "app", &digest).await;
        assert!(
            matches!(&refused, Err(Error::LayerReferenced { images, .. }) if images.len() == 5),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_told_first() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        assert!(matches!(delete(&room, "absent", &digest).await, Err(Error::RepositoryNotFound(_))));
        assert!(matches!(delete(&room, "other", &digest).await, Err(Error::LayerNotFound { .. })));
        assert_eq!(room.length("app", &digest).await, Some(5));
    }
}
