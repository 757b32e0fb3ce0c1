//! BatchDeleteImage: ecr.md §4.4.

use super::*;
use crate::catalog::image::{Deletion, FailureCode};

impl Fixture {
    async fn delete(&self, ids: &[ImageId]) -> Deletion {
        self.catalog.delete_images(&allow(repository(APP)), ids).await.unwrap()
    }
}

fn tagged(digest: &Digest, tag: &str) -> (Digest, Option<Tag>) {
    (digest.clone(), Some(Tag::parse(tag).unwrap()))
}

fn codes(deletion: &Deletion) -> Vec<FailureCode> {
    deletion.failures.iter().map(|failure| failure.code.clone()).collect()
}

/// Ids → what is removed, from one image with the tags `v1` and `v2` and one without tags.
#[tokio::test]
async fn tags_and_images() {
    let (a, b) = (image_digest("a"), image_digest("b"));
    let both = || vec![tagged(&a, "v1"), tagged(&a, "v2")];
    type Row<'a> = (&'a str, Vec<ImageId>, Vec<(Digest, Option<Tag>)>, Vec<&'a str>, Vec<&'a Digest>);
    let table: Vec<Row<'_>> = vec![
        ("one tag of two", vec![by_tag("v1")], vec![tagged(&a, "v1")], vec!["v2"], vec![&a, &b]),
        ("both tags: the last takes the image", vec![by_tag("v1"), by_tag("v2")], both(), vec![], vec![&b]),
        ("a digest and all its tags", vec![by_digest(&a)], both(), vec![], vec![&b]),
        ("an untagged image", vec![by_digest(&b)], vec![(b.clone(), None)], vec!["v1", "v2"], vec![&a]),
        ("a pair is a tag", vec![by_both(&a, "v2")], vec![tagged(&a, "v2")], vec!["v1"], vec![&a, &b]),
        (
            "the same id twice",
            vec![by_tag("v1"), by_tag("v1")],
            vec![tagged(&a, "v1")],
            vec!["v2"],
            vec![&a, &b],
        ),
        ("digest, then its tag", vec![by_digest(&a), by_tag("v1")], both(), vec![], vec![&b]),
        ("tag, then its digest", vec![by_tag("v1"), by_digest(&a)], both(), vec![], vec![&b]),
        (
            "all tags, then the digest",
            vec![by_tag("v1"), by_tag("v2"), by_digest(&a)],
            both(),
            vec![],
            vec![&b],
        ),
        (
            "the digest twice",
            vec![by_digest(&b), by_digest(&b)],
            vec![(b.clone(), None)],
            vec!["v1", "v2"],
            vec![&a],
        ),
    ];
    for fixture in fixtures(Limits::default()).await {
        for (name, ids, deleted, tags, images) in &table {
            let context = format!("{}, {name}", fixture.test.engine);
            fixture.push("a", Some("v1")).await;
            fixture.push("a", Some("v2")).await;
            fixture.push("b", None).await;
            let done = fixture.delete(ids).await;
            assert_eq!(&done.deleted, deleted, "{context}");
            assert_eq!(done.failures, [], "{context}");
            let left: Vec<String> = fixture.tags(APP).await.into_keys().collect();
            assert_eq!(&left, tags, "{context}");
            let left: BTreeSet<String> = images.iter().map(|digest| digest.to_string()).collect();
            assert_eq!(fixture.images(APP).await, left, "{context}");
            fixture.assert_sound(&context).await;
            fixture.delete(&[by_digest(&a), by_digest(&b)]).await;
        }
    }
}

