//! The contract of the database layer; the same suite for every engine.

use std::str::FromStr as _;

use super::testing::databases;
use super::{Database, Error, Location, Value};

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
async fn a_dropped_transaction_leaves_nothing() {
    for test in databases().await {
        let database = test.database.clone();
        {
            let mut open = database.begin().await.unwrap();
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
                        let mut open = database.begin().await.unwrap();
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
