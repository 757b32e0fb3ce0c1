//! A small file system of its own over a folder, seen by the server alone.

use super::{Guardian, wait_for};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A tmpfs in a mount namespace of its own; gone with this value, however the test ends.
pub struct Volume {
    guardian: Guardian,
    folder: PathBuf,
}

impl Volume {
    /// Mounts one of so many bytes over a folder.
    pub fn over(folder: &Path, bytes: u64) -> Volume {
        let script = format!(
            "mount -t tmpfs -o size={bytes},mode=700 none '{}' && echo $$ > {{}}/entered && exec sleep infinity",
            folder.display()
        );
        let guardian = Guardian::start("volume", &["unshare", "--mount", "sh", "-c", &script]);
        let volume = Volume { guardian, folder: folder.to_owned() };
        wait_for("volume (it needs root)", Duration::from_secs(10), || volume.process());
        volume
    }

    /// The words before a command that run it where the volume is mounted.
    pub fn prefix(&self) -> Vec<String> {
        let process = self.process().expect("waited for in `over`");
        ["nsenter", "--target", &process, "--mount", "--"].map(str::to_owned).to_vec()
    }

    /// The folder as it is in there, by a path that leads there from everywhere.
    pub fn inside(&self) -> PathBuf {
        let process = self.process().expect("waited for in `over`");
        Path::new("/proc").join(process).join("root").join(self.folder.strip_prefix("/").unwrap())
    }

    /// Takes all room that is left, until the file that it returns is removed.
    pub fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let path = self.inside().join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1024 * 1024, 4096] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        path
    }

    fn process(&self) -> Option<String> {
        let process = std::fs::read_to_string(self.guardian.folder().join("entered")).ok()?;
        process.ends_with('\n').then(|| process.trim_end().to_owned())
    }
}
