//! Method, path and query of the registry face → one operation. Pure, and closed: what is not listed here is
//! refused, so a request without a check of its own cannot exist.

use http::Method;
use oci::{Digest, Reference, RepositoryName, Route, RouteError, Tag, UploadId};

/// One request of the Docker and OCI distribution protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `GET /v2/`: is this password good?
    Base,
    /// `GET /v2/_catalog`
    Catalog(Page),
    /// `GET /v2/<name>/tags/list`
    ListTags(RepositoryName, Page),
    /// `GET` or `HEAD /v2/<name>/manifests/<reference>`
    GetManifest(RepositoryName, Reference),
    /// `PUT /v2/<name>/manifests/<reference>[?tag=…&tag=…]`
    PutManifest(RepositoryName, PushTarget),
    /// `DELETE /v2/<name>/manifests/<reference>`
    DeleteManifest(RepositoryName, Reference),
    /// `GET /v2/<name>/blobs/<digest>`
    GetBlob(RepositoryName, Digest),
    /// `HEAD /v2/<name>/blobs/<digest>`
    HeadBlob(RepositoryName, Digest),
    /// `DELETE /v2/<name>/blobs/<digest>`
    DeleteBlob(RepositoryName, Digest),
    /// `POST /v2/<name>/blobs/uploads/`
    StartUpload(RepositoryName),
    /// `POST /v2/<name>/blobs/uploads/?mount=<digest>[&from=<name>]`
    MountBlob {
        /// Where the blob shall be readable.
        name: RepositoryName,
        /// The blob.
        digest: Digest,
        /// Where it is readable; without it the server looks for a repository that the caller may read.
        from: Option<RepositoryName>,
    },
    /// `POST /v2/<name>/blobs/uploads/?digest=<digest>` with the whole blob as body
    UploadWhole(RepositoryName, Digest),
    /// `GET /v2/<name>/blobs/uploads/<id>`
    UploadStatus(RepositoryName, UploadId),
    /// `PATCH /v2/<name>/blobs/uploads/<id>`
    AppendUpload(RepositoryName, UploadId),
    /// `PUT /v2/<name>/blobs/uploads/<id>?digest=<digest>`, with or without a last chunk as body
    CompleteUpload(RepositoryName, UploadId, Digest),
    /// `DELETE /v2/<name>/blobs/uploads/<id>`
    AbortUpload(RepositoryName, UploadId),
    /// `GET /v2/<name>/referrers/<digest>[?artifactType=…]`
    ListReferrers {
        /// The repository.
        name: RepositoryName,
        /// The subject.
        subject: Digest,
        /// Only referrers of this type.
        artifact_type: Option<String>,
        /// Which page.
        page: Page,
    },
}

/// What a pushed manifest shall be found under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushTarget {
    /// This tag, and its digest whatever it is.
    Tag(Tag),
    /// This digest, which it must have, and the tags of the `tag` parameters, each once, in their order.
    Digest(Digest, Vec<Tag>),
}

/// Which part of a listing is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// `n`: at most this many entries.
    pub limit: Option<u64>,
    /// `last`: entries after this one.
    pub last: Option<String>,
}

/// A request that is no operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing lies at this path: `404 page not found`, like every unrouted path.
    NotFound,
    /// The path is known, the method is not: 405 with these methods in `Allow`.
    Method(&'static str),
    /// A name, digest, tag or parameter is malformed.
    Malformed(Malformed),
}

/// What is malformed, with the text that the client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// Not a repository name.
    Name,
    /// Not a digest that can exist here.
    Digest(String),
    /// Not a tag.
    Tag,
    /// The page size is not a number from 0 to 1000.
    Limit,
    /// Not the id of an upload that was ever started.
    Upload,
    /// An upload must say its digest.
    DigestMissing,
    /// `tag` parameters belong to a push by digest.
    TagsBesideTag,
    /// More `tag` parameters than one push may have.
    TooManyTags,
}

/// The most entries that a page may hold, as ECR has it (ecr.md §8.4).
pub const MAX_PAGE: u64 = 1000;

/// The most `tag` parameters of one push: the specification wants ten, and all of them must fit into one header
/// of the answer that proxies let through.
pub const MAX_TAG_PARAMETERS: usize = 50;

