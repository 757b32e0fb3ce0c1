//! What the reading works read: pushed once, found again by later runs, or written as files for a web server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::content::{Blob, LargeTemplate, MANIFEST_TYPE, SmallImage, Template, configuration, manifest};
use super::progress::Progress;
use super::pull::Request;
use super::push::{FramedPiece, Framing, Pusher};
use super::target::Target;

/// Length of each layer and of the configuration of a small image, in bytes.
pub(super) const SMALL_BYTES: usize = 16 * 1024;

/// Different small images that are pulled in turn.
const SMALL_IMAGES: usize = 32;

/// Tags of the repository that is listed.
const TAGS: usize = 1000;

/// The tag of the image with the large layer.
const LARGE_TAG: &str = "large";

/// Seeds the bytes of everything that is read, so that a second run finds what the first one pushed.
const SEED: u64 = 1;

/// What is read, and in which repositories it lies.
pub(super) struct Fixtures {
    prefix: String,
    images: Vec<SmallImage>,
    large: LargeTemplate,
}

impl Fixtures {
    /// Makes the content; `pull_mebibytes` is the length of the large layer.
    pub(super) fn new(prefix: &str, pull_mebibytes: u64) -> Self {
        let template = Template::new(SEED, SMALL_BYTES);
        let images = (0..SMALL_IMAGES)
            .map(|number| SmallImage::new(&template, &format!("image-{number}"), SMALL_BYTES))
            .collect();
        Self { prefix: prefix.to_owned(), images, large: LargeTemplate::new(SEED, pull_mebibytes) }
    }

    /// The repositories, for registries where they must be created first.
    pub(super) fn repositories(prefix: &str) -> [String; 3] {
        [read_repository(prefix), tags_repository(prefix), push_repository(prefix)]
    }

    /// Pushes the small images that are not there.
    pub(super) fn push_images(&self, target: &Arc<Target>, framing: Framing) -> anyhow::Result<()> {
        let repository = read_repository(&self.prefix);
        let mut pusher = Pusher::new(target, &repository, framing)?;
        let progress = Progress::of("small images to read");
        for (number, image) in self.images.iter().enumerate() {
            progress.step(number, self.images.len());
            push_image(&mut pusher, &repository, image, &small_tag(number))?;
        }
        progress.clear();
        Ok(())
    }

    /// Pushes the image with the large layer if it is not there.
    pub(super) fn push_large(&self, target: &Arc<Target>, framing: Framing) -> anyhow::Result<()> {
        let repository = read_repository(&self.prefix);
        let mut pusher = Pusher::new(target, &repository, framing)?;
        let (_, digest, image) = self.large_image();
        let is_there = pusher.has(&format!("/v2/{repository}/blobs/{digest}"))?;
        if !is_there {
            let framed = FramedPiece::new(&self.large, framing);
            pusher.large(&self.large, &framed, LARGE_TAG)?;
        }
        push_missing(&mut pusher, &repository, &image.configuration)?;
        if !pusher.has(&format!("/v2/{repository}/manifests/{LARGE_TAG}"))? {
            pusher.manifest(&image.manifest.bytes, LARGE_TAG)?;
        }
        Ok(())
    }

    /// Pushes one image under 1,000 tags unless that many are there.
    pub(super) fn push_tags(&self, target: &Arc<Target>, framing: Framing) -> anyhow::Result<()> {
        let repository = tags_repository(&self.prefix);
        let mut pusher = Pusher::new(target, &repository, framing)?;
        let listed = pusher.get(&format!("/v2/{repository}/tags/list?n={TAGS}"))?;
        if listed.is_some_and(|body| count_tags(&body) >= TAGS) {
            return Ok(());
        }
        let image = self.images.first().context("no image")?;
        let progress = Progress::of("tags to list");
        push_image(&mut pusher, &repository, image, &listed_tag(0))?;
        for number in 1..TAGS {
            progress.step(number, TAGS);
            pusher.manifest(&image.manifest.bytes, &listed_tag(number))?;
        }
        progress.clear();
        Ok(())
    }

    /// The manifest of the first image by its tag.
    pub(super) fn manifest_request(&self, target: &Target, is_head: bool) -> Request {
        let path = format!("/v2/{}/manifests/{}", read_repository(&self.prefix), small_tag(0));
        let length = self.images.first().map(|image| image.manifest.bytes.len() as u64);
        manifest_request(target, &path, is_head, length)
    }

    /// Per image its manifest and its four blobs.
    pub(super) fn image_requests(&self, target: &Target) -> Vec<Vec<Request>> {
        let repository = read_repository(&self.prefix);
        let images = self.images.iter().enumerate();
        images
            .map(|(number, image)| {
                let path = format!("/v2/{repository}/manifests/{}", small_tag(number));
                let length = image.manifest.bytes.len() as u64;
                let blobs = image.blobs().map(|blob| {
                    let path = format!("/v2/{repository}/blobs/{}", blob.digest);
                    get(target, &path, blob.bytes.len() as u64)
                });
                [manifest_request(target, &path, false, Some(length))].into_iter().chain(blobs).collect()
            })
            .collect()
    }

