#!/usr/bin/env bash
# What must hold: what scripts/lint.sh checks, and the tests on both databases and both queues. It brings its own PostgreSQL
# and Redis and takes them away again. `make test`, `make test-full` and CI call it.
#
#   scripts/test.sh                     lints and all tests but the long ones
#   scripts/test.sh --long              what is long by nature: the crash test, foreign servers, the browser's stories, the
#                                       examples of the documentation, the files for containers
#   scripts/test.sh ARGUMENTS           only the tests, with these arguments for the test runner: -p concord-storage
#
# Which tests are long is said in .config/nextest.toml.
# CONCORD_CONTRACTS, if set, names the folder with the providers' definitions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s\n' "$*" >&2; }

step "tools"
scripts/tools.sh
CONCORD_TEST_PYTHON="$(scripts/python.sh)"
export CONCORD_TEST_PYTHON
scripts/axe.sh
scripts/ical_js.sh
scripts/oidc_provider.sh
scripts/standard_webhooks_js.sh
if [ -n "${CONCORD_CONTRACTS:-}" ]; then
  # Each crate's tests run in a folder of their own.
  CONCORD_CONTRACTS="$(cd "$CONCORD_CONTRACTS" && pwd)"
  export CONCORD_CONTRACTS
fi

part="${1:-}"
if [ $# = 0 ]; then
  scripts/lint.sh
fi

step "services"
# A set of its own, so that neither a developer's nor another run's is stopped at the end.
CONCORD_SERVICES_DIR="$(mktemp -d "${TMPDIR:-/tmp}/concord-test.XXXXXX")"
export CONCORD_SERVICES_DIR
trap 'scripts/services.sh down; rm -rf "$CONCORD_SERVICES_DIR"' EXIT
trap 'exit 130' INT TERM HUP
variables="$(scripts/services.sh up)"
eval "$variables"

step "tests"
# What a developer has set for a server of their own must not reach the tests.
unset DATABASE_URL REDIS_URL SMTP_URL IMAP_URL PUBLIC_URL CONCORD_MASTER_KEY CONCORD_CONFIG GOOGLE_CALENDAR_CLIENT_ID \
  GOOGLE_CALENDAR_CLIENT_SECRET MICROSOFT_GRAPH_CLIENT_ID MICROSOFT_GRAPH_CLIENT_SECRET RUST_LOG "${!CONCORD__@}"
has_nextest() { cargo nextest --version >/dev/null 2>&1; }
if [ "$part" = --long ]; then
  # Without nextest, everything has run already.
  if has_nextest; then
    cargo nextest run --no-fail-fast --workspace --ignore-default-filter -E 'not default()' --test-threads 3
    # nextest runs no examples of the documentation.
    cargo test --workspace --doc --quiet
  fi
  step "without the demo"
  cargo clippy -p concord --no-default-features --bin concord -- -D warnings
  step "containers"
  cargo build --quiet --bin concord
  "$CONCORD_TEST_PYTHON" scripts/check_containers.py "${CARGO_TARGET_DIR:-target}/debug/concord"
elif [ $# = 0 ]; then
  if has_nextest; then cargo nextest run --no-fail-fast --workspace; else cargo test --no-fail-fast --workspace; fi
elif has_nextest; then
  cargo nextest run --no-fail-fast --ignore-default-filter "$@"
else
  cargo test --no-fail-fast "$@"
fi

step "all is well"
