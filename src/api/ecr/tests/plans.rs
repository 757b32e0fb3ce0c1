//! No statement of a push, a pull, a list or the decision about one reads a table from end to end.
//!
//! The statements are those that the flows below run, so that one who changes a statement has nothing to list here.

use bytes::Bytes;
use futures_util::stream;
use oci::{Digest, Manifest, Reference, Tag};
use serde_json::json;

use super::door::{Door, OWNER, doors};
use super::images::{manifest, with};
use crate::access::testing::{allow, repository};
use crate::catalog::image::NewImage;
use crate::catalog::upload::{Chunk, Source};
use crate::environment::SECOND;
use crate::store::db::testing::{plan, scans, statements_of};

const REPOSITORY: &str = "randserver";

#[tokio::test]
async fn no_statement_of_a_request_reads_a_whole_table() {
    for door in doors().await.into_iter().filter(|door| door.engine == "sqlite") {
        let statements = statements_of(async {
            push(&door).await;
            pull(&door).await;
            list(&door).await;
            decide(&door).await;
            remove(&door).await;
        })
        .await;
        assert!(statements.len() > 60, "the flows run the statements: {}", statements.len());
        for table in ["blob_link", "blob_content", "image_blob", "tag", "iam_access_key", "iam_attachment"] {
            assert!(statements.iter().any(|sql| sql.contains(table)), "{table} is asked");
        }
        for sql in statements {
            let scans = scans(&door.test.database, sql).await;
            assert!(scans.is_empty(), "{scans:?} in {sql}");
            let steps = plan(&door.test.database, sql).await;
            assert!(!reads_every_link(sql, &steps), "{steps:?} in {sql}");
        }
    }
}

/// Whether a statement reads all links of a repository, which has as many as its images have layers.
fn reads_every_link(sql: &str, steps: &[String]) -> bool {
    sql.contains("blob_link") && steps.iter().any(|step| step.ends_with("PRIMARY KEY (repository_id=?)"))
}

#[tokio::test]
async fn reading_every_link_of_a_repository_is_found_out() {
    let test = crate::store::db::testing::sqlite().await;
    for (sql, found) in [
        ("SELECT COUNT(*) FROM blob_link WHERE repository_id = $1", true),
        ("SELECT linked_at FROM blob_link WHERE repository_id = $1 AND blob = $2", false),
    ] {
        assert_eq!(reads_every_link(sql, &plan(&test.database, sql).await), found, "{sql}");
    }
}

#[tokio::test]
async fn a_whole_table_is_found_out() {
    let test = crate::store::db::testing::sqlite().await;
    for (sql, found) in [
        ("SELECT state FROM blob WHERE state = $1", 1),
        ("SELECT COUNT(*) FROM image", 1),
        (
            "SELECT l.linked_at FROM blob b JOIN blob_link l ON l.linked_at = b.created_at WHERE b.digest = $1",
            1,
        ),
        ("SELECT state FROM blob WHERE digest = $1", 0),
        (
            "SELECT d FROM (SELECT digest AS d FROM blob WHERE digest > $1 ORDER BY digest LIMIT 2) page ORDER BY d",
            0,
        ),
    ] {
        assert_eq!(scans(&test.database, sql).await.len(), found, "{sql}");
    }
}

