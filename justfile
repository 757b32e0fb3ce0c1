# The commands of every day. `just` alone lists them; CI runs `just test` under its long name.

list:
    @just --list

# Start a server on the embedded default with its data under ./longshore-data.
serve *flags:
    cargo run --release -- serve {{flags}}

# What to run before a commit: seconds, no clients needed.
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo xtask tidy
    cargo xtask codegen --check

# Unit and contract tests of one package, for example `just unit longshore-policy`.
unit package:
    cargo test -p {{package}}

# Set up the clients and run everything, as CI does.
test:
    cargo xtask test

# Only the tests with real clients, for example `just acceptance tutorial`.
acceptance *filter:
    cargo xtask setup
    cargo build --release
    LONGSHORE_BIN="${CARGO_TARGET_DIR:-target}/release/longshore" cargo test --test acceptance -- {{filter}}

# Measure against distribution and nginx, for example `just bench --quick` or `just bench growth`.
bench *flags:
    cargo xtask bench {{flags}}
