//! Uploads as docker, containerd and oras do them: streamed, in chunks, in one request; and everything that goes
//! wrong on the way.

use serde_json::json;
use sha2::Digest as _;

use crate::harness::{Answer, Docker, TestServer, servers};

pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

/// The code and the message of the first error.
pub fn refusal(answer: &Answer) -> (u16, String, String) {
    let error = &answer.json()["errors"][0];
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (answer.status, text("code"), text("message"))
}

pub async fn logged_in(server: &TestServer) -> Docker<'_> {
    for name in ["app", "other"] {
        server.ecr(&server.root, "CreateRepository", json!({"repositoryName": name})).await.ok();
    }
    server.docker(&server.root).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_then_the_digest() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let upload = docker.start_upload("app").await;
        let status = docker.get(&upload).await;
        assert_eq!((status.status, status.header("range")), (204, "0-0"));
        let answer = docker.send("PATCH", &upload, &[], "hello world").await;
        assert_eq!((answer.status, answer.header("range")), (202, "0-10"));
        assert_eq!(answer.header("location"), upload);
        assert!(upload.ends_with(answer.header("docker-upload-uuid")));
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
        let status = docker.get(&upload).await;
        assert_eq!((status.status, status.header("range")), (204, "0-10"));
        let digest = digest_of(b"hello world");
        let answer = docker.send("PUT", &format!("{upload}?digest={digest}"), &[], "").await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("docker-content-digest"), digest);
        assert_eq!(answer.header("location"), format!("/v2/app/blobs/{digest}"));
        assert_eq!(docker.get(answer.header("location")).await.text(), "hello world");
        let gone = docker.get(&upload).await;
        assert_eq!(
            (gone.status, gone.json()["errors"][0]["code"].as_str()),
            (404, Some("BLOB_UPLOAD_UNKNOWN"))
        );
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_in_order_and_out_of_order() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let upload = docker.start_upload("app").await;
        for (range, bytes, status, received) in [
            ("0-3", "0123", 202, "0-3"),
            ("bytes 4-5/*", "45", 202, "0-5"),
            ("0-1", "01", 416, "0-5"),
            ("8-9", "89", 416, "0-5"),
        ] {
            let answer = docker.send("PATCH", &upload, &[("content-range", range)], bytes).await;
            assert_eq!((answer.status, answer.header("range")), (status, received), "{range}: {answer:?}");
            assert_eq!(answer.header("location"), upload);
            if status == 416 {
                let first = range.split('-').next().unwrap();
                let message = format!("First byte of the layer part is {first} instead of 6");
                assert_eq!(refusal(&answer), (416, "BLOB_UPLOAD_INVALID".to_owned(), message));
            }
        }
        for range in ["6-5", "x", "6", "bytes */9", "-6", "6-8"] {
            let answer = docker.send("PATCH", &upload, &[("content-range", range)], "67").await;
            assert_eq!(answer.status, 400, "{range}: {answer:?}");
        }
        let digest = digest_of(b"01234567");
        let last = [("content-range", "6-7")];
        let answer = docker.send("PUT", &format!("{upload}?digest={digest}"), &last, "67").await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(docker.get(&format!("/v2/app/blobs/{digest}")).await.text(), "01234567");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_blob_in_one_request() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        for bytes in ["whole", ""] {
            let digest = digest_of(bytes.as_bytes());
            let path = format!("/v2/app/blobs/uploads/?digest={digest}");
            let answer = docker.send("POST", &path, &[], bytes).await;
            assert_eq!((answer.status, answer.header("docker-content-digest")), (201, digest.as_str()));
            assert_eq!(docker.get(&format!("/v2/app/blobs/{digest}")).await.text(), bytes);
        }
        let path = format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"other"));
        let (status, code, message) = refusal(&docker.send("POST", &path, &[], "bytes").await);
        assert_eq!((status, code.as_str()), (400, "BLOB_UPLOAD_INVALID"));
        assert_eq!(message, "None of the provided layer digests match the calculated layer digest");
        assert_eq!(staged(&server), 0, "a failed upload that nobody knows leaves nothing");
        server.stop().await;
    }
}

