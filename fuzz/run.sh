#!/usr/bin/env bash
# Runs the fuzz targets with libFuzzer, each for so many seconds (docs/fuzzing.md):
#     fuzz/run.sh 600            # all of them
#     fuzz/run.sh 600 frame      # those that are named
#     TANDEM_FUZZ_OPTIONS="--dev --sanitizer none" fuzz/run.sh 15 frame   # built in a third of the time, and slower
# Needs a nightly toolchain and a C++ compiler. cargo-fuzz is put beside what is built, where there is none. What a target
# has learnt stays in a corpus there; what breaks it is kept in fuzz/artifacts and named.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?for how many seconds is each target to run?}
shift
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
fixtures=dhan/tests/fixtures

if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install --quiet --debug --locked --root "$target/fuzz-tools" cargo-fuzz
    PATH=$target/fuzz-tools/bin:$PATH
fi

# What each target begins with, beside its corpus.
seeds() {
    case $1 in
    frame) echo "$fixtures/frames" ;;
    answer) echo "$fixtures/answers" ;;
    instruments) echo "$fixtures/instruments" ;;
    settings) echo config ;;
    esac
}

# The settings are the whole program's.
features() { [ "$1" != settings ] || echo --features settings; }

names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(cargo fuzz list)
for name in "${names[@]}"; do
    mkdir -p "$target/fuzz-corpus/$name"
    echo "--- $name"
    # shellcheck disable=SC2086 # several words
    cargo +nightly fuzz run ${TANDEM_FUZZ_OPTIONS:-} $(features "$name") "$name" "$target/fuzz-corpus/$name" $(seeds "$name") -- \
        -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=1 -print_funcs=0 -verbosity=0
done
