//! Pushing, docker's way: per blob a POST, one PATCH and a PUT; then the manifest.

use std::sync::Arc;

use anyhow::Context as _;

use super::content::{LargeTemplate, MANIFEST_TYPE, PIECE_BYTES, STAMP_BYTES, SmallImage, Template};
use super::http::Connection;
use super::measure::{Done, Worker};
use super::target::Target;

/// How the body of a PATCH is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Framing {
    /// In chunks of 32 KiB: what docker, podman and skopeo send, because they do not know the length yet.
    Chunked,
    /// With its length ahead.
    Length,
}

/// Size of docker's chunks: the buffer of Go's `io.Copy`.
const CHUNK_BYTES: usize = 32 * 1024;

/// Puts content into one repository.
pub(super) struct Pusher {
    target: Arc<Target>,
    connection: Connection,
    repository: String,
    framing: Framing,
    start: Vec<u8>,
}

impl Pusher {
    /// Connects.
    pub(super) fn new(target: &Arc<Target>, repository: &str, framing: Framing) -> anyhow::Result<Self> {
        let path = format!("/v2/{repository}/blobs/uploads/");
        Ok(Self {
            connection: Connection::open(target)?,
            start: target.head("POST", &path, &["content-length: 0"]),
            target: Arc::clone(target),
            repository: repository.to_owned(),
            framing,
        })
    }

    /// Pushes a small blob: three requests.
    pub(super) fn blob(&mut self, digest: &str, bytes: &[u8]) -> anyhow::Result<()> {
        match self.framing {
            Framing::Length => self.upload(digest, bytes.len() as u64, &[bytes]),
            Framing::Chunked => {
                let chunks: Vec<(String, &[u8])> = bytes
                    .chunks(CHUNK_BYTES)
                    .map(|chunk| (format!("{:x}\r\n", chunk.len()), chunk))
                    .collect();
                let mut pieces: Vec<&[u8]> = Vec::with_capacity(chunks.len() * 3 + 1);
                for (size, chunk) in &chunks {
                    pieces.extend([size.as_bytes(), chunk, b"\r\n"]);
                }
                pieces.push(b"0\r\n\r\n");
                self.upload(digest, bytes.len() as u64, &pieces)
            }
        }
    }

    /// Pushes a manifest under a tag.
    pub(super) fn manifest(&mut self, bytes: &[u8], tag: &str) -> anyhow::Result<()> {
        let path = format!("/v2/{}/manifests/{tag}", self.repository);
        let fields = [format!("content-type: {MANIFEST_TYPE}"), format!("content-length: {}", bytes.len())];
        let head = self.target.head("PUT", &path, &[&fields[0], &fields[1]]);
        self.connection.expect(&[&head, bytes], 201).map(|_| ())
    }

    /// Whether a blob or manifest of this length is there.
    pub(super) fn has(&mut self, path: &str) -> anyhow::Result<bool> {
        let accept = format!("accept: {MANIFEST_TYPE}");
        let head = self.target.head("HEAD", path, &[&accept]);
        Ok(self.connection.exchange(&[&head], true)?.status == 200)
    }

    /// Sends a GET and keeps the body; `None` unless it is answered with 200.
    pub(super) fn get(&mut self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let accept = format!("accept: {MANIFEST_TYPE}");
        let (answer, body) = self.connection.fetch(&[&self.target.head("GET", path, &[&accept])])?;
        Ok((answer.status == 200).then_some(body))
    }

    /// Pushes a large layer; `framed` is its repeated piece as [`framed_piece`] made it.
    pub(super) fn large(
        &mut self,
        template: &LargeTemplate,
        framed: &FramedPiece,
        stamp: &str,
    ) -> anyhow::Result<String> {
        let (stamp, digest) = template.stamp(stamp);
        let mut pieces: Vec<&[u8]> = Vec::with_capacity(usize::try_from(template.mebibytes).unwrap_or(0) + 4);
        for _ in 1..template.mebibytes {
            pieces.push(&framed.whole);
        }
        pieces.push(&framed.without_stamp);
        pieces.push(&stamp);
        if self.framing == Framing::Chunked {
            pieces.push(b"\r\n0\r\n\r\n");
        }
        self.upload(&digest, template.length(), &pieces)?;
        Ok(digest)
    }

