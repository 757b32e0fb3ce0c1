//! Reading manifests, and the times of pulls.

use super::*;
use crate::catalog::image::FailureCode;

#[tokio::test]
async fn an_image_is_read_by_tag_or_digest_or_not_at_all() {
    for fixture in fixtures(Limits::default()).await {
        let digest = fixture.push("a", Some("v1")).await;
        let bytes = image_json("a").to_string().into_bytes();
        assert_eq!(fixture.get("v1").await.unwrap(), bytes);
        assert_eq!(fixture.get(digest.as_str()).await.unwrap(), bytes);
        match fixture.get("v2").await {
            Err(Error::ImageNotFound { digest: None, tag: Some(tag), .. }) => assert_eq!(tag, "v2"),
            other => panic!("{other:?}"),
        }
        let absent = image_digest("b");
        match fixture.get(absent.as_str()).await {
            Err(Error::ImageNotFound { digest: Some(digest), tag: None, .. }) => {
                assert_eq!(digest, absent.as_str());
            }
            other => panic!("{other:?}"),
        }
        fixture.create("other").await;
        let elsewhere = allow(repository("other"));
        let answer = fixture.catalog.get_image(&elsewhere, &Reference::Digest(digest)).await;
        assert!(matches!(answer, Err(Error::ImageNotFound { .. })), "{answer:?}");
        let nowhere = allow(repository("not/there"));
        let answer = fixture.catalog.get_image(&nowhere, &Reference::parse("v1").unwrap()).await;
        assert!(matches!(answer, Err(Error::RepositoryNotFound(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_batch_gives_each_image_or_its_failure() {
    for fixture in fixtures(Limits::default()).await {
        let a = fixture.push("a", Some("v1")).await;
        fixture.push("a", Some("v2")).await;
        let b = fixture.push("b", None).await;
        let ids = [
            by_tag("v2"),
            by_digest(&b),
            by_both(&a, "v1"),
            by_tag("v2"),
            by_both(&b, "v1"),
            by_tag("-bad"),
            by_tag("a/b"),
            ImageId::default(),
        ];
        let found = fixture.catalog.get_images(&allow(repository(APP)), &ids).await.unwrap();
        let images: Vec<(String, Option<String>)> =
            found.images.into_iter().map(|(image, tag)| (image.digest.to_string(), tag)).collect();
        let expected = [
            (a.to_string(), Some("v2".to_owned())),
            (b.to_string(), None),
            (a.to_string(), Some("v1".to_owned())),
        ];
        assert_eq!(images, expected);
        let failures: Vec<_> = found.failures.into_iter().map(|failure| (failure.id, failure.code)).collect();
        let expected = [
            (by_both(&b, "v1"), FailureCode::ImageTagDoesNotMatchDigest),
            (by_tag("-bad"), FailureCode::ImageNotFound),
            (by_tag("a/b"), FailureCode::InvalidImageTag),
            (ImageId::default(), FailureCode::MissingDigestAndTag),
        ];
        assert_eq!(failures, expected);
    }
}

#[tokio::test]
async fn an_answer_has_a_largest_size() {
    for fixture in fixtures(Limits::default()).await {
        let mut ids = Vec::new();
        for number in 0..5 {
            let word = format!("large {number}");
            let mut manifest = image_json(&word);
            manifest["annotations"] = json!({"padding": "x".repeat(4_000_000)});
            fixture.link(&[&word]).await;
            ids.push(by_digest(&fixture.put(&new_image(&manifest, None)).await.unwrap().digest));
        }
        let allowed = allow(repository(APP));
        let found = fixture.catalog.get_images(&allowed, &ids[..4]).await.unwrap();
        assert_eq!(found.images.len(), 4);
        let answer = fixture.catalog.get_images(&allowed, &ids).await;
        assert!(matches!(answer, Err(Error::LimitExceeded { .. })), "{:?}", answer.map(|_| ()));
    }
}

#[tokio::test]
async fn pulls_are_written_when_asked_and_never_backwards() {
    for fixture in fixtures(Limits::default()).await {
        let digest = fixture.push("a", Some("v1")).await;
        let allowed = allow(repository(APP));
        let last = async || {
            let ids = [by_digest(&digest)];
            let allowed = allow(repository(APP));
            let found = fixture.catalog.describe_named_images(&allowed, &ids, Default::default()).await;
            found.unwrap()[0].last_pulled_at
        };
        let image = fixture.catalog.get_image(&allowed, &Reference::Digest(digest.clone())).await.unwrap();
        fixture.catalog.note_pull(&allowed, &image);
        fixture.clock.advance(SECOND);
        fixture.catalog.note_pull(&allowed, &image);
        assert_eq!(last().await, None, "a pull itself writes nothing");
        assert_eq!(fixture.catalog.flush_pull_stamps().await.unwrap(), 1);
        assert_eq!(last().await, Some(NOW + SECOND));
        assert_eq!(fixture.catalog.flush_pull_stamps().await.unwrap(), 0);

        // Another node has written a later pull meanwhile.
        fixture.catalog.note_pull(&allowed, &image);
        transaction!(fixture.test.database, open => {
            open.execute("UPDATE image SET last_pulled_at = $1", params![NOW + 9 * SECOND]).await?;
            Ok::<_, Error>(())
        })
        .unwrap();
        fixture.catalog.flush_pull_stamps().await.unwrap();
        assert_eq!(last().await, Some(NOW + 9 * SECOND));

        // The image may be gone by then.
        fixture.catalog.note_pull(&allowed, &image);
        fixture.catalog.delete_images(&allow(repository(APP)), &[by_digest(&digest)]).await.unwrap();
        assert_eq!(fixture.catalog.flush_pull_stamps().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_pull_that_could_not_be_written_stays_noted() {
    for fixture in fixtures(Limits::default()).await {
        fixture.push("a", Some("v1")).await;
        let allowed = allow(repository(APP));
        let image = fixture.catalog.get_image(&allowed, &Reference::parse("v1").unwrap()).await.unwrap();
        fixture.catalog.note_pull(&allowed, &image);
        // What could go wrong for a while: here the column has another name.
        let run = async |sql: &'static str| {
            transaction!(fixture.test.database, open => {
                open.execute(sql, params![]).await?;
                Ok::<_, Error>(())
            })
            .unwrap();
        };
        run("ALTER TABLE image RENAME COLUMN last_pulled_at TO elsewhere").await;
        let written = fixture.catalog.flush_pull_stamps().await;
        assert!(written.is_err(), "{}: {written:?}", fixture.test.engine);
        run("ALTER TABLE image RENAME COLUMN elsewhere TO last_pulled_at").await;
        assert_eq!(fixture.catalog.flush_pull_stamps().await.unwrap(), 1, "{}", fixture.test.engine);
        let stamped = "SELECT COUNT(*) FROM image WHERE repository_id = $1 AND last_pulled_at IS NOT NULL";
        assert_eq!(fixture.count(stamped).await, 1);
    }
}
