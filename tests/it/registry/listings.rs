//! Tags and repositories, page by page.

use serde_json::json;

use super::{code, image, prepare, put};
use crate::harness::{Answer, Docker, servers};

/// The path of the next page, from `Link: <…>; rel="next"`.
pub fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link");
    if link.is_empty() {
        return None;
    }
    let (path, relation) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(relation, "; rel=\"next\"");
    assert!(path.starts_with("/v2/"), "relative, so that any proxy works: {path}");
    Some(path.to_owned())
}

/// All entries of a listing, following its links.
async fn all(docker: &Docker<'_>, first: &str, member: &str) -> Vec<String> {
    let (mut path, mut found) = (first.to_owned(), Vec::new());
    loop {
        let answer = docker.get(&path).await.ok();
        let page = answer.json();
        found.extend(page[member].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap().to_owned()));
        match next(&answer) {
            Some(next) => path = next,
            None => return found,
        }
    }
}

#[tokio::test]
async fn tags_in_byte_order_with_any_page_size() {
    for server in servers().await {
        let docker = prepare(&server, "team/app").await;
        let empty = docker.get("/v2/team/app/tags/list").await.ok();
        assert_eq!(empty.json(), json!({"name": "team/app", "tags": []}));
        let mut tags: Vec<String> =
            ["latest", "V1", "_x", "v1.7.3", "8.0.12-c15", "a.", "a-", "A"].map(str::to_owned).to_vec();
        tags.extend((0..40).map(|number| format!("t{number}")));
        for tag in &tags {
            put(&docker, "team/app", tag, &image("tags")).await.ok();
        }
        tags.sort();
        let answer = docker.get("/v2/team/app/tags/list").await.ok();
        assert_eq!(answer.json(), json!({"name": "team/app", "tags": tags}), "{}", server.engine);
        assert_eq!(answer.header("content-type"), "application/json");
        for limit in [1, 7, 48, 49, 1000] {
            let path = format!("/v2/team/app/tags/list?n={limit}");
            assert_eq!(all(&docker, &path, "tags").await, tags, "{limit} on {}", server.engine);
        }
        let from = docker.get("/v2/team/app/tags/list?last=t38").await.ok();
        assert_eq!(from.json()["tags"], json!(tags[tags.iter().position(|tag| tag == "t38").unwrap() + 1..]));
        let none = docker.get("/v2/team/app/tags/list?n=0").await.ok();
        assert_eq!((none.json()["tags"].clone(), next(&none)), (json!([]), None));
        for limit in ["1001", "-1", "x", "99999999999999999999"] {
            let answer = docker.get(&format!("/v2/team/app/tags/list?n={limit}")).await;
            assert_eq!(code(&answer), (405, "UNSUPPORTED".to_owned()), "{limit}");
        }
        assert_eq!(code(&docker.get("/v2/not/there/tags/list").await), (404, "NAME_UNKNOWN".to_owned()));
    }
}

#[tokio::test]
async fn repositories_of_the_registry() {
    for server in servers().await {
        let docker = server.docker(&server.root).await;
        assert_eq!(docker.get("/v2/_catalog").await.ok().json(), json!({"repositories": []}));
        let mut names: Vec<String> =
            (0..120).map(|number| format!("team-{}/app{number}", number % 3)).collect();
        for name in &names {
            server.ecr(&server.root, "CreateRepository", json!({"repositoryName": name})).await.ok();
        }
        names.sort();
        let first = docker.get("/v2/_catalog").await.ok();
        assert_eq!(first.json()["repositories"].as_array().unwrap().len(), 100, "the default page");
        for path in ["/v2/_catalog", "/v2/_catalog?n=17", "/v2/_catalog?n=1000"] {
            assert_eq!(all(&docker, path, "repositories").await, names, "{path} on {}", server.engine);
        }
        assert_eq!(code(&docker.get("/v2/_catalog?n=1001").await), (405, "UNSUPPORTED".to_owned()));
    }
}
