# The commands of this project. `just` lists them; each line works by itself too.

_list:
    @just --list --unsorted

# Everything a change must pass.
check: fmt-check clippy test doc sim-alone fuzz-check

# Format the code.
fmt:
    cargo fmt --all

# Whether the code is formatted.
fmt-check:
    cargo fmt --all --check

# Lints, warnings denied.
clippy:
    cargo clippy --workspace --all-targets -- -D warnings

# All tests.
test:
    cargo test --workspace

# The program killed at random moments; then, built with fault points, ended at each of them and its actors broken.
kill:
    cargo test --test kill moments
    cargo test --features faults --test kill -- --skip moments

# Days under faults that never stop; two hours of them, or as many minutes as are said (docs/soak.md).
soak MINUTES="120":
    TANDEM_SOAK_MINUTES={{MINUTES}} cargo test --release --test soak -- --ignored --nocapture

# Damaged input, more of it than the ordinary run tries (docs/fuzzing.md).
damage CASES="100000":
    TANDEM_DAMAGE_CASES={{CASES}} cargo test --release --test damage

# Whether the fuzz targets still fit what they call; needs neither a nightly nor libFuzzer.
fuzz-check:
    CUSTOM_LIBFUZZER_PATH=/nowhere/libfuzzer.a cargo check --all-features --manifest-path fuzz/Cargo.toml --target-dir target

# Everything that reads what others wrote, with libFuzzer for so many seconds each (needs a nightly; docs/fuzzing.md).
fuzz SECONDS="600" *TARGETS:
    fuzz/run.sh {{SECONDS}} {{TARGETS}}

# The documentation, warnings denied.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Proves that the simulator uses the wire structs only, not the broker clients.
sim-alone:
    cargo check -p tandem-sim

# The simulator driven by the official Python SDK (needs Python 3 with venv and pip).
sdk:
    cargo build
    tests/sdk/run.sh

# Known faults, licences and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check

# A simulated day, two followers, the books compared.
demo:
    cargo run --release -- demo

# Latency beside its floors.
bench:
    cargo bench

# One day of the simulation, and its story if it fails (docs/simulation.md).
simulate SEED:
    TANDEM_SIM_SEED={{SEED}} cargo test -p tandem-simulation chaos -- --nocapture

# A million days of it, from a seed on: hours. Goes on past failures, and ends with a list of them.
simulate-nightly FIRST="0" DAYS="1000000":
    TANDEM_SIM_FIRST={{FIRST}} TANDEM_SIM_SEEDS={{DAYS}} TANDEM_SIM_FAILURES=100 cargo test --release -p tandem-simulation chaos -- --nocapture

# What CI runs.
ci:
    .ci/run
