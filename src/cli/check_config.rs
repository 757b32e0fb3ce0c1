//! `longshore check-config`

use std::fmt::Write as _;
use std::process::ExitCode;

use super::flags::Flags;
use super::{USAGE, load, out};

pub(super) const EXAMPLES: &str = "Examples:\n  longshore check-config --config /etc/longshore.toml\n  \
                                   LONGSHORE_LISTEN=0.0.0.0:443 longshore check-config";

/// Prints the settings (`key = "value"  # source`), or the problems; exit code 0 or 2.
pub(super) fn run(flags: &Flags) -> ExitCode {
    match load(flags) {
        Ok(config) => {
            let mut text = String::new();
            for shown in &config.shown {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{} = {:?}  # {}", shown.key, shown.value, shown.source);
            }
            out::data(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            out::data(&problems.to_string());
            ExitCode::from(USAGE)
        }
    }
}