/// Files of uploads that are still there.
fn staged(server: &TestServer) -> usize {
    let folders = ["uploads", "blobs/uploads"].map(|name| server.folder.path().join(name));
    let folder = folders.iter().find(|folder| folder.is_dir()).expect("the folder of uploads");
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_and_nothing_is_stored() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let upload = docker.start_upload("app").await;
        docker.send("PATCH", &upload, &[], "bytes").await.ok();
        let put = async |query: &str| {
            let answer = docker.send("PUT", &format!("{upload}{query}"), &[], "").await;
            let (status, code, _) = refusal(&answer);
            (status, code)
        };
        let named = |status, code: &str| (status, code.to_owned());
        assert_eq!(put("").await, named(400, "DIGEST_INVALID"));
        assert_eq!(put("?digest=latest").await, named(400, "DIGEST_INVALID"));
        assert_eq!(put("?digest=md5:00").await, named(400, "DIGEST_INVALID"));
        let other = digest_of(b"other");
        assert_eq!(put(&format!("?digest={other}")).await, named(400, "BLOB_UPLOAD_INVALID"));
        assert_eq!(docker.get(&format!("/v2/app/blobs/{other}")).await.status, 404);
        // Still there: the client may say the right digest.
        assert_eq!(docker.get(&upload).await.header("range"), "0-4");
        let elsewhere = upload.replace("/app/", "/other/");
        let unknown = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000".to_owned();
        for path in [&elsewhere, &unknown, &"/v2/app/blobs/uploads/nonsense".to_owned()] {
            for method in ["GET", "PATCH", "DELETE"] {
                let answer = docker.send(method, path, &[], "").await;
                let code = answer.json()["errors"][0]["code"].as_str().unwrap().to_owned();
                assert_eq!((answer.status, code.as_str()), (404, "BLOB_UPLOAD_UNKNOWN"), "{method} {path}");
            }
        }
        let answer = docker.send("POST", "/v2/absent/blobs/uploads/", &[], "").await;
        let (status, code, message) = refusal(&answer);
        assert_eq!((status, code.as_str()), (404, "NAME_UNKNOWN"));
        assert_eq!(
            message,
            "The repository with name 'absent' does not exist in the registry with id '123456789012'"
        );
        assert_eq!(docker.send("DELETE", &upload, &[], "").await.status, 204);
        assert_eq!(docker.send("DELETE", &upload, &[], "").await.status, 404);
        assert_eq!(staged(&server), 0);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_keeps_what_came_and_the_client_goes_on() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let upload = docker.start_upload("app").await;
        let mut wire = server.wire().await;
        let head = format!(
            "PATCH {upload} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ncontent-length: 1000\r\n\r\n",
            docker.authorization
        );
        wire.send(head).await.send("0123456789").await.finish().await;
        let (answer, _) = wire.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        drop(wire);
        let status = docker.get(&upload).await;
        assert_eq!((status.status, status.header("range")), (204, "0-9"));
        let rest = [("content-range", "10-11")];
        docker.send("PATCH", &upload, &rest, "ab").await.ok();
        let digest = digest_of(b"0123456789ab");
        docker.send("PUT", &format!("{upload}?digest={digest}"), &[], "").await.ok();
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_unknown_length_in_tiny_pieces() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let upload = docker.start_upload("app").await;
        let mut wire = server.wire().await;
        let head = format!(
            "PATCH {upload} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ntransfer-encoding: chunked\r\n\r\n",
            docker.authorization
        );
        wire.send(head).await;
        let mut everything = Vec::new();
        for number in 0..2000_u32 {
            let byte = b'a' + u8::try_from(number % 26).unwrap();
            everything.push(byte);
            wire.send(format!("1\r\n{}\r\n", char::from(byte))).await;
        }
        wire.send("0\r\n\r\n").await;
        let answer = wire.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 202") && answer.contains("range: 0-1999"), "{answer}");
        let digest = digest_of(&everything);
        docker.send("PUT", &format!("{upload}?digest={digest}"), &[], "").await.ok();
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_chunks_at_the_same_time_do_not_mix() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let upload = docker.start_upload("app").await;
        let (first, second) = (vec![b'1'; 1_000_000], vec![b'2'; 1_000_000]);
        let (one, two) = tokio::join!(
            docker.send("PATCH", &upload, &[], first.clone()),
            docker.send("PATCH", &upload, &[], second.clone())
        );
        assert_eq!((one.status, two.status), (202, 202));
        let orders = [[first.clone(), second.clone()].concat(), [second, first].concat()];
        let mut completed = 0;
        for order in orders {
            let path = format!("{upload}?digest={}", digest_of(&order));
            completed += u32::from(docker.send("PUT", &path, &[], "").await.status == 201);
        }
        assert_eq!(completed, 1);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_push_one_blob_and_all_succeed() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        let pushes = (0..32).map(|number| {
            let name = if number % 2 == 0 { "app" } else { "other" };
            docker.push_blob(name, &bytes)
        });
        let digests = futures_util::future::join_all(pushes).await;
        for name in ["app", "other"] {
            let answer = docker.get(&format!("/v2/{name}/blobs/{}", digests[0])).await;
            assert_eq!(answer.body, bytes);
        }
        assert_eq!(staged(&server), 0);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_needs_the_right_to_read_the_source() {
    for server in servers().await {
        let docker = logged_in(&server).await;
        let digest = docker.push_blob("app", b"shared").await;
        let mount = |from: &str| format!("/v2/other/blobs/uploads/?mount={digest}{from}");
        // Nobody is told whether the blob exists: each of these is an ordinary upload.
        let unknown = mount("&from=app").replace(&digest, &digest_of(b"unknown"));
        for path in [mount("&from=absent"), mount("&from=../app"), unknown] {
            let answer = docker.send("POST", &path, &[], "").await;
            assert_eq!(answer.status, 202, "{path}");
            assert!(answer.header("location").starts_with("/v2/other/blobs/uploads/"));
        }
        let pusher = user(&server, "pusher", &["ecr:InitiateLayerUpload"], "repository/other").await;
        let stranger = server.docker(&pusher).await;
        for from in ["&from=app", ""] {
            assert_eq!(stranger.send("POST", &mount(from), &[], "").await.status, 202);
        }
        assert_eq!(docker.get(&format!("/v2/other/blobs/{digest}")).await.status, 404);
        let answer = docker.send("POST", &mount("&from=app"), &[], "").await;
        assert_eq!((answer.status, answer.header("docker-content-digest")), (201, digest.as_str()));
        assert_eq!(answer.header("location"), format!("/v2/other/blobs/{digest}"));
        assert_eq!(docker.get(answer.header("location")).await.text(), "shared");
        server.stop().await;
    }
}

/// A user who may log in and do these things on one repository.
pub async fn user(server: &TestServer, name: &str, actions: &[&str], resource: &str) -> crate::harness::Key {
    let root = &server.root;
    server.iam(root, "CreateUser", &[("UserName", name)]).await.ok();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": actions, "Resource": format!("arn:aws:ecr:*:*:{resource}")},
    ]});
    let fields = [("UserName", name), ("PolicyName", "p"), ("PolicyDocument", &policy.to_string())];
    server.iam(root, "PutUserPolicy", &fields).await.ok();
    let answer = server.iam(root, "CreateAccessKey", &[("UserName", name)]).await.ok();
    let element = |name: &str| {
        let text = answer.text();
        let begin = text.find(&format!("<{name}>")).unwrap() + name.len() + 2;
        text[begin..].split('<').next().unwrap().to_owned()
    };
    crate::harness::Key::new(&element("AccessKeyId"), &element("SecretAccessKey"))
}