    fn upload(&mut self, digest: &str, length: u64, body: &[&[u8]]) -> anyhow::Result<()> {
        let started = self.connection.expect(&[&self.start], 202)?;
        let location = started.location.context("an upload without Location")?;
        let fields = match self.framing {
            Framing::Chunked => "transfer-encoding: chunked".to_owned(),
            Framing::Length => format!("content-length: {length}"),
        };
        let path = self.target.path_of(&location)?;
        let head = self.target.head("PATCH", path, &["content-type: application/octet-stream", &fields]);
        let mut pieces: Vec<&[u8]> = Vec::with_capacity(body.len() + 1);
        pieces.push(&head);
        pieces.extend(body);
        let received = self.connection.expect(&pieces, 202)?;
        let location = received.location.context("a PATCH without Location")?;
        let path = self.target.path_of(&location)?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}digest={digest}");
        let head = self.target.head("PUT", &path, &["content-length: 0"]);
        self.connection.expect(&[&head], 201).map(|_| ())
    }
}

/// The repeated piece of a large layer as it lies on the wire, made once.
pub(super) struct FramedPiece {
    whole: Vec<u8>,
    /// The last piece up to where the stamp begins.
    without_stamp: Vec<u8>,
}

impl FramedPiece {
    /// For pushes with this framing.
    pub(super) fn new(template: &LargeTemplate, framing: Framing) -> Self {
        let cut = PIECE_BYTES - STAMP_BYTES;
        if framing == Framing::Length {
            let without_stamp = template.piece.get(..cut).unwrap_or_default().to_vec();
            return Self { whole: template.piece.clone(), without_stamp };
        }
        let mut whole = Vec::with_capacity(PIECE_BYTES + 1024);
        for chunk in template.piece.chunks(CHUNK_BYTES) {
            whole.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            whole.extend_from_slice(chunk);
            whole.extend_from_slice(b"\r\n");
        }
        // Of the last chunk the stamp and its line end are cut off.
        let without_stamp = whole.get(..whole.len() - STAMP_BYTES - 2).unwrap_or_default().to_vec();
        Self { whole, without_stamp }
    }
}

/// Pushes small images, one after the other.
pub(super) struct SmallPushes {
    pub(super) pusher: Pusher,
    pub(super) template: Arc<Template>,
    /// Makes names unique among all workers and runs.
    pub(super) name: String,
    pub(super) next: u64,
}

impl Worker for SmallPushes {
    fn run(&mut self) -> anyhow::Result<Done> {
        let name = format!("{}-{}", self.name, self.next);
        self.next += 1;
        let image = SmallImage::new(&self.template, &name, 0);
        let mut done = Done::default();
        for blob in image.blobs() {
            self.pusher.blob(&blob.digest, &blob.bytes)?;
            done.requests += 3;
            done.bytes += blob.bytes.len() as u64;
        }
        self.pusher.manifest(&image.manifest.bytes, &name)?;
        done.requests += 1;
        done.bytes += image.manifest.bytes.len() as u64;
        Ok(done)
    }
}

/// Pushes large layers, one after the other.
pub(super) struct LargePushes {
    pub(super) pusher: Pusher,
    pub(super) template: Arc<LargeTemplate>,
    pub(super) framed: Arc<FramedPiece>,
    pub(super) name: String,
    pub(super) next: u64,
}

impl Worker for LargePushes {
    fn run(&mut self) -> anyhow::Result<Done> {
        let stamp = format!("{}-{}", self.name, self.next);
        self.next += 1;
        self.pusher.large(&self.template, &self.framed, &stamp)?;
        Ok(Done { requests: 3, bytes: self.template.length() })
    }
}
