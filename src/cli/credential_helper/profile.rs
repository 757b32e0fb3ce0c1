//! The files `~/.aws/credentials` and `~/.aws/config`: sections of `key = value` lines.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

/// The settings of one profile in one file, keys in lower case.
pub(super) type Profile = BTreeMap<String, String>;

/// A file's profile. `None` when the file or the section does not exist.
///
/// `section` is what stands in the brackets: `default`, `staging`, in the configuration file `profile staging`.
///
/// # Errors
/// A file that is there and cannot be read.
pub(super) fn read(path: &Path, section: &str) -> anyhow::Result<Option<Profile>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(parse(&text, section)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Indented lines are sub-settings such as those of `s3 =`, which nobody needs here.
fn parse(text: &str, section: &str) -> Option<Profile> {
    let mut found: Option<Profile> = None;
    let mut is_inside = false;
    for line in text.lines() {
        if line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            let name = head.split(']').next().unwrap_or_default();
            is_inside = words(name).eq(words(section));
            if is_inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some((key, value)), Some(profile)) =
            (is_inside, line.split_once('='), &mut found)
        {
            profile.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

/// `profile   "my name"` and `profile my name` are the same section.
fn words(section: &str) -> impl Iterator<Item = &str> {
    section
        .split(|character: char| character.is_whitespace() || character == '"')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# comment\n[default]\naws_access_key_id = AKIADEFAULT\nregion=eu-central-1\ns3 =\n  region = \
         indented\n; comment\n\n[profile  \"staging\" ]\nAWS_Access_Key_Id=AKIA=STAGING\nnonsense\n[default]\nregion = eu-west-1\n";

    #[test]
    fn sections_hold_their_own_keys_and_later_lines_win() {
        let default = parse(TEXT, "default").unwrap();
        assert_eq!(default["aws_access_key_id"], "AKIADEFAULT");
        assert_eq!(default["region"], "eu-west-1");
        assert_eq!(default["s3"], "");
        let staging = parse(TEXT, "profile staging").unwrap();
        assert_eq!(
            staging.into_iter().collect::<Vec<_>>(),
            [("aws_access_key_id".into(), "AKIA=STAGING".into())]
        );
        assert_eq!(parse(TEXT, "staging"), None);
        assert_eq!(parse("", "default"), None);
    }

    #[test]
    fn a_missing_file_has_no_profiles_and_an_unreadable_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none"), "default").unwrap(), None);
        let error = read(folder.path(), "default").unwrap_err().to_string();
        assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    }
}
