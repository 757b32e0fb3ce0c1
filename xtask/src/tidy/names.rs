//! Words that do not belong: names that say nothing, printing outside the printer, paths of one machine.

use super::source::{Token, tokens};
use super::{Breach, File};

/// Module names that are not concepts.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "manager"];

const PRINTING_MACROS: &[&str] = &["println", "print", "eprintln", "eprint", "dbg"];

/// Beginnings of paths that exist on one machine only. Written in two halves, or this file would be its own breach.
const MACHINE_PATHS: &[&str] = &[
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/work", "/wt"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/tmp", "/brief"),
    concat!("/tmp", "/target"),
];

/// Every breach of the three rules.
pub fn breaches(files: &[File]) -> Vec<Breach> {
    files
        .iter()
        .flat_map(|file| empty_name(file).into_iter().chain(printing(file)).chain(machine_paths(file)))
        .collect()
}

fn empty_name(file: &File) -> Option<Breach> {
    let path = file.path.strip_suffix(".rs")?;
    let name = path.split('/').find(|part| EMPTY_NAMES.contains(part))?;
    Some(Breach::new(file, 0, format!("`{name}` is not a concept: name what it owns")))
}

fn printing(file: &File) -> Vec<Breach> {
    let is_product =
        file.path.starts_with("src/") || (file.path.starts_with("crates/") && file.path.contains("/src/"));
    if !is_product || !file.is_rust() || file.path == "src/cli/out.rs" || file.is_test() {
        return Vec::new();
    }
    let tokens = tokens(&file.text);
    let calls = tokens.windows(2).filter_map(|pair| match pair {
        [name, bang] if bang.is_sign('!') => {
            Some((name, PRINTING_MACROS.iter().find(|printing| name.is_word(printing))?))
        }
        _ => None,
    });
    calls
        .map(|(Token { line, .. }, name)| {
            Breach::new(file, *line, format!("`{name}!` outside src/cli/out.rs"))
        })
        .collect()
}

fn machine_paths(file: &File) -> Vec<Breach> {
    let lines = file.text.lines().zip(1..);
    let found = lines.filter_map(|(line, number)| {
        Some((number, MACHINE_PATHS.iter().find(|path| line.contains(**path))?))
    });
    found
        .map(|(number, path)| Breach::new(file, number, format!("`{path}` is a path of one machine")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        breaches(&[file(path, text)]).len()
    }

    #[test]
    fn names_that_say_nothing() {
        assert_eq!(complaints("src/catalog/utils.rs", ""), 1);
        assert_eq!(complaints("src/common/mod.rs", ""), 1);
        assert_eq!(complaints("src/catalog/manager/tag.rs", ""), 1);
        assert_eq!(complaints("src/catalog/tag.rs", ""), 0);
        assert_eq!(complaints("docs/common/page.md", ""), 0);
    }

    #[test]
    fn printing_has_one_home() {
        assert_eq!(complaints("src/server/mod.rs", "fn f() { println!(\"x\"); dbg!(1); }"), 2);
        assert_eq!(complaints("crates/oci/src/lib.rs", "eprintln!()"), 1);
        assert_eq!(complaints("src/cli/out.rs", "println!()"), 0);
        assert_eq!(complaints("xtask/src/main.rs", "println!()"), 0);
        assert_eq!(complaints("src/server/mod.rs", "// println!()\nlet s = \"println!()\";"), 0);
    }

    #[test]
    fn paths_of_one_machine() {
        assert_eq!(complaints("README.md", concat!("see /work", "/main/x")), 1);
        assert_eq!(complaints("README.md", "data under /var/lib/longshore"), 0);
    }
}
