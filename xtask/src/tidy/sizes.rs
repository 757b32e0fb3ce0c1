//! Sizes: no Rust file above [`HARD_CAP`] lines, generated files excepted; and how the tree stands as a whole.

use super::{Breach, File};

/// Above this many lines a file is split, without exception.
const HARD_CAP: usize = 600;
/// Nine files in ten stay below this.
const COMFORTABLE: usize = 400;

/// Every file above the cap.
pub fn breaches(files: &[File]) -> Vec<Breach> {
    let measured = files.iter().filter(|file| counts(file)).map(|file| (file, file.text.lines().count()));
    let large = measured.filter(|(_, lines)| *lines > HARD_CAP);
    large
        .map(|(file, lines)| {
            Breach::new(file, 0, format!("{lines} lines, the cap is {HARD_CAP}: split it by concept"))
        })
        .collect()
}

/// One line with the number of files, the median and the share of comfortable ones.
pub fn summary(files: &[File]) -> String {
    let mut lengths: Vec<usize> =
        files.iter().filter(|file| counts(file)).map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let comfortable = lengths.iter().filter(|lines| **lines < COMFORTABLE).count();
    let share = 100 * comfortable / lengths.len().max(1);
    format!("{} Rust files, median {median} lines, {share} % below {COMFORTABLE}", lengths.len())
}

fn counts(file: &File) -> bool {
    file.is_rust() && !file.is_generated()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn the_cap_is_hard_except_for_generated_files() {
        let long = "\n".repeat(HARD_CAP + 1);
        let files = [
            file("src/a.rs", &long),
            file("crates/aws/src/generated/ecr.rs", &long),
            file("a.json", &long),
            file("src/b.rs", "x"),
        ];
        let found: Vec<String> = breaches(&files).into_iter().map(|breach| breach.path).collect();
        assert_eq!(found, ["src/a.rs"]);
        assert_eq!(summary(&files), "2 Rust files, median 601 lines, 50 % below 400");
    }
}
