#!/usr/bin/env bash
# All that is checked without running anything: formatting, clippy's lints, names and sizes, circles between modules,
# licences. What is quick comes first. `make lint` and scripts/test.sh call it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s\n' "$*" >&2; }

step "formatting"
cargo fmt --all --check
# Each check proves first that it can fail.
step "names and sizes"
python3 scripts/lint_names.py --self-test
python3 scripts/lint_names.py
step "names in comments"
python3 scripts/lint_comments.py --self-test
python3 scripts/lint_comments.py
step "circles between modules"
python3 scripts/lint_cycles.py --self-test
python3 scripts/lint_cycles.py
step "licences"
python3 scripts/licences.py --self-test
python3 scripts/licences.py
step "lints"
cargo clippy --workspace --all-targets -- -D warnings
