#!/usr/bin/env bash
# Prints the Python that tests use: target/python, with the packages of scripts/python-requirements.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv="$PWD/target/python"
wanted="$(sha256sum <scripts/python-requirements.txt)"

mkdir -p target
exec 9>target/python.lock
flock 9
if [ "$(cat "$venv/installed" 2>/dev/null || true)" != "$wanted" ]; then
  {
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement scripts/python-requirements.txt
  } >&2
  printf '%s\n' "$wanted" >"$venv/installed"
fi
echo "$venv/bin/python"
