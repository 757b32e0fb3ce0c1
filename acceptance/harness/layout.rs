//! OCI image layouts, made and checked byte by byte, so that no client has to be trusted with either.
//!
//! A layout is a folder `oci-layout`, `index.json`, `blobs/sha256/<hex>` (image-layout.md of the OCI image
//! specification). Invariant: [`Layout::reachable`] hashes everything it names.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// A folder that holds images.
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// A new, empty layout.
    pub fn create(folder: impl Into<PathBuf>) -> Layout {
        let layout = Layout { folder: folder.into() };
        std::fs::create_dir_all(layout.folder.join("blobs/sha256")).unwrap();
        std::fs::write(layout.folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        layout.write_index(&[]);
        layout
    }

    /// What a client has written.
    pub fn open(folder: impl Into<PathBuf>) -> Layout {
        let layout = Layout { folder: folder.into() };
        assert!(layout.folder.join("index.json").is_file(), "no layout in {}", layout.folder.display());
        layout
    }

    /// The file of a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest.replace(':', "/"))
    }

    /// Stores bytes; gives their descriptor `{mediaType, digest, size}`.
    pub fn put(&self, media_type: &str, content: impl AsRef<[u8]>) -> Value {
        let content = content.as_ref();
        let digest = digest(content);
        std::fs::write(self.blob(&digest), content).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    }

    /// Stores a file by moving it here, however large it is.
    pub fn put_file(&self, media_type: &str, file: &Path) -> Value {
        let (digest, size) = digest_of_file(file);
        std::fs::rename(file, self.blob(&digest)).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": size })
    }

    /// Gives a name to a manifest or index, for clients that take `layout:name`.
    pub fn name(&self, name: &str, descriptor: &Value) {
        let mut named = descriptor.clone();
        named["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        let mut entries = self.index();
        entries.push(named);
        self.write_index(&entries);
    }

    /// The digest of the only entry of `index.json`.
    pub fn only_digest(&self) -> String {
        let entries = self.index();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0]["digest"].as_str().unwrap().to_owned()
    }

    /// Every digest that a manifest or index leads to, itself included. Panics when one is missing here, has
    /// another length than its descriptor says, or does not hash to its name.
    pub fn reachable(&self, digest: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![(digest.to_owned(), None)];
        while let Some((digest, size)) = open.pop() {
            let file = self.blob(&digest);
            assert!(file.is_file(), "{digest} is missing in {}", self.folder.display());
            let (actual, length) = digest_of_file(&file);
            assert_eq!(actual, digest, "content of {}", file.display());
            assert!(size.is_none_or(|size| size == length), "{digest}: {length} bytes, not {size:?}");
            if !found.insert(digest) || length > 4 << 20 {
                continue;
            }
            let Ok(document) = serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()) else {
                continue;
            };
            let members =
                ["manifests", "layers"].iter().filter_map(|name| document[name].as_array()).flatten();
            for member in members.chain(document.get("config").filter(|config| config.is_object())) {
                // An image's configuration has a member `config` too, which names no blob.
                if let (Some(digest), Some(size)) = (member["digest"].as_str(), member["size"].as_u64()) {
                    open.push((digest.to_owned(), Some(size)));
                }
            }
        }
        found
    }

    /// The document of this digest as JSON.
    pub fn json(&self, digest: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.blob(digest)).unwrap()).unwrap()
    }

    fn index(&self) -> Vec<Value> {
        let text = std::fs::read(self.folder.join("index.json")).unwrap();
        let index: Value = serde_json::from_slice(&text).unwrap();
        index["manifests"].as_array().unwrap().clone()
    }

    fn write_index(&self, entries: &[Value]) {
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        std::fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
    }
}

/// `sha256:…` of these bytes.
pub fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

/// `sha256:…` and length of a file, in pieces.
pub fn digest_of_file(file: &Path) -> (String, u64) {
    let mut reader = std::fs::File::open(file).unwrap();
    let (mut hash, mut length, mut piece) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = reader.read(&mut piece).unwrap();
        if read == 0 {
            return (format!("sha256:{}", hex::encode(hash.finalize())), length);
        }
        hash.update(&piece[..read]);
        length += read as u64;
    }
}

/// A tar archive of these files (POSIX ustar), the same bytes every time.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files {
        archive.extend(tar_header(name, content.len() as u64));
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// The header block of one regular file.
pub fn tar_header(name: &str, length: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut field = |offset: usize, text: &str| {
        header[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000644");
    field(108, "0000000");
    field(116, "0000000");
    field(124, &format!("{length:011o}"));
    field(136, "00000000000");
    // The checksum is taken over the header with spaces in its place.
    field(148, "        ");
    field(156, "0");
    field(257, "ustar");
    field(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

/// What a program makes of these bytes: `through("gzip", &["-n"], …)`.
pub fn through(program: &str, arguments: &[&str], content: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {program}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let content = content.to_owned();
    // Writing and reading at once: a pipe holds less than a layer.
    let writer = std::thread::spawn(move || stdin.write_all(&content).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", output.status);
    output.stdout
}
