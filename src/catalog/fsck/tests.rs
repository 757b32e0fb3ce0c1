//! Each kind of damage on every engine; and what is in order is left alone.

use oci::{Digest, Manifest, Tag, media_type};
use serde_json::json;

use super::{Checked, Depth, Kind, Report};
use crate::access::action::PutImage;
use crate::access::testing::{allow, repository};
use crate::catalog::image::NewImage;
use crate::catalog::testing::{Room, rooms, whole};
use crate::catalog::upload::Chunk;
use crate::catalog::{Catalog, Limits};
use crate::environment::Environment;
use crate::params;
use crate::store::blob::{Blobs, Location};

/// What a check finds, in order.
async fn found(room: &Room, depth: Depth) -> (Vec<Kind>, Checked) {
    let mut kinds = Vec::new();
    let mut listener = |report: Report<'_>| {
        if let Report::Finding(finding) = report {
            kinds.push(finding.kind);
        }
    };
    let checked = room.catalog.check(depth, &mut listener).await.unwrap();
    kinds.sort_unstable();
    (kinds, checked)
}

/// A layer of each size, an image of it with a tag, an index of that, an upload that goes on, one without bytes.
async fn furnish(room: &Room) -> [Digest; 3] {
    let layer = room.push("app", &vec![7; 200_000]).await.unwrap().digest;
    let config = room.push("app", b"{}").await.unwrap().digest;
    let blob = |digest: &Digest, size: usize| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest.to_string(), "size": size});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": {"mediaType": media_type::OCI_CONFIG, "digest": config.to_string(), "size": 2},
        "layers": [blob(&layer, 200_000)],
    });
    let image = put(room, &manifest, Some("v1")).await;
    let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [
        {"mediaType": media_type::OCI_MANIFEST, "digest": image.to_string(), "size": manifest.to_string().len()}]});
    put(room, &index, None).await;
    let upload = room.start("app").await.unwrap();
    room.append("app", &upload, Chunk::default(), whole(&[1; 100_000])).await.unwrap();
    room.start("app").await.unwrap();
    [layer, config, image]
}

