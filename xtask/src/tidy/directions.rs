//! Directions: which module may use which (`house.rs` holds the plan).
//!
//! Read from the paths that each file under `src/` names, written out in full, so that neither a group nor
//! `super::super` hides a step upwards. Test files are judged too, except for concrete stores, which they open.

use super::house::{CONCRETE_STORES, DOORS, FLOORS, PROOF_MODULES, PROOF_NAMES, ROOMS};
use super::source::{RootedPath, rooted_paths, tokens};
use super::{Breach, File};

/// Every use of a floor above, of another door, or of a concrete store outside `app.rs`.
pub fn breaches(files: &[File]) -> Vec<Breach> {
    let rust = files.iter().filter(|file| file.is_rust());
    rust.filter_map(|file| Some((file, module_of(&file.path)?)))
        .flat_map(|(file, module)| file_breaches(file, &module).into_iter().chain(driver_breaches(file)))
        .collect()
}

/// `src/catalog/tag.rs` → `catalog::tag`, `src/catalog/mod.rs` → `catalog`, `src/main.rs` → `main`.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    Some(inner.split('/').map(str::to_owned).collect())
}

fn file_breaches(file: &File, module: &[String]) -> Vec<Breach> {
    let Some(own) = module.first() else { return Vec::new() };
    let Some(own_floor) = floor_of(own) else {
        return vec![Breach::new(
            file,
            0,
            format!("module {own} has no floor: enter it in xtask/src/tidy/house.rs"),
        )];
    };
    // The crate's root is where `super` of a top-level module leads; it re-exports, so its paths are judged alike.
    let resolved_from = if matches!(own.as_str(), "main" | "lib") { &[] } else { module };
    let paths = rooted_paths(&tokens(&file.text), resolved_from);
    paths
        .iter()
        .filter_map(|path| {
            judge(file, module, own, own_floor, path).map(|what| Breach::new(file, path.line, what))
        })
        .collect()
}

