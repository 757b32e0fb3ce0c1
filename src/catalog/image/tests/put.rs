//! PutImage: every row of ecr.md §4.3.

use oci::TagFilter;

use super::*;
use crate::catalog::{Mode, Place};
use crate::environment::Micros;

/// What a push must answer.
#[derive(Debug, PartialEq)]
enum Answer {
    Stored,
    ImageAlreadyExists,
    ImageTagAlreadyExists,
}

/// One row of the table: images are words, a push is an image with a tag or none.
struct Case {
    name: &'static str,
    mode: Mode,
    before: &'static [(&'static str, Option<&'static str>)],
    push: (&'static str, Option<&'static str>),
    answer: Answer,
    tags: &'static [(&'static str, &'static str)],
    images: &'static [&'static str],
}

const TABLE: &[Case] = &[
    Case {
        name: "new image, no tag",
        mode: Mode::Immutable,
        before: &[],
        push: ("a", None),
        answer: Answer::Stored,
        tags: &[],
        images: &["a"],
    },
    Case {
        name: "new image, unused tag",
        mode: Mode::Immutable,
        before: &[("a", Some("v1"))],
        push: ("b", Some("v2")),
        answer: Answer::Stored,
        tags: &[("v1", "a"), ("v2", "b")],
        images: &["a", "b"],
    },
    Case {
        name: "new image takes a tag; the old image stays, untagged",
        mode: Mode::Mutable,
        before: &[("a", Some("latest"))],
        push: ("b", Some("latest")),
        answer: Answer::Stored,
        tags: &[("latest", "b")],
        images: &["a", "b"],
    },
    Case {
        name: "new image, immutable tag elsewhere: nothing is stored",
        mode: Mode::Immutable,
        before: &[("a", Some("latest"))],
        push: ("b", Some("latest")),
        answer: Answer::ImageTagAlreadyExists,
        tags: &[("latest", "a")],
        images: &["a"],
    },
    Case {
        name: "immutable but for the filter, tag matches",
        mode: Mode::ImmutableWithExclusion,
        before: &[("a", Some("dev-1"))],
        push: ("b", Some("dev-1")),
        answer: Answer::Stored,
        tags: &[("dev-1", "b")],
        images: &["a", "b"],
    },
    Case {
        name: "immutable but for the filter, tag does not match",
        mode: Mode::ImmutableWithExclusion,
        before: &[("a", Some("v1-dev-1"))],
        push: ("b", Some("v1-dev-1")),
        answer: Answer::ImageTagAlreadyExists,
        tags: &[("v1-dev-1", "a")],
        images: &["a"],
    },
    Case {
        name: "mutable but for the filter, tag matches",
        mode: Mode::MutableWithExclusion,
        before: &[("a", Some("dev-1"))],
        push: ("b", Some("dev-1")),
        answer: Answer::ImageTagAlreadyExists,
        tags: &[("dev-1", "a")],
        images: &["a"],
    },
    Case {
        name: "mutable but for the filter, tag does not match",
        mode: Mode::MutableWithExclusion,
        before: &[("a", Some("latest"))],
        push: ("b", Some("latest")),
        answer: Answer::Stored,
        tags: &[("latest", "b")],
        images: &["a", "b"],
    },
    Case {
        name: "known image, its own tag",
        mode: Mode::Mutable,
        before: &[("a", Some("v1"))],
        push: ("a", Some("v1")),
        answer: Answer::ImageAlreadyExists,
        tags: &[("v1", "a")],
        images: &["a"],
    },
    Case {
        name: "known image, its own immutable tag",
        mode: Mode::Immutable,
        before: &[("a", Some("v1"))],
        push: ("a", Some("v1")),
        answer: Answer::ImageAlreadyExists,
        tags: &[("v1", "a")],
        images: &["a"],
    },
    Case {
        name: "known image, no tag",
        mode: Mode::Mutable,
        before: &[("a", Some("v1"))],
        push: ("a", None),
        answer: Answer::ImageAlreadyExists,
        tags: &[("v1", "a")],
        images: &["a"],
    },
    Case {
        name: "known image, new tag",
        mode: Mode::Immutable,
        before: &[("a", Some("v1"))],
        push: ("a", Some("v2")),
        answer: Answer::Stored,
        tags: &[("v1", "a"), ("v2", "a")],
        images: &["a"],
    },
    Case {
        name: "known image takes a tag of another",
        mode: Mode::Mutable,
        before: &[("a", Some("v1")), ("b", Some("v2"))],
        push: ("a", Some("v2")),
        answer: Answer::Stored,
        tags: &[("v1", "a"), ("v2", "a")],
        images: &["a", "b"],
    },
    Case {
        name: "known image, immutable tag of another",
        mode: Mode::Immutable,
        before: &[("a", Some("v1")), ("b", Some("v2"))],
        push: ("a", Some("v2")),
        answer: Answer::ImageTagAlreadyExists,
        tags: &[("v1", "a"), ("v2", "b")],
        images: &["a", "b"],
    },
];

