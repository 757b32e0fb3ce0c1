//! The program: see `longshore help`.

fn main() -> std::process::ExitCode {
    longshore::cli::run()
}
