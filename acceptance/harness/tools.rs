//! Where the programs are: the binary under test, the pinned `aws`, everything else on `PATH`.

use std::path::{Path, PathBuf};

/// The binary under test.
pub fn longshore() -> PathBuf {
    let binary = std::env::var_os("LONGSHORE_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_longshore").into(), PathBuf::from);
    assert!(binary.is_file(), "LONGSHORE_BIN: {} is not a file", binary.display());
    binary
}

/// The `PATH` of a user's terminal: the pinned `aws` before everything that the machine has.
pub fn path() -> String {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("bin");
    assert!(tools.join("aws").is_file(), "no aws in {}: run `cargo xtask setup`", tools.display());
    let machine = std::env::var("PATH").unwrap_or_default();
    format!("{}:{machine}:/usr/sbin:/sbin", tools.display())
}

/// What to preload so that a process sees another time; `$LIB` is resolved by the loader for its architecture.
pub const FAKE_CLOCK: &str = "/usr/$LIB/faketime/libfaketime.so.1";
