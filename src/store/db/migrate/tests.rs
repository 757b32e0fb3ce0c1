//! A catalog of an earlier version comes through every migration with all its rows.

use std::collections::BTreeMap;

use super::super::testing::schema;
use super::super::{Database, Location, Value};
use super::{MIGRATIONS, run, run_to};
use crate::params;
use crate::store::db::Durability;

/// An empty database on each engine, and what keeps it.
async fn unmigrated() -> Vec<(Database, Option<schema::Schema>, tempfile::TempDir)> {
    let mut databases = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("catalog.db"));
    databases.push((Database::connect(&location).await.unwrap(), None, folder));
    if let Ok(url) = std::env::var(schema::VARIABLE) {
        let schema = schema::Schema::create(&url);
        let location = Location::Postgres(schema.url());
        let database = Database::connect(&location).await.unwrap();
        databases.push((database, Some(schema), tempfile::tempdir().unwrap()));
    }
    databases
}

async fn write(database: &Database, sql: &'static str, parameters: Vec<Value>) {
    let mut open = database.begin(Durability::Durable).await.unwrap();
    open.execute(sql, parameters).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    open.commit().await.unwrap();
}

/// Rows of every shape that a catalog of version 7 has.
async fn fill_version_7(database: &Database) {
    for repository in ["first", "second"] {
        write(
            database,
            "INSERT INTO repository (id, account, region, name, created_at, tag_mutability, tag_mutability_filters, \
             scan_on_push, encryption_type, lifecycle_evaluated_at) \
             VALUES ($1, '123456789012', 'eu-central-1', $1, 1, 'MUTABLE', '[]', 0, 'AES256', 0)",
            params![repository],
        )
        .await;
    }
    // More than one page of each table; digests in another order than time.
    for number in 0..400_i64 {
        let digest = format!("sha256:{:02x}{number:04}", (number * 37) % 256);
        let state = ["ready", "damaged", "deleting"][usize::try_from(number % 3).unwrap()];
        let review = (number % 5 == 0).then_some(number);
        write(
            database,
            "INSERT INTO blob (digest, generation, size_bytes, state, created_at, review_after) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                digest.as_str(),
                format!("generation {number}"),
                number,
                state,
                7000 - number % 50,
                review
            ],
        )
        .await;
        if number % 2 == 0 {
            let content = vec![u8::try_from(number % 251).unwrap(); usize::try_from(number * 50).unwrap()];
            write(
                database,
                "INSERT INTO blob_content (digest, content) VALUES ($1, $2)",
                params![digest.as_str(), content],
            )
            .await;
        }
        for repository in ["first", "second"].into_iter().take(usize::try_from(number % 3).unwrap()) {
            write(
                database,
                "INSERT INTO blob_link (repository_id, digest, linked_at, review_after) VALUES ($1, $2, $3, $4)",
                params![repository, digest.as_str(), number, review],
            )
            .await;
        }
        let subject = (number % 7 == 0).then_some("sha256:subject");
        write(
            database,
            "INSERT INTO image (repository_id, digest, media_type, subject_digest, annotations, size_bytes, pushed_at, \
             pushed_by, manifest, review_after) VALUES ('first', $1, 'type', $2, '{}', 1, 2, 'me', $3, $4)",
            params![digest.as_str(), subject, b"{}".as_slice(), review],
        )
        .await;
        write(
            database,
            "INSERT INTO image_reference (repository_id, digest, target, kind) VALUES ('first', $1, $1, 'blob')",
            params![digest.as_str()],
        )
        .await;
        if number % 4 == 0 {
            write(
                database,
                "INSERT INTO image_reference (repository_id, digest, target, kind) \
                 VALUES ('first', $1, $2, 'manifest')",
                params![digest.as_str(), format!("sha256:child {number}")],
            )
            .await;
        }
        let ended = (number % 2 == 0).then_some(number);
        write(
            database,
            "INSERT INTO tag (id, repository_id, name, digest, set_at, set_by, ended_at, ended_by) \
             VALUES ($1, 'first', $2, $3, 5, 'me', $4, $5)",
            // Two changes of one tag in the same moment.
            params![
                format!("id {number}"),
                format!("tag {}", number / 2),
                digest.as_str(),
                ended,
                ended.map(|_| "you")
            ],
        )
        .await;
    }
}

