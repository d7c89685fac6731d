#!/bin/sh
# Drives `tandem sim` with the official Python SDK. Needs python3 with venv and pip; TANDEM_BIN names the binary
# (default: target/debug/tandem). The packages go into .venv/sdk of the repository, which git ignores.
set -eu
cd "$(dirname "$0")/../.."

venv=.venv/sdk
stamp="$venv/installed-$(cksum < tests/sdk/requirements.txt | tr ' ' '-')"
if [ ! -e "$stamp" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/sdk/requirements.txt
    touch "$stamp"
fi

export TANDEM_BIN="${TANDEM_BIN:-${CARGO_TARGET_DIR:-target}/debug/tandem}"
[ -x "$TANDEM_BIN" ] || { echo "no binary at $TANDEM_BIN: cargo build" >&2; exit 2; }
export PYTHONDONTWRITEBYTECODE=1
# Loopback never goes through a proxy.
export NO_PROXY="127.0.0.1,localhost" no_proxy="127.0.0.1,localhost"
exec "$venv/bin/python" -m pytest --quiet -p no:cacheprovider "$@" tests/sdk