async fn put(room: &Room, manifest: &serde_json::Value, tag: Option<&str>) -> Digest {
    let bytes = manifest.to_string().into_bytes();
    let manifest = Manifest::parse(&bytes, None).unwrap();
    let tags = tag.into_iter().map(|tag| Tag::parse(tag).unwrap()).collect();
    let image = NewImage { bytes, manifest, tags, expected_digest: None };
    room.catalog.put_image(&allow::<PutImage>(repository("app")), &image).await.unwrap().digest
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_wrong() {
    for room in rooms().await {
        assert_eq!(found(&room, Depth::Deep).await, (vec![], Checked::default()));
        furnish(&room).await;
        let (kinds, checked) = found(&room, Depth::Shallow).await;
        assert_eq!(kinds, []);
        assert_eq!((checked.blobs, checked.images, checked.uploads, checked.bytes), (2, 2, 1, 0));
        let (kinds, checked) = found(&room, Depth::Deep).await;
        assert_eq!((kinds, checked.bytes), (vec![], 200_002));
    }
}

#[tokio::test]
async fn objects_are_compared_with_their_rows() {
    for room in rooms().await {
        let [layer, ..] = furnish(&room).await;
        let [path] = room.objects(&layer).try_into().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        // Flipped: only a deep check reads it.
        let mut flipped = bytes.clone();
        flipped[100_000] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        assert_eq!(found(&room, Depth::Shallow).await.0, []);
        assert_eq!(found(&room, Depth::Deep).await.0, [Kind::BlobDamaged]);
        std::fs::write(&path, &bytes[1..]).unwrap();
        assert_eq!(found(&room, Depth::Shallow).await.0, [Kind::BlobLength]);
        std::fs::remove_file(&path).unwrap();
        let (kinds, checked) = found(&room, Depth::Shallow).await;
        assert_eq!((kinds, checked.problems), (vec![Kind::BlobMissing], 1));
        // The whole shard is gone.
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(found(&room, Depth::Shallow).await.0, [Kind::BlobMissing]);
        room.write("UPDATE blob SET state = 'damaged' WHERE digest = $1", params![layer.as_str()]).await;
        assert_eq!(found(&room, Depth::Shallow).await.0, [Kind::BlobDamaged]);
    }
}

#[tokio::test]
async fn blobs_in_rows_are_compared_too() {
    for room in rooms().await {
        let [_, config, _] = furnish(&room).await;
        room.overwrite_row(&config, b"[}").await;
        assert_eq!(found(&room, Depth::Shallow).await.0, []);
        assert_eq!(found(&room, Depth::Deep).await.0, [Kind::BlobDamaged]);
        room.overwrite_row(&config, b"{} ").await;
        assert_eq!(found(&room, Depth::Shallow).await.0, [Kind::BlobLength]);
        room.write(
            "DELETE FROM blob_content WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
            params![config.as_str()],
        )
        .await;
        assert_eq!(found(&room, Depth::Shallow).await.0, [Kind::BlobMissing]);
        room.push("app", b"{}").await.unwrap();
        assert_eq!(found(&room, Depth::Deep).await.0, []);
    }
}

#[tokio::test]
async fn what_no_row_names_is_noted_and_harmless() {
    for room in rooms().await {
        let [layer, ..] = furnish(&room).await;
        let [path] = room.objects(&layer).try_into().unwrap();
        std::fs::copy(&path, path.with_extension("00000000000000ff")).unwrap();
        std::fs::write(path.with_file_name("notes.txt"), b"?").unwrap();
        let uploads = room.test.folder.path().join("blobs/uploads");
        std::fs::write(uploads.join("00000000-0000-4000-8000-000000000000.data"), b"x").unwrap();
        let (kinds, checked) = found(&room, Depth::Deep).await;
        assert_eq!(kinds, [Kind::StrayObject, Kind::StrayUpload, Kind::UnknownFile]);
        assert_eq!((checked.problems, checked.notes), (0, 3));
    }
}

#[tokio::test]
async fn an_upload_that_lost_bytes_is_found() {
    for room in rooms().await {
        furnish(&room).await;
        let uploads = room.test.folder.path().join("blobs/uploads");
        let files = std::fs::read_dir(uploads).unwrap().map(|entry| entry.unwrap().path());
        let data = files.into_iter().find(|path| path.extension().unwrap() == "data").unwrap();
        std::fs::File::options().write(true).open(&data).unwrap().set_len(99_999).unwrap();
        assert_eq!(found(&room, Depth::Shallow).await.0, [Kind::UploadShort]);
        std::fs::remove_file(&data).unwrap();
        assert_eq!(found(&room, Depth::Shallow).await.0, [Kind::UploadShort]);
    }
}

#[tokio::test]
async fn a_damaged_journal_is_found_and_young_uploads_are_not() {
    for room in rooms().await {
        let upload = room.start("app").await.unwrap();
        room.append("app", &upload, Chunk::default(), whole(b"young")).await.unwrap();
        let (kinds, checked) = found(&room, Depth::Deep).await;
        assert_eq!((kinds, checked.uploads), (vec![], 1));
        let Room { test, catalog, blobs, .. } = room;
        drop((catalog, blobs));
        let path = test.folder.path().join("blobs/young-0");
        let whole = std::fs::read(&path).unwrap();
        for (journal, expected) in [
            (&whole[..], vec![]),
            (&whole[..whole.len() - 1], vec![]),
            (&[&whole[..whole.len() - 1], b"!"].concat(), vec![Kind::JournalDamaged]),
        ] {
            std::fs::write(&path, journal).unwrap();
            let location = Location::Disk(test.folder.path().join("blobs"));
            let blobs = std::sync::Arc::new(Blobs::open_to_read(&location).await.unwrap());
            let environment = Environment::system();
            let catalog = Catalog::new(test.database.clone(), blobs, environment, Limits::default());
            let mut kinds = Vec::new();
            let mut listener = |report: Report<'_>| {
                if let Report::Finding(finding) = report {
                    kinds.push(finding.kind);
                }
            };
            catalog.check(Depth::Deep, &mut listener).await.unwrap();
            assert_eq!(kinds, expected);
            assert_eq!(std::fs::read(&path).unwrap(), journal, "nothing is changed");
        }
    }
}

#[tokio::test]
async fn rows_are_compared_with_each_other_and_with_the_manifests() {
    for room in rooms().await {
        let [layer, config, image] = furnish(&room).await;
        let target = || params![layer.as_str()];
        room.write("UPDATE blob SET state = 'deleting' WHERE digest = $1", target()).await;
        assert_eq!(found(&room, Depth::Deep).await.0, [Kind::LinkWithoutBlob]);
        room.write("UPDATE blob SET state = 'ready' WHERE digest = $1", target()).await;

        room.write(
            "DELETE FROM blob_link WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
            params![config.as_str()],
        )
        .await;
        assert_eq!(found(&room, Depth::Deep).await.0, [Kind::ReferencedBlobMissing]);
        room.write(
            "DELETE FROM image_blob WHERE blob = (SELECT number FROM blob WHERE digest = $1)",
            params![config.as_str()],
        )
        .await;
        assert_eq!(found(&room, Depth::Deep).await.0, [Kind::ReferencesDiffer]);

        let missing = "INSERT INTO image_child (repository_id, digest, child) VALUES ('app', $1, 'sha256:0')";
        room.write(missing, params![image.as_str()]).await;
        let kinds = found(&room, Depth::Deep).await.0;
        assert_eq!(kinds, [Kind::ReferencesDiffer, Kind::ReferencedImageMissing]);

        let tag = "INSERT INTO tag (id, repository_id, name, digest, set_at, set_by) \
            VALUES ('x', 'app', 'lost', 'sha256:0', 0, 'me')";
        room.write(tag, params![]).await;
        let edit = "UPDATE image SET manifest = $1 WHERE digest = $2";
        room.write(edit, params![b"{ }".to_vec(), image.as_str()]).await;
        let kinds = found(&room, Depth::Deep).await.0;
        assert_eq!(kinds, [Kind::ManifestDamaged, Kind::ReferencedImageMissing, Kind::TagWithoutImage]);
    }
}
