use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use super::super::Sqlite;
use super::*;
use crate::store::db::{Durability, Value};

const INSERT: &str = "INSERT INTO word (name) VALUES ($1)";
const NAMES: &str = "SELECT name FROM word ORDER BY name";

async fn fixture() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(&folder.path().join("words.db")).await.unwrap();
    let mut open = sqlite.begin(Durability::Durable).await.unwrap();
    open.execute("CREATE TABLE word (name TEXT PRIMARY KEY)", &[]).unwrap();
    open.commit().await.unwrap();
    (folder, sqlite)
}

async fn insert(sqlite: &Sqlite, durability: Durability, name: &str) -> Result<(), Error> {
    let mut open = sqlite.begin(durability).await?;
    open.execute(INSERT, &[Value::Text(name.to_owned())])?;
    open.commit().await
}

async fn names(sqlite: &Sqlite) -> Vec<String> {
    let rows = sqlite.rows(NAMES, Vec::new()).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

impl Progress {
    fn numbers(&self) -> (u64, u64) {
        (self.begun.load(Ordering::SeqCst), self.settled.load(Ordering::SeqCst))
    }

    /// Uses another file in place of the log; out: the log.
    fn exchange(&self, file: File) -> File {
        std::mem::replace(&mut *self.files().unwrap().log.lock().unwrap(), file)
    }
}

#[tokio::test]
async fn every_group_is_synced_and_a_relaxed_commit_is_not() {
    let (_folder, sqlite) = fixture().await;
    let progress = &sqlite.shared.log.progress;
    let mut expected = 1;
    assert_eq!(progress.numbers(), (expected, expected));
    for (name, durability) in [
        ("a", Durability::Relaxed),
        ("b", Durability::Durable),
        ("c", Durability::Relaxed),
        ("d", Durability::Freeing),
        ("e", Durability::Durable),
    ] {
        insert(&sqlite, durability, name).await.unwrap();
        expected += u64::from(durability != Durability::Relaxed);
        assert_eq!(progress.numbers(), (expected, expected), "{name}");
    }
    assert_eq!(names(&sqlite).await, ["a", "b", "c", "d", "e"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_answered_before_the_sync_and_the_next_group_gathers_meanwhile() {
    let (_folder, sqlite) = fixture().await;
    let log = Arc::clone(&sqlite.shared.log);
    let (release, released) = sync_channel::<()>(0);
    let holder = {
        let (log, (held, is_held)) = (Arc::clone(&log), sync_channel::<()>(0));
        let hold = move || {
            let _guard = log.progress.files().unwrap().log.lock().unwrap();
            held.send(()).unwrap();
            released.recv().unwrap();
        };
        let holder = std::thread::spawn(hold);
        is_held.recv().unwrap();
        holder
    };
    let spawn = |name: &'static str| {
        let sqlite = sqlite.clone();
        tokio::spawn(async move { insert(&sqlite, Durability::Durable, name).await })
    };
    let first = spawn("first");
    while log.progress.numbers().0 < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let reader = {
        let sqlite = sqlite.clone();
        tokio::spawn(async move { names(&sqlite).await })
    };
    let viewer = {
        let sqlite = sqlite.clone();
        tokio::spawn(async move {
            let mut view = sqlite.snapshot().await.unwrap();
            view.rows(NAMES, Vec::new()).await.unwrap().len()
        })
    };
    let (second, third) = (spawn("second"), spawn("third"));
    while sqlite.shared.writer.lock().await.members() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let are_answered =
        [first.is_finished(), second.is_finished(), reader.is_finished(), viewer.is_finished()];
    assert_eq!(are_answered, [false; 4]);
    release.send(()).unwrap();
    holder.join().unwrap();
    for member in [first, second, third] {
        member.await.unwrap().unwrap();
    }
    assert!(reader.await.unwrap().contains(&"first".to_owned()));
    assert!(viewer.await.unwrap() > 0);
    assert_eq!(log.progress.numbers(), (3, 3), "the second and the third shared a commit");
}

#[tokio::test]
async fn a_sync_that_fails_is_told_and_the_log_is_begun_anew() {
    let (folder, sqlite) = fixture().await;
    let progress = &sqlite.shared.log.progress;
    // Nothing syncs a pipe.
    let (pipe, _other) = std::io::pipe().unwrap();
    let log = progress.exchange(File::from(OwnedFd::from(pipe)));
    let failed = insert(&sqlite, Durability::Durable, "failed").await;
    assert!(matches!(failed, Err(Error::Group(_))), "{failed:?}");
    assert!(sqlite.shared.log.is_distrusted());
    // Whoever reads does not wait for a sync that will never come.
    names(&sqlite).await;
    progress.exchange(log);
    insert(&sqlite, Durability::Durable, "later").await.unwrap();
    assert!(!sqlite.shared.log.is_distrusted());
    assert_eq!(sqlite.shared.log.pages(), frames_in(&folder), "the log was begun anew");
    assert!(names(&sqlite).await.contains(&"later".to_owned()));
    assert!(std::fs::metadata(folder.path().join("words.db")).unwrap().len() > 4096, "it was folded in");
}

fn frames_in(folder: &tempfile::TempDir) -> u64 {
    frames::whole(&File::open(folder.path().join("words.db-wal")).unwrap()).unwrap()
}

#[tokio::test]
async fn a_log_that_the_disk_has_lost_is_never_folded_in() {
    let (folder, sqlite) = fixture().await;
    for name in ["kept", "lost", "behind"] {
        insert(&sqlite, Durability::Durable, name).await.unwrap();
    }
    let (path, whole) = (folder.path().join("words.db-wal"), sqlite.shared.log.pages());
    assert_eq!(frames_in(&folder), whole);
    // A page of the commit before the last, as the disk had it before: nothing. Each commit has two, table and index.
    let log = File::options().write(true).open(path).unwrap();
    log.write_all_at(&[0; 4096], 32 + (whole - 4) * (24 + 4096) + 24).unwrap();
    sqlite.shared.log.distrust();
    for _ in 0..2 {
        let refused = insert(&sqlite, Durability::Durable, "more").await;
        assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
    }
    sqlite.shared.fold().unwrap();
    sqlite.close().await;
    drop(sqlite);
    assert!(frames_in(&folder) < whole, "the log is there for the next start");
    let again = Sqlite::open(&folder.path().join("words.db")).await.unwrap();
    assert_eq!(names(&again).await, ["kept"]);
    insert(&again, Durability::Durable, "more").await.unwrap();
}

#[tokio::test]
async fn the_thread_ends_with_the_database() {
    let (_folder, sqlite) = fixture().await;
    let writer = Arc::downgrade(&sqlite.shared.writer);
    drop(sqlite);
    assert!(writer.upgrade().is_none());
}
