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

/// What to preload so that a process sees another time; `$LIB` is resolved by the loader for its architecture.
pub const FAKE_CLOCK: &str = "/usr/$LIB/faketime/libfaketime.so.1";
