//! Build tool of the repository: `cargo xtask SUBCOMMAND`.

mod bench;
mod codegen;
mod fuzz;
mod setup;
mod test;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (subcommand, rest) = match arguments.split_first() {
        Some((subcommand, rest)) => (subcommand.as_str(), rest),
        None => ("", &[][..]),
    };
    let result = match subcommand {
        "bench" => bench::run(rest),
        "codegen" => codegen::run(rest),
        "fuzz" => fuzz::run(rest),
        "setup" => setup::run(),
        "test" => test::run(),
        "tidy" => tidy::run(),
        _ => {
            eprintln!(
                "usage: cargo xtask setup | test | tidy | codegen [--check | --import WHEEL_OR_DIRECTORY] | \
                 fuzz [--seconds N] [TARGET…] | bench [growth] [--rounds N] [--seconds S] [--quick] [--check]"
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
