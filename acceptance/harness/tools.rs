//! Where the programs are: the binary under test, the pinned clients, everything else on `PATH`.

use std::path::{Path, PathBuf};

/// The binary under test.
pub fn longshore() -> PathBuf {
    let binary = std::env::var_os("LONGSHORE_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_longshore").into(), PathBuf::from);
    assert!(binary.is_file(), "LONGSHORE_BIN: {} is not a file", binary.display());
    binary
}

/// Where `cargo xtask setup` puts what it makes itself: `python/bin` and `go`.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools")
}

/// The `PATH` of a user's terminal: the pinned clients before everything that the machine has.
pub fn path() -> String {
    let (python, go) = (folder().join("python/bin"), folder().join("go"));
    for client in [python.join("aws"), go.join("crane")] {
        assert!(client.is_file(), "no {}: run `cargo xtask setup`", client.display());
    }
    let machine = std::env::var("PATH").unwrap_or_default();
    format!("{}:{}:{machine}:/usr/sbin:/sbin", python.display(), go.display())
}

/// What a Go program was built from: package and version, as setup has it.
pub fn source_of(program: &str) -> String {
    let stamp = folder().join("go").join(format!("{program}.stamp"));
    std::fs::read_to_string(&stamp)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask setup`", stamp.display()))
}

/// A folder beside `debug` and `release` for what a test leaves to be read; emptied first.
pub fn artefacts(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What to preload so that a process sees another time; `$LIB` is resolved by the loader for its architecture.
pub const FAKE_CLOCK: &str = "/usr/$LIB/faketime/libfaketime.so.1";
