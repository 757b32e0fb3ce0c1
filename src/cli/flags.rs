//! The flags of all settings, made from the table of settings, so that no flag can lack its variable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::{Environment, Reach, SETTINGS, Setting, Sources};

/// The settings that were given as flags.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags {
    values: BTreeMap<&'static str, String>,
    config: Option<PathBuf>,
}

impl Flags {
    /// The flags together with the other sources.
    pub(super) fn sources<'a>(&self, environment: Environment<'a>) -> Sources<'a> {
        Sources { flags: self.values.clone(), config: self.config.clone(), environment }
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Configuration file in TOML [variable: LONGSHORE_CONFIG]");
        let settings = SETTINGS.iter().filter(|setting| setting.reach != Reach::Environment);
        settings.fold(command.arg(config), |command, setting| command.arg(argument(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let default = setting.default.filter(|text| !text.is_empty());
    let default = default.map_or_else(String::new, |text| format!(" [default: {text}]"));
    let argument = Arg::new(setting.key)
        .long(setting.key)
        .value_name(setting.form)
        .action(ArgAction::Set)
        .help(format!("{} [variable: {}]{default}", setting.about, setting.variable()));
    if setting.reach == Reach::Switch {
        return argument.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    // A value such as a negative number must reach the check that names what is expected.
    argument.allow_hyphen_values(true)
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        for setting in SETTINGS.iter().filter(|setting| setting.reach != Reach::Environment) {
            if let Some(value) = matches.get_one::<String>(setting.key) {
                self.values.insert(setting.key, value.clone());
            }
        }
        Ok(())
    }
}
