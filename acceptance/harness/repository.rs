//! A repository at a server, as clients reach it, and what `aws` and plain HTTP say about it.

use super::{Terminal, http::Response};
use serde_json::Value;
use std::cell::OnceCell;

/// A repository of root's account.
pub struct Repository<'a> {
    root: &'a Terminal,
    uri: String,
    password: OnceCell<String>,
}

impl Repository<'_> {
    /// A new, empty repository.
    pub fn create<'a>(root: &'a Terminal, name: &str) -> Repository<'a> {
        let answer = root.json(&format!("aws ecr create-repository --repository-name {name}"));
        let uri = answer["repository"]["repositoryUri"].as_str().unwrap().to_owned();
        assert!(uri.ends_with(&format!("/{name}")), "{uri}");
        Repository { root, uri, password: OnceCell::new() }
    }

    /// `localhost:4580/app`: what clients put before a tag.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// `localhost:4580`
    pub fn host(&self) -> &str {
        self.uri.split_once('/').unwrap().0
    }

    /// `app`
    pub fn name(&self) -> &str {
        self.uri.split_once('/').unwrap().1
    }

    /// Runs a client's login: `login("podman login --tls-verify=false")`.
    pub fn login(&self, terminal: &Terminal, client: &str) {
        let host = self.host();
        terminal.run(&format!(
            "aws ecr get-login-password | {client} --username AWS --password-stdin {host} 2>&1"
        ));
    }

    /// What `aws ecr describe-images` says about one image.
    pub fn describe(&self, id: &str) -> Value {
        let name = self.name();
        let answer =
            self.root.json(&format!("aws ecr describe-images --repository-name {name} --image-ids {id}"));
        let details = answer["imageDetails"].as_array().unwrap();
        assert_eq!(details.len(), 1, "{answer}");
        details[0].clone()
    }

    /// The digest that a tag means.
    pub fn digest(&self, tag: &str) -> String {
        self.describe(&format!("imageTag={tag}"))["imageDigest"].as_str().unwrap().to_owned()
    }

    /// Every tag, sorted.
    pub fn tags(&self) -> Vec<String> {
        let name = self.name();
        let answer = self.root.json(&format!("aws ecr list-images --repository-name {name}"));
        let ids = answer["imageIds"].as_array().unwrap().iter();
        let mut tags: Vec<String> = ids.filter_map(|id| Some(id["imageTag"].as_str()?.to_owned())).collect();
        tags.sort_unstable();
        tags
    }

    /// Root's password, asked for once.
    pub fn password(&self) -> &str {
        self.password.get_or_init(|| self.root.run("aws ecr get-login-password"))
    }

    /// An authorised request for `/v2/<name><path>` with further arguments of curl.
    pub fn request(&self, path: &str, arguments: &str) -> Response {
        let url = format!("http://{}/v2/{}{path}", self.host(), self.name());
        Response::of(self.root, &format!("--user 'AWS:{}' {arguments} '{url}'", self.password()))
    }
}