#[tokio::test]
async fn each_failure_has_its_code_and_its_id() {
    for fixture in fixtures(Limits::default()).await {
        let a = fixture.push("a", Some("v1")).await;
        let b = fixture.push("b", None).await;
        let id = |digest: Option<&str>, tag: Option<&str>| ImageId {
            digest: digest.map(str::to_owned),
            tag: tag.map(str::to_owned),
        };
        let absent = image_digest("absent");
        let table = [
            (ImageId::default(), FailureCode::MissingDigestAndTag),
            (id(Some("sha256"), None), FailureCode::InvalidImageDigest),
            (id(Some(""), None), FailureCode::InvalidImageDigest),
            (id(Some("sha256:xyz"), None), FailureCode::InvalidImageDigest),
            (id(None, Some("a/b")), FailureCode::InvalidImageTag),
            (id(None, Some("")), FailureCode::InvalidImageTag),
            (id(None, Some("1.0+2")), FailureCode::InvalidImageTag),
            // Of the printed form, but nothing that a push could have stored.
            (id(None, Some("-v1")), FailureCode::ImageNotFound),
            (id(None, Some(&"t".repeat(300))), FailureCode::ImageNotFound),
            (id(Some("md5:00"), None), FailureCode::ImageNotFound),
            (id(Some(&a.to_string().to_uppercase()), None), FailureCode::ImageNotFound),
            (by_digest(&absent), FailureCode::ImageNotFound),
            (by_tag("v2"), FailureCode::ImageNotFound),
            (by_both(&a, "v2"), FailureCode::ImageNotFound),
            (by_both(&b, "v1"), FailureCode::ImageTagDoesNotMatchDigest),
        ];
        let ids: Vec<ImageId> = table.iter().map(|(id, _)| id.clone()).collect();
        let done = fixture.delete(&ids).await;
        assert_eq!(done.deleted, []);
        assert_eq!(done.failures.len(), table.len());
        for (failure, (id, code)) in done.failures.iter().zip(&table) {
            assert_eq!((&failure.id, &failure.code), (id, code));
        }
        assert_eq!(fixture.images(APP).await.len(), 2);
        let nowhere: Allowed<action::BatchDeleteImage> = allow(repository("not/there"));
        let answer = fixture.catalog.delete_images(&nowhere, &[by_tag("v1")]).await;
        assert!(matches!(answer, Err(Error::RepositoryNotFound(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn what_works_is_done_beside_what_fails() {
    for fixture in fixtures(Limits::default()).await {
        let a = fixture.push("a", Some("v1")).await;
        let done = fixture.delete(&[by_tag("no"), by_tag("v1"), by_digest(&image_digest("b"))]).await;
        assert_eq!(done.deleted, [tagged(&a, "v1")]);
        assert_eq!(codes(&done), [FailureCode::ImageNotFound, FailureCode::ImageNotFound]);
    }
}

#[tokio::test]
async fn an_index_holds_its_children() {
    for fixture in fixtures(Limits::default()).await {
        let a = fixture.push("a", Some("v1")).await;
        fixture.push("a", Some("v2")).await;
        let b = fixture.push("b", None).await;
        let index = fixture.push_index(&["a", "b"], Some("multi")).await;
        let held = || FailureCode::ImageReferencedByManifestList { indexes: vec![index.to_string()] };

        let done = fixture.delete(&[by_digest(&a), by_digest(&b)]).await;
        assert_eq!((done.deleted.as_slice(), codes(&done)), ([].as_slice(), vec![held(), held()]));
        assert_eq!(fixture.tags(APP).await.len(), 3, "a refused deletion by digest takes no tag");

        let done = fixture.delete(&[by_tag("v1")]).await;
        assert_eq!((done.deleted, done.failures.len()), (vec![tagged(&a, "v1")], 0), "not the last tag");
        let done = fixture.delete(&[by_tag("v2")]).await;
        assert_eq!((done.deleted.as_slice(), codes(&done)), ([].as_slice(), vec![held()]), "the last tag");

        // In one call the index goes and the children fail, in either order; a second call succeeds.
        let done = fixture.delete(&[by_digest(&index), by_digest(&a), by_digest(&b)]).await;
        assert_eq!(done.deleted, [tagged(&index, "multi")]);
        assert_eq!(codes(&done), [held(), held()]);
        assert_eq!(fixture.images(APP).await.len(), 2, "children stay, as plain images");
        let done = fixture.delete(&[by_digest(&a), by_digest(&b)]).await;
        assert_eq!(done.deleted, [tagged(&a, "v2"), (b.clone(), None)]);
        assert!(fixture.images(APP).await.is_empty());
        fixture.assert_sound("index").await;
    }
}

#[tokio::test]
async fn an_immutable_tag_can_be_deleted_and_pushed_again() {
    for fixture in fixtures(Limits::default()).await {
        let setting = TagMutability { mode: crate::catalog::Mode::Immutable, filters: Vec::new() };
        fixture.set_mutability(&setting).await;
        fixture.push("a", Some("v1")).await;
        fixture.delete(&[by_tag("v1")]).await;
        fixture.push("b", Some("v1")).await;
    }
}

#[tokio::test]
async fn blobs_of_a_deleted_image_wait_a_grace_for_the_collector() {
    let grace = 3600 * SECOND;
    for fixture in fixtures(Limits { blob_grace: grace, ..Limits::default() }).await {
        let a = fixture.push("a", None).await;
        fixture.push("b", None).await;
        fixture.clock.advance(7 * 24 * 3600 * SECOND);
        fixture.delete(&[by_digest(&a)]).await;
        let id = fixture.repository_id(APP).await;
        let sql = "SELECT review_after FROM blob_link WHERE repository_id = $1 \
            AND blob = (SELECT number FROM blob WHERE digest = $2)";
        for (word, review) in [("a", NOW + 7 * 24 * 3600 * SECOND + grace), ("b", NOW)] {
            let row = fixture.test.database.row(sql, params![id.as_str(), config_of(word).as_str()]).await;
            assert_eq!(row.unwrap().unwrap().get::<Option<i64>>(0).unwrap(), Some(review), "{word}");
        }
        // Nothing is lost yet: the same push works again without uploading.
        fixture.put(&new_image(&image_json("a"), Some("back"))).await.unwrap();
    }
}

#[tokio::test]
async fn a_tag_alone_goes_with_its_image_unless_an_index_needs_it() {
    for fixture in fixtures(Limits::default()).await {
        let delete_tag = async |name: &str| {
            fixture.catalog.delete_tag(&allow(repository(APP)), &Tag::parse(name).unwrap()).await
        };
        let child = fixture.push("child", Some("child")).await;
        let index = fixture.push_index(&["child"], Some("index")).await;
        let lone = fixture.push("lone", Some("lone")).await;
        fixture.push("lone", Some("other")).await;

        // BatchDeleteImage keeps the last tag of what an index needs; a tag's own deletion does not.
        assert_eq!(fixture.delete(&[by_tag("child")]).await.failures.len(), 1);
        delete_tag("child").await.unwrap();
        delete_tag("other").await.unwrap();
        let all = BTreeSet::from([child.to_string(), index.to_string(), lone.to_string()]);
        assert_eq!(fixture.images(APP).await, all);
        assert_eq!(fixture.tags(APP).await.into_keys().collect::<Vec<_>>(), ["index", "lone"]);

        delete_tag("lone").await.unwrap();
        delete_tag("index").await.unwrap();
        assert_eq!(fixture.images(APP).await, BTreeSet::from([child.to_string()]));
        for gone in ["lone", "child", "never"] {
            let missing = delete_tag(gone).await;
            assert!(
                matches!(&missing, Err(Error::ImageNotFound { digest: None, tag: Some(tag), .. }) if tag == gone),
                "{missing:?}"
            );
        }
        fixture.assert_sound("tags alone").await;
    }
}