/// Every row of the tables that migrations rewrite, by what it says.
async fn rows(
    database: &Database,
    content: &'static str,
    links: &'static str,
    references: &'static str,
) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    for (table, sql) in [
        ("repository", "SELECT id, name FROM repository ORDER BY id"),
        (
            "blob",
            "SELECT digest, generation, size_bytes, state, created_at, review_after FROM blob ORDER BY digest",
        ),
        ("blob_content", content),
        ("blob_link", links),
        (
            "image",
            "SELECT repository_id, digest, subject_digest, manifest, review_after FROM image ORDER BY digest",
        ),
        ("references of images", references),
        (
            "tag",
            "SELECT id, repository_id, name, digest, set_at, set_by, ended_at, ended_by FROM tag ORDER BY id",
        ),
    ] {
        let rows = database.rows(sql, params![]).await.unwrap();
        assert!(rows.len() >= 2, "{table} has rows to lose");
        all.insert(table, format!("{rows:?}"));
    }
    all
}

#[tokio::test]
async fn a_catalog_of_version_7_keeps_every_row() {
    let known = MIGRATIONS.last().unwrap().version;
    for (database, schema, _folder) in unmigrated().await {
        run_to(&database, 7, known).await.unwrap();
        fill_version_7(&database).await;
        let before = rows(
            &database,
            "SELECT digest, content FROM blob_content ORDER BY digest",
            "SELECT repository_id, digest, linked_at, review_after FROM blob_link ORDER BY repository_id, digest",
            "SELECT repository_id, digest, target, kind FROM image_reference ORDER BY digest, target",
        )
        .await;
        run(&database).await.unwrap();
        let after = rows(
            &database,
            "SELECT b.digest, c.content FROM blob_content c JOIN blob b ON b.number = c.blob ORDER BY b.digest",
            "SELECT l.repository_id, b.digest, l.linked_at, l.review_after FROM blob_link l \
             JOIN blob b ON b.number = l.blob ORDER BY l.repository_id, b.digest",
            "SELECT i.repository_id, i.digest, b.digest AS target, 'blob' AS kind FROM image_blob i \
             JOIN blob b ON b.number = i.blob UNION ALL \
             SELECT repository_id, digest, child, 'manifest' FROM image_child ORDER BY 2, 3",
        )
        .await;
        for (table, rows) in &before {
            assert_eq!(
                rows,
                &after[table],
                "{table} of {}",
                if schema.is_some() { "postgres" } else { "sqlite" }
            );
        }
        run(&database).await.unwrap();
        assert_eq!(database.integrity().await.unwrap(), Vec::<String>::new());
        references_hold(&database).await;
    }
}

/// What refers to what is as before: a blob that is linked stays, its content goes with it, a repository takes its
/// links and tags along.
async fn references_hold(database: &Database) {
    let mut open = database.begin(Durability::Durable).await.unwrap();
    let linked = "DELETE FROM blob WHERE number IN (SELECT blob FROM blob_link)";
    open.execute(linked, params![]).await.unwrap_err();
    drop(open);
    let mut open = database.begin(Durability::Durable).await.unwrap();
    open.execute("DELETE FROM blob_link", params![]).await.unwrap();
    let named = "DELETE FROM blob WHERE number IN (SELECT blob FROM image_blob)";
    open.execute(named, params![]).await.unwrap_err();
    drop(open);
    let mut open = database.begin(Durability::Durable).await.unwrap();
    let unknown = "INSERT INTO blob_link (repository_id, blob, linked_at) VALUES ('first', 123456, 0)";
    open.execute(unknown, params![]).await.unwrap_err();
    drop(open);
    write(database, "DELETE FROM repository", params![]).await;
    write(database, "DELETE FROM blob", params![]).await;
    for sql in [
        "SELECT COUNT(*) FROM blob_link",
        "SELECT COUNT(*) FROM blob_content",
        "SELECT COUNT(*) FROM tag",
        "SELECT COUNT(*) FROM image",
        "SELECT COUNT(*) FROM image_blob",
        "SELECT COUNT(*) FROM image_child",
    ] {
        let row = database.row(sql, params![]).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 0, "{sql}");
    }
}
