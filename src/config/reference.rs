//! The reference page of the settings, written from the table so that it cannot go stale.

use std::fmt::Write as _;

use super::setting::{Reach, SETTINGS};

/// `docs/reference/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         Generated from the table in `src/config/setting.rs`; `LONGSHORE_UPDATE_DOCS=1 cargo test --lib config` \
         writes it anew.\n\n\
         A setting comes from its flag, else from its variable, else from the configuration file, else from its \
         default. The file is TOML with the same keys: `--config FILE`, `LONGSHORE_CONFIG`, or \
         `<data-dir>/longshore.toml` when that exists. Relative paths are relative to the working directory. \
         `longshore check-config` shows every value with its source, or everything that is wrong.\n\n\
         | setting | flag | variable | form | default | meaning |\n|---|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let flag = match setting.reach {
            Reach::Environment => "(variable only)".to_owned(),
            Reach::Everywhere | Reach::Switch => format!("`--{}`", setting.key),
        };
        let default = setting.default.filter(|text| !text.is_empty());
        let default = default.map_or_else(String::new, |text| format!("`{text}`"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {} | {flag} | `{}` | `{}` | {default} | {} |",
            setting.key,
            setting.variable(),
            setting.form.replace('|', "\\|"),
            setting.about.replace('|', "\\|")
        );
    }
    page
}
