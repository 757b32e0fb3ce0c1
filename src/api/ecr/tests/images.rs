//! PutImage, BatchGetImage, ListImages, DescribeImages, BatchDeleteImage, ListImageReferrers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci::{Digest, media_type};
use serde_json::{Value, json};

use super::door::{Door, doors, exception};
use crate::environment::SECOND;

const REPOSITORY: &str = "randserver";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Door {
    /// Uploads a layer with the operations of the API.
    pub(super) async fn upload(&self, content: &[u8]) -> Digest {
        let digest = Digest::sha256_of(content);
        let started = self.good("InitiateLayerUpload", &with(json!({})).to_string()).await;
        let upload = &started["uploadId"];
        let part = with(json!({
            "uploadId": upload, "partFirstByte": 0, "partLastByte": content.len() - 1,
            "layerPartBlob": STANDARD.encode(content),
        }));
        self.good("UploadLayerPart", &part.to_string()).await;
        let complete = with(json!({"uploadId": upload, "layerDigests": [digest]}));
        self.good("CompleteLayerUpload", &complete.to_string()).await;
        digest
    }

    /// The repository with the layers of all test images.
    pub(super) async fn prepare(&self) {
        self.good("CreateRepository", &with(json!({})).to_string()).await;
        for content in ["config", "layer"] {
            self.upload(content.as_bytes()).await;
        }
    }

    async fn put(&self, manifest: &str, more: Value) -> (u16, Value) {
        let mut body = with(more);
        body["imageManifest"] = json!(manifest);
        self.call("PutImage", &body.to_string()).await
    }

    /// Stores an image that must be accepted; gives its digest.
    pub(super) async fn push(&self, manifest: &str, tag: Option<&str>) -> String {
        let more = tag.map_or_else(|| json!({}), |tag| json!({"imageTag": tag}));
        let (status, answer) = self.put(manifest, more).await;
        assert_eq!(status, 200, "{answer}");
        answer["image"]["imageId"]["imageDigest"].as_str().unwrap().to_owned()
    }

    pub(super) async fn ask(&self, operation: &str, more: Value) -> Value {
        self.good(operation, &with(more).to_string()).await
    }

    async fn refusal(&self, operation: &str, more: Value) -> (String, String) {
        self.refused(operation, &with(more).to_string()).await
    }
}

/// A request about the repository.
pub(super) fn with(mut more: Value) -> Value {
    more["repositoryName"] = json!(REPOSITORY);
    more
}

/// A manifest of the uploaded layers; the number tells images apart.
pub(super) fn manifest(number: usize) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": {"mediaType": media_type::OCI_CONFIG, "digest": Digest::sha256_of(b"config"), "size": 6},
        "layers": [{"mediaType": LAYER, "digest": Digest::sha256_of(b"layer"), "size": 5}],
        "annotations": {"number": number.to_string()},
    })
}

#[tokio::test]
async fn answers_have_exactly_the_members_that_ecr_shows() {
    for door in doors().await {
        door.prepare().await;
        let text = format!(" {}\n", manifest(1));
        let digest = Digest::sha256_of(text.as_bytes());
        let image = |tag: Option<&str>| {
            let mut id = json!({"imageDigest": digest});
            if let Some(tag) = tag {
                id["imageTag"] = json!(tag);
            }
            json!({
                "registryId": "123456789012", "repositoryName": REPOSITORY, "imageId": id,
                "imageManifest": text, "imageManifestMediaType": media_type::OCI_MANIFEST,
            })
        };
        let (status, put) = door.put(&text, json!({"imageTag": "0.0.1", "imageDigest": digest})).await;
        assert_eq!((status, &put), (200, &json!({"image": image(Some("0.0.1"))})), "{}", door.engine);

        let ids = json!({"imageIds": [{"imageTag": "0.0.1"}, {"imageDigest": digest}],
            "acceptedMediaTypes": [media_type::DOCKER_MANIFEST]});
        let got = door.ask("BatchGetImage", ids).await;
        assert_eq!(got, json!({"images": [image(Some("0.0.1")), image(None)], "failures": []}));

        let listed = door.ask("ListImages", json!({})).await;
        let entry = json!({"imageDigest": digest, "imageTag": "0.0.1"});
        assert_eq!(listed, json!({"imageIds": [entry]}));

        door.clock.advance(60 * SECOND);
        let detail = |pulled: Option<f64>| {
            let mut detail = json!({
                "registryId": "123456789012", "repositoryName": REPOSITORY, "imageDigest": digest,
                "imageTags": ["0.0.1"], "imageSizeInBytes": 11, "imagePushedAt": 1_763_900_000.0,
                "imageManifestMediaType": media_type::OCI_MANIFEST, "artifactMediaType": media_type::OCI_CONFIG,
                "imageStatus": "ACTIVE",
            });
            if let Some(pulled) = pulled {
                detail["lastRecordedPullTime"] = json!(pulled);
            }
            json!({"imageDetails": [detail]})
        };
        assert_eq!(door.ask("DescribeImages", json!({})).await, detail(None));
        door.services.catalog.flush_pull_stamps().await.unwrap();
        let ids = json!({"imageIds": [{"imageTag": "0.0.1"}]});
        assert_eq!(door.ask("DescribeImages", ids.clone()).await, detail(Some(1_763_900_000.0)));

        let deleted = door.ask("BatchDeleteImage", ids).await;
        assert_eq!(deleted, json!({"imageIds": [entry], "failures": []}));
        assert_eq!(door.ask("ListImages", json!({})).await, json!({"imageIds": []}));
        assert_eq!(door.ask("DescribeImages", json!({})).await, json!({"imageDetails": []}));
    }
}

