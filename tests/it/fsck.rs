//! `longshore fsck` as an operator runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::command_line::{Served, run};

/// Runs the command; out: its exit code, stdout, stderr.
fn fsck(data: &Path, flags: &[&str]) -> (i32, String, String) {
    let mut arguments = vec!["fsck", "--data-dir", data.to_str().unwrap()];
    arguments.extend(flags);
    run(&arguments, &[])
}

/// A data folder with one layer of 200,000 bytes, pushed by curl-like requests, and a server that was killed.
fn furnished(folder: &Path) -> std::path::PathBuf {
    let data = folder.join("data");
    let variables = [
        ("LONGSHORE_ROOT_ACCESS_KEY_ID", "AKIAFSCKFSCKFSCK2222"),
        ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", "0123456789abcdef0123"),
    ];
    let served = Served::start(&data, &[], &variables);
    let (code, _, stderr) = fsck(&data, &[]);
    assert_eq!(code, 1, "a running server keeps others out");
    assert!(stderr.contains("another server uses") && stderr.contains("blobs"), "{stderr}");
    assert_eq!(served.end("-KILL").0, None);
    data
}

fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if !entry.to_str().unwrap().ends_with("-shm") {
            found.push((entry.clone(), std::fs::read(&entry).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_killed_servers_folder_is_in_order_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = furnished(folder.path());
    let before = files(&data);
    assert!(std::fs::metadata(data.join("catalog.db-wal")).unwrap().len() > 0, "killed with a log");
    let (code, stdout, _) = fsck(&data, &["--deep"]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, "checked 0 blobs (0 bytes read), 0 images, 0 uploads: 0 problems, 0 notes\n")
    );
    let (code, stdout, _) = fsck(&data, &["--json"]);
    assert_eq!(code, 0);
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&summary["problems"], &summary["checked"]["blobs"]), (&0.into(), &0.into()));
    assert!(files(&data) == before, "a check changes nothing");
}

#[test]
fn notes_are_harmless_and_damage_is_exit_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let data = furnished(folder.path());
    std::fs::write(data.join("blobs/uploads/00000000-0000-4000-8000-000000000000.data"), b"x").unwrap();
    let (code, stdout, _) = fsck(&data, &[]);
    let line = "note\tstray-upload\t00000000-0000-4000-8000-000000000000\tno upload owns these bytes\n";
    assert!(code == 0 && stdout.starts_with(line), "{code} {stdout}");
    let (code, stdout, _) = fsck(&data, &["--json"]);
    let note: serde_json::Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert_eq!((code, &note["finding"], &note["harmless"]), (0, &"stray-upload".into(), &true.into()));

    // Folds the log into the database, then breaks pages of it.
    let _ = Served::start(&data, &[], &[]).end("-TERM");
    let database = data.join("catalog.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let length = bytes.len();
    assert!(length > 100_000);
    bytes[length / 2..length / 2 + 8192].fill(0x5a);
    std::fs::write(&database, &bytes).unwrap();
    let (code, stdout, _) = fsck(&data, &[]);
    assert!(code == 3 && stdout.starts_with("problem\tdatabase\t"), "{code} {stdout}");
    // Nothing of it is left.
    std::fs::write(&database, vec![0x5a; length]).unwrap();
    let (code, stdout, _) = fsck(&data, &[]);
    assert!(code == 3 && stdout.starts_with("problem\tdatabase\t"), "{code} {stdout}");
}

#[test]
fn what_cannot_be_checked_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = fsck(&folder.path().join("nowhere"), &[]);
    assert!(code == 1 && stderr.contains("there is no catalog at"), "{code} {stderr}");
    assert!(!folder.path().join("nowhere").exists());
    let data = furnished(folder.path());
    // A database that was never set up.
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::write(folder.path().join("empty/catalog.db"), b"").unwrap();
    let blobs = format!("file:{}", data.join("blobs").display());
    let (code, _, stderr) = fsck(&folder.path().join("empty"), &["--blobs", &blobs]);
    assert!(code == 1 && stderr.contains("schema version 0"), "{code} {stderr}");
    let (code, ..) = fsck(&data, &["--depth"]);
    assert_eq!(code, 2);
    // Two checks do not disturb each other, and keep a server out.
    let flock = Command::new("flock")
        .args(["--shared", data.join("blobs/lock").to_str().unwrap(), "sleep", "5"])
        .stdin(Stdio::null())
        .spawn();
    let mut other = flock.unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(fsck(&data, &[]).0, 0);
    let (code, _, stderr) =
        run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()], &[]);
    assert!(code == 1 && stderr.contains("another server uses"), "{code} {stderr}");
    let _ = other.kill();
    let _ = other.wait();
}