impl Operation {
    /// The name of the operation, for log and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Base => "Base",
            Self::Catalog(_) => "Catalog",
            Self::ListTags(..) => "ListTags",
            Self::GetManifest(..) => "GetManifest",
            Self::PutManifest(..) => "PutManifest",
            Self::DeleteManifest(..) => "DeleteManifest",
            Self::GetBlob(..) => "GetBlob",
            Self::HeadBlob(..) => "HeadBlob",
            Self::DeleteBlob(..) => "DeleteBlob",
            Self::StartUpload(_) => "StartUpload",
            Self::MountBlob { .. } => "MountBlob",
            Self::UploadWhole(..) => "UploadWhole",
            Self::UploadStatus(..) => "UploadStatus",
            Self::AppendUpload(..) => "AppendUpload",
            Self::CompleteUpload(..) => "CompleteUpload",
            Self::AbortUpload(..) => "AbortUpload",
            Self::ListReferrers { .. } => "ListReferrers",
        }
    }

    /// The repository that a push is about to write to with its first request; `None` for everything that needs
    /// something which only a repository can hold.
    #[must_use]
    pub fn begins_push_to(&self) -> Option<&RepositoryName> {
        match self {
            Self::PutManifest(name, _)
            | Self::StartUpload(name)
            | Self::MountBlob { name, .. }
            | Self::UploadWhole(name, _) => Some(name),
            Self::Base
            | Self::Catalog(_)
            | Self::ListTags(..)
            | Self::GetManifest(..)
            | Self::DeleteManifest(..)
            | Self::GetBlob(..)
            | Self::HeadBlob(..)
            | Self::DeleteBlob(..)
            | Self::UploadStatus(..)
            | Self::AppendUpload(..)
            | Self::CompleteUpload(..)
            | Self::AbortUpload(..)
            | Self::ListReferrers { .. } => None,
        }
    }

    /// Finds the operation of a request.
    ///
    /// # Errors
    /// [`Refusal`] when there is none.
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Refusal> {
        let route = oci::route(path).map_err(refuse_route)?;
        let query = Query::parse(query.unwrap_or(""));
        let is_read = method == Method::GET || method == Method::HEAD;
        Ok(match route {
            Route::Base if is_read => Self::Base,
            Route::Base => return Err(Refusal::Method("GET, HEAD")),
            Route::Catalog if is_read => Self::Catalog(query.page()?),
            Route::Catalog => return Err(Refusal::Method("GET, HEAD")),
            Route::Tags(name) if is_read => Self::ListTags(name, query.page()?),
            Route::Tags(_) => return Err(Refusal::Method("GET, HEAD")),
            Route::Manifest(name, reference) => match *method {
                Method::GET | Method::HEAD => Self::GetManifest(name, reference),
                Method::PUT => Self::PutManifest(name, query.push_target(reference)?),
                Method::DELETE => Self::DeleteManifest(name, reference),
                _ => return Err(Refusal::Method("GET, HEAD, PUT, DELETE")),
            },
            Route::Blob(name, digest) => match *method {
                Method::GET => Self::GetBlob(name, digest),
                Method::HEAD => Self::HeadBlob(name, digest),
                Method::DELETE => Self::DeleteBlob(name, digest),
                _ => return Err(Refusal::Method("GET, HEAD, DELETE")),
            },
            Route::Uploads(name) if *method == Method::POST => start(name, &query)?,
            Route::Uploads(_) => return Err(Refusal::Method("POST")),
            Route::Upload(name, id) => match *method {
                Method::GET | Method::HEAD => Self::UploadStatus(name, id),
                Method::PATCH => Self::AppendUpload(name, id),
                Method::PUT => Self::CompleteUpload(name, id, query.required_digest()?),
                Method::DELETE => Self::AbortUpload(name, id),
                _ => return Err(Refusal::Method("GET, HEAD, PATCH, PUT, DELETE")),
            },
            Route::Referrers(name, subject) if is_read => Self::ListReferrers {
                name,
                subject,
                artifact_type: query.first("artifactType").map(str::to_owned),
                page: query.page()?,
            },
            Route::Referrers(..) => return Err(Refusal::Method("GET, HEAD")),
        })
    }
}

fn start(name: RepositoryName, query: &Query) -> Result<Operation, Refusal> {
    if let Some(digest) = query.digest("mount")? {
        return Ok(match query.first("from").filter(|from| !from.is_empty()) {
            None => Operation::MountBlob { name, digest, from: None },
            Some(from) => match RepositoryName::parse(from) {
                Ok(from) => Operation::MountBlob { name, digest, from: Some(from) },
                // What is no repository name cannot hold the blob, and the client asked for no other source.
                Err(_) => Operation::StartUpload(name),
            },
        });
    }
    Ok(match query.digest("digest")? {
        Some(digest) => Operation::UploadWhole(name, digest),
        None => Operation::StartUpload(name),
    })
}

fn refuse_route(error: RouteError) -> Refusal {
    match error {
        RouteError::NotFound => Refusal::NotFound,
        RouteError::InvalidName { .. } => Refusal::Malformed(Malformed::Name),
        RouteError::InvalidDigest { digest, .. } => Refusal::Malformed(Malformed::Digest(digest)),
        RouteError::InvalidReference { .. } => Refusal::Malformed(Malformed::Tag),
        RouteError::InvalidUpload { .. } => Refusal::Malformed(Malformed::Upload),
    }
}