#[tokio::test]
async fn a_refused_push_says_why_and_stores_nothing() {
    for door in doors().await {
        door.prepare().await;
        let good = manifest(1).to_string();
        let absent = Digest::sha256_of(b"absent");
        let mut no_layer = manifest(1);
        no_layer["layers"][0]["digest"] = json!(absent);
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests":
            [{"mediaType": media_type::OCI_MANIFEST, "digest": absent, "size": 1}]});
        let schema1 = json!({"schemaVersion": 1, "fsLayers": [{"blobSum": Digest::sha256_of(b"layer")}]});
        let mut untyped = manifest(1);
        untyped.as_object_mut().unwrap().remove("mediaType");
        let constraint = |member: &str, text: &str| {
            format!("Invalid parameter at '{member}' failed to satisfy constraint: '{text}'")
        };
        let invalid = "InvalidParameterException";
        let place =
            "into repository with name 'randserver' in the registry with id '123456789012' do not exist";
        for (manifest, more, kind, message) in [
            (
                good.clone(),
                json!({"imageTag": "1.0+2"}),
                invalid,
                constraint("imageTag", "must satisfy regular expression '[a-zA-Z0-9-_.]+'"),
            ),
            ("{".to_owned(), json!({}), invalid, constraint("ImageManifest", "Invalid JSON syntax")),
            (
                untyped.to_string(),
                json!({}),
                invalid,
                "image manifest mediatype not provided in manifest or parameter".to_owned(),
            ),
            (
                good.clone(),
                json!({"imageManifestMediaType": media_type::DOCKER_MANIFEST}),
                invalid,
                constraint(
                    "ImageManifest",
                    "the manifest is declared as \"application/vnd.docker.distribution.manifest.v2+json\" and \
                     says of itself \"application/vnd.oci.image.manifest.v1+json\"",
                ),
            ),
            (
                schema1.to_string(),
                json!({"imageManifestMediaType": media_type::DOCKER_SCHEMA1}),
                invalid,
                constraint("ImageTag", "You must specify the image tag for this image type"),
            ),
            (
                format!("{good}{}", " ".repeat(4 * 1024 * 1024)),
                json!({}),
                invalid,
                constraint("imageManifest", "Member must have length less than or equal to 4194304"),
            ),
            (
                good.clone(),
                json!({"imageDigest": absent}),
                "ImageDigestDoesNotMatchException",
                format!(
                    "The image with digest '{absent}' in repository 'randserver' and registry ID '123456789012' \
                     does not match the image digest that Amazon ECR has calculated."
                ),
            ),
            (
                no_layer.to_string(),
                json!({"imageTag": "v1"}),
                "LayersNotFoundException",
                format!("Layers with digests '[{absent}]' required for pushing image {place}"),
            ),
            (
                index.to_string(),
                json!({"imageTag": "v1"}),
                "ReferencedImagesNotFoundException",
                format!("Images with digests '[{absent}]' required for pushing image {place}"),
            ),
        ] {
            let refused = exception(&door.put(&manifest, more).await);
            assert_eq!(refused, (kind.to_owned(), message), "{}", door.engine);
        }
        assert_eq!(door.ask("ListImages", json!({})).await, json!({"imageIds": []}));
        // What the request says counts when the document is silent.
        let more = json!({"imageManifestMediaType": media_type::OCI_MANIFEST});
        assert_eq!(door.put(&untyped.to_string(), more).await.0, 200);
    }
}

