//! The contract of the database layer; the same suite for every engine.

use std::str::FromStr as _;

use super::testing::databases;
use super::{Database, Durability, Error, Location, Value};

async fn insert(database: &Database, account: &str) -> Result<(), Error> {
    transaction!(database, open => {
        open.execute(
            "INSERT INTO account (account, created_at) VALUES ($1, $2) ON CONFLICT (account) DO NOTHING",
            params![account, 7_i64],
        )
        .await?;
        Ok::<_, Error>(())
    })
}

async fn count(database: &Database) -> i64 {
    let row = database.row("SELECT COUNT(*) FROM account", params![]).await.unwrap().unwrap();
    row.get(0).unwrap()
}

#[test]
fn locations_parse() {
    assert_eq!(Location::from_str("sqlite:/a/b").unwrap(), Location::Sqlite("/a/b".into()));
    assert!(matches!(Location::from_str("postgres://u:p@h/d").unwrap(), Location::Postgres(_)));
    assert!(Location::from_str("mysql://x").is_err());
    assert!(Location::from_str("sqlite:").is_err());
    assert!(!Location::from_str("postgres://u:secret@h/d").unwrap().display().contains("secret"));
}

#[tokio::test]
async fn a_row_that_refers_to_nothing_is_told_apart() {
    const INSERT: &str = "INSERT INTO upload (id, repository_id, started_at, started_by, expires_at) \
        VALUES ($1, $2, $3, 'me', 1)";
    for test in databases().await {
        for (number, is_missing) in [(Some(1_i64), true), (None, false)] {
            let mut open = test.database.begin(Durability::Durable).await.unwrap();
            let error = open.execute(INSERT, params!["u", "nowhere", number]).await.unwrap_err();
            assert_eq!(error.is_missing_reference(), is_missing, "{}: {error}", test.engine);
            assert!(!error.is_retryable());
        }
    }
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    for test in databases().await {
        let database = test.database.clone();
        {
            let mut open = database.begin(Durability::Durable).await.unwrap();
            open.execute("INSERT INTO account (account, created_at) VALUES ($1, $2)", params!["1", 1_i64])
                .await
                .unwrap();
        }
        insert(&database, "2").await.unwrap();
        assert_eq!(count(&database).await, 1, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_failed_body_leaves_nothing() {
    for test in databases().await {
        let database = test.database.clone();
        let result: Result<(), Error> = transaction!(database, open => {
            open.execute("INSERT INTO account (account, created_at) VALUES ($1, $2)", params!["1", 1_i64]).await?;
            Err(Error::Corrupt("no".to_owned()))
        });
        assert!(result.is_err());
        assert_eq!(count(&database).await, 0, "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_transactions_share_commits_and_all_are_kept() {
    for test in databases().await {
        let database = test.database.clone();
        let tasks: Vec<_> = (0..200)
            .map(|number: i64| {
                let database = database.clone();
                tokio::spawn(async move {
                    if number % 5 == 0 {
                        // A client that goes away in the middle must not take its group with it.
                        let mut open = database.begin(Durability::Durable).await.unwrap();
                        open.execute(
                            "INSERT INTO account (account, created_at) VALUES ($1, $2)",
                            params![format!("gone-{number}"), 1_i64],
                        )
                        .await
                        .unwrap();
                        drop(open);
                    } else {
                        insert(&database, &number.to_string()).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(count(&database).await, 160, "{}", test.engine);
        database.close().await;
        let again = Database::open(&test.location).await.unwrap();
        assert_eq!(count(&again).await, 160, "{}", test.engine);
    }
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    for test in databases().await {
        let database = test.database.clone();
        let row = database
            .row(
                "SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT)",
                params!["text", 5_i64, None::<String>],
            )
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), "text");
        assert_eq!(row.get::<i64>(1).unwrap(), 5);
        assert_eq!(row.get::<Option<String>>(2).unwrap(), None);
        assert!(row.get::<i64>(0).is_err());
        assert_eq!(Value::from(Some(true)), Value::Integer(1));
    }
}

#[tokio::test]
async fn a_commit_whose_client_is_gone_still_changes_the_stamp() {
    let test = super::testing::sqlite().await;
    let scope = super::Scope::named(&["account"]);
    for steps in 0..40 {
        let before = loop {
            if let Some(stamp) = test.database.stamp(scope, None) {
                break stamp;
            }
            tokio::task::yield_now().await;
        };
        let number = count(&test.database).await;
        let database = test.database.clone();
        let account = format!("a{steps}");
        // The client goes away after another number of steps each time.
        let mut change = Box::pin(insert(&database, &account));
        for _ in 0..steps {
            if tokio::time::timeout(std::time::Duration::from_micros(200), change.as_mut()).await.is_ok() {
                break;
            }
        }
        drop(change);
        // Whatever of it was committed by now, nobody may hold a value under the old stamp.
        insert(&test.database, "settles what was left open").await.unwrap();
        if count(&test.database).await != number {
            assert_ne!(test.database.stamp(scope, None), Some(before), "after {steps} steps");
        }
    }
}
async fn insert_relaxed(database: &Database, account: &str) -> Result<(), Error> {
    transaction!(database, relaxed open => {
        open.execute("INSERT INTO account (account, created_at) VALUES ($1, $2)", params![account, 7_i64]).await?;
        Ok::<_, Error>(())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed_and_durable_transactions_mix_and_build_on_each_other() {
    for test in databases().await {
        let database = test.database.clone();
        let tasks: Vec<_> = (0..100_i64)
            .map(|number| {
                let database = database.clone();
                tokio::spawn(async move {
                    let (first, second) = (format!("r{number}"), format!("d{number}"));
                    insert_relaxed(&database, &first).await.unwrap();
                    // What a relaxed commit has acknowledged is seen at once by everybody.
                    let seen = database.row("SELECT account FROM account WHERE account = $1", params![first.as_str()]);
                    assert!(seen.await.unwrap().is_some());
                    transaction!(database, open => {
                        let changed = open
                            .execute("UPDATE account SET account = $2 WHERE account = $1", params![first.as_str(), second.as_str()])
                            .await?;
                        assert_eq!(changed, 1);
                        Ok::<_, Error>(())
                    })
                    .unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let names = "SELECT COUNT(*) FROM account WHERE account LIKE 'd%'";
        let row = database.row(names, params![]).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 100, "{}", test.engine);
        database.close().await;
        let again = Database::open(&test.location).await.unwrap();
        assert_eq!(count(&again).await, 100, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_commit_of_postgres_is_synchronous_unless_it_is_relaxed() {
    // The setting ends with the transaction.
    for test in databases().await.into_iter().filter(|test| test.engine == "postgres") {
        for (durability, expected) in [(Durability::Relaxed, "off"), (Durability::Durable, "on")] {
            let mut open = test.database.begin(durability).await.unwrap();
            let found =
                open.required("SELECT CAST(current_setting('synchronous_commit') AS TEXT)", params![]);
            assert_eq!(found.await.unwrap().get::<String>(0).unwrap(), expected);
            open.commit().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gives_up_in_the_queue_leaves_nobody_waiting() {
    for test in databases().await {
        let database = test.database.clone();
        let held = database.begin(Durability::Durable).await.unwrap();
        let mut queue = Vec::new();
        for number in 0..50_i64 {
            let database = database.clone();
            queue.push(tokio::spawn(async move { insert(&database, &format!("q{number}")).await }));
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        // Every second one goes away while it waits, and the holder gives its transaction up.
        for task in queue.iter().skip(1).step_by(2) {
            task.abort();
        }
        drop(held);
        let mut kept = 0;
        for task in queue {
            let ended = tokio::time::timeout(std::time::Duration::from_secs(20), task).await.expect("ends");
            kept += i64::from(matches!(ended, Ok(Ok(()))));
        }
        assert!(kept >= 25, "{kept}");
        assert!(count(&database).await >= kept, "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_failing_member_does_not_take_its_group_with_it() {
    let test = super::testing::sqlite().await;
    let database = test.database.clone();
    let tasks = (0..60_i64).map(|number| {
        let database = database.clone();
        tokio::spawn(async move {
            transaction!(database, open => {
                let name = format!("m{number}");
                open.execute("INSERT INTO account (account, created_at) VALUES ($1, $2)", params![name, 1_i64]).await?;
                if number % 3 == 0 {
                    // A constraint: the row is there already.
                    open.execute("INSERT INTO account (account, created_at) VALUES ($1, $2)", params![format!("m{number}"), 1_i64]).await?;
                }
                Ok::<_, Error>(())
            })
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap().is_ok(), number % 3 != 0, "{number}");
    }
    assert_eq!(count(&database).await, 40);
}

#[tokio::test]
async fn a_long_statement_is_answered_and_a_view_stays_one_moment() {
    let test = super::testing::sqlite().await;
    let long = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT COUNT(*) FROM n";
    for _ in 0..3 {
        let row = test.database.row(long, params![300_000_i64]).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 300_000);
    }
    let mut view = test.database.snapshot().await.unwrap();
    let counted = "SELECT COUNT(*) FROM account";
    assert_eq!(view.row(counted, params![]).await.unwrap().unwrap().get::<i64>(0).unwrap(), 0);
    insert(&test.database, "later").await.unwrap();
    view.row(long, params![300_000_i64]).await.unwrap().unwrap();
    assert_eq!(view.row(counted, params![]).await.unwrap().unwrap().get::<i64>(0).unwrap(), 0);
    drop(view);
    assert_eq!(count(&test.database).await, 1, "the connection of a view shows the present again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_folded_in_and_begun_anew() {
    let test = super::testing::sqlite().await;
    let Location::Sqlite(path) = &test.location else { panic!("sqlite") };
    let log = path.with_extension("db-wal");
    for number in 0..150_i64 {
        // About a megabyte each: without a fold the log would have 150.
        let text = "x".repeat(1 << 20);
        transaction!(test.database, open => {
            open.execute("INSERT INTO account (account, created_at) VALUES ($1, $2)", params![format!("{number}"), 1_i64]).await?;
            open.execute("INSERT INTO account_alias (account, alias) VALUES ($1, $2)", params![format!("{number}"), format!("{number}{text}")]).await?;
            Ok::<_, Error>(())
        })
        .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let length = std::fs::metadata(log).unwrap().len();
    assert!(length < 110 << 20, "{length} bytes");
    assert_eq!(count(&test.database).await, 150);
}

#[tokio::test]
async fn a_statement_that_changes_many_pages_spills_what_it_needs_to_be_undone() {
    for test in databases().await {
        let text = "x".repeat(1000);
        transaction!(test.database, open => {
            for number in 0..2000_i64 {
                let account = number.to_string();
                open.execute("INSERT INTO account (account, created_at) VALUES ($1, $2)", params![account.as_str(), 1_i64]).await?;
                let alias = format!("{number} {text}");
                open.execute("INSERT INTO account_alias (account, alias) VALUES ($1, $2)", params![account, alias]).await?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
        // Some 2 MiB of pages, and each row may meet another alias.
        let changed = transaction!(test.database, open => {
            open.execute("UPDATE account_alias SET alias = 'new ' || alias", params![]).await
        });
        assert_eq!(changed.unwrap(), 2000, "{}", test.engine);
        let failed: Result<u64, Error> = transaction!(test.database, open => {
            open.execute("UPDATE account_alias SET alias = CASE WHEN account < '9' THEN 'again ' || alias ELSE 'same' END", params![]).await
        });
        assert!(!matches!(failed, Ok(_) | Err(Error::Full(_))), "{}: {failed:?}", test.engine);
        let sql = "SELECT COUNT(*) FROM account_alias WHERE alias LIKE 'new %'";
        let row = test.database.row(sql, params![]).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 2000, "{}", test.engine);
    }
}
