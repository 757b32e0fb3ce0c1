//! What becomes of signatures when the image goes that they are about.

use super::*;

const GRACE: i64 = 3600 * SECOND;

/// A test image that refers to `subject`.
fn referrer_json(word: &str, subject: &Digest) -> Value {
    let mut manifest = image_json(word);
    manifest["subject"] = json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 300});
    manifest
}

impl Fixture {
    async fn refer(&self, word: &str, subject: &Digest, tag: Option<&str>) -> Digest {
        self.link(&[word]).await;
        self.put(&new_image(&referrer_json(word, subject), tag)).await.unwrap().digest
    }

    async fn delete_all(&self, digests: &[&Digest]) {
        let ids: Vec<ImageId> = digests.iter().map(|digest| by_digest(digest)).collect();
        let done = self.catalog.delete_images(&allow(repository(APP)), &ids).await.unwrap();
        assert_eq!(done.failures, []);
    }

    async fn collect(&self) -> u64 {
        self.catalog.collect_orphans().await.unwrap()
    }

    async fn waiting(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM image WHERE repository_id = $1 AND review_after IS NOT NULL").await
    }
}

async fn with_grace() -> Vec<Fixture> {
    fixtures(Limits { blob_grace: GRACE, ..Limits::default() }).await
}

#[tokio::test]
async fn referrers_follow_their_subject_after_the_grace() {
    for fixture in with_grace().await {
        let image = fixture.push("image", Some("v1")).await;
        let other = fixture.push("other", Some("v2")).await;
        let signature = fixture.refer("signature", &image, None).await;
        let attestation = fixture.refer("attestation", &image, None).await;
        // What is said about the signature goes with it.
        let countersignature = fixture.refer("countersignature", &signature, None).await;
        let kept = fixture.refer("kept", &other, None).await;
        fixture.delete_all(&[&image]).await;
        fixture.clock.advance(GRACE - 1);
        assert_eq!(fixture.collect().await, 0);
        for referrer in [&signature, &attestation, &countersignature] {
            assert!(fixture.images(APP).await.contains(referrer.as_str()));
        }
        fixture.clock.advance(1);
        assert_eq!(fixture.collect().await, 3, "{}", fixture.test.engine);
        assert_eq!(fixture.images(APP).await, BTreeSet::from([other.to_string(), kept.to_string()]));
        let orphaned = "SELECT COUNT(*) FROM image_blob r WHERE r.repository_id = $1 AND NOT EXISTS \
            (SELECT 1 FROM image i WHERE i.repository_id = $1 AND i.digest = r.digest)";
        assert_eq!(fixture.count(orphaned).await, 0);
        assert_eq!((fixture.collect().await, fixture.waiting().await), (0, 0));
    }
}

#[tokio::test]
async fn a_subject_that_is_pushed_again_keeps_its_referrers() {
    for fixture in with_grace().await {
        let image = fixture.push("image", None).await;
        let signature = fixture.refer("signature", &image, None).await;
        fixture.delete_all(&[&image]).await;
        fixture.clock.advance(GRACE / 2);
        fixture.push("image", None).await;
        fixture.clock.advance(GRACE);
        assert_eq!((fixture.collect().await, fixture.waiting().await), (0, 0));
        assert_eq!(fixture.images(APP).await, BTreeSet::from([image.to_string(), signature.to_string()]));
        // A second deletion begins a grace of its own.
        fixture.delete_all(&[&image]).await;
        assert_eq!(fixture.collect().await, 0);
        fixture.clock.advance(GRACE);
        assert_eq!(fixture.collect().await, 1);
    }
}

#[tokio::test]
async fn what_a_tag_or_an_index_holds_stays() {
    for fixture in with_grace().await {
        let image = fixture.push("image", None).await;
        let tagged = fixture.refer("tagged", &image, Some("signature")).await;
        let member = fixture.refer("member", &image, None).await;
        let bytes = referrer_json("member", &image).to_string();
        let entry = json!({"mediaType": media_type::OCI_MANIFEST, "digest": member, "size": bytes.len()});
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [entry]});
        let index = fixture.put(&new_image(&index, None)).await.unwrap().digest;
        fixture.delete_all(&[&image]).await;
        fixture.clock.advance(GRACE);
        assert_eq!((fixture.collect().await, fixture.waiting().await), (0, 0));
        let left = BTreeSet::from([tagged.to_string(), member.to_string(), index.to_string()]);
        assert_eq!(fixture.images(APP).await, left);
    }
}

#[tokio::test]
async fn a_referrer_whose_subject_never_came_is_no_orphan() {
    for fixture in with_grace().await {
        let signature = fixture.refer("early", &image_digest("never pushed"), None).await;
        fixture.clock.advance(1000 * GRACE);
        assert_eq!(fixture.collect().await, 0);
        assert_eq!(fixture.images(APP).await, BTreeSet::from([signature.to_string()]));
    }
}

#[tokio::test]
async fn more_orphans_than_one_transaction_takes() {
    for fixture in with_grace().await {
        let image = fixture.push("image", None).await;
        for number in 0..45 {
            fixture.refer(&format!("signature {number}"), &image, None).await;
        }
        fixture.delete_all(&[&image]).await;
        fixture.clock.advance(GRACE);
        assert_eq!(fixture.collect().await, 45);
        assert!(fixture.images(APP).await.is_empty());
    }
}