#[tokio::test]
async fn tags_move_or_not_in_aws_words() {
    for door in doors().await {
        door.prepare().await;
        let first = door.push(&manifest(1).to_string(), Some("latest")).await;
        let (kind, message) =
            exception(&door.put(&manifest(1).to_string(), json!({"imageTag": "latest"})).await);
        assert_eq!(kind, "ImageAlreadyExistsException");
        assert_eq!(
            message,
            format!(
                "Image with digest '{first}' and tag 'latest' already exists in the repository with name \
                 'randserver' in registry with id '123456789012'"
            )
        );
        let (kind, message) = exception(&door.put(&manifest(1).to_string(), json!({})).await);
        assert_eq!(kind, "ImageAlreadyExistsException");
        assert!(message.contains("and tag 'null' already exists"), "{message}");

        let second = door.push(&manifest(2).to_string(), Some("latest")).await;
        let mut expected =
            vec![json!({"imageDigest": first}), json!({"imageDigest": second, "imageTag": "latest"})];
        expected.sort_by_key(|id| id["imageDigest"].to_string());
        assert_eq!(door.ask("ListImages", json!({})).await, json!({"imageIds": expected}));
        let untagged = door.ask("ListImages", json!({"filter": {"tagStatus": "UNTAGGED"}})).await;
        assert_eq!(untagged, json!({"imageIds": [{"imageDigest": first}]}));

        door.ask("PutImageTagMutability", json!({"imageTagMutability": "IMMUTABLE"})).await;
        let refused = exception(&door.put(&manifest(1).to_string(), json!({"imageTag": "latest"})).await);
        let message = "The image tag 'latest' already exists in the 'randserver' repository and cannot be \
                       overwritten because the tag is immutable.";
        assert_eq!(refused, ("ImageTagAlreadyExistsException".to_owned(), message.to_owned()));

        // Retagging without upload, as AWS documents it.
        let got = door.ask("BatchGetImage", json!({"imageIds": [{"imageTag": "latest"}]})).await;
        let text = got["images"][0]["imageManifest"].as_str().unwrap();
        assert_eq!(door.push(text, Some("stable")).await, second);
    }
}

#[tokio::test]
async fn batches_fail_image_by_image() {
    for door in doors().await {
        door.prepare().await;
        let a = door.push(&manifest(1).to_string(), Some("v1")).await;
        let b = door.push(&manifest(2).to_string(), Some("v2")).await;
        let entry =
            |digest: &str| json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": 1});
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [entry(&b)]});
        let index = door.push(&index.to_string(), None).await;
        let pattern = "Invalid request parameters: image digest should satisfy the regex \
                       '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
        let failures = [
            (
                json!({}),
                "MissingDigestAndTag",
                "Invalid request parameters: both tag and digest cannot be null".to_owned(),
            ),
            (json!({"imageDigest": "invalid"}), "InvalidImageDigest", pattern.to_owned()),
            (
                json!({"imageTag": "a/b"}),
                "InvalidImageTag",
                "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9-_.]+'".to_owned(),
            ),
            (json!({"imageTag": "no"}), "ImageNotFound", "Requested image not found".to_owned()),
            (
                json!({"imageDigest": a, "imageTag": "v2"}),
                "ImageTagDoesNotMatchDigest",
                "Requested image tag does not match the image digest".to_owned(),
            ),
        ];
        let held = (
            json!({"imageTag": "v2"}),
            "ImageReferencedByManifestList",
            format!("Requested image referenced by manifest list: [{index}]"),
        );
        let shown = |rows: &[&(Value, &str, String)]| -> Vec<Value> {
            rows.iter()
                .map(
                    |(id, code, reason)| json!({"imageId": id, "failureCode": code, "failureReason": reason}),
                )
                .collect()
        };
        let mut rows: Vec<_> = failures.iter().collect();
        let ids: Vec<Value> = failures.iter().map(|(id, ..)| id.clone()).collect();
        let got = door.ask("BatchGetImage", json!({"imageIds": ids})).await;
        assert_eq!(got, json!({"images": [], "failures": shown(&rows)}), "{}", door.engine);

        rows.push(&held);
        let ids: Vec<Value> =
            rows.iter().map(|(id, ..)| id.clone()).chain([json!({"imageTag": "v1"})]).collect();
        let deleted = door.ask("BatchDeleteImage", json!({"imageIds": ids})).await;
        let gone = json!([{"imageDigest": a, "imageTag": "v1"}]);
        assert_eq!(deleted, json!({"imageIds": gone, "failures": shown(&rows)}), "{}", door.engine);
    }
}

