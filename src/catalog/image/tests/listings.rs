//! ListImages, DescribeImages, tags, referrers: complete, in order, page by page.

use super::*;
use crate::catalog::image::{ImageFilter, Position, TagStatus};
use crate::params;

fn with_tags(tag_status: TagStatus) -> ImageFilter {
    ImageFilter { tag_status, ..ImageFilter::default() }
}

impl Fixture {
    /// All entries of ListImages, in pages of `limit`.
    async fn list(&self, filter: ImageFilter, limit: u32) -> Vec<(Digest, Option<Tag>)> {
        let (mut after, mut all) = (Position::default(), Vec::new());
        loop {
            let allowed = allow(repository(APP));
            let page = self.catalog.list_images(&allowed, filter, &after, limit).await.unwrap();
            assert!(page.names.len() <= limit as usize);
            all.extend(page.names);
            match page.next {
                // Through the text of a cursor and back.
                Some(next) => after = Position::parse(&next.key()).unwrap(),
                None => return all,
            }
        }
    }

    async fn describe(&self, filter: ImageFilter, limit: u32) -> Vec<(String, Vec<String>)> {
        let (mut after, mut all) = (String::new(), Vec::new());
        loop {
            let allowed = allow(repository(APP));
            let page = self.catalog.describe_images(&allowed, filter, &after, limit).await.unwrap();
            assert!(page.images.len() <= limit as usize);
            all.extend(page.images.into_iter().map(|image| (image.digest.to_string(), image.tags)));
            match page.next {
                Some(next) => after = next.to_string(),
                None => return all,
            }
        }
    }