/// The database drivers stay behind `src/store/`: with them elsewhere, one SQL text would not serve both engines.
fn driver_breaches(file: &File) -> Vec<Breach> {
    if file.path.starts_with("src/store/") {
        return Vec::new();
    }
    let uses =
        tokens(&file.text).into_iter().filter(|token| token.is_word("sqlx") || token.is_word("rusqlite"));
    uses.map(|token| Breach::new(file, token.line, "only src/store names a driver")).collect()
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn judge(file: &File, module: &[String], own: &str, own_floor: usize, path: &RootedPath) -> Option<String> {
    let target = path.segments.first()?.as_str();
    if target == "*" {
        return Some("a glob of the crate's root hides directions: name the modules".to_owned());
    }
    // Macros and items of the crate's root have no floor of their own; only modules have.
    let target_floor = floor_of(target)?;
    let second = path.segments.get(1).map(String::as_str);
    if target == "access"
        && second.is_some_and(|name| PROOF_MODULES.contains(&name) || PROOF_NAMES.contains(&name))
        && ROOMS.contains(&own)
    {
        return None;
    }
    // Proofs for tests: compiled for tests only, and a room's tests have no guard to ask.
    if target == "access" && second == Some("testing") && file.is_test() {
        return None;
    }
    if is_proof_module(module) && target != "access" && target_floor <= lowest_room_floor() {
        return Some(format!("the proof types of access are a leaf and may not use {target}"));
    }
    if target_floor < own_floor {
        return Some(format!("{own} may not use {target} (DESIGN.md, \"The house\")"));
    }
    if let (Some(own_door), Some(other_door)) = (door_of(module), door_of(&path.segments))
        && own_door != other_door
    {
        return Some(format!("the door {own_door} may not use the door {other_door}"));
    }
    let is_concrete = CONCRETE_STORES
        .iter()
        .any(|store| path.segments.iter().map(String::as_str).take(store.len()).eq(store.iter().copied()));
    if is_concrete && !matches!(own, "app" | "store") && !file.is_test() {
        return Some(format!("only app.rs names the concrete store {}", path.segments.join("::")));
    }
    None
}

fn is_proof_module(module: &[String]) -> bool {
    matches!(module, [access, leaf, ..] if access == "access" && PROOF_MODULES.contains(&leaf.as_str()))
}

fn lowest_room_floor() -> usize {
    FLOORS.iter().position(|floor| *floor == ROOMS).unwrap_or(usize::MAX)
}

fn door_of(path: &[String]) -> Option<&str> {
    match path {
        [api, door, ..] if api == "api" && DOORS.contains(&door.as_str()) => Some(door),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        breaches(&[file(path, text)]).into_iter().map(|breach| breach.to_string()).collect()
    }

    #[test]
    fn a_room_may_not_reach_up() {
        for (target, source) in [
            ("api", "use crate::api::ecr::Wire;"),
            ("server", "fn f() { crate::server::run() }"),
            ("cli", "use crate::{store::Db, cli::out};"),
            ("app", "use super::super::app::App;"),
            ("access", "use crate::access::authorize;"),
        ] {
            let found = complaints("src/catalog/tag.rs", source);
            assert_eq!(
                found,
                [format!("src/catalog/tag.rs:1: catalog may not use {target} (DESIGN.md, \"The house\")")]
            );
        }
    }

    #[test]
    fn a_room_may_use_the_proof_other_rooms_and_the_store() {
        let source = "use crate::access::{Allowed, action}; use crate::identity::find; use crate::store::Db;";
        assert!(complaints("src/catalog/tag.rs", source).is_empty());
    }

    #[test]
    fn only_tests_of_a_room_may_make_a_proof() {
        let source = "use crate::access::testing::allow;";
        assert!(complaints("src/catalog/tag/tests.rs", source).is_empty());
        assert!(complaints("src/catalog/testing.rs", source).is_empty());
        assert_eq!(complaints("src/catalog/tag.rs", source).len(), 1);
    }

    #[test]
    fn the_proof_stays_a_leaf() {
        assert_eq!(complaints("src/access/allowed.rs", "use crate::identity::User;").len(), 1);
        assert!(complaints("src/access/gather.rs", "use crate::identity::User;").is_empty());
    }

    #[test]
    fn the_store_knows_no_room() {
        assert_eq!(complaints("src/store/db/mod.rs", "use crate::catalog::Repository;").len(), 1);
        assert_eq!(complaints("src/store/blob/mod.rs", "use crate::access::Allowed;").len(), 1);
    }

    #[test]
    fn doors_do_not_meet_but_share_the_hall() {
        assert_eq!(complaints("src/api/ecr/images.rs", "use crate::api::registry::blob;").len(), 1);
        assert_eq!(complaints("src/api/sts/mod.rs", "use super::iam::user;").len(), 1);
        assert!(complaints("src/api/ecr/images.rs", "use crate::api::{context, ecr::error};").is_empty());
        assert!(complaints("src/api/mod.rs", "use crate::api::{ecr, iam};").is_empty());
    }

    #[test]
    fn only_the_app_names_concrete_stores() {
        let source = "use crate::store::blob::disk::DiskBlobs;";
        assert_eq!(complaints("src/catalog/blob.rs", source).len(), 1);
        assert_eq!(complaints("src/server/mod.rs", source).len(), 1);
        assert!(complaints("src/app.rs", source).is_empty());
        assert!(complaints("src/store/mod.rs", source).is_empty());
        assert!(complaints("src/catalog/tests.rs", source).is_empty());
    }

    #[test]
    fn only_the_store_names_the_driver() {
        assert_eq!(complaints("src/catalog/tag.rs", "// sqlx\nfn f(row: sqlx::Row) {}").len(), 1);
        assert!(complaints("src/store/db/mod.rs", "use sqlx::Row;").is_empty());
    }

    #[test]
    fn an_unknown_module_must_be_entered() {
        assert_eq!(complaints("src/attic.rs", "").len(), 1);
    }
}