#[tokio::test]
async fn the_decision_table() {
    for fixture in fixtures(Limits::default()).await {
        for case in TABLE {
            let context = format!("{}, {}", fixture.test.engine, case.name);
            let filters = if case.mode.has_exclusions() {
                vec![TagFilter::parse("dev-*").unwrap()]
            } else {
                Vec::new()
            };
            fixture.set_mutability(&TagMutability { mode: case.mode, filters }).await;
            for (word, tag) in case.before {
                fixture.push(word, *tag).await;
            }
            let (word, tag) = case.push;
            fixture.link(&[word]).await;
            let digest = image_digest(word);
            let answer = match fixture.put(&new_image(&image_json(word), tag)).await {
                Ok(pushed) => {
                    assert_eq!(pushed, Pushed { digest: digest.clone(), subject: None }, "{context}");
                    Answer::Stored
                }
                Err(Error::ImageAlreadyExists { place, digest: found, tag: named }) => {
                    assert_eq!((place, found), (Place::from(&repository(APP)), digest.clone()), "{context}");
                    assert_eq!(named.as_ref().map(Tag::as_str), tag, "{context}");
                    Answer::ImageAlreadyExists
                }
                Err(Error::ImageTagAlreadyExists { tag: named, .. }) => {
                    assert_eq!(Some(named.as_str()), tag, "{context}");
                    Answer::ImageTagAlreadyExists
                }
                Err(other) => panic!("{context}: {other:?}"),
            };
            assert_eq!(answer, case.answer, "{context}");
            let tags =
                case.tags.iter().map(|(tag, word)| ((*tag).to_owned(), image_digest(word).to_string()));
            assert_eq!(fixture.tags(APP).await, tags.collect(), "{context}");
            let images = case.images.iter().map(|word| image_digest(word).to_string());
            assert_eq!(fixture.images(APP).await, images.collect(), "{context}");
            fixture.assert_sound(&context).await;
            let all: Vec<ImageId> = case.images.iter().map(|word| by_digest(&image_digest(word))).collect();
            fixture.catalog.delete_images(&allow(repository(APP)), &all).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_moved_tag_leaves_its_history() {
    for fixture in fixtures(Limits::default()).await {
        let first = fixture.push("a", Some("latest")).await;
        fixture.clock.advance(5 * SECOND);
        fixture.push("b", Some("latest")).await;
        let sql =
            "SELECT digest, set_at, ended_at, set_by, ended_by FROM tag WHERE name = $1 ORDER BY set_at";
        let rows = fixture.test.database.rows(sql, params!["latest"]).await.unwrap();
        let row = &rows[0];
        assert_eq!(rows.len(), 2);
        assert_eq!(row.get::<String>(0).unwrap(), first.as_str());
        assert_eq!(row.get::<Micros>(1).unwrap(), NOW);
        assert_eq!(row.get::<Option<Micros>>(2).unwrap(), Some(NOW + 5 * SECOND));
        let root = "arn:aws:iam::123456789012:root";
        assert_eq!(row.get::<String>(3).unwrap(), root);
        assert_eq!(row.get::<Option<String>>(4).unwrap().as_deref(), Some(root));
        assert_eq!(rows[1].get::<Option<Micros>>(2).unwrap(), None);
    }
}

#[tokio::test]
async fn another_tag_does_not_change_when_an_image_was_pushed() {
    for fixture in fixtures(Limits::default()).await {
        let digest = fixture.push("a", Some("v1")).await;
        fixture.clock.advance(60 * SECOND);
        fixture.push("a", Some("v2")).await;
        let ids = [by_digest(&digest)];
        let allowed = allow(repository(APP));
        let found = fixture.catalog.describe_named_images(&allowed, &ids, Default::default()).await.unwrap();
        assert_eq!((found[0].pushed_at, found[0].tags.len()), (NOW, 2));
    }
}

#[tokio::test]
async fn manifests_come_back_byte_for_byte() {
    for fixture in fixtures(Limits::default()).await {
        fixture.link(&["a"]).await;
        let odd = format!(" {}\n\u{20}", image_json("a").to_string().replace("\":", "\" : "));
        let manifest = Manifest::parse(odd.as_bytes(), None).unwrap();
        let tags = vec![Tag::parse("odd").unwrap()];
        let image = NewImage { bytes: odd.clone().into_bytes(), manifest, tags, expected_digest: None };
        let digest = fixture.put(&image).await.unwrap().digest;
        assert_eq!(digest, Digest::sha256_of(odd.as_bytes()));
        assert_eq!(fixture.get("odd").await.unwrap(), odd.as_bytes());
        assert_eq!(fixture.get(digest.as_str()).await.unwrap(), odd.as_bytes());
    }
}

#[tokio::test]
async fn a_digest_that_does_not_match_stores_nothing() {
    for fixture in fixtures(Limits::default()).await {
        fixture.link(&["a"]).await;
        for wrong in [image_digest("b").to_string(), "sha256:00".to_owned(), "x".to_owned(), String::new()] {
            let image =
                NewImage { expected_digest: Some(wrong.clone()), ..new_image(&image_json("a"), None) };
            match fixture.put(&image).await {
                Err(Error::ImageDigestDoesNotMatch { digest, .. }) => assert_eq!(digest, wrong),
                other => panic!("{other:?}"),
            }
        }
        assert!(fixture.images(APP).await.is_empty());
        let right = Some(image_digest("a").to_string());
        fixture.put(&NewImage { expected_digest: right, ..new_image(&image_json("a"), None) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_repository_is_told_before_everything_else() {
    for fixture in fixtures(Limits::default()).await {
        let expected_digest = Some("sha256:00".to_owned());
        let image = NewImage { expected_digest, ..new_image(&image_json("a"), None) };
        let allowed = allow(repository("not/there"));
        let answer = fixture.catalog.put_image(&allowed, &image).await;
        assert!(matches!(answer, Err(Error::RepositoryNotFound(_))), "{answer:?}");
    }
}

fn missing_layers(answer: Result<Pushed, Error>) -> Vec<String> {
    match answer {
        Err(Error::LayersNotFound { digests, .. }) => digests,
        other => panic!("expected LayersNotFound, got {other:?}"),
    }
}

#[tokio::test]
async fn layers_of_another_repository_are_missing() {
    for fixture in fixtures(Limits::default()).await {
        fixture.create("other").await;
        let (config, layer) = (config_of("a"), config_of("shared layer"));
        fixture.link_in("other", &[config.clone(), layer.clone()]).await;
        let image = new_image(&image_json("a"), Some("v1"));
        let missing = missing_layers(fixture.put(&image).await);
        assert_eq!(missing, [config.to_string(), layer.to_string()], "in the manifest's order");
        fixture.link_in(APP, &[config]).await;
        assert_eq!(missing_layers(fixture.put(&image).await), [layer.to_string()]);
        assert!(fixture.images(APP).await.is_empty() && fixture.tags(APP).await.is_empty());
        assert_eq!(fixture.count("SELECT COUNT(*) FROM image_blob WHERE repository_id = $1").await, 0);
        fixture.link_in(APP, &[layer]).await;
        fixture.put(&image).await.unwrap();
    }
}

#[tokio::test]
async fn every_layer_of_a_long_list_is_looked_for() {
    for fixture in fixtures(Limits::default()).await {
        let layers: Vec<Digest> = (0..50).map(|number| config_of(&format!("layer {number}"))).collect();
        let mut manifest = image_json("a");
        manifest["layers"] = layers
            .iter()
            .chain(&layers[..3])
            .map(|digest| json!({"mediaType": LAYER, "digest": digest, "size": 1}))
            .collect();
        fixture.link_in(APP, &layers[..49]).await;
        fixture.link(&["a"]).await;
        let missing = missing_layers(fixture.put(&new_image(&manifest, None)).await);
        assert_eq!(missing, [layers[49].to_string()]);
        fixture.link_in(APP, &layers[49..]).await;
        fixture.put(&new_image(&manifest, None)).await.unwrap();
        assert_eq!(fixture.count("SELECT COUNT(*) FROM image_blob WHERE repository_id = $1").await, 51);
    }
}

#[tokio::test]
async fn foreign_layers_need_not_be_there() {
    for fixture in fixtures(Limits::default()).await {
        fixture.link(&["a"]).await;
        let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        let mut manifest = image_json("a");
        manifest["layers"] = json!([
            {"mediaType": foreign, "digest": config_of("far"), "size": 5, "urls": ["https://example.com/far"]}
        ]);
        fixture.put(&new_image(&manifest, None)).await.unwrap();
        fixture.assert_sound("foreign").await;
    }
}

#[tokio::test]
async fn children_come_first() {
    for fixture in fixtures(Limits::default()).await {
        let child = fixture.push("a", None).await;
        let index = new_image(&index_json(&["b", "a", "c", "b"]), Some("multi"));
        match fixture.put(&index).await {
            Err(Error::ReferencedImagesNotFound { digests, .. }) => {
                assert_eq!(digests, [image_digest("b").to_string(), image_digest("c").to_string()]);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fixture.images(APP).await, BTreeSet::from([child.to_string()]));
        fixture.push("b", None).await;
        fixture.push("c", None).await;
        fixture.put(&index).await.unwrap();
        fixture.assert_sound("index").await;
    }
}

#[tokio::test]
async fn an_index_of_layers_needs_the_layers() {
    for fixture in fixtures(Limits::default()).await {
        let entry = |media_type: &str, digest: &Digest, size: u64| json!({"mediaType": media_type, "digest": digest, "size": size});
        let cache = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [
            entry(LAYER, &config_of("shared layer"), 100),
            entry("application/vnd.buildkit.cacheconfig.v0", &config_of("cache"), 20),
        ]});
        let image = new_image(&cache, Some("cache"));
        let expected = [config_of("shared layer").to_string(), config_of("cache").to_string()];
        assert_eq!(missing_layers(fixture.put(&image).await), expected);
        fixture.link(&["cache"]).await;
        let digest = fixture.put(&image).await.unwrap().digest;
        let allowed = allow(repository(APP));
        let ids = [by_digest(&digest)];
        let found = fixture.catalog.describe_named_images(&allowed, &ids, Default::default()).await.unwrap();
        assert_eq!(found[0].size_bytes, 120);
        let kinds = "SELECT COUNT(*) FROM image_blob WHERE repository_id = $1";
        assert_eq!(fixture.count(kinds).await, 2);
    }
}

#[tokio::test]
async fn schema_1_needs_a_tag() {
    for fixture in fixtures(Limits::default()).await {
        fixture.link(&[]).await;
        let manifest = json!({"schemaVersion": 1, "mediaType": media_type::DOCKER_SCHEMA1,
            "fsLayers": [{"blobSum": config_of("shared layer")}]});
        match fixture.put(&new_image(&manifest, None)).await {
            Err(Error::InvalidParameter { parameter: "ImageTag", constraint }) => {
                assert_eq!(constraint, "You must specify the image tag for this image type");
            }
            other => panic!("{other:?}"),
        }
        fixture.put(&new_image(&manifest, Some("old"))).await.unwrap();
    }
}

#[tokio::test]
async fn an_image_has_at_most_a_thousand_tags() {
    for fixture in fixtures(Limits::default()).await {
        let digest = fixture.push("a", None).await;
        let id = fixture.repository_id(APP).await;
        transaction!(fixture.test.database, open => {
            for number in 0..999 {
                let (row, name) = (format!("id-{number}"), format!("t{number}"));
                open.execute(
                    "INSERT INTO tag (id, repository_id, name, digest, set_at, set_by) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    params![row, id.as_str(), name, digest.as_str(), NOW, "test"],
                )
                .await?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
        fixture.push("a", Some("thousandth")).await;
        match fixture.put(&new_image(&image_json("a"), Some("one-more"))).await {
            Err(Error::LimitExceeded { maximum: 1000, .. }) => {}
            other => panic!("{}: {other:?}", fixture.test.engine),
        }
        // A tag that the image has already is no new one, and other images take tags as before.
        let again = fixture.put(&new_image(&image_json("a"), Some("t5"))).await;
        assert!(matches!(again, Err(Error::ImageAlreadyExists { .. })), "{again:?}");
        fixture.push("b", Some("one-more")).await;
    }
}

#[tokio::test]
async fn a_repository_has_a_limit_of_images() {
    for fixture in fixtures(Limits { images_per_repository: 2, ..Limits::default() }).await {
        fixture.push("a", Some("v1")).await;
        fixture.push("b", Some("v2")).await;
        fixture.link(&["c"]).await;
        let third = new_image(&image_json("c"), Some("v3"));
        match fixture.put(&third).await {
            Err(Error::LimitExceeded { maximum: 2, .. }) => {}
            other => panic!("{other:?}"),
        }
        // Known images still take tags, and a deletion makes room at once.
        fixture.push("a", Some("v3")).await;
        fixture.catalog.delete_images(&allow(repository(APP)), &[by_tag("v2")]).await.unwrap();
        fixture.put(&new_image(&image_json("c"), None)).await.unwrap();
    }
}

#[tokio::test]
async fn an_index_is_as_large_as_its_largest_member() {
    for fixture in fixtures(Limits::default()).await {
        fixture.push("a", None).await;
        let mut large = image_json("b");
        large["config"]["size"] = json!(5000);
        fixture.link(&["b"]).await;
        fixture.put(&new_image(&large, None)).await.unwrap();
        let mut index = index_json(&["a"]);
        index["manifests"]
            .as_array_mut()
            .unwrap()
            .push(json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest_of(&large), "size": 300}));
        let digest = fixture.put(&new_image(&index, None)).await.unwrap().digest;
        let allowed = allow(repository(APP));
        let ids = [by_digest(&image_digest("a")), by_digest(&digest)];
        let found = fixture.catalog.describe_named_images(&allowed, &ids, Default::default()).await.unwrap();
        assert_eq!((found[0].size_bytes, found[1].size_bytes), (107, 5100));
    }
}

#[tokio::test]
async fn stated_sizes_cannot_overflow() {
    for fixture in fixtures(Limits::default()).await {
        let huge = oci::MAX_DESCRIPTOR_SIZE_BYTES;
        let layer = |digest: &Digest| json!({"mediaType": LAYER, "digest": digest, "size": huge});
        let mut manifest = image_json("a");
        manifest["layers"] = vec![layer(&config_of("shared layer")); 3000].into();
        fixture.link(&["a"]).await;
        let child = fixture.put(&new_image(&manifest, None)).await.unwrap().digest;
        let mut entries = vec![layer(&config_of("shared layer")); 3000];
        entries.push(json!({"mediaType": media_type::OCI_MANIFEST, "digest": child, "size": 1}));
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries});
        let digest = fixture.put(&new_image(&index, None)).await.unwrap().digest;
        let allowed = allow(repository(APP));
        let ids = [by_digest(&digest)];
        let found = fixture.catalog.describe_named_images(&allowed, &ids, Default::default()).await.unwrap();
        assert_eq!(found[0].size_bytes, 1 << 61);
    }
}

#[tokio::test]
async fn of_many_pushes_of_one_tag_the_last_one_has_it() {
    for fixture in fixtures(Limits::default()).await {
        let words: Vec<String> = (0..32).map(|number| format!("racer {number}")).collect();
        let borrowed: Vec<&str> = words.iter().map(String::as_str).collect();
        fixture.link(&borrowed).await;
        let images: Vec<NewImage> =
            borrowed.iter().map(|word| new_image(&image_json(word), Some("latest"))).collect();
        let answers = futures_util::future::join_all(images.iter().map(|image| fixture.put(image))).await;
        for answer in answers {
            answer.unwrap();
        }
        assert_eq!(fixture.images(APP).await.len(), 32, "{}", fixture.test.engine);
        assert_eq!(fixture.tags(APP).await.len(), 1);
        let ended = "SELECT COUNT(*) FROM tag WHERE repository_id = $1 AND ended_at IS NOT NULL";
        assert_eq!(fixture.count(ended).await, 31);
        fixture.assert_sound("race").await;
    }
}

#[tokio::test]
async fn of_many_equal_pushes_one_stores() {
    for fixture in fixtures(Limits::default()).await {
        fixture.link(&["a"]).await;
        let image = new_image(&image_json("a"), Some("latest"));
        let answers = futures_util::future::join_all((0..32).map(|_| fixture.put(&image))).await;
        let stored = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(stored, 1, "{}", fixture.test.engine);
        for answer in answers {
            assert!(matches!(answer, Ok(_) | Err(Error::ImageAlreadyExists { .. })), "{answer:?}");
        }
    }
}

fn with_tags(word: &str, tags: &[&str]) -> NewImage {
    let tags = tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
    NewImage { tags, ..new_image(&image_json(word), None) }
}

#[tokio::test]
async fn several_tags_move_together_or_not_at_all() {
    for fixture in fixtures(Limits::default()).await {
        let a = fixture.push("a", Some("v1")).await;
        fixture.link(&["b"]).await;
        let b = fixture.put(&with_tags("b", &["v1", "v1.2", "latest"])).await.unwrap().digest;
        let expected = |pairs: &[(&str, &Digest)]| {
            pairs.iter().map(|(tag, digest)| ((*tag).to_owned(), digest.to_string())).collect()
        };
        let all_b = expected(&[("v1", &b), ("v1.2", &b), ("latest", &b)]);
        assert_eq!(fixture.tags(APP).await, all_b);

        // All there already: nothing happens. One that is not: only that one moves.
        let again = fixture.put(&with_tags("b", &["latest", "v1"])).await;
        assert!(
            matches!(&again, Err(Error::ImageAlreadyExists { tag: Some(tag), .. }) if tag.as_str() == "latest"),
            "{again:?}"
        );
        fixture.put(&with_tags("b", &["latest", "new"])).await.unwrap();
        let ended = "SELECT COUNT(*) FROM tag WHERE repository_id = $1 AND ended_at IS NOT NULL";
        assert_eq!(fixture.count(ended).await, 1, "only a's v1 has ended");

        // One immutable tag keeps all of them where they are.
        let filters = vec![oci::TagFilter::parse("v*").unwrap()];
        fixture.set_mutability(&TagMutability { mode: Mode::MutableWithExclusion, filters }).await;
        let before = fixture.tags(APP).await;
        for tags in [["latest", "v1", "other"], ["v1", "other", "latest"]] {
            let refused = fixture.put(&with_tags("a", &tags)).await;
            assert!(
                matches!(&refused, Err(Error::ImageTagAlreadyExists { tag, .. }) if tag.as_str() == "v1"),
                "{refused:?}"
            );
        }
        assert_eq!(fixture.tags(APP).await, before);
        fixture.put(&with_tags("a", &["latest", "v9"])).await.unwrap();
        assert_eq!(fixture.tags(APP).await["v9"], a.to_string());
        fixture.assert_sound("several tags").await;
    }
}

#[tokio::test]
async fn several_tags_count_against_the_limit_together() {
    for fixture in fixtures(Limits::default()).await {
        fixture.link(&["a"]).await;
        let names: Vec<String> = (0..1000).map(|number| format!("t{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for some in names[..999].chunks(50) {
            fixture.put(&with_tags("a", some)).await.unwrap();
        }
        let refused = fixture.put(&with_tags("a", &["t0", "t999", "one-more"])).await;
        assert!(matches!(refused, Err(Error::LimitExceeded { maximum: 1000, .. })), "{refused:?}");
        assert_eq!(fixture.tags(APP).await.len(), 999);
        // A tag that is on the image already is none more.
        fixture.put(&with_tags("a", &["t0", "t999"])).await.unwrap();
        assert_eq!(fixture.tags(APP).await.len(), 1000);
    }
}
