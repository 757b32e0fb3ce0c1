//! What a power cut leaves: a model of a disk that keeps what it was told to sync and may lose everything else.
//!
//! Files and names are apart. A file keeps its bytes and length at its last sync; each later write may be there, may
//! be missing, or may be there in some of its sectors, whatever became of the writes around it. A name is kept when
//! its folder was synced; later changes of names are kept in their order up to some point (a journal) or each by
//! itself (no journal), by the seed's choice. Syncing a file does not keep its name: some file systems do, not all.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::trace::Record;
use super::{Kind, Random};

/// What becomes of the order to sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    Honest,
    /// The disk says yes and does nothing, as some do.
    Lies,
}

type Node = usize;

#[derive(Debug, Default, Clone)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// How many of the pending changes were there when a sync failed.
    lost: usize,
    is_folder: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
    AtLeast(u64),
}

#[derive(Debug, Clone)]
struct Renaming {
    folder: Node,
    name: String,
    target: Option<Node>,
}

/// The disk after the records that it was given.
#[derive(Debug)]
pub struct Disk {
    nodes: Vec<File>,
    by_inode: BTreeMap<u64, Node>,
    /// As the running system sees it: path → node.
    now: BTreeMap<String, Node>,
    durable_names: BTreeMap<(Node, String), Node>,
    pending_names: Vec<Renaming>,
    sync: Sync,
}

impl Disk {
    /// A disk with the one folder of the trace, empty.
    pub fn empty(root: &Path, sync: Sync) -> Disk {
        let mut disk = Disk {
            nodes: vec![File { is_folder: true, ..File::default() }],
            by_inode: BTreeMap::new(),
            now: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            sync,
        };
        disk.by_inode.insert(fs::metadata(root).unwrap().ino(), 0);
        disk.now.insert(String::new(), 0);
        disk
    }

    /// Does what a call did.
    pub fn apply(&mut self, record: &Record) {
        if record.failed && record.kind == Kind::Sync {
            return self.forget(record.inode);
        }
        if record.failed || record.from.ends_with("-shm") {
            return;
        }
        match record.kind {
            Kind::Open => {}
            Kind::Create | Kind::CreateFolder => {
                let is_folder = record.kind == Kind::CreateFolder;
                self.nodes.push(File { is_folder, ..File::default() });
                let node = self.nodes.len() - 1;
                self.by_inode.insert(record.inode, node);
                self.name(&record.from, Some(node));
            }
            Kind::Write => self.change(record.inode, Change::Write(record.offset, record.data.clone())),
            Kind::Truncate => self.change(record.inode, Change::Length(record.length)),
            Kind::Allocate if record.length == 0 => {}
            Kind::Allocate => self.change(record.inode, Change::AtLeast(record.offset + record.length)),
            Kind::Sync if self.sync == Sync::Lies => {}
            Kind::Sync => self.make_durable(record.inode),
            Kind::Rename => {
                let node = self.now[&record.from];
                assert!(!self.nodes[node].is_folder, "folders are not renamed");
                self.name(&record.to, Some(node));
                self.name(&record.from, None);
            }
            Kind::Link => self.name(&record.to, Some(self.now[&record.from])),
            Kind::Unlink | Kind::RemoveFolder => self.name(&record.from, None),
        }
    }

