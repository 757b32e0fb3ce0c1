//! Blobs as a pull reads them.

use super::uploads::{digest_of, logged_in, refusal, user};
use crate::harness::servers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_in_part_and_not_at_all() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let bytes: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
        let digest = docker.push_blob("app", &bytes).await;
        let path = format!("/v2/app/blobs/{digest}");
        let whole = docker.get(&path).await;
        assert_eq!((whole.status, &whole.body[..]), (200, &bytes[..]));
        assert_eq!(whole.header("content-type"), "application/octet-stream");
        assert_eq!(whole.header("docker-content-digest"), digest);
        let head = docker.send("HEAD", &path, &[], "").await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["content-length", "content-type", "docker-content-digest", "etag", "accept-ranges"] {
            assert_eq!(head.header(name), whole.header(name), "{name}");
            assert!(!head.header(name).is_empty(), "{name}");
        }
        let part = docker.send("GET", &path, &[("range", "bytes=1000-1499999")], "").await;
        assert_eq!((part.status, &part.body[..]), (206, &bytes[1000..1_500_000]));
        assert_eq!(part.header("content-range"), "bytes 1000-1499999/1600000");
        let beyond = docker.send("GET", &path, &[("range", "bytes=1600000-")], "").await;
        assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */1600000"));
        let known = docker.send("GET", &path, &[("if-none-match", whole.header("etag"))], "").await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_in_the_repository_is_unknown() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let digest = docker.push_blob("app", b"layer").await;
        for name in ["other", "absent"] {
            let code = if name == "other" { "BLOB_UNKNOWN" } else { "NAME_UNKNOWN" };
            let path = format!("/v2/{name}/blobs/{digest}");
            assert_eq!(refusal(&docker.get(&path).await).1, code);
            let head = docker.send("HEAD", &path, &[], "").await;
            assert_eq!((head.status, head.body.len()), (404, 0));
        }
        let unknown = docker.get(&format!("/v2/app/blobs/{}", digest_of(b"unknown"))).await;
        let (status, code, message) = refusal(&unknown);
        assert_eq!((status, code.as_str()), (404, "BLOB_UNKNOWN"));
        assert!(message.starts_with("Layer with digest 'sha256:"), "{message}");
        let malformed = docker.get("/v2/app/blobs/sha256:xyz").await;
        assert_eq!(refusal(&malformed).1, "DIGEST_INVALID");
        for method in ["PATCH", "PUT", "POST"] {
            let answer = docker.send(method, &format!("/v2/app/blobs/{digest}"), &[], "").await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD, DELETE"), "{method}");
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_ask_and_who_may_read() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let digest = docker.push_blob("app", b"layer").await;
        let path = format!("/v2/app/blobs/{digest}");
        for (name, action, head, get) in [
            ("checker", "ecr:BatchCheckLayerAvailability", 200, 403),
            ("puller", "ecr:GetDownloadUrlForLayer", 200, 200),
            ("other", "ecr:PutImage", 403, 403),
        ] {
            let key = user(&server, name, &[action], "repository/app").await;
            let somebody = server.docker(&key).await;
            assert_eq!(somebody.send("HEAD", &path, &[], "").await.status, head, "{name}");
            let answer = somebody.get(&path).await;
            assert_eq!(answer.status, get, "{name}");
            if get == 403 {
                let (_, code, message) = refusal(&answer);
                assert_eq!(code, "DENIED");
                assert_eq!(
                    message,
                    format!(
                        "User: arn:aws:iam::123456789012:user/{name} is not authorized to perform: \
                         ecr:GetDownloadUrlForLayer on resource: \
                         arn:aws:ecr:eu-central-1:123456789012:repository/app because no identity-based policy \
                         allows the ecr:GetDownloadUrlForLayer action"
                    )
                );
            }
        }
        server.stop().await;
    }
}
