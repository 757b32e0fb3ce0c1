//! Which boot of the machine this is: what the kernel alone holds is there until the next one.

use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::{fs, io};

use super::files;

/// Where Linux tells; the text is a random UUID, drawn at every start of the kernel.
const SOURCE: &str = "/proc/sys/kernel/random/boot_id";

/// Bytes of an identity.
pub(super) const BOOT_BYTES: usize = 16;

/// The identity of one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::blob) struct Boot([u8; BOOT_BYTES]);

impl Boot {
    /// This boot. Where the system does not tell, every start of the server counts as another one: then only
    /// what was synced counts after it, which is always safe.
    pub(in crate::store::blob) fn current() -> Self {
        let text = fs::read_to_string(SOURCE).unwrap_or_default();
        Self::parse(&text).unwrap_or_else(|| {
            let halves = [RandomState::new().hash_one(0), RandomState::new().hash_one(1)];
            let mut bytes = [0; BOOT_BYTES];
            for (place, half) in bytes.chunks_exact_mut(8).zip(halves) {
                place.copy_from_slice(&half.to_be_bytes());
            }
            Self(bytes)
        })
    }

    /// A boot of a test's choice.
    #[cfg(test)]
    pub(in crate::store::blob) const fn new(bytes: [u8; BOOT_BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; BOOT_BYTES] {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|character| *character != '-').collect();
        let bytes = hex::decode(digits).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Whether the folder was last opened in this boot.
    pub(super) fn is_in(&self, path: &Path) -> io::Result<bool> {
        let Some(file) = files::open_to_read(path)? else { return Ok(false) };
        let mut found = [0; BOOT_BYTES];
        Ok(file.read_exact_at(&mut found, 0).is_ok() && found == self.0)
    }

    /// Notes that the folder was opened in this boot. Needs no sync: a note that is lost or torn is another boot's.
    pub(super) fn note_in(&self, path: &Path) -> io::Result<()> {
        files::write_all_at(&files::open_for_writing(path)?, &self.0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_names_a_boot() {
        let boot = Boot::parse("0dfef48c-615d-4ea8-89c7-bd54e4476a00\n").unwrap();
        assert_eq!(hex::encode(boot.as_bytes()), "0dfef48c615d4ea889c7bd54e4476a00");
        for text in ["", "0dfef48c", "0dfef48c-615d-4ea8-89c7-bd54e4476a0x", "\n"] {
            assert_eq!(Boot::parse(text), None, "{text:?}");
        }
        assert_eq!(Boot::current(), Boot::current(), "Linux tells");
    }

    #[test]
    fn a_note_names_one_boot_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boot");
        let (first, second) = (Boot::new([1; 16]), Boot::new([2; 16]));
        assert!(!first.is_in(&path).unwrap());
        first.note_in(&path).unwrap();
        assert!(first.is_in(&path).unwrap());
        assert!(!second.is_in(&path).unwrap());
        std::fs::write(&path, [1; 7]).unwrap();
        assert!(!first.is_in(&path).unwrap(), "torn");
    }
}
