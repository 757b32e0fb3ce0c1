//! The contract of layers, on every engine.

use oci::Digest;

use super::LayerQuestion;
use crate::access::action::{BatchCheckLayerAvailability, GetDownloadUrlForLayer, InitiateLayerUpload};
use crate::access::testing::{allow, repository};
use crate::catalog::Error;
use crate::catalog::testing::{Room, rooms};
use crate::environment::SECOND;
use crate::params;

async fn mount(room: &Room, to: &str, from: &str, digest: &Digest) -> Result<Option<u64>, Error> {
    let here = allow::<InitiateLayerUpload>(repository(to));
    let from = allow::<GetDownloadUrlForLayer>(repository(from));
    room.catalog.mount_layer(&here, &from, digest).await
}

#[tokio::test]
async fn a_layer_is_in_its_repository_only() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        let unknown = Digest::sha256_of(b"unknown");
        let allowed = allow::<BatchCheckLayerAvailability>(repository("app"));
        let asked = [unknown.clone(), digest.clone(), unknown.clone()];
        let lengths = room.catalog.layer_lengths(&allowed, &asked).await.unwrap();
        assert_eq!(lengths, [None, Some(5), None]);
        assert_eq!(room.length("other", &digest).await, None);
        assert_eq!(room.pull("other", &digest).await, None);
        assert_eq!(room.pull("app", &digest).await.unwrap(), b"layer");
        for name in ["absent", "app2"] {
            let push = allow::<BatchCheckLayerAvailability>(repository(name));
            let pull = allow::<GetDownloadUrlForLayer>(repository(name));
            for question in [LayerQuestion::Push(&push), LayerQuestion::Pull(&pull)] {
                let result = room.catalog.layer_length(question, &digest).await;
                assert!(matches!(result, Err(Error::RepositoryNotFound(_))));
            }
            let result = room.catalog.open_layer(&pull, &digest).await;
            assert!(matches!(result, Err(Error::RepositoryNotFound(_))));
        }
        let pull = allow::<GetDownloadUrlForLayer>(repository("app"));
        let question = LayerQuestion::Pull(&pull);
        assert_eq!(room.catalog.layer_length(question, &digest).await.unwrap(), Some(5));
        assert_eq!(room.catalog.layer_length(question, &unknown).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_mount_links_what_the_source_holds() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        let unknown = Digest::sha256_of(b"unknown");
        assert_eq!(mount(&room, "other", "app", &unknown).await.unwrap(), None);
        assert_eq!(mount(&room, "other", "absent", &digest).await.unwrap(), None);
        assert_eq!(mount(&room, "other", "other", &digest).await.unwrap(), None);
        assert_eq!(room.length("other", &digest).await, None);
        assert_eq!(mount(&room, "other", "app", &digest).await.unwrap(), Some(5));
        assert_eq!(mount(&room, "other", "app", &digest).await.unwrap(), Some(5));
        assert_eq!(room.pull("other", &digest).await.unwrap(), b"layer");
        assert_eq!(room.stored(&digest).await, 1);
        let result = mount(&room, "absent", "app", &digest).await;
        assert!(matches!(result, Err(Error::RepositoryNotFound(_))));
        // A source that is damaged has nothing to give.
        room.overwrite_row(&digest, b"").await;
        assert_eq!(mount(&room, "other", "app", &digest).await.unwrap(), None);
    }
}

#[tokio::test]
async fn the_sources_of_a_mount_are_those_of_the_registry_newest_first() {
    for room in rooms().await {
        let digest = Digest::sha256_of(b"layer");
        let here = allow::<InitiateLayerUpload>(repository("app"));
        assert_eq!(room.catalog.mount_sources(&here, &digest).await.unwrap(), []);
        let mut names = vec!["app".to_owned(), "other".to_owned()];
        names.extend((0..20).map(|number| format!("more/{number}")));
        for name in &names {
            if name.starts_with("more") {
                room.add_repository(name).await;
            }
            room.push(name, b"layer").await.unwrap();
            room.clock.advance(SECOND);
        }
        // The same layer in another account of the same installation is nobody's business here.
        room.write("UPDATE repository SET account = '999999999999' WHERE name = 'more/19'", params![]).await;
        let sources = room.catalog.mount_sources(&here, &digest).await.unwrap();
        let sources: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        let newest_first: Vec<&str> = names.iter().rev().skip(1).take(16).map(String::as_str).collect();
        assert_eq!(sources, newest_first, "{}", room.test.engine);
    }
}

#[tokio::test]
async fn a_download_url_needs_an_image() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        let allowed = allow::<GetDownloadUrlForLayer>(repository("app"));
        let ticket = |digest: Digest| {
            let (room, allowed) = (&room, &allowed);
            async move { room.catalog.layer_ticket(allowed, &digest).await }
        };
        match ticket(Digest::sha256_of(b"unknown")).await {
            Err(Error::LayerNotFound { digest, .. }) => assert!(digest.starts_with("sha256:")),
            other => panic!("{other:?}"),
        }
        assert!(matches!(ticket(digest.clone()).await, Err(Error::LayerInaccessible { .. })));
        // An image of another repository does not count.
        room.add_image("other", "sha256:i1", &[&digest]).await;
        assert!(matches!(ticket(digest.clone()).await, Err(Error::LayerInaccessible { .. })));
        room.add_image("app", "sha256:i1", &[&digest]).await;
        let ticket = ticket(digest.clone()).await.unwrap();
        let reader = room.catalog.open_layer_of_ticket(&ticket).await.unwrap().unwrap();
        assert_eq!(reader.read(0..5).await.unwrap(), "layer");
        // The ticket does not outlive the link.
        room.write("DELETE FROM blob_link WHERE repository_id = $1", params!["app"]).await;
        assert!(room.catalog.open_layer_of_ticket(&ticket).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_answer_that_a_push_relies_upon_holds_for_a_while() {
    for room in rooms().await {
        let digest = room.push("app", b"layer").await.unwrap().digest;
        let hour = 3600 * SECOND;
        for _ in 0..4 {
            room.clock.advance(20 * hour);
            assert_eq!(room.length("app", &digest).await, Some(5));
            assert_eq!(room.catalog.collect().await.unwrap().links, 0);
        }
        // A pull asks without writing, so it prolongs nothing.
        room.clock.advance(20 * hour);
        room.pull("app", &digest).await.unwrap();
        room.clock.advance(5 * hour);
        assert_eq!(room.catalog.collect().await.unwrap().links, 1);
        assert_eq!(room.length("app", &digest).await, None);
    }
}