    /// The large layer.
    pub(super) fn large_request(&self, target: &Target) -> Request {
        let (_, digest) = self.large.stamp(LARGE_TAG);
        let path = format!("/v2/{}/blobs/{digest}", read_repository(&self.prefix));
        get(target, &path, self.large.length())
    }

    /// A page of 1,000 tags.
    pub(super) fn tags_request(&self, target: &Target) -> Request {
        let path = format!("/v2/{}/tags/list?n={TAGS}", tags_repository(&self.prefix));
        Request { head: target.head("GET", &path, &[]), is_head: false, body_bytes: None }
    }

    /// Writes all of it below `folder` under the paths of the requests.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let repository = read_repository(&self.prefix);
        let file = |path: String, bytes: &[u8]| write_file(folder.join(path), &[bytes]);
        for (number, image) in self.images.iter().enumerate() {
            file(format!("v2/{repository}/manifests/{}", small_tag(number)), &image.manifest.bytes)?;
            for blob in image.blobs() {
                file(format!("v2/{repository}/blobs/{}", blob.digest), &blob.bytes)?;
            }
        }
        let (stamp, digest, image) = self.large_image();
        let mebibytes = usize::try_from(self.large.mebibytes).context("too large a layer")?;
        let mut pieces = vec![self.large.piece.as_slice(); mebibytes - 1];
        let cut = self.large.piece.len() - stamp.len();
        pieces.extend([self.large.piece.get(..cut).unwrap_or_default(), &stamp]);
        write_file(folder.join(format!("v2/{repository}/blobs/{digest}")), &pieces)?;
        file(format!("v2/{repository}/manifests/{LARGE_TAG}"), &image.manifest.bytes)?;
        let tags: Vec<String> = (0..TAGS).map(listed_tag).collect();
        let repository = tags_repository(&self.prefix);
        let listed = serde_json::json!({ "name": repository, "tags": tags }).to_string();
        file(format!("v2/{repository}/tags/list"), listed.as_bytes())
    }

    fn large_image(&self) -> (Vec<u8>, String, SmallImage) {
        let (stamp, digest) = self.large.stamp(LARGE_TAG);
        let configuration = configuration(&[], LARGE_TAG, 0);
        let described = (configuration.digest.as_str(), configuration.bytes.len() as u64);
        let manifest = manifest(described, &[(&digest, self.large.length())]);
        (stamp.to_vec(), digest, SmallImage { layers: Vec::new(), configuration, manifest })
    }
}

fn read_repository(prefix: &str) -> String {
    format!("{prefix}/read")
}

fn tags_repository(prefix: &str) -> String {
    format!("{prefix}/tags")
}

/// The repository into which the pushing works push.
pub(super) fn push_repository(prefix: &str) -> String {
    format!("{prefix}/push")
}

fn small_tag(number: usize) -> String {
    format!("image-{number}")
}

fn listed_tag(number: usize) -> String {
    format!("tag-{number:04}")
}

fn manifest_request(target: &Target, path: &str, is_head: bool, length: Option<u64>) -> Request {
    let accept = format!("accept: {MANIFEST_TYPE}");
    let head = target.head(if is_head { "HEAD" } else { "GET" }, path, &[&accept]);
    Request { head, is_head, body_bytes: length.filter(|_| !is_head) }
}

fn get(target: &Target, path: &str, length: u64) -> Request {
    Request { head: target.head("GET", path, &[]), is_head: false, body_bytes: Some(length) }
}

fn push_image(pusher: &mut Pusher, repository: &str, image: &SmallImage, tag: &str) -> anyhow::Result<()> {
    let current = pusher.get(&format!("/v2/{repository}/manifests/{tag}"))?;
    if current.is_some_and(|bytes| bytes == image.manifest.bytes) {
        return Ok(());
    }
    for blob in image.blobs() {
        push_missing(pusher, repository, blob)?;
    }
    pusher.manifest(&image.manifest.bytes, tag)
}

fn push_missing(pusher: &mut Pusher, repository: &str, blob: &Blob) -> anyhow::Result<()> {
    if pusher.has(&format!("/v2/{repository}/blobs/{}", blob.digest))? {
        return Ok(());
    }
    pusher.blob(&blob.digest, &blob.bytes)
}

fn count_tags(body: &[u8]) -> usize {
    let document: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    document.get("tags").and_then(serde_json::Value::as_array).map_or(0, Vec::len)
}

fn write_file(path: PathBuf, pieces: &[&[u8]]) -> anyhow::Result<()> {
    use std::io::Write as _;
    let Some(parent) = path.parent() else { bail!("{} has no folder", path.display()) };
    std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let mut file = std::fs::File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let written = pieces.iter().try_for_each(|piece| file.write_all(piece));
    written.with_context(|| format!("write {}", path.display()))
}