#[tokio::test]
async fn a_description_of_what_is_not_there_fails_as_a_whole() {
    for door in doors().await {
        door.prepare().await;
        let digest = door.push(&manifest(1).to_string(), Some("v1")).await;
        let ids = json!({"imageIds": [{"imageTag": "v1"}, {"imageDigest": digest, "imageTag": "v2"}]});
        let (kind, message) = door.refusal("DescribeImages", ids).await;
        assert_eq!(kind, "ImageNotFoundException");
        assert_eq!(
            message,
            format!(
                "The image with imageId {{imageDigest:'{digest}', imageTag:'v2'}} does not exist within the \
                 repository with name 'randserver' in the registry with id '123456789012'"
            )
        );
        for more in [json!({"maxResults": 5}), json!({"nextToken": "x"})] {
            let mut body = more;
            body["imageIds"] = json!([{"imageTag": "v1"}]);
            assert_eq!(door.refusal("DescribeImages", body).await.0, "InvalidParameterException");
        }
        for operation in ["ListImages", "DescribeImages"] {
            let body = json!({"repositoryName": "not/there"}).to_string();
            assert_eq!(door.refused(operation, &body).await.0, "RepositoryNotFoundException");
            for (status, length) in [("ACTIVE", 1), ("ANY", 1), ("ARCHIVED", 0), ("ACTIVATING", 0)] {
                let answer = door.ask(operation, json!({"filter": {"imageStatus": status}})).await;
                let member = if operation == "ListImages" { "imageIds" } else { "imageDetails" };
                assert_eq!(answer[member].as_array().unwrap().len(), length, "{operation} {status}");
            }
        }
    }
}

#[tokio::test]
async fn pages_go_on_where_they_ended_and_nowhere_else() {
    for door in doors().await {
        door.prepare().await;
        let mut tags = Vec::new();
        for number in 0..7 {
            let tag = format!("v{number}");
            door.push(&manifest(number).to_string(), Some(&tag)).await;
            tags.push(tag);
        }
        for (operation, member) in [("ListImages", "imageIds"), ("DescribeImages", "imageDetails")] {
            let (mut found, mut token) = (Vec::new(), None::<String>);
            loop {
                let mut request = json!({"maxResults": 3, "filter": {"tagStatus": "TAGGED"}});
                if let Some(token) = &token {
                    request["nextToken"] = json!(token);
                }
                let page = door.ask(operation, request).await;
                let entries = page[member].as_array().unwrap();
                assert!(entries.len() <= 3);
                found.extend(entries.iter().map(|entry| {
                    let tag =
                        if operation == "ListImages" { &entry["imageTag"] } else { &entry["imageTags"][0] };
                    tag.as_str().unwrap().to_owned()
                }));
                match page.get("nextToken") {
                    Some(next) => token = Some(next.as_str().unwrap().to_owned()),
                    None => break,
                }
            }
            found.sort();
            assert_eq!(found, tags, "{operation} on {}", door.engine);
            let token = token.unwrap();
            let other = if operation == "ListImages" { "DescribeImages" } else { "ListImages" };
            for (operation, request) in [
                (other, json!({"nextToken": token, "filter": {"tagStatus": "TAGGED"}})),
                (operation, json!({"nextToken": token})),
                (operation, json!({"nextToken": "AAAA"})),
                (operation, json!({"nextToken": ""})),
            ] {
                let (kind, message) = door.refusal(operation, request).await;
                assert_eq!(kind, "InvalidParameterException", "{message}");
            }
        }
    }
}

