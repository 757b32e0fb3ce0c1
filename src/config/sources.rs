//! Gathering the texts of all settings: flags before environment before file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::file;
use super::problem::{Problem, Source};
use super::setting::{Reach, SETTINGS, Setting};

/// How variables are looked up; injected, so that tests need no process-wide state.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where values come from.
pub struct Sources<'a> {
    /// Flags that were given, by key.
    pub flags: BTreeMap<&'static str, String>,
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// The variables.
    pub environment: Environment<'a>,
}

/// A value as text and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) source: Source,
}

/// What was set, by key.
pub(super) type AllGiven = BTreeMap<&'static str, Given>;

/// The name of the configuration file in the data folder.
const FILE_NAME: &str = "longshore.toml";

impl Sources<'_> {
    /// Everything that was set, and what could not be read at all.
    pub(super) fn gather(&self) -> (AllGiven, Vec<Problem>) {
        let mut given = AllGiven::new();
        let mut problems = Vec::new();
        for setting in SETTINGS {
            if let Some(text) = self.flags.get(setting.key).filter(|_| setting.reach != Reach::Environment) {
                given.insert(setting.key, Given { text: text.clone(), source: Source::Flag(setting.key) });
            } else if let Some(value) = self.variable(&setting.variable(), &mut problems) {
                given.insert(setting.key, value);
            }
        }
        if let Some((path, is_found_there)) = self.file(&given, &mut problems) {
            let (mut from_file, mut file_problems) = file::read(&path);
            problems.append(&mut file_problems);
            if is_found_there && let Some(value) = from_file.remove("data-dir") {
                problems.push(Problem {
                    key: "data-dir".to_owned(),
                    source: value.source,
                    what: "a file that is found in the data folder cannot move it; use --config".to_owned(),
                });
            }
            for (key, value) in from_file {
                given.entry(key).or_insert(value);
            }
        }
        (given, problems)
    }

    /// A variable; an empty one counts as not set, as in most container set-ups.
    fn variable(&self, name: &str, problems: &mut Vec<Problem>) -> Option<Given> {
        let value = (self.environment)(name)?;
        let source = Source::Environment(name.to_owned());
        match value.into_string() {
            Ok(text) if text.is_empty() => None,
            Ok(text) => Some(Given { text, source }),
            Err(_) => {
                problems.push(Problem { key: name.to_owned(), source, what: "is not UTF-8".to_owned() });
                None
            }
        }
    }

    /// The configuration file, and whether it was only found by looking into the data folder.
    fn file(&self, given: &AllGiven, problems: &mut Vec<Problem>) -> Option<(PathBuf, bool)> {
        if let Some(path) = &self.config {
            return Some((path.clone(), false));
        }
        if let Some(value) = self.variable("LONGSHORE_CONFIG", problems) {
            return Some((PathBuf::from(value.text), false));
        }
        let default = Setting::find("data-dir").and_then(|setting| setting.default).unwrap_or_default();
        let folder = given.get("data-dir").map_or(default, |value| value.text.as_str());
        let path = Path::new(folder).join(FILE_NAME);
        path.exists().then_some((path, true))
    }
}