    fn name(&mut self, path: &str, target: Option<Node>) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.now[folder];
        match target {
            Some(node) => self.now.insert(path.to_owned(), node),
            None => self.now.remove(path),
        };
        self.pending_names.push(Renaming { folder, name: name.to_owned(), target });
    }

    fn change(&mut self, inode: u64, change: Change) {
        if inode != 0 {
            let node = self.by_inode[&inode];
            self.nodes[node].pending.push(change);
        }
    }

    /// A sync has failed: the kernel takes the pages for written, so no later sync writes them.
    fn forget(&mut self, inode: u64) {
        if let Some(&node) = self.by_inode.get(&inode) {
            let file = &mut self.nodes[node];
            file.lost = file.pending.len();
        }
    }

    fn make_durable(&mut self, inode: u64) {
        let Some(&node) = self.by_inode.get(&inode) else { return };
        if self.nodes[node].is_folder {
            let (ours, others) =
                std::mem::take(&mut self.pending_names).into_iter().partition(|it| it.folder == node);
            self.pending_names = others;
            let ours: Vec<Renaming> = ours;
            ours.iter().for_each(|renaming| keep(&mut self.durable_names, renaming));
        } else {
            let file = &mut self.nodes[node];
            let lost = std::mem::take(&mut file.lost);
            for (index, change) in std::mem::take(&mut file.pending).iter().enumerate() {
                // Lengths are kept by the file system's journal.
                if index >= lost || !matches!(change, Change::Write(..)) {
                    perform(&mut file.durable, change);
                }
            }
        }
    }

    /// Everything as the running system saw it: to prove that the trace is complete.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.now.iter().filter(|(_, node)| !self.nodes[**node].is_folder);
        let content = |node: Node| {
            let mut content = self.nodes[node].durable.clone();
            self.nodes[node].pending.iter().for_each(|change| perform(&mut content, change));
            content
        };
        files.map(|(path, node)| (path.clone(), content(*node))).collect()
    }

    /// Writes what is left after a power cut at this moment into an empty folder.
    pub fn cut_power(&self, random: &mut Random, into: &Path) {
        let mut names = self.durable_names.clone();
        let style = random.below(4);
        let journal_end = random.below(self.pending_names.len() as u64 + 1) as usize;
        for (index, renaming) in self.pending_names.iter().enumerate() {
            let is_kept = match style {
                0 => false,
                1 => random.chance(50),
                _ => index < journal_end,
            };
            if is_kept {
                keep(&mut names, renaming);
            }
        }
        let data_style = random.below(4);
        let mut contents: BTreeMap<Node, Vec<u8>> = BTreeMap::new();
        for node in names.values() {
            contents.entry(*node).or_insert_with(|| self.left_of(*node, data_style, random));
        }
        self.write_folder(0, &names, &contents, into);
    }

    fn left_of(&self, node: Node, style: u64, random: &mut Random) -> Vec<u8> {
        let file = &self.nodes[node];
        let mut content = file.durable.clone();
        for change in &file.pending {
            let fate = match style {
                0 => 0,
                1 => 1,
                _ => random.below(3),
            };
            match (fate, change) {
                (0, _) => {}
                (2, Change::Write(offset, data)) => tear(&mut content, *offset, data, random),
                _ => perform(&mut content, change),
            }
        }
        content
    }

    fn write_folder(
        &self,
        folder: Node,
        names: &BTreeMap<(Node, String), Node>,
        contents: &BTreeMap<Node, Vec<u8>>,
        into: &Path,
    ) {
        let inside = names.range((folder, String::new())..(folder + 1, String::new()));
        for ((_, name), node) in inside {
            let path = into.join(name);
            if self.nodes[*node].is_folder {
                fs::create_dir(&path).unwrap();
                self.write_folder(*node, names, contents, &path);
            } else {
                let file = fs::File::create(&path).unwrap();
                file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
                file.write_all_at(&contents[node], 0).unwrap();
            }
        }
    }
}

fn keep(names: &mut BTreeMap<(Node, String), Node>, renaming: &Renaming) {
    let place = (renaming.folder, renaming.name.clone());
    match renaming.target {
        Some(node) => names.insert(place, node),
        None => names.remove(&place),
    };
}

fn perform(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, data) => write(content, *offset as usize, data),
        Change::Length(length) => content.resize(*length as usize, 0),
        Change::AtLeast(length) => content.resize(content.len().max(*length as usize), 0),
    }
}

fn write(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

/// Some of the sectors of a write; sectors are those of the file.
fn tear(content: &mut Vec<u8>, offset: u64, data: &[u8], random: &mut Random) {
    let sector = if random.chance(50) { 512 } else { 4096 };
    let mut at = 0;
    while at < data.len() {
        let length = (sector - (offset as usize + at) % sector).min(data.len() - at);
        if random.chance(50) {
            write(content, offset as usize + at, &data[at..at + length]);
        }
        at += length;
    }
}