/// Images through both faces: parts and streams, tags that move, a subject, an index, a mount.
async fn push(door: &Door) {
    door.prepare().await;
    for number in 0..3 {
        door.push(&manifest(number).to_string(), Some("latest")).await;
    }
    let subject = door.push(&manifest(3).to_string(), None).await;
    let mut referrer = manifest(4);
    referrer["subject"] = json!({"mediaType": manifest(3)["mediaType"], "digest": subject, "size": manifest(3).to_string().len()});
    door.push(&referrer.to_string(), Some("referrer")).await;
    let index = json!({
        "schemaVersion": 2, "mediaType": oci::media_type::OCI_INDEX,
        "manifests": [{"mediaType": manifest(3)["mediaType"], "digest": subject, "size": manifest(3).to_string().len()}],
    });
    door.push(&index.to_string(), Some("index")).await;

    // More layers than the short statements take.
    let mut wide = manifest(6);
    for content in ["1", "2", "3", "4", "5"] {
        let digest = door.upload(content.as_bytes()).await;
        let layers = wide["layers"].as_array_mut().unwrap();
        layers.push(json!({"mediaType": layers[0]["mediaType"], "digest": digest, "size": 1}));
    }
    door.push(&wide.to_string(), None).await;

    let catalog = &door.services.catalog;
    for content in [&b"small"[..], &vec![7; 100_000], b"small"] {
        let upload = catalog.start_upload(&allow(repository(REPOSITORY))).await.unwrap();
        let piece = stream::iter([Ok(Bytes::copy_from_slice(content))]);
        catalog.append_chunk(&allow(repository(REPOSITORY)), &upload, Chunk::default(), piece).await.unwrap();
        catalog.upload_length(&allow(repository(REPOSITORY)), &upload).await.unwrap();
        let digests = [Digest::sha256_of(content)];
        catalog
            .complete_upload(&allow(repository(REPOSITORY)), &upload, &digests, Source::Stream)
            .await
            .unwrap();
    }
    let upload = catalog.start_upload(&allow(repository(REPOSITORY))).await.unwrap();
    catalog.abort_upload(&allow(repository(REPOSITORY)), &upload).await.unwrap();
    let bytes = manifest(5).to_string().into_bytes();
    let parsed = Manifest::parse(&bytes, None).unwrap();
    let tags = ["one", "two"].map(|tag| Tag::parse(tag).unwrap()).to_vec();
    let image = NewImage { bytes, manifest: parsed, tags, expected_digest: None };
    catalog.put_image(&allow(repository(REPOSITORY)), &image).await.unwrap();

    door.good("CreateRepository", r#"{"repositoryName": "other"}"#).await;
    let (here, layer) = (repository("other"), Digest::sha256_of(b"layer"));
    assert_eq!(catalog.mount_sources(&allow(here.clone()), &layer).await.unwrap().len(), 1);
    let mounted = catalog.mount_layer(&allow(here), &allow(repository(REPOSITORY)), &layer).await.unwrap();
    assert_eq!(mounted, Some(5));
}

async fn pull(door: &Door) {
    let catalog = &door.services.catalog;
    let layer = Digest::sha256_of(b"layer");
    door.ask("BatchGetImage", json!({"imageIds": [{"imageTag": "latest"}]})).await;
    door.ask("BatchCheckLayerAvailability", json!({"layerDigests": [layer]})).await;
    door.ask("GetDownloadUrlForLayer", json!({"layerDigest": layer})).await;
    let by_tag = Reference::parse("latest").unwrap();
    let found = catalog.get_image(&allow(repository(REPOSITORY)), &by_tag).await.unwrap();
    let by_digest = Reference::parse(found.digest.as_str()).unwrap();
    catalog.get_image(&allow(repository(REPOSITORY)), &by_digest).await.unwrap();
    let reader = catalog.open_layer(&allow(repository(REPOSITORY)), &layer).await.unwrap().unwrap();
    assert_eq!(reader.read(0..5).await.unwrap(), b"layer"[..]);
    catalog.flush_pull_stamps().await.unwrap();
}

async fn list(door: &Door) {
    for status in ["ANY", "TAGGED", "UNTAGGED"] {
        let filter = json!({"filter": {"tagStatus": status}, "maxResults": 2});
        for operation in ["ListImages", "DescribeImages"] {
            let page = door.ask(operation, filter.clone()).await;
            if let Some(next) = page.get("nextToken") {
                let mut more = filter.clone();
                more["nextToken"] = next.clone();
                door.ask(operation, more).await;
            }
        }
    }
    door.ask("DescribeImages", json!({"imageIds": [{"imageTag": "latest"}]})).await;
    door.good("DescribeRepositories", "{}").await;
    door.good("DescribeRepositories", &json!({"repositoryNames": [REPOSITORY]}).to_string()).await;
    let catalog = &door.services.catalog;
    let tags = catalog.tag_names(&allow(repository(REPOSITORY)), "", 2).await.unwrap();
    assert!(tags.has_more);
    catalog.repository_names(&allow(crate::access::testing::registry()), "a", 10).await.unwrap();
    let subject = Digest::sha256_of(manifest(3).to_string().as_bytes());
    let referrers = catalog.referrers(&allow(repository(REPOSITORY)), &subject, &[], "", 10).await.unwrap();
    assert_eq!(referrers.referrers.len(), 1);
}

/// Who asks and whether they may: a user with a policy, and the policy and tags of a repository.
async fn decide(door: &Door) {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}}},
    ]});
    let user = door.user(OWNER, "alice", Some(&policy)).await;
    let body = with(json!({"imageIds": [{"imageTag": "latest"}]})).to_string();
    let refused = door.call_as(&user.key, "BatchGetImage", &body).await;
    assert_eq!(refused.0, 400);
    let arn = format!("arn:aws:ecr:eu-central-1:{OWNER}:repository/{REPOSITORY}");
    let tag = json!({"resourceArn": arn, "tags": [{"Key": "a", "Value": "b"}]});
    door.good("TagResource", &tag.to_string()).await;
    assert_eq!(door.call_as(&user.key, "BatchGetImage", &body).await.0, 200);
}

async fn remove(door: &Door) {
    door.ask("BatchDeleteImage", json!({"imageIds": [{"imageTag": "two"}]})).await;
    let subject = Digest::sha256_of(manifest(0).to_string().as_bytes());
    door.ask("BatchDeleteImage", json!({"imageIds": [{"imageDigest": subject}]})).await;
    let catalog = &door.services.catalog;
    catalog.delete_layer(&allow(repository("other")), &Digest::sha256_of(b"layer")).await.unwrap();
    door.clock.advance(10 * 24 * 3600 * SECOND);
    let collected = catalog.collect().await.unwrap();
    assert!(collected.links > 0 && collected.blobs > 0, "{collected:?}");
}