    /// Tags straight into the table: thousands of pushes would take long.
    async fn tag_many(&self, digest: &Digest, names: &[String]) {
        let id = self.repository_id(APP).await;
        transaction!(self.test.database, open => {
            for name in names {
                open.execute(
                    "INSERT INTO tag (id, repository_id, name, digest, set_at, set_by) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    params![format!("id-{name}"), id.as_str(), name, digest.as_str(), NOW, "test"],
                )
                .await?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    }
}

#[tokio::test]
async fn every_page_size_lists_the_same() {
    for fixture in fixtures(Limits::default()).await {
        let mut expected = Vec::new();
        for word in ["a", "b", "c", "d"] {
            expected.push((fixture.push(word, None).await, Vec::<String>::new()));
        }
        for (word, tag) in [("a", "v1"), ("a", "v10"), ("a", "v2"), ("b", "A"), ("b", "_z"), ("b", "z")] {
            let digest = fixture.push(word, Some(tag)).await;
            let entry = expected.iter_mut().find(|(found, _)| *found == digest).unwrap();
            entry.1.push(tag.to_owned());
        }
        expected.sort();
        let entries = |tagged: bool, untagged: bool| -> Vec<(Digest, Option<Tag>)> {
            let of_one = |(digest, tags): &(Digest, Vec<String>)| match tags.as_slice() {
                [] if untagged => vec![(digest.clone(), None)],
                [] => Vec::new(),
                tags if tagged => {
                    tags.iter().map(|tag| (digest.clone(), Some(Tag::parse(tag).unwrap()))).collect()
                }
                _ => Vec::new(),
            };
            expected.iter().flat_map(of_one).collect()
        };
        for limit in 1..=9 {
            let context = format!("{}, {limit}", fixture.test.engine);
            for (status, tagged, untagged) in [
                (TagStatus::Any, true, true),
                (TagStatus::Tagged, true, false),
                (TagStatus::Untagged, false, true),
            ] {
                let filter = with_tags(status);
                assert_eq!(fixture.list(filter, limit).await, entries(tagged, untagged), "{context}");
                let images: Vec<(String, Vec<String>)> = expected
                    .iter()
                    .filter(|(_, tags)| if tags.is_empty() { untagged } else { tagged })
                    .map(|(digest, tags)| (digest.to_string(), tags.clone()))
                    .collect();
                assert_eq!(fixture.describe(filter, limit).await, images, "{context}");
            }
        }
        let archived = ImageFilter { includes_active: false, ..ImageFilter::default() };
        assert_eq!(fixture.list(archived, 10).await, []);
        assert_eq!(fixture.describe(archived, 10).await, []);
    }
}

#[tokio::test]
async fn a_page_of_descriptions_ends_before_it_has_too_many_tags() {
    for fixture in fixtures(Limits::default()).await {
        let mut expected = Vec::new();
        for number in 0..12 {
            let digest = fixture.push(&format!("image {number}"), None).await;
            let names: Vec<String> = (0..1000).map(|tag| format!("i{number:02}-t{tag:04}")).collect();
            fixture.tag_many(&digest, &names).await;
            expected.push((digest.to_string(), names));
        }
        expected.sort();
        let allowed = allow(repository(APP));
        let first =
            fixture.catalog.describe_images(&allowed, ImageFilter::default(), "", 1000).await.unwrap();
        assert!(first.images.len() < 12 && first.next.is_some(), "{}", fixture.test.engine);
        assert_eq!(fixture.describe(ImageFilter::default(), 1000).await, expected, "{}", fixture.test.engine);
    }
}

#[tokio::test]
async fn thousands_of_tags_page_in_byte_order() {
    for fixture in fixtures(Limits::default()).await {
        let mut names: Vec<String> = (0..2500).map(|number| format!("t{number}")).collect();
        for (word, part) in [("a", &names[..900]), ("b", &names[900..1800]), ("c", &names[1800..])] {
            let digest = fixture.push(word, None).await;
            fixture.tag_many(&digest, part).await;
        }
        names.sort();
        let (mut all, mut last) = (Vec::new(), String::new());
        loop {
            let page = fixture.catalog.tag_names(&allow(repository(APP)), &last, 1000).await.unwrap();
            all.extend(page.names().map(str::to_owned));
            last = all.last().cloned().unwrap();
            if !page.has_more {
                break;
            }
        }
        assert_eq!(all, names, "{}", fixture.test.engine);
        let none = fixture.catalog.tag_names(&allow(repository(APP)), "", 0).await.unwrap();
        assert_eq!(none.names().count(), 0);
        // A page that is kept in memory is the page of this moment.
        fixture.push("d", Some("a0")).await;
        let page = fixture.catalog.tag_names(&allow(repository(APP)), "", 1000).await.unwrap();
        assert_eq!(page.names().next(), Some("a0"));
        let a0 = ImageId { digest: None, tag: Some("a0".to_owned()) };
        fixture.catalog.delete_images(&allow(repository(APP)), &[a0]).await.unwrap();
        let page = fixture.catalog.tag_names(&allow(repository(APP)), "", 1000).await.unwrap();
        assert_eq!(page.names().next(), Some("t0"));
    }
}

#[tokio::test]
async fn named_images_are_described_once_each_or_not_at_all() {
    for fixture in fixtures(Limits::default()).await {
        let a = fixture.push("a", Some("v1")).await;
        fixture.push("a", Some("v2")).await;
        let b = fixture.push("b", None).await;
        let allowed = allow(repository(APP));
        let describe = async |ids: &[ImageId], filter: ImageFilter| {
            let found = fixture.catalog.describe_named_images(&allowed, ids, filter).await?;
            Ok::<_, Error>(found.into_iter().map(|image| image.digest).collect::<Vec<_>>())
        };
        let any = ImageFilter::default();
        let ids = [by_digest(&b), by_tag("v2"), by_digest(&a), by_both(&a, "v1"), by_digest(&b)];
        assert_eq!(describe(&ids, any).await.unwrap(), [b.clone(), a.clone()]);
        assert_eq!(describe(&ids, with_tags(TagStatus::Tagged)).await.unwrap(), std::slice::from_ref(&a));
        assert_eq!(describe(&ids, with_tags(TagStatus::Untagged)).await.unwrap(), std::slice::from_ref(&b));
        for missing in [by_tag("v3"), by_digest(&image_digest("c")), by_both(&b, "v1"), by_tag("a/b")] {
            match describe(&[by_digest(&a), missing.clone()], any).await {
                Err(Error::ImageNotFound { digest, tag, .. }) => {
                    assert_eq!(ImageId { digest, tag }, missing);
                }
                other => panic!("{other:?}"),
            }
        }
        let empty = describe(&[ImageId::default()], any).await;
        assert!(matches!(empty, Err(Error::InvalidParameter { parameter: "imageIds", .. })), "{empty:?}");
    }
}

#[tokio::test]
async fn listings_of_no_repository() {
    for fixture in fixtures(Limits::default()).await {
        let gone = || repository("not/there");
        let filter = ImageFilter { includes_active: false, ..ImageFilter::default() };
        let catalog = &fixture.catalog;
        for error in [
            catalog.list_images(&allow(gone()), filter, &Position::default(), 1).await.map(|_| ()),
            catalog.describe_images(&allow(gone()), filter, "", 1).await.map(|_| ()),
            catalog.describe_named_images(&allow(gone()), &[by_tag("x")], filter).await.map(|_| ()),
            catalog.tag_names(&allow(gone()), "", 1).await.map(|_| ()),
            catalog.get_images(&allow(gone()), &[by_tag("x")]).await.map(|_| ()),
            catalog.referrers(&allow(gone()), &config_of("x"), &[], "", 1).await.map(|_| ()),
        ] {
            assert!(matches!(error, Err(Error::RepositoryNotFound(_))), "{error:?}");
        }
    }
}

#[tokio::test]
async fn referrers_by_subject_type_and_page() {
    for fixture in fixtures(Limits::default()).await {
        // The subject is not there: signatures may come before the image.
        let subject = image_digest("subject");
        let mut expected = Vec::new();
        for number in 0..7 {
            let word = format!("signature {number}");
            let mut manifest = image_json(&word);
            let kind = if number % 2 == 0 {
                "application/vnd.example.signature"
            } else {
                "application/vnd.example.sbom"
            };
            manifest["artifactType"] = json!(kind);
            manifest["annotations"] = json!({"number": number.to_string()});
            manifest["subject"] =
                json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 300});
            fixture.link(&[&word]).await;
            let pushed = fixture.put(&new_image(&manifest, None)).await.unwrap();
            assert_eq!(pushed.subject.as_ref(), Some(&subject));
            let size = manifest.to_string().len() as u64;
            expected.push((pushed.digest, kind.to_owned(), number.to_string(), size));
        }
        fixture.push("bystander", Some("v1")).await;
        expected.sort();
        let list = async |types: &[String], limit: u64| {
            let (mut after, mut all) = (String::new(), Vec::new());
            loop {
                let allowed = allow(repository(APP));
                let page = fixture.catalog.referrers(&allowed, &subject, types, &after, limit).await.unwrap();
                after = page.referrers.last().map(|last| last.digest.to_string()).unwrap_or_default();
                all.extend(page.referrers.into_iter().map(|found| {
                    assert_eq!(found.media_type, media_type::OCI_MANIFEST);
                    let number = found.annotations.get("number").cloned().unwrap();
                    (found.digest, found.artifact_type.unwrap(), number, found.size)
                }));
                if !page.has_more {
                    return all;
                }
            }
        };
        for limit in 1..=8 {
            assert_eq!(list(&[], limit).await, expected, "{}, {limit}", fixture.test.engine);
            for kinds in
                [&["application/vnd.example.sbom"][..], &["nothing", "application/vnd.example.signature"]]
            {
                let types: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
                let wanted: Vec<_> =
                    expected.iter().filter(|found| types.contains(&found.1)).cloned().collect();
                assert_eq!(list(&types, limit).await, wanted, "{}, {limit}", fixture.test.engine);
            }
        }
        assert_eq!(list(&["nothing".to_owned()], 5).await, []);
    }
}