#[tokio::test]
async fn referrers_of_a_digest() {
    for door in doors().await {
        door.prepare().await;
        let subject = door.push(&manifest(1).to_string(), Some("v1")).await;
        let mut expected = Vec::new();
        for number in 10..13 {
            let mut signature = manifest(number);
            signature["artifactType"] = json!("application/vnd.example.signature");
            signature["subject"] =
                json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 400});
            let text = signature.to_string();
            let digest = door.push(&text, None).await;
            expected.push(json!({
                "digest": digest, "mediaType": media_type::OCI_MANIFEST, "size": text.len(),
                "artifactType": "application/vnd.example.signature",
                "annotations": {"number": number.to_string()}, "artifactStatus": "ACTIVE",
            }));
        }
        expected.sort_by_key(|referrer| referrer["digest"].to_string());
        let ask = |more: Value| {
            let mut request = more;
            request["subjectId"] = json!({"imageDigest": subject});
            request
        };
        let first = door.ask("ListImageReferrers", ask(json!({"maxResults": 2}))).await;
        assert_eq!(first["referrers"], json!(expected[..2]), "{}", door.engine);
        let rest = ask(json!({"nextToken": first["nextToken"]}));
        assert_eq!(door.ask("ListImageReferrers", rest).await, json!({"referrers": expected[2..]}));
        for (filter, length) in [
            (json!({"artifactTypes": ["application/vnd.example.signature", "x/y"]}), 3),
            (json!({"artifactTypes": ["x/y"]}), 0),
            (json!({"artifactTypes": []}), 3),
            (json!({"artifactStatus": "ANY"}), 3),
            (json!({"artifactStatus": "ARCHIVED"}), 0),
        ] {
            let answer = door.ask("ListImageReferrers", ask(json!({"filter": filter}))).await;
            assert_eq!(answer["referrers"].as_array().unwrap().len(), length, "{filter}");
        }
        let detail =
            door.ask("DescribeImages", json!({"imageIds": [{"imageDigest": expected[0]["digest"]}]})).await;
        assert_eq!(detail["imageDetails"][0]["subjectManifestDigest"], json!(subject));
        let bad = json!({"subjectId": {"imageDigest": "sha256:x"}});
        assert_eq!(door.refusal("ListImageReferrers", bad).await.0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn requests_that_break_a_constraint() {
    for door in doors().await {
        door.prepare().await;
        let digest = door.push(&manifest(1).to_string(), Some("v1")).await;
        let ids = |count: usize| -> Vec<Value> {
            (0..count).map(|number| json!({"imageTag": format!("t{number}")})).collect()
        };
        let constraint = |member: &str, text: &str| {
            format!("Invalid parameter at '{member}' failed to satisfy constraint: '{text}'")
        };
        let too_many = "Member must have length less than or equal to 100";
        let too_few = "Member must have length greater than or equal to 1";
        let long_tag = json!([{"imageTag": "t".repeat(301)}]);
        for (operation, request, message) in [
            ("BatchGetImage", json!({"imageIds": []}), constraint("imageIds", too_few)),
            ("BatchGetImage", json!({"imageIds": ids(101)}), constraint("imageIds", too_many)),
            ("BatchDeleteImage", json!({"imageIds": ids(5000)}), constraint("imageIds", too_many)),
            ("DescribeImages", json!({"imageIds": ids(101)}), constraint("imageIds", too_many)),
            (
                "ListImages",
                json!({"maxResults": 1001}),
                constraint("maxResults", "Member must have value less than or equal to 1000"),
            ),
            (
                "ListImageReferrers",
                json!({"maxResults": 51, "subjectId": {"imageDigest": digest}}),
                constraint("maxResults", "Member must have value less than or equal to 50"),
            ),
            ("PutImage", json!({"imageManifest": ""}), constraint("imageManifest", too_few)),
        ] {
            let refused = door.refusal(operation, request).await;
            assert_eq!(refused, ("InvalidParameterException".to_owned(), message), "{operation}");
        }
        for (operation, request, kind) in [
            ("BatchDeleteImage", json!({"imageIds": long_tag}), "InvalidParameterException"),
            ("ListImages", json!({"filter": {"tagStatus": "SOME"}}), "InvalidParameterException"),
            ("DescribeImages", json!({"filter": {"imageStatus": "GONE"}}), "InvalidParameterException"),
            ("ListImages", json!({"maxResults": 0}), "InvalidParameterException"),
            ("ListImages", json!({"maxResults": "5"}), "SerializationException"),
            ("BatchGetImage", json!({"imageIds": {"imageTag": "v1"}}), "SerializationException"),
            ("BatchGetImage", json!({"imageIds": ["v1"]}), "SerializationException"),
            ("PutImage", json!({"imageManifest": manifest(2)}), "SerializationException"),
        ] {
            assert_eq!(door.refusal(operation, request.clone()).await.0, kind, "{operation} {request:.80}");
        }
        assert_eq!(door.ask("ListImages", json!({})).await["imageIds"].as_array().unwrap().len(), 1);
    }
}
