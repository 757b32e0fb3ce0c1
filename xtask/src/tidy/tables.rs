//! Tables: a room's SQL names only tables that the room owns (`house.rs` holds the owners).
//!
//! Reads every string literal of `src/` that is SQL and takes the names behind FROM, JOIN, INTO, UPDATE and TABLE.
//! Names that the same text defines (`WITH name AS (…)`) are its own. Migrations create tables; each must have
//! an owner.

use super::house::{ROOMS, TABLE_OWNERS};
use super::source::{Kind, tokens};
use super::{Breach, File};
use std::collections::BTreeSet;

/// Every table without an owner, and every use of a table outside its owner's folder.
pub fn breaches(files: &[File]) -> Vec<Breach> {
    let tables = created_tables(files);
    let unowned = tables.iter().filter(|(table, _)| owner_of(table).is_none());
    let mut found: Vec<Breach> = unowned
        .map(|(table, file)| {
            Breach::new(file, 0, format!("table {table} has no owner: enter it in xtask/src/tidy/house.rs"))
        })
        .collect();
    let known: BTreeSet<&str> = tables.iter().map(|(table, _)| table.as_str()).collect();
    for file in files.iter().filter(|file| file.is_rust() && file.path.starts_with("src/") && !file.is_test())
    {
        found.extend(foreign_uses(file, &known));
    }
    found
}

fn created_tables(files: &[File]) -> Vec<(String, &File)> {
    let migrations =
        files.iter().filter(|file| file.path.starts_with("migrations/") && file.path.ends_with(".sql"));
    migrations.flat_map(|file| created_in(&file.text).into_iter().map(move |table| (table, file))).collect()
}

fn created_in(sql: &str) -> Vec<String> {
    let words = words(sql);
    let mut found = Vec::new();
    for (position, pair) in words.windows(2).enumerate() {
        if pair.iter().map(String::as_str).eq(["create", "table"]) {
            let name = words
                .iter()
                .skip(position + 2)
                .find(|word| !matches!(word.as_str(), "if" | "not" | "exists"));
            found.extend(name.cloned());
        }
    }
    found
}

fn owner_of(table: &str) -> Option<&'static str> {
    let matching = TABLE_OWNERS.iter().filter(|(beginning, _)| table.starts_with(beginning));
    matching.max_by_key(|(beginning, _)| beginning.len()).map(|(_, owner)| *owner)
}

fn foreign_uses(file: &File, known: &BTreeSet<&str>) -> Vec<Breach> {
    let module =
        file.path.strip_prefix("src/").and_then(|rest| rest.split(['/', '.']).next()).unwrap_or_default();
    let mut found = Vec::new();
    for token in tokens(&file.text) {
        let Kind::Text(text) = &token.kind else { continue };
        for table in used_in(text).into_iter().filter(|table| known.contains(table.as_str())) {
            let owner = owner_of(&table).unwrap_or("nobody");
            if owner != module && (ROOMS.contains(&module) || owner != "store") {
                found.push(Breach::new(
                    file,
                    token.line,
                    format!("{module} reads {table}, a table of {owner}"),
                ));
            }
        }
    }
    found
}

fn used_in(sql: &str) -> BTreeSet<String> {
    let words = words(sql);
    // Prose speaks of tables too ("removed from the repository"); a statement begins with its verb.
    let verbs = ["select", "insert", "update", "delete", "with", "create", "alter", "drop"];
    if !words.first().is_some_and(|word| verbs.contains(&word.as_str())) {
        return BTreeSet::new();
    }
    let pairs = words.windows(2).filter_map(|pair| match pair {
        [keyword, name] if matches!(keyword.as_str(), "from" | "join" | "into" | "update" | "table") => {
            Some(name.clone())
        }
        _ => None,
    });
    pairs.collect()
}

/// Lower-case words of SQL without comments; everything that is not a name separates. Commas count as a keyword
/// of their own only in `FROM a, b`, which the house does not write.
fn words(sql: &str) -> Vec<String> {
    let without_comments: String =
        sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let separated =
        without_comments.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    separated.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const MIGRATION: &str = "CREATE TABLE repository (id TEXT); -- create table comment\nCREATE TABLE IF NOT EXISTS iam_user (id TEXT);";

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let files = [file("migrations/0001.sql", MIGRATION), file(path, text)];
        breaches(&files).into_iter().map(|breach| breach.to_string()).collect()
    }

    #[test]
    fn a_room_reads_only_its_own_tables() {
        let source = "let q = \"SELECT id\n FROM iam_user JOIN repository ON true\";";
        assert_eq!(
            complaints("src/catalog/list.rs", source),
            ["src/catalog/list.rs:1: catalog reads iam_user, a table of identity"]
        );
        assert_eq!(
            complaints("src/identity/user.rs", source),
            ["src/identity/user.rs:1: identity reads repository, a table of catalog"]
        );
    }

    #[test]
    fn nobody_above_the_rooms_reads_tables() {
        assert_eq!(
            complaints("src/api/ecr/images.rs", "let q = r#\"update repository set id = ?\"#;").len(),
            1
        );
        assert_eq!(complaints("src/store/db/mod.rs", "let q = \"delete from iam_user\";").len(), 1);
    }

    #[test]
    fn prose_and_unknown_names_are_no_use() {
        assert!(
            complaints(
                "src/catalog/list.rs",
                "let m = \"gone from iam_user for good\"; // SELECT 1 FROM iam_user"
            )
            .is_empty()
        );
    }

    #[test]
    fn every_created_table_has_an_owner() {
        let found = breaches(&[file("migrations/0002.sql", "create table attic (id text)")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.starts_with("table attic has no owner"));
    }
}
