//! `DELETE /v2/<name>/blobs/<digest>` (distribution-spec, "Deleting Blobs").

use serde_json::json;

use super::{LAYER, code, digest, image, prepare, put, refusal};
use crate::harness::servers;

#[tokio::test]
async fn a_blob_is_gone_at_once_unless_an_image_needs_it() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        let loose = docker.push_blob("app", b"loose").await;
        let path = |digest: &str| format!("/v2/app/blobs/{digest}");
        let deleted = docker.send("DELETE", &path(&loose), &[], "").await;
        assert_eq!((deleted.status, deleted.body.len()), (202, 0), "{}", server.engine);
        assert_eq!(docker.send("HEAD", &path(&loose), &[], "").await.status, 404);
        assert_eq!(code(&docker.get(&path(&loose)).await), (404, "BLOB_UNKNOWN".to_owned()));
        let again = docker.send("DELETE", &path(&loose), &[], "").await;
        assert_eq!(code(&again), (404, "BLOB_UNKNOWN".to_owned()));

        let one = image("one");
        put(&docker, "app", "v1", &one).await.ok();
        let (status, code, message) = refusal(&docker.send("DELETE", &path(&digest(LAYER)), &[], "").await);
        assert_eq!((status, code.as_str()), (405, "UNSUPPORTED"));
        assert_eq!(
            message,
            format!(
                "Layer with digest '{}' cannot be deleted because images with digests '[{}]' in the repository with \
                 name 'app' in the registry with id '123456789012' refer to it",
                digest(LAYER),
                digest(one.to_string())
            )
        );
        assert_eq!(docker.get(&path(&digest(LAYER))).await.ok().body, LAYER);

        // When the image is gone, so is the reason.
        docker.send("DELETE", "/v2/app/manifests/v1", &[], "").await.ok();
        assert_eq!(docker.send("DELETE", &path(&digest(LAYER)), &[], "").await.status, 202);
    }
}

#[tokio::test]
async fn a_blob_of_another_repository_is_none_of_this_one() {
    for server in servers().await {
        let docker = prepare(&server, "app").await;
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": "other"})).await.ok();
        let layer = digest(LAYER);
        let delete = async |name: &str, digest: &str| {
            docker.send("DELETE", &format!("/v2/{name}/blobs/{digest}"), &[], "").await
        };
        assert_eq!(code(&delete("other", &layer).await), (404, "BLOB_UNKNOWN".to_owned()));
        assert_eq!(code(&delete("absent", &layer).await), (404, "NAME_UNKNOWN".to_owned()));
        assert_eq!(code(&delete("app", "sha256:0").await), (400, "DIGEST_INVALID".to_owned()));
        docker.get(&format!("/v2/app/blobs/{layer}")).await.ok();
    }
}