/// The decoded query parameters.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn digest(&self, name: &str) -> Result<Option<Digest>, Refusal> {
        let Some(text) = self.first(name) else { return Ok(None) };
        let malformed = |_| Refusal::Malformed(Malformed::Digest(text.chars().take(256).collect()));
        Digest::parse(text).map(Some).map_err(malformed)
    }

    fn required_digest(&self) -> Result<Digest, Refusal> {
        self.digest("digest")?.ok_or(Refusal::Malformed(Malformed::DigestMissing))
    }

    /// The tags are counted as sent: repeating one is no way around the limit.
    fn push_target(&self, reference: Reference) -> Result<PushTarget, Refusal> {
        let mut sent = self.0.iter().filter(|(key, _)| key == "tag").map(|(_, value)| value.as_str());
        let digest = match reference {
            Reference::Tag(tag) if sent.next().is_none() => return Ok(PushTarget::Tag(tag)),
            Reference::Tag(_) => return Err(Refusal::Malformed(Malformed::TagsBesideTag)),
            Reference::Digest(digest) => digest,
        };
        let mut tags = Vec::new();
        for (position, text) in sent.enumerate() {
            if position >= MAX_TAG_PARAMETERS {
                return Err(Refusal::Malformed(Malformed::TooManyTags));
            }
            let tag = Tag::parse(text).map_err(|_| Refusal::Malformed(Malformed::Tag))?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(PushTarget::Digest(digest, tags))
    }

    fn page(&self) -> Result<Page, Refusal> {
        let limit = match self.first("n") {
            None | Some("") => None,
            Some(text) => {
                let number: u64 = text.parse().map_err(|_| Refusal::Malformed(Malformed::Limit))?;
                if number > MAX_PAGE {
                    return Err(Refusal::Malformed(Malformed::Limit));
                }
                Some(number)
            }
        };
        let last = self.first("last").filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Page { limit, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    #[test]
    fn a_mount_and_a_whole_upload_are_told_apart() {
        let digest = Digest::sha256_of(b"x");
        let path = "/v2/a/b/blobs/uploads/";
        let parse = |query: &str| Operation::parse(&Method::POST, path, Some(query)).unwrap();
        assert_eq!(
            parse(&format!("mount={digest}&from=c%2Fd")),
            Operation::MountBlob { name: name("a/b"), digest: digest.clone(), from: Some(name("c/d")) }
        );
        assert_eq!(parse(&format!("digest={digest}")), Operation::UploadWhole(name("a/b"), digest.clone()));
        assert_eq!(parse(""), Operation::StartUpload(name("a/b")));
        assert_eq!(parse(&format!("mount={digest}&from=../etc")), Operation::StartUpload(name("a/b")));
        for anonymous in [format!("mount={digest}"), format!("mount={digest}&from=")] {
            let expected = Operation::MountBlob { name: name("a/b"), digest: digest.clone(), from: None };
            assert_eq!(parse(&anonymous), expected);
        }
    }

    #[test]
    fn tags_of_a_push_by_digest_are_parameters() {
        let digest = Digest::sha256_of(b"x");
        let put = |reference: &str, query: &str| {
            Operation::parse(&Method::PUT, &format!("/v2/a/b/manifests/{reference}"), Some(query))
        };
        let tag = |text: &str| Tag::parse(text).unwrap();
        let by_digest = |tags: &[&str]| {
            let tags = tags.iter().map(|text| tag(text)).collect();
            Ok(Operation::PutManifest(name("a/b"), PushTarget::Digest(digest.clone(), tags)))
        };
        assert_eq!(put(digest.as_str(), ""), by_digest(&[]));
        assert_eq!(
            put(digest.as_str(), "tag=1.2&x=y&tag=1&tag=1.2&tag=latest"),
            by_digest(&["1.2", "1", "latest"])
        );
        assert_eq!(put("v1", "x=y"), Ok(Operation::PutManifest(name("a/b"), PushTarget::Tag(tag("v1")))));
        let refused = |malformed| Err(Refusal::Malformed(malformed));
        assert_eq!(put("v1", "tag=v2"), refused(Malformed::TagsBesideTag));
        for bad in ["tag=", "tag=a%2Fb", "tag=-a", "tag=ok&tag=%ff"] {
            assert_eq!(put(digest.as_str(), bad), refused(Malformed::Tag), "{bad}");
        }
        assert!(put(digest.as_str(), &vec!["tag=a"; MAX_TAG_PARAMETERS].join("&")).is_ok());
        let many = vec!["tag=a"; MAX_TAG_PARAMETERS + 1].join("&");
        assert_eq!(put(digest.as_str(), &many), refused(Malformed::TooManyTags));
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        let cases = [
            (Method::DELETE, "/v2/", None),
            (Method::POST, "/v2/a/b/tags/list", None),
            (Method::PATCH, "/v2/a/b/manifests/x", None),
            (Method::DELETE, "/v2/a/b/blobs/sha256:0", None),
            (Method::PUT, "/v2/a/b/blobs/uploads/4b5e4f2a-58a7-4a0e-8d2e-6f8d8a3f8f10", None),
            (Method::GET, "/v2/a/b/tags/list", Some("n=1001")),
            (Method::GET, "/v2/a/b/tags/list", Some("n=-1")),
            (Method::GET, "/v3/", None),
        ];
        for (method, path, query) in cases {
            assert!(Operation::parse(&method, path, query).is_err(), "{method} {path}");
        }
    }
}
